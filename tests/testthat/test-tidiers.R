fit <- fit_nlme(theo_formula(), theo, short_saem(), seed = 1, progress = FALSE)

test_that("tidy has one row a term", {
  table <- tidy(fit)
  expect_named(table, c(
    "effect", "group", "term", "estimate", "std.error", "statistic", "conf.low", "conf.high"
  ))
  expect_equal(table$term, c("ka", "V", "Cl", "sd__ka", "sd__V", "sd__Cl", "a"))
  expect_equal(table$group, c(NA, NA, NA, rep("Subject", 3), "Residual"))
  values <- tidy(fit, effects = "ran_vals")
  expect_equal(dim(values), c(36L, 9L))
  expect_equal(values$estimate[values$term == "eta_V"], ranef(fit)$eta_V)
  expect_equal(tidy(fit, effects = "ran_coefs")$estimate[1:12], coef(fit)$ka)
  expect_equal(caught(tidy(fit, effects = "all"))$name, "effects")
})

test_that("tidy has the SEs and bounds of vcov and confint", {
  table <- tidy(fit)
  own <- c("ka", "V", "Cl", "omega_sd_ka", "omega_sd_V", "omega_sd_Cl", "a")
  expect_equal(table$std.error, unname(sqrt(diag(vcov(fit)))[own]))
  expect_equal(table$statistic, c(table$estimate[1:3] / table$std.error[1:3], rep(NA, 4)))
  table <- tidy(fit, conf.level = 0.8)
  bounds <- confint(fit, own, level = 0.8)
  expect_equal(table$conf.low, unname(bounds[, 1]))
  expect_equal(table$conf.high, unname(bounds[, 2]))
  expect_false(any(c("conf.low", "conf.high") %in% names(tidy(fit, conf.int = FALSE))))
  expect_equal(caught(tidy(fit, conf.int = 1))$name, "conf.int")
  expect_equal(caught(tidy(fit, conf.level = 95))$name, "conf.level")
})

test_that("without a covariance matrix the columns are there and missing", {
  fit$uncertainty <- NULL
  table <- tidy(fit)
  expect_true(all(is.na(table[c("std.error", "statistic", "conf.low", "conf.high")])))
})

test_that("intervals of random effects are on their Gaussian scale", {
  values <- tidy(fit, effects = "ran_vals")
  expect_equal(values$conf.high - values$estimate, qnorm(0.975) * values$std.error)
  model <- nlme_model(
    fixed(Asym = positive(170), xmid = 700, scal = 350, omega = positive(0.2), sigma = positive(8)),
    random(eta ~ lognormal(0, omega) | Tree),
    circumference ~ normal(Asym * eta / (1 + exp(-(age - xmid) / scal)), sigma)
  )
  lognormal <- fit_nlme(model, orange, short_saem(), seed = 1, progress = FALSE)
  values <- tidy(lognormal, effects = "ran_vals")
  expect_equal(values$conf.low * values$conf.high, values$estimate^2)
  expect_true(all(values$conf.low > 0))
})

test_that("correlations have a row each", {
  boys <- fit_nlme(
    height ~ base + slope * age, as.data.frame(nlme::Oxboys),
    start = c(base = 140, slope = 1), random = base + slope ~ 1 | Subject,
    correlated = TRUE, method = short_saem(), seed = 1, progress = FALSE
  )
  table <- tidy(boys, effects = "ran_pars")
  expect_equal(table$term, c("sd__base", "sd__slope", "cor__base.slope", "a"))
  expect_true(all(table$std.error > 0))
  expect_true(all(table$conf.low < table$estimate & table$estimate < table$conf.high))
  expect_lt(table$conf.high[3], 1)
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
