test_that("functions of saemix without a counterpart say what there is", {
  fit <- theo_saemix_fit()
  expect_snapshot(error = TRUE, {
    step.saemix(fit, direction = "forward")
    saemix.bootstrap(fit, nboot = 10)
    discreteVPC(fit, outcome = "count")
    plotDiscreteData(fit["data"], outcome = "count")
  })
  expect_equal(caught(plot(fit, plot.type = "npde"))$reason, "no_counterpart")
  found <- npdeSaemix(fit, nsim = 100)
  expect_equal(found$tests, npde(fit, nsim = 100, seed = found$seed)$tests)
})

test_that("the plainest call fits", {
  line <- function(psi, id, xidep) psi[id, 1] + psi[id, 2] * xidep[, 1]
  data <- saemix_data(
    as.data.frame(nlme::Oxboys), name.group = "Subject", name.predictors = "age", name.response = "height",
    verbose = FALSE
  )
  model <- saemix_model(line, c(base = 140, slope = 1), covariance.model = matrix(1, 2, 2), verbose = FALSE)
  fit <- saemix(model, data)
  expect_true(converged(fit))
  same <- nlme::lme(height ~ age, nlme::Oxboys, ~ age | Subject, method = "ML")
  expect_equal(unname(fixef(fit)), unname(nlme::fixef(same)), tolerance = 1e-3)
  expect_equal(as.numeric(logLik(fit)), as.numeric(logLik(same)), tolerance = 1e-4)
  # The random effects of lme are modes and means at once.
  expect_equal(unname(psi(fit)[rownames(coef(same)), ]), unname(as.matrix(coef(same))), tolerance = 1e-3)
  expect_output(showall(fit), "base")
})

test_that("each exported verb stands on the help page", {
  verbs <- c(
    "psi", "phi", "eta", "map.saemix", "conddist.saemix", "llis.saemix", "llgq.saemix", "fim.saemix", "compare.saemix",
    "BIC.covariate", "saemix.predict", "saemixPredictNewdata", "simul.saemix", "simulateDiscreteSaemix",
    names(nlmers:::saemix_without)
  )
  expect_true(all(verbs %in% getNamespaceExports("nlmers")))
})
