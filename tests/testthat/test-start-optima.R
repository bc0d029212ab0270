# Flip-flop and other places where the pooled model fits as well.

# Curves after an oral dose of 12 subjects, and a formula with the truth as its start.
oral_curves <- function(seed, kind) {
  set.seed(seed)
  ka <- exp(runif(1, log(0.7), log(3)))
  v <- exp(runif(1, log(5), log(50)))
  k <- exp(runif(1, log(0.03), log(0.25)))
  time <- c(0.25, 0.5, 1, 2, 4, 6, 9, 12, 24)
  data <- do.call(rbind, lapply(1:12, function(i) {
    e <- exp(c(0.3, 0.2, 0.2) * rnorm(3))
    own <- if (kind == "ke") k * e[3] else k * e[3] / e[2]
    f <- 5 * v * ka * e[1] / (v * e[2] * (ka * e[1] - own)) * (exp(-own * time) - exp(-ka * e[1] * time))
    data.frame(id = i, time = time, dose = 5 * v, conc = f * exp(0.1 * rnorm(9)))
  }))
  formulas <- list(
    cl = conc ~ dose * ka / (V * (ka - Cl / V)) * (exp(-Cl / V * time) - exp(-ka * time)),
    ke = conc ~ dose * ka / (V * (ka - ke)) * (exp(-ke * time) - exp(-ka * time)),
    log = conc ~ dose * exp(lka) / (exp(lV) * (exp(lka) - exp(lCl - lV))) *
      (exp(-exp(lCl - lV) * time) - exp(-exp(lka) * time))
  )
  random <- list(cl = ka + V + Cl ~ 1 | id, ke = ka + ke + V ~ 1 | id, log = lka + lV + lCl ~ 1 | id)
  truth <- list(
    cl = c(ka = ka, V = v, Cl = k * v), ke = c(ka = ka, ke = k, V = v),
    log = c(lka = log(ka), lV = log(v), lCl = log(k * v))
  )
  list(
    data = data, formula = formulas[[kind]], random = random[[kind]], truth = truth[[kind]],
    scale = if (kind == "log") "identity" else "log"
  )
}

fit_curves <- function(case, ...) {
  suppressMessages(suppressWarnings(fit_nlme(
    case$formula, case$data, ..., random = case$random, transform = case$scale, error = prop(b = 0.2), seed = 1
  )))
}

test_that("a fit without a start is as likely as one from the truth, however the curve is written", {
  # Seeds at which the pooled fit alone led to the flip-flop.
  cases <- list(list(1, "cl"), list(3, "cl"), list(2, "ke"), list(5, "ke"), list(1, "log"), list(3, "log"))
  for (drawn in cases) {
    case <- oral_curves(drawn[[1]], drawn[[2]])
    found <- fit_curves(case)
    known <- fit_curves(case, start = case$truth)
    expect_gt(as.numeric(logLik(found)), as.numeric(logLik(known)) - 0.5)
  }
})

test_that("the pooled optimum and its flip-flop are both found", {
  case <- oral_curves(1, "cl")
  model <- nlme_formula(
    case$formula, start = case$truth, transform = "log", random = ka + V + Cl ~ 1 | id, error = prop(b = 0.2)
  )
  pooled <- nlmers:::pooled_model(model)
  best <- nlmers:::pooled_fit(pooled, case$data, as.list(case$truth), NULL, list())
  open <- names(case$truth)
  scales <- stats::setNames(rep("log", 3), open)
  optima <- nlmers:::pooled_optima(pooled, case$data, best, open, scales, NULL, list())
  found <- t(vapply(optima, function(one) unlist(one$values[open]), numeric(3)))
  # The same curve with the rates exchanged: ka' = Cl / V, V' = Cl / ka, Cl' = Cl.
  here <- unlist(best$values[open])
  there <- c(ka = here[["Cl"]] / here[["V"]], V = here[["Cl"]] / here[["ka"]], Cl = here[["Cl"]])
  near <- function(values) min(apply(found, 1L, function(row) max(abs(row / values - 1))))
  expect_lt(near(here), 0.01)
  expect_lt(near(there), 0.01)
})

test_that("absorption that is truly slower than elimination is kept", {
  set.seed(1)
  time <- c(0.25, 0.5, 1, 2, 4, 6, 9, 12, 24)
  data <- do.call(rbind, lapply(1:12, function(i) {
    e <- exp(c(0.4, 0.1, 0.2) * rnorm(3))
    ka <- 0.08 * e[1]
    k <- 1.2 * e[2]
    f <- 100 * ka / (8 * e[3] * (ka - k)) * (exp(-k * time) - exp(-ka * time))
    data.frame(id = i, time = time, dose = 100, conc = f * exp(0.1 * rnorm(9)))
  }))
  case <- c(list(data = data, scale = "log"), oral_curves(1, "ke")[c("formula", "random")])
  fit <- fit_curves(case)
  expect_equal(fixef(fit)[["ka"]], 0.08, tolerance = 0.5)
  expect_equal(fixef(fit)[["ke"]], 1.2, tolerance = 0.5)
})

test_that("names say whether absorption is faster", {
  faster <- nlmers:::absorbs_first
  expect_equal(faster(list(ka = 1, V = 10, Cl = 1)), 1)
  expect_equal(faster(list(ka = 0.05, V = 10, Cl = 1)), 0)
  expect_equal(faster(list(lka = 0, lke = -2)), 1)
  expect_equal(faster(list(lKa = 0, log_v = 3, lCl = 3.5)), 0)
  expect_equal(faster(list(Asym = 1, scal = 2)), 0)
})

test_that("effects on logarithms start with an SD of 1, others with a fifth of their size", {
  case <- oral_curves(2, "log")
  start <- suggest_start(case$formula, case$data, random = case$random)
  expect_equal(unlist(start[grepl("^omega", names(start))]), rep(1, 3), ignore_attr = TRUE)
  growth <- circumference ~ Asym / (1 + exp(-(age - xmid) / scal))
  start <- suggest_start(growth, Orange, random = Asym + scal ~ 1 | Tree)
  expect_equal(start$omega_sd_scal, 0.2 * start$scal)
})
