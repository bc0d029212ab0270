# Likelihood-ratio tests, against those of nlme and their definition.

test_that("a test of fits is that of their log-likelihoods", {
  model <- nlme_model(
    fixed(a = 17, b = 0.7, o = positive(2), s = positive(1.4)), random(e ~ normal(0, o) | Subject), {
      distance ~ normal(a + b * (age - 8) + e, s)
    }
  )
  data <- as.data.frame(nlme::Orthodont)
  full <- fit_nlme(model, data, seed = 1, progress = FALSE)
  small <- fit_nlme(model, data, fix = c(b = 0), seed = 1, progress = FALSE)
  table <- stats::anova(full, small)
  expect_equal(rownames(table), c("small", "full"))
  expect_equal(table$Df, c(3, 4))
  reference <- nlme::lme(distance ~ I(age - 8), data, random = ~ 1 | Subject, method = "ML")
  none <- nlme::lme(distance ~ 1, data, random = ~ 1 | Subject, method = "ML")
  known <- stats::anova(none, reference)
  expect_equal(table$logLik, known$logLik, tolerance = 1e-4)
  expect_equal(table$Chisq[2L], known$L.Ratio[2L], tolerance = 1e-3)
  expect_equal(table[["Pr(>Chisq)"]][2L] < 1e-10, known[["p-value"]][2L] < 1e-10)
  expect_equal(table$AIC, known$AIC, tolerance = 1e-4)
  expect_s3_class(stats::anova(full), "anova")
})

test_that("fits of other data, or with approximations beside integrals, are not compared", {
  a <- evaluate_nlme(decay(), records, seed = 1)
  expect_equal(caught(stats::anova(a, evaluate_nlme(decay(), records[-1L, ], seed = 1)))$reason, "other_data")
  b <- a
  b$log_lik$method <- "laplace"
  b$log_lik$nodes <- 1
  expect_equal(caught(stats::anova(a, b))$reason, "other_likelihood")
  expect_equal(caught(stats::anova(a, 3))$reason, "bad_fit")
})
