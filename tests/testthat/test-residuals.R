fit <- fit_orange(method = short_saem(), seed = 1)

test_that("response residuals are observed minus predicted", {
  expect_equal(residuals(fit), orange$circumference - fitted(fit))
  expect_equal(residuals(fit, level = 0), orange$circumference - fitted(fit, level = 0))
})

test_that("weighted residuals are divided by the residual SD", {
  expect_equal(
    residuals(fit, type = "iwres"), residuals(fit) / unname(sigma(fit)),
    tolerance = 1e-10
  )
  expect_equal(caught(residuals(fit, type = "iwres", level = 0))$reason, "bad_option")
})

test_that("a lognormal outcome is weighted on the log scale", {
  model <- nlme_model(
    fixed(Asym = 170, xmid = 700, scal = 350, omega = positive(30), sigma = positive(0.1)),
    random(eta ~ normal(0, omega) | Tree),
    circumference ~ lognormal(log((Asym + eta) / (1 + exp(-(age - xmid) / scal))), sigma)
  )
  made <- fit_nlme(model, orange, short_saem(), seed = 1, progress = FALSE)
  expect_equal(
    residuals(made, type = "iwres"),
    (log(orange$circumference) - log(fitted(made))) / unname(sigma(made)),
    tolerance = 1e-10
  )
})

test_that("a missing outcome has a prediction and no residual", {
  holes <- orange
  holes$circumference[4] <- NA
  made <- fit_nlme(
    circumference ~ Asym / (1 + exp(-(age - xmid) / scal)), holes,
    start = c(Asym = 170, xmid = 700, scal = 350), random = Asym ~ 1 | Tree,
    error = add(sigma = 8), method = short_saem(), seed = 1, progress = FALSE
  )
  expect_equal(nobs(made), 34L)
  expect_equal(which(is.na(residuals(made))), 4L)
  expect_true(all(is.finite(fitted(made))))
})

test_that("counts have no residual SD", {
  made <- fit_nlme(counts(), MASS::epil, short_saem(), seed = 1, progress = FALSE)
  error <- caught(residuals(made, type = "iwres"))
  expect_equal(error$reason, "no_residual_sd")
  expect_equal(error$column, "y")
})
