flow <- function(...) {
  nlme_model(
    fixed(a = 1, o = positive(1), s = positive(1)), random(e ~ normal(a, o) | id), ...,
    {
      d/dt(x) <- -exp(e) * x
      x(0) <- 1
      y ~ normal(x, s)
    }
  )
}

test_that("the options given reach the model, the others keep their defaults", {
  expect_equal(unclass(ode_control()), list(), ignore_attr = TRUE)
  control <- ode_control(1e-8, solver = "stiff", linear = FALSE)
  expect_s3_class(control, "nlme_ode_control")
  expect_equal(unclass(control), list(rtol = 1e-8, solver = "stiff", linear = FALSE))
  expect_equal(flow(ode_control(rtol = 1e-8))$spec$ode, list(rtol = 1e-8))
  expect_equal(flow(!!control)$spec$ode, unclass(control))
  expect_equal(flow(nlmers::ode_control(atol = 1e-3))$spec$ode, list(atol = 1e-3))
  tolerance <- 1e-7
  expect_equal(flow(!!ode_control(rtol = tolerance))$spec$ode$rtol, 1e-7)
  expect_null(nlmers:::model_fields(flow(ode_control())$spec)$ode)
})

test_that("wrong options are refused by name", {
  refused <- function(code) {
    error <- caught(code)
    c(error$reason, error$name)
  }
  expect_equal(refused(ode_control(rtol = 0)), c("bad_option", "rtol"))
  expect_equal(refused(ode_control(atol = -1)), c("bad_option", "atol"))
  expect_equal(refused(ode_control(max_steps = 0)), c("bad_option", "max_steps"))
  expect_equal(refused(ode_control(stiff_after = 1.5)), c("bad_option", "stiff_after"))
  expect_equal(refused(ode_control(solver = "lsoda")), c("bad_option", "solver"))
  expect_equal(refused(ode_control(linear = NA)), c("bad_option", "linear"))
  expect_equal(refused(ode_control(max_forward = -1)), c("bad_option", "max_forward"))
  expect_equal(refused(flow(ode_control(rtoll = 1))), c("unknown_argument", "rtoll"))
  expect_equal(refused(flow(ode_control(rtol = 1e-4), ode_control(atol = 1e-4))), c("name_used_twice", "ode_control()"))
})

test_that("options of equations that are not there are refused", {
  error <- caught(nlme_model(
    fixed(a = 1, o = positive(1), s = positive(1)), random(e ~ normal(a, o) | id), ode_control(atol = 1e-4),
    y ~ normal(e, s)
  ))
  expect_equal(error$reason, "idle_option")
  expect_s3_class(error, "nlmers_error_option")
})

test_that("options print with what they leave alone", {
  expect_snapshot(print(ode_control(rtol = 1e-8, solver = "stiff")))
  expect_equal(nlmers:::changed_ode_options(unclass(ode_control(rtol = 1e-6, linear = FALSE))), "linear = FALSE")
})

test_that("fit_nlme() takes the options beside a model of any door", {
  d <- data.frame(id = rep(1:4, each = 4), time = rep(c(0, 1, 4, 8), 4), amt = rep(c(100, 0, 0, 0), 4))
  d$evid <- as.integer(d$amt > 0)
  door <- function() {
    ini({
      tcl <- 1
      tv <- 3
      eta.cl ~ 0.1
      sd <- 0.2
    })
    model({
      cl <- exp(tcl + eta.cl)
      v <- exp(tv)
      d/dt(central) <- -cl / v * central
      cp <- central / v
      cp ~ add(sd)
    })
  }
  d <- simulate(as_nlme_model(door), seed = 1, data = d)
  few <- saem(exploration = 5, smoothing = 5, log_lik = FALSE)
  fit <- suppressWarnings(fit_nlme(
    door, d, few, seed = 1, progress = FALSE, ode_control = ode_control(linear = FALSE, rtol = 1e-7)
  ))
  expect_equal(fit$equations$rtol, 1e-7)
  expect_match(fit$equations$solver, "Tsitouras")
  refused <- function(model, given) caught(fit_nlme(model, d, few, progress = FALSE, ode_control = given))
  expect_equal(refused(door, 1e-7)$reason, "bad_option")
  own <- as_nlme_model(door, ode = ode_control(rtol = 1e-8))
  expect_match(refused(own, ode_control(rtol = 1e-7))$problem, "ode_control(rtol = 1e-08)", fixed = TRUE)
  plain <- nlme_model(fixed(a = 1, s = positive(1)), random(e ~ normal(a, 1) | id), DV ~ normal(e, s))
  expect_match(refused(plain, ode_control())$problem, "no differential equations")
})
