test_that("both doors write the same model", {
  by_formula <- fit_nlme(theo_formula(), theo, short_saem(), seed = 1, progress = FALSE)
  by_blocks <- fit_nlme(theo_blocks(), theo, short_saem(), seed = 1, progress = FALSE)
  expect_equal(
    unname(log(fixef(by_formula))), unname(fixef(by_blocks)),
    tolerance = 0.1
  )
  expect_equal(
    as.numeric(logLik(by_formula)), as.numeric(logLik(by_blocks)),
    tolerance = 0.005
  )
})

test_that("a formula with its arguments is a model with its arguments", {
  direct <- fit_orange(method = short_saem(), seed = 3)
  model <- nlme_formula(
    circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
    start = c(Asym = 170, xmid = 700, scal = 350),
    random = Asym ~ 1 | Tree, error = add(sigma = 8)
  )
  expect_equal(
    fixef(fit_nlme(model, orange, short_saem(), seed = 3, progress = FALSE)),
    fixef(direct)
  )
})

test_that("threads and the order of rows do not change a bit", {
  one <- fit_nlme(theo_formula(), theo, short_saem(), seed = 5, threads = 1, progress = FALSE)
  two <- fit_nlme(theo_formula(), theo, short_saem(), seed = 5, threads = 2, progress = FALSE)
  set.seed(8)
  order <- sample(nrow(theo))
  mixed <- fit_nlme(theo_formula(), theo[order, ], short_saem(), seed = 5, progress = FALSE)
  expect_identical(one$parameters$natural, two$parameters$natural)
  expect_identical(one$parameters$natural, mixed$parameters$natural)
  expect_identical(fitted(one)[order], fitted(mixed))
})

test_that("a given seed leaves R's generator alone, none draws from it once", {
  set.seed(1)
  before <- .Random.seed
  fit_orange(method = short_saem(), seed = 1)
  expect_identical(.Random.seed, before)
  first <- fit_orange(method = short_saem())
  set.seed(1)
  second <- fit_orange(method = short_saem())
  expect_identical(first$settings$seed, second$settings$seed)
  expect_identical(fixef(first), fixef(second))
  set.seed(1)
  sample.int(.Machine$integer.max, 1L)
  expect_false(identical(.Random.seed, before))
})

test_that("fixed parameters stay, starts are used", {
  fit <- fit_orange(method = short_saem(), seed = 1, fix = c(scal = 340))
  expect_equal(fixef(fit)[["scal"]], 340)
  row <- mstep_routes(fit)$parameter == "scal"
  expect_equal(mstep_routes(fit)$route[row], "fixed")
  expect_equal(attr(logLik(fit), "df"), 4)
  fit <- fit_nlme(
    theo_formula(), theo, short_saem(), seed = 1, start = c(ka = 2), progress = FALSE
  )
  expect_equal(fit$parameters$start[fit$parameters$name == "ka"], 2)
})

test_that("arguments are checked by name", {
  model <- theo_formula()
  expect_equal(caught(fit_nlme("model", theo))$reason, "bad_model")
  expect_equal(caught(fit_nlme(model, theo, method = "saem"))$reason, "bad_method")
  expect_equal(caught(fit_nlme(model, theo, seeds = 1))$hint, "Did you mean `seed`?")
  expect_equal(caught(fit_nlme(model, theo, start = c(kaa = 1)))$hint, "Did you mean `ka`?")
  expect_equal(caught(fit_nlme(model, theo, fix = list(ka = NA)))$reason, "bad_value")
  expect_equal(caught(fit_nlme(model, theo, seed = 1.5))$name, "seed")
  expect_equal(caught(fit_nlme(model, theo, threads = 0))$name, "threads")
  expect_equal(
    caught(fit_nlme(y ~ f, theo, start = c(f = 1), transfrom = "log"))$hint,
    "Did you mean `transform`?"
  )
})

test_that("a covariance matrix is given whole and sent as its lower triangle", {
  model <- theo_formula(correlated = TRUE)
  value <- matrix(c(4, 1, 2, 1, 5, 3, 2, 3, 6), 3)
  sent <- nlmers:::named_values(list(omega = value), "start", model)
  expect_equal(sent, list(omega = c(4, 1, 5, 2, 3, 6)))
  expect_equal(caught(fit_nlme(model, theo, start = list(omega = 1:3)))$name, "omega")
  value[1, 2] <- 0
  expect_equal(caught(fit_nlme(model, theo, fix = list(omega = value)))$reason, "bad_value")
})

