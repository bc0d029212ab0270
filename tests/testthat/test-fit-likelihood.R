test_that("the likelihood of a linear model is that of its normal distribution", {
  boys <- as.data.frame(nlme::Oxboys)
  fit <- fit_nlme(
    height ~ base + slope * age, boys, start = c(base = 140, slope = 1),
    random = base + slope ~ 1 | Subject, correlated = TRUE, method = short_saem(),
    seed = 1, progress = FALSE
  )
  omega <- attr(VarCorr(fit), "covariance")
  exact <- sum(vapply(split(boys, boys$Subject), function(boy) {
    design <- cbind(1, boy$age)
    covariance <- design %*% omega %*% t(design) + diag(sigma(fit)^2, nrow(boy))
    residual <- boy$height - design %*% fixef(fit)
    -0.5 * (nrow(boy) * log(2 * pi) + as.numeric(determinant(covariance)$modulus) +
              sum(residual * solve(covariance, residual)))
  }, 0))
  expect_equal(as.numeric(logLik(fit)), exact, tolerance = 1e-8)
  expect_equal(as.numeric(logLik(fit, nodes = 1)), exact, tolerance = 1e-8)
})

test_that("attributes say how it was computed", {
  fit <- fit_orange(method = short_saem(log_lik = FALSE), seed = 1)
  expect_null(fit$log_lik)
  value <- logLik(fit)
  expect_equal(attr(value, "df"), 5)
  expect_equal(attr(value, "nobs"), 35)
  expect_equal(attr(value, "method"), "quadrature")
  expect_equal(attr(logLik(fit, nodes = 11), "nodes"), 11)
  expect_equal(AIC(fit), 2 * 5 - 2 * as.numeric(value))
  expect_equal(BIC(fit), log(35) * 5 - 2 * as.numeric(value))
  expect_equal(nobs(fit), 35L)
  expect_equal(caught(logLik(fit, method = "linear"))$name, "method")
  expect_equal(caught(logLik(fit, nodes = 0))$name, "nodes")
})

test_that("degrees of freedom count what is free to move", {
  case <- declared_gallery()$simplex
  data <- simulate(case$model, data = case$data, seed = 1)
  fit <- suppressWarnings(fit_nlme(case$model, data, short_saem(), seed = 1))
  # Two of three probabilities, and the SD of the effect.
  expect_equal(attr(logLik(fit), "df"), 3)
})
