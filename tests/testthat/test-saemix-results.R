test_that("results are found under the names of their slots", {
  fit <- theo_saemix_fit()
  results <- fit["results"]
  expect_output(print(results), "bic.covariate.is")
  expect_equal(results["fixed.effects"], fixef(fit))
  expect_equal(results["fixed.psi"], fixef(fit)[c("ka", "V", "CL")])
  expect_equal(results["betaC"], fixef(fit)["beta_CL_Wt"])
  expect_equal(results["respar"], sigma(fit))
  expect_equal(unname(diag(results["omega"])), c(VarCorr(fit)$variance[1], 0, VarCorr(fit)$variance[2]))
  expect_equal(results[["map.psi"]], as.data.frame(psi(fit)))
  expect_equal(results$ipred, fitted(fit))
  expect_equal(results["ires"], residuals(fit))
  expect_equal(unname(results["se.fixed"]["ka"]), sqrt(vcov(fit)["ka", "ka"]))
  table <- results["conf.int"]
  expect_equal(table$lower, unname(confint(fit)[, 1]))
  expect_equal(unname(results["cond.shrinkage"]["CL"]), unname(
    1 - mean(ranef(fit, type = "mean")$eta_CL^2) / VarCorr(fit)$variance[2]
  ))
  error <- caught(results["fixed.effect"])
  expect_equal(error[c("reason", "hint")], list(reason = "no_counterpart", hint = "Did you mean `fixed.effects`?"))
  expect_equal(caught(results["MCOV"])$reason, "no_counterpart")
})

test_that("every name of the results gives something", {
  fit <- conddist.saemix(theo_saemix_fit(), nsamp = 2)
  for (name in names(fit["results"])) expect_gt(length(fit["results"][name]), 0)
})

test_that("data, model and options of a fit have their slots", {
  fit <- theo_saemix_fit()
  data <- fit["data"]
  expect_s3_class(data, "saemix_data")
  expect_equal(data["N"], 12L)
  expect_equal(data["ntot.obs"], nrow(theo))
  expect_equal(data["nind.obs"], as.vector(table(theo$Subject))[1:12])
  expect_equal(data["name.group"], "Subject")
  expect_equal(data["name.X"], "Time")
  expect_equal(nrow(data["data"]), nrow(theo))
  expect_equal(fit["model"]["name.modpar"], c("ka", "V", "CL"))
  expect_equal(fit["model"]["covariance.model"], diag(c(1, 0, 1)))
  expect_output(print(fit["model"]), "constant residual error")
  expect_equal(fit["options"]$seed, 1)
  # A fit is the list it was.
  expect_equal(names(fit[c("n_subjects", "n_obs")]), c("n_subjects", "n_obs"))
})
