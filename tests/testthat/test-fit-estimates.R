fit <- fit_nlme(theo_formula(), theo, short_saem(), seed = 1, progress = FALSE)

test_that("fixef gives population parameters on either scale", {
  expect_named(fixef(fit), c("ka", "V", "Cl"))
  expect_equal(fixef(fit, "transformed"), log(fixef(fit)))
  expect_equal(fixef(fit, "both"), data.frame(natural = fixef(fit), transformed = log(fixef(fit))))
})

test_that("ranef and coef have one row a subject", {
  effects <- ranef(fit)
  expect_equal(dim(effects), c(12L, 3L))
  expect_equal(rownames(effects), levels(theo$Subject))
  expect_true(all(attr(effects, "cond_sd") > 0))
  expect_equal(dim(ranef(fit, type = "mean")), dim(effects))
  expect_equal(coef(fit)$ka, unname(fixef(fit)["ka"] * exp(effects$eta_ka)), tolerance = 1e-10)
})

test_that("VarCorr gives SDs, CVs and shrinkage", {
  table <- VarCorr(fit)
  expect_equal(table$term, c("ka", "V", "Cl"))
  sds <- fit$parameters$natural[fit$parameters$role == "random"]
  expect_equal(table$sd, sds, tolerance = 1e-8)
  expect_equal(table$cv, 100 * sqrt(exp(table$sd^2) - 1), tolerance = 1e-8)
  modes <- as.matrix(ranef(fit))
  spread <- sqrt(colMeans(modes^2))
  expect_equal(table$shrinkage, unname(100 * (1 - spread / table$sd)), tolerance = 1e-8)
  expect_equal(unname(attr(table, "correlation")), diag(3))
})

test_that("correlations are printed when there are any", {
  correlated <- fit_nlme(
    height ~ base + slope * age, as.data.frame(nlme::Oxboys),
    start = c(base = 140, slope = 1), random = base + slope ~ 1 | Subject,
    correlated = TRUE, method = short_saem(), seed = 1, progress = FALSE
  )
  expect_gt(attr(VarCorr(correlated), "correlation")[2, 1], 0.3)
  expect_output(print(VarCorr(correlated)), "cor base")
  expect_false(any(is.finite(VarCorr(correlated)$cv)))
})

test_that("sigma gives the residual parameters", {
  expect_named(sigma(fit), "a")
})

test_that("a variance of zero has no correlation", {
  expect_equal(nlmers:::correlation_of(diag(c(4, 0))), matrix(c(1, NA, NA, 1), 2))
})

test_that("effects that are normal on no scale show their own SD", {
  case <- effect_gallery()$gamma
  data <- simulate(case$model, data = case$data, seed = 1)
  fit <- suppressWarnings(fit_nlme(case$model, data, seed = 1))
  estimate <- fixef(fit)
  table <- nlme::VarCorr(fit)
  expect_equal(table$sd, unname(sqrt(estimate["k"]) * estimate["m"]), tolerance = 1e-10)
  sds <- tidy(fit, effects = "ran_pars")
  expect_gt(sds$std.error[1L], 0)
  expect_true(table$shrinkage > -20 && table$shrinkage < 60)
})
