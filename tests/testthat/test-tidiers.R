fit <- fit_nlme(theo_formula(), theo, short_saem(), seed = 1, progress = FALSE)

test_that("tidy has one row a term", {
  table <- tidy(fit)
  expect_named(table, c("effect", "group", "term", "estimate"))
  expect_equal(table$term, c("ka", "V", "Cl", "sd__ka", "sd__V", "sd__Cl", "a"))
  expect_equal(table$group, c(NA, NA, NA, rep("Subject", 3), "Residual"))
  values <- tidy(fit, effects = "ran_vals")
  expect_equal(dim(values), c(36L, 6L))
  expect_equal(values$estimate[values$term == "eta_V"], ranef(fit)$eta_V)
  expect_equal(tidy(fit, effects = "ran_coefs")$estimate[1:12], coef(fit)$ka)
  expect_equal(caught(tidy(fit, effects = "all"))$name, "effects")
})

test_that("correlations have a row each", {
  boys <- fit_nlme(
    height ~ base + slope * age, as.data.frame(nlme::Oxboys),
    start = c(base = 140, slope = 1), random = base + slope ~ 1 | Subject,
    correlated = TRUE, method = short_saem(), seed = 1, progress = FALSE
  )
  table <- tidy(boys, effects = "ran_pars")
  expect_equal(table$term, c("sd__base", "sd__slope", "cor__base.slope", "a"))
})

test_that("glance is one row, augment one row a record", {
  expect_equal(nrow(glance(fit)), 1L)
  expect_equal(glance(fit)$nobs, 120L)
  expect_equal(glance(fit)$AIC, AIC(fit))
  added <- augment(fit)
  expect_equal(added$conc - added$.fitted, added$.resid)
  expect_equal(added$.fixed, fitted(fit, level = 0))
  expect_equal(augment(fit, theo)$Wt, theo$Wt)
  expect_equal(caught(augment(fit, theo[1:3, ]))$reason, "wrong_rows")
})
