test_that("criteria are counted as saemix counts them", {
  fit <- theo_saemix_fit()
  results <- fit["results"]
  # ka, CL and beta_CL_Wt belong to parameters that vary, V to one that does not; 7 parameters in all.
  expect_equal(c(results["nbeta.random"], results["nbeta.fixed"], results["npar.est"]), c(3, 1, 7))
  deviance <- -2 * as.numeric(logLik(fit, method = "quadrature"))
  expect_equal(results["ll.gq"], -deviance / 2)
  expect_equal(results["aic.gq"], deviance + 2 * 7)
  expect_equal(results["bic.gq"], deviance + log(12) * 7)
  expect_equal(results["bic.covariate.gq"], deviance + log(12) * 3 + log(nrow(theo)) * 1)
  expect_equal(BIC.covariate(fit, method = "gq"), results["bic.covariate.gq"])
  expect_equal(BIC(fit, method = "gq"), results["bic.gq"])
  expect_equal(AIC(fit, method = "gq"), results["aic.gq"])
  # The criterion of the other doors stays what it is.
  expect_equal(BIC(fit), -2 * as.numeric(logLik(fit)) + log(nrow(theo)) * 7)
})

test_that("the three log-likelihoods have saemix's names", {
  fit <- theo_saemix_fit()
  expect_equal(as.numeric(logLik(fit, method = "is")), as.numeric(logLik(fit, method = "importance")))
  expect_equal(attr(logLik(fit, method = "lin"), "method"), "linear")
  expect_lt(abs(fit["results"]["ll.is"] - fit["results"]["ll.gq"]), 0.2)
  asked <- llis.saemix(fit)
  expect_equal(asked["results"]["ll.is"], as.numeric(logLik(fit, method = "importance")))
  expect_s3_class(llgq.saemix(fit), "nlme_fit")
  expect_equal(fim.saemix(fit)["results"]["fim"] %*% vcov(fit), diag(7), ignore_attr = TRUE)
})

test_that("fits are compared", {
  fit <- theo_saemix_fit()
  expect_message(table <- compare.saemix(fit, fit, method = "gq"), "Gaussian quadrature")
  expect_equal(dimnames(table), list(c("1", "2"), c("AIC", "BIC", "BIC.cov")))
  expect_equal(unname(table[1, ]), c(
    fit["results"]["aic.gq"], fit["results"]["bic.gq"], fit["results"]["bic.covariate.gq"]
  ))
  expect_equal(suppressMessages(compare.saemix(list(fit, fit), method = "gq")), table)
  # Another variance is another structure, which the penalty for covariates is not for.
  other <- fit
  other$saemix$model$covariance.model <- diag(3)
  expect_equal(colnames(suppressMessages(compare.saemix(fit, other, method = "gq"))), c("AIC", "BIC"))
  expect_equal(caught(compare.saemix(fit))$reason, "missing_argument")
  expect_equal(caught(compare.saemix(fit, count_saemix_fit()))$reason, "other_data")
  expect_equal(caught(compare.saemix(fit, fit, method = "importance"))$reason, "bad_option")
})
