test_that("predictions are those of the individual parameters asked for", {
  fit <- theo_saemix_fit()
  frame <- fit$data$frame
  at <- function(psi) {
    unname(model1cpt(psi, match(frame$Subject, rownames(psi)), as.matrix(frame[c("dose", "Time")])))
  }
  expect_equal(unname(predict(fit)), at(psi(fit)), tolerance = 1e-6)
  expect_equal(unname(predict(fit, type = "icpred")), at(psi(fit, "mean")), tolerance = 1e-6)
  expect_equal(unname(predict(fit, type = "ppred")), at(exp(nlmers:::mean_phi(fit))), tolerance = 1e-6)
  expect_equal(predict(fit, level = 0), predict(fit, type = "ppred"))
  expect_equal(predict(fit, level = 1), predict(fit, type = "ipred"))
  several <- predict(fit, type = c("ipred", "ppred"))
  expect_named(several, c("ipred", "ppred"))
  # The mean over the population of subjects, whose effects are independent here: by quadrature.
  rows <- c(3, 60, 100)
  typical <- nlmers:::mean_phi(fit)[match(frame$Subject, fit$data$labels), ][rows, ]
  sd <- VarCorr(fit)$sd
  rule <- qnorm(ppoints(200, a = 0.5))
  grid <- expand.grid(ka = sd[1] * rule, CL = sd[2] * rule)
  exact <- vapply(1:3, function(i) {
    psi <- exp(cbind(typical[i, 1] + grid$ka, typical[i, 2], typical[i, 3] + grid$CL))
    rows_of <- matrix(as.numeric(frame[rows[i], c("dose", "Time")]), nrow(psi), 2, byrow = TRUE)
    mean(model1cpt(psi, seq_len(nrow(psi)), rows_of))
  }, 0)
  expect_equal(predict(fit, type = "ypred", nsim = 1000)[rows], exact, tolerance = 0.03)
  set.seed(1)
  before <- .Random.seed
  expect_equal(predict(fit, type = "ypred"), predict(fit, type = "ypred"))
  expect_identical(.Random.seed, before)
})

test_that("new subjects have the effects that their observations say", {
  fit <- theo_saemix_fit()
  one <- fit$data$frame[fit$data$frame$Subject == fit$data$labels[4], ]
  twin <- transform(one, Subject = "new")
  expect_equal(predict(fit, twin), predict(fit, one), tolerance = 1e-4)
  expect_equal(predict(fit, twin, type = "icpred"), predict(fit, one, type = "icpred"), tolerance = 0.05)
  expect_message(blind <- predict(fit, twin[names(twin) != "conc"]), "predictions of the population")
  expect_equal(blind, predict(fit, one, type = "ppred"))
  expect_message(predict(fit, one[c("dose", "Time", "Wt")]), "names no subject")
  all <- saemixPredictNewdata(fit, one, type = c("ipred", "ppred"))
  expect_equal(all$predictions$ipred, predict(fit, one))
  expect_equal(caught(predict(fit, twin, level = 1))$reason, "unknown_level")
})

test_that("coded covariates are read as they were written", {
  sexes <- transform(theo, Sex = ifelse(as.numeric(Subject) %% 2 == 0, "M", "F"))
  data <- saemix_data(
    sexes, name.group = "Subject", name.predictors = c("dose", "Time"), name.response = "conc", name.covariates = "Sex",
    verbose = FALSE
  )
  fit <- suppressWarnings(saemix(
    theo_saemix_model(covariate.model = c(0, 1, 0)), data,
    list(seed = 1, nbiter.saemix = c(40, 20), displayProgress = FALSE)
  ))
  expect_equal(predict(fit, sexes, type = "ppred"), predict(fit, type = "ppred"))
})

test_that("what predictions do not have is said", {
  fit <- theo_saemix_fit()
  expect_equal(caught(predict(fit, se.fit = TRUE))$reason, "no_counterpart")
  expect_equal(caught(predict(fit, type = "pred"))$reason, "bad_option")
  expect_equal(caught(predict(fit, type = "ipred", level = 1))$reason, "idle_option")
})
