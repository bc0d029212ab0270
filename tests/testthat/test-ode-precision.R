# Elimination that saturates, followed until hardly anything is left: a proportional error asks for small values that
# are precise.
saturable <- function(...) {
  nlme_model(
    fixed(vm = positive(16), km = positive(1.6), v = positive(15), b = positive(0.15), omega = positive(0.22)),
    random(e ~ normal(log(km), omega) | id), ...,
    {
      d/dt(central) <- -vm * central / (exp(e) * v + central)
      y ~ normal(central / v, prop(b))
    }
  )
}

emptied <- local({
  rows <- expand.grid(time = c(0, 0.5, 1, 2, 4, 8, 12, 18, 24, 30, 36), id = 1:5)
  rows$amt <- ifelse(rows$time == 0, 50, 0)
  rows$evid <- as.numeric(rows$time == 0)
  rows$y <- ifelse(rows$time == 0, NA, 1)
  rows$y <- simulate(saturable(ode_control(rtol = 1e-10, atol = 1e-14)), seed = 1, data = rows)$y
  rows
})

test_that("tolerances follow what the likelihood needs", {
  skip_on_cran()
  fine <- fit_nlme(saturable(ode_control(rtol = 1e-10, atol = 1e-14)), emptied, saem(), seed = 1, progress = FALSE)
  for (method in list(saem(), vem())) {
    fit <- fit_nlme(saturable(), emptied, method, seed = 1, progress = FALSE)
    expect_lt(fit$equations$rtol, 1e-6)
    expect_lt(abs(fit$equations$change), 0.02)
    expect_match(capture.output(print(summary(fit))), "to rtol = 1e-", all = FALSE)
    expect_lt(abs(as.numeric(logLik(fit)) - as.numeric(logLik(fine))), 0.05)
    expect_equal(fixef(fit), fixef(fine), tolerance = 0.01)
    # What comes after the fit is solved as finely.
    expect_equal(fit$model$spec$ode$rtol, fit$equations$rtol)
  }
})

test_that("tolerances that are given stay, and are said not to suffice", {
  skip_on_cran()
  expect_warning(
    fit <- fit_nlme(
      saturable(ode_control(rtol = 1e-6, atol = 1e-8)), emptied, saem(polish = FALSE), seed = 1, progress = FALSE
    ),
    "not solved precisely enough.*ode_control\\(rtol = 1e-08, atol = 1e-12\\)"
  )
  expect_equal(fit$equations$rtol, 1e-6)
  fit$status$code <- "stalled"
  expect_match(convergence(fit)$advice[1L], "ode_control(rtol = 1e-08, atol = 1e-12)", fixed = TRUE)
})

test_that("where the defaults suffice they stay", {
  skip_on_cran()
  fit <- fit_nlme(theo_ode(ode_control(linear = FALSE)), theo, saem(), seed = 1, progress = FALSE)
  expect_equal(fit$equations$rtol, 1e-6)
  expect_lt(abs(fit$equations$change), 0.02)
})
