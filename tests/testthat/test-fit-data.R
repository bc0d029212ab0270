fit <- fit_orange(method = short_saem(), seed = 1)

test_that("the data of a fit come back", {
  expect_equal(getData(fit), orange[c("Tree", "circumference", "age")], ignore_attr = TRUE)
  expect_equal(stats::model.frame(fit), getData(fit))
})

test_that("the formula of a fit comes back", {
  expect_equal(
    formula(fit), circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
    ignore_formula_env = TRUE
  )
  made <- fit_nlme(counts(), MASS::epil, short_saem(), seed = 1, progress = FALSE)
  expect_equal(formula(made), y ~ poisson(rate), ignore_formula_env = TRUE)
})
