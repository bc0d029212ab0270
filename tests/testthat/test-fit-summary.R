test_that("a summary adds options, routes, acceptance and time", {
  fit <- fit_orange(method = short_saem(), seed = 1)
  made <- summary(fit)
  expect_s3_class(made, "summary.nlme_fit")
  expect_setequal(made$routes$parameter, fit$parameters$name)
  rates <- made$acceptance$rate[is.finite(made$acceptance$rate)]
  expect_gt(length(rates), 1L)
  expect_true(all(rates >= 0 & rates <= 1))
  text <- paste(capture.output(print(made)), collapse = "\n")
  for (part in c("M-step", "Acceptance", "Rejected draws", "Time", "exploration = 60")) {
    expect_match(text, part, fixed = TRUE)
  }
})
