read <- function(code) nlmers:::model_statements(code, globalenv())
reason_of <- function(code) caught(read(code))$reason

# With lines between braces, or one line more.
oral <- function(..., code = NULL) {
  code <- if (is.call(code) && identical(code[[1]], quote(`{`))) as.list(code)[-1] else c(code)
  nlme_model(
    fixed(tka = 0.5, tcl = -3, tv = -1, omega = positive(0.3), sigma = positive(0.5)),
    random(eta ~ normal(tcl, omega) | id),
    ...,
    {
      cl <- exp(eta)
      v <- exp(tv)
      cp <- central / v
      d/dt(depot) <- -exp(tka) * depot
      d/dt(central) <- exp(tka) * depot - cl / v * central
      !!!code
      conc ~ normal(cp, sigma)
    }
  )
}

oral_closed <- function() {
  nlme_model(
    fixed(a = 1, o = positive(1), s = positive(1)), random(e ~ normal(a, o) | id), y ~ normal(e, s)
  )
}

test_that("statements of differential equations are read", {
  statements <- read(quote({
    d/dt(gut) <- -ka * gut
    d/dt(x.1) = t # nolint: assignment_linter.
    gut(0) <- dose
    f(gut) <- fr
    F(x.1) <- 1
    alag(gut) <- lag
    lag(x.1) <- 2
    rate(gut) <- r
    dur(gut) <- 3
  }))
  field <- function(name) vapply(statements, function(s) if (is.null(s[[name]])) "" else s[[name]], "")
  expect_equal(field("kind"), c(rep("derivative", 2), "initial", rep("dosing", 6)))
  expect_equal(field("state"), c("gut", "x.1", "gut", "gut", "x.1", "gut", "x.1", "gut", "gut"))
  expect_equal(field("property")[-(1:3)], c("f", "f", "alag", "alag", "rate", "dur"))
  expect_equal(field("text")[1:3], c("d/dt(gut) <- -ka * gut", "d/dt(x.1) = t", "gut(0) <- dose"))
  expect_equal(statements[[2]]$value, list(sym = "t"))
})

test_that("helpers and choices stand inside right-hand sides", {
  loss <- function(x, vmax, km) {
    top <- vmax * x
    top / (km + x)
  }
  tree <- nlmers:::model_statements(quote(d/dt(x) <- if (t > 2) -loss(x, 1, km) else 0), environment())[[1]]$value
  expect_equal(tree$call, "if")
  expect_setequal(nlmers:::tree_symbols(tree), c("t", "x", "km"))
})

test_that("other calls on the left are refused with the way out", {
  expect_equal(reason_of(quote(d/dt(2) <- 1)), "bad_target")
  expect_equal(reason_of(quote(d/dt(x, y) <- 1)), "bad_target")
  expect_match(caught(read(quote(x(1) <- 2)))$hint, "`x(0) <- ...`", fixed = TRUE)
  expect_equal(caught(read(quote(alg(depot) <- 2)))$hint, "Did you mean `alag(depot)`?")
  expect_match(caught(read(quote(names(x) <- 2)))$hint, "`d/dt(x)`, `x(0)`, `f(x)`", fixed = TRUE)
})

test_that("a model knows its states and prints them", {
  model <- oral(code = quote(depot(0) <- dose))
  expect_identical(model$described$states, c("depot", "central"))
  expect_identical(oral_closed()$described$states, character())
  expect_snapshot(print(oral(ode_control(rtol = 1e-8, solver = "explicit"), code = quote(depot(0) <- dose))))
})

test_that("variables that read a state are those of a row, what holds for doses is of the subject", {
  levels <- nlmers:::variable_levels(oral(code = quote({
    alag(depot) <- exp(eta) * w
    both <- depot + central
    f(depot) <- exp(eta)
    depot(0) <- w
  })))
  expect_equal(levels[["both"]], "row")
  expect_equal(levels[["cp"]], "row")
  expect_equal(levels[["cl"]], "id")
  expect_equal(levels[["alag(depot) <- exp(eta) * w"]], "row")
  expect_equal(levels[["f(depot) <- exp(eta)"]], "id")
  expect_equal(levels[["depot(0) <- w"]], "population")
})

test_that("names of states are known where names are looked for", {
  model <- oral()
  expect_true(all(c("depot", "central") %in% nlmers:::model_names(model$spec)))
  data <- data.frame(id = 1, time = 1:3, conc = 1)
  model <- oral(code = quote(u <- centrl * 2))
  expect_match(caught(nlmers:::bind_data(model, data))$hint, "Did you mean `central`?", fixed = TRUE)
})

test_that("equations that cannot be are refused", {
  refused <- function(code) caught(oral(code = code))$reason
  expect_equal(refused(quote(depo(0) <- 1)), "state_without_equation")
  expect_equal(refused(quote(d/dt(depot) <- 1)), "equation_twice")
  expect_equal(refused(quote(f(depot) <- central)), "not_of_subject")
  expect_equal(refused(quote(central <- 2)), "name_used_twice")
  expect_equal(refused(quote(if (w > 1) d/dt(x) <- 1)), "equation_inside")
  inside <- function(x) {
    d/dt(x) <- 1
    x
  }
  expect_equal(refused(bquote(u <- .(inside)(2))), "equation_inside")
})

test_that("compartments bring their states", {
  model <- nlme_model(
    fixed(tcl = -3, tv = -1, omega = positive(0.3), sigma = positive(0.5)),
    random(eta ~ normal(tcl, omega) | id),
    {
      cp <- linear_compartments(exp(eta), exp(tv), q = 1, v2 = 3, ka = 1)
      d/dt(effect) <- cp - effect
      f(depot) <- 0.5
      y ~ normal(cp + effect, sigma)
    }
  )
  expect_identical(model$described$states, c("depot", "central", "peripheral1", "effect"))
  error <- caught(nlme_model(
    fixed(a = 1, o = positive(1), s = positive(1)), random(e ~ normal(a, o) | id),
    y ~ normal(linear_compartments(cl = e, ka = 1), s)
  ))
  expect_equal(error$reason, "argument_count")
  expect_match(error$problem, "`v` is missing", fixed = TRUE)
})
