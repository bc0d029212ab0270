test_that("a summary adds options, routes, acceptance and time", {
  fit <- fit_orange(method = short_saem(), seed = 1)
  made <- summary(fit)
  expect_s3_class(made, "summary.nlme_fit")
  expect_setequal(made$routes$parameter, fit$parameters$name)
  rates <- made$acceptance$rate[is.finite(made$acceptance$rate)]
  expect_gt(length(rates), 1L)
  expect_true(all(rates >= 0 & rates <= 1))
  text <- paste(capture.output(print(made)), collapse = "\n")
  for (part in c("M-step", "Acceptance", "Rejected draws", "Time", "exploration = 100")) {
    expect_match(text, part, fixed = TRUE)
  }
})

test_that("a summary shows the SEs of SDs and residual parameters", {
  fit <- fit_orange(method = short_saem(), seed = 1)
  lines <- capture.output(print(summary(fit)))
  se <- sqrt(diag(vcov(fit)))
  shown <- nlmers:::format_numbers(se[c("omega_sd_Asym", "sigma")], 4)
  expect_match(lines, sprintf("^  Asym .* %s +\\[", shown[1]), all = FALSE)
  expect_match(lines, sprintf("^  sigma .* %s +", shown[2]), all = FALSE)
  expect_match(lines, "observed information", all = FALSE)
  fit$uncertainty <- NULL
  expect_false(any(grepl("\\bSE|interval|information", capture.output(print(summary(fit))))))
})

test_that("a summary of a fit by vem() has its points and weights, and no chains", {
  fit <- as_if_by_vem(fit_orange(method = short_saem(), seed = 1), penalty = c(Asym = 1e-6))
  lines <- capture.output(print(summary(fit)))
  expect_match(lines, "^Bound: 2 points of cubature, Monte-Carlo error 0.004$", all = FALSE)
  expect_match(lines, "smallest effective sample size 500 of 1000, largest Pareto k 0.40", all = FALSE)
  expect_match(lines, "^Options of VEM$", all = FALSE)
  expect_match(lines, "penalty = c(Asym = 1e-06)", fixed = TRUE, all = FALSE)
  expect_false(any(grepl("Acceptance|Rejected|chain", lines)))
})