# Runs in its own R process: a fit without end gets SIGINT after one second.
interrupted_fit <- function() {
  signal <- tempfile()
  system(sprintf("(sleep 1; date +%%s.%%N >%s; kill -INT %d) &", signal, Sys.getpid()))
  fit <- suppressWarnings(nlmers::fit_nlme(
    circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
    data = datasets::Orange, start = c(Asym = 170, xmid = 700, scal = 350),
    random = Asym ~ 1 | Tree, method = nlmers::saem(exploration = 1e8), seed = 1
  ))
  stopped <- as.numeric(Sys.time())
  cat(fit$status$code, all(is.finite(nlmers::fixef(fit))), stopped - as.numeric(readLines(signal)), "\n")
}

test_that("Ctrl-C returns what there is within a quarter of a second", {
  output <- output_of_own_process("interrupted_fit")
  parts <- strsplit(utils::tail(output, 1L), " ")[[1L]]
  expect_equal(parts[1:2], c("interrupted", "TRUE"))
  expect_lt(as.numeric(parts[3]), 0.25)
})

test_that("arguments passed on through `...` are read where they were written", {
  wrapped <- function(data, ...) {
    fit_nlme(
      circumference ~ Asym / (1 + exp(-(age - xmid) / scal)), data,
      start = c(Asym = 170, xmid = 700, scal = 350), ...,
      method = short_saem(), seed = 3, progress = FALSE
    )
  }
  caller <- function() {
    varying <- Asym ~ 1 | Tree
    spread <- 8
    wrapped(orange, random = varying, error = add(sigma = spread))
  }
  expect_equal(fixef(caller()), fixef(fit_orange(method = short_saem(), seed = 3)))
  by_covariate <- function(...) {
    fit_nlme(
      conc ~ one_compartment(dose, Time, ka, V, Cl), theo, short_saem(), seed = 1,
      start = c(ka = 1, V = 20, Cl = 0.5), transform = "log",
      random = ka + V + Cl ~ 1 | Subject, progress = FALSE, ...
    )
  }
  fits <- lapply(c("Wt", "Dose"), function(column) {
    by_covariate(covariates = stats::reformulate(column, "Cl"))
  })
  expect_true("beta_Cl_Wt" %in% names(fixef(fits[[1L]])))
  expect_true("beta_Cl_Dose" %in% names(fixef(fits[[2L]])))
})

test_that("nlme_formula() reads the values of `error` where it was written", {
  wrapped <- function(...) nlme_formula(y ~ f, c(f = 1), random = f ~ 1 | id, ...)
  caller <- function() {
    spread <- 8
    wrapped(error = add(sigma = spread))
  }
  expect_equal(caller()$spec$parameters[[3L]]$value, 8)
})

test_that("a call without data says so", {
  error <- caught(fit_nlme(theo_formula()))
  expect_equal(error$reason, "missing_argument")
  expect_match(conditionMessage(error), "`data`", fixed = TRUE)
})

test_that("a name alone fixes a parameter at its start", {
  fit <- fit_orange(method = short_saem(), seed = 1, fix = "scal")
  expect_equal(fixef(fit)[["scal"]], 350)
  expect_equal(mstep_routes(fit)$route[fit$parameters$name == "scal"], "fixed")
  fit <- fit_orange(method = short_saem(), seed = 1, fix = list("scal", xmid = 720))
  expect_equal(fixef(fit)[c("scal", "xmid")], c(scal = 350, xmid = 720))
  expect_equal(caught(fit_orange(fix = "scl"))$hint, "Did you mean `scal`?")
})

test_that("values without names are refused", {
  model <- theo_formula()
  for (error in list(caught(fit_nlme(model, theo, fix = 1.5)), caught(fit_nlme(model, theo, start = 1.5)))) {
    expect_equal(error$reason, "unnamed_value")
    expect_match(conditionMessage(error), "must be named", fixed = TRUE)
    expect_match(error$hint, "c(ka = 1.5)", fixed = TRUE)
  }
})
