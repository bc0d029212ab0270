# Fits that an earlier nlmers saved, of R's own `Orange` (one by each method).

saved <- readRDS(test_path("saved", "fits-1.rds"))

test_that("fits of the first format open and answer as they did", {
  expect_named(saved, c("saem", "vem"))
  for (fit in saved) {
    expect_match(paste(capture.output(print(fit)), collapse = "\n"), "Asym")
    expect_lt(abs(c(logLik(fit)) + 131.572), 0.02)
    expect_equal(c(logLik(fit, method = "importance", seed = 1)), c(logLik(fit)), tolerance = 1e-3)
    expect_equal(sqrt(diag(vcov(fit, method = "linear")))[["Asym"]], 16.2, tolerance = 0.1)
    expect_length(predict(fit, level = 0), 35L)
    expect_equal(predict(fit, fit$data$frame), fitted(fit), ignore_attr = TRUE, tolerance = 1e-6)
    expect_equal(nrow(conditional_samples(fit, nsim = 2, seed = 1)), 10L)
    again <- suppressMessages(
      fit_nlme(fit$model, fit$data$frame, short_saem(), seed = 1, start_from = fit, progress = FALSE)
    )
    expect_lt(abs(c(logLik(again)) + 131.572), 0.5)
  }
})

test_that("models and fits of a newer format are refused by a sentence", {
  fit <- saved$saem
  fit$format_version <- 2L
  asks <- expression(
    print(fit), summary(fit), logLik(fit), vcov(fit), confint(fit), fixef(fit), ranef(fit), coef(fit), VarCorr(fit),
    fitted(fit), residuals(fit), predict(fit), predict(fit, fit$data$frame), simulate(fit), plot(fit), anova(fit),
    health(fit), AIC(fit), tidy(fit), glance(fit), augment(fit), conditional_samples(fit, nsim = 2, seed = 1),
    fit_nlme(fit$model, fit$data$frame, start_from = fit)
  )
  for (ask in asks) {
    error <- caught(eval(ask))
    expect_equal(error$reason, "newer_format", info = deparse(ask))
    expect_match(error$message, "fit was saved by a newer nlmers, in format 2; this one reads formats up to 1")
  }
  model <- fit$model
  model$format_version <- 2L
  expect_match(caught(fit_nlme(model, fit$data$frame))$message, "model was saved by a newer nlmers")
  fit$format_version <- NULL
  expect_equal(caught(print(fit))$reason, "no_format")
})
