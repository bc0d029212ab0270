# An effect whose variance is 0 at the maximum is absent from the model that is looked at there, and its density from
# the likelihood: taken out twice it left -1992 for -370.5.
test_that("the printed log-likelihood is that of the model, with variances of 0 too", {
  skip_on_cran()
  for (number in c(18L, 59L)) {
    design <- random_design(number)
    for (method in list(saem(), vem())) {
      fit <- fit_design(design, method, 1)
      again <- as.numeric(logLik(fit, method = "quadrature", nodes = 9))
      expect_true(converged(fit))
      expect_lt(attr(VarCorr(fit), "covariance")[1L, 1L], 1e-6)
      expect_lt(abs(as.numeric(logLik(fit)) - again), 0.01)
    }
  }
})
