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
