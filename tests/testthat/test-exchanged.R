# Data where the model belongs.

test_that("every verb that takes model and data names the call in the right order", {
  boys <- as.data.frame(nlme::Oxboys)
  model <- nlme_formula(height ~ a + b * age, start = c(a = 150, b = 6), random = a ~ 1 | Subject)
  line <- function(psi, id, xidep) psi[id, 1] + psi[id, 2] * xidep[, 1]
  of_saemix <- saemix_model(line, c(a = 150, b = 6), verbose = FALSE)
  records <- saemix_data(
    boys, name.group = "Subject", name.predictors = "age", name.response = "height", verbose = FALSE
  )
  hint <- function(code) {
    error <- caught(code)
    expect_equal(error$reason, "exchanged_arguments")
    error$hint
  }
  expect_equal(hint(fit_nlme(boys, model, seed = 1)), "Write `fit_nlme(model, boys, ...)`.")
  expect_equal(hint(fit_nlme(data = model, model = boys)), "Write `fit_nlme(model, boys)`.")
  expect_equal(hint(fit_nlme(boys, height ~ a + b * age)), "Write `fit_nlme(height ~ a + b * age, boys)`.")
  expect_equal(hint(fit_nlme(boys)), "Write `fit_nlme(model, boys)`.")
  expect_equal(hint(check_data(boys, model)), "Write `check_data(model, boys)`.")
  expect_equal(hint(evaluate_nlme(boys, model)), "Write `evaluate_nlme(model, boys)`.")
  expect_equal(hint(suggest_start(boys, height ~ a + b * age)), "Write `suggest_start(height ~ a + b * age, boys)`.")
  expect_equal(hint(saemix(records, of_saemix)), "Write `saemix(of_saemix, records)`.")
  expect_equal(hint(fit_nlme(records, of_saemix)), "Write `fit_nlme(of_saemix, records)`.")
  expect_match(hint(nlme_formula(boys, height ~ a + b * age)), "data = data", fixed = TRUE)
  expect_match(hint(as_nlme_model(records)), "as_nlme_model(model)", fixed = TRUE)
})
