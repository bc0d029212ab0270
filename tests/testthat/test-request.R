test_that("arrays stay arrays and absent fields stay absent", {
  spec <- list(
    parameters = nlmers:::fixed_parameters(quote(fixed(a = positive(1, upper = 9))), baseenv()),
    random = nlmers:::random_blocks(quote(random(eta ~ normal(0, sd = 1))), baseenv()),
    statements = nlmers:::model_statements(quote(y ~ normal(a + eta, 1)), baseenv())
  )
  request <- nlmers:::core_request("describe", spec)
  expect_equal(request$model$parameters[[1L]]$value, I(1))
  expect_equal(request$model$parameters[[1L]]$upper, I(9))
  expect_null(request$model$parameters[[1L]]$lower)
  expect_equal(request$model$random[[1L]]$names, I("eta"))
  expect_equal(request$model$random[[1L]]$dist$names, I(c("", "sd")))
  expect_null(request$model$statements[[1L]]$dist$names)
})

test_that("values go by parameter name", {
  expect_equal(nlmers:::value_fields(c(a = 1)), list(a = I(1)))
  expect_equal(names(nlmers:::value_fields(list())), character())
})

test_that("a part of a parameter that only R reads is not sent", {
  model <- nlme_model(
    fixed(a = real(1, unit = "l", label = "volume", prior = normal(0, 2)), s = positive(1)), y ~ normal(a, s)
  )
  sent <- nlmers:::core_request("describe", model$spec)$model$parameters[[1L]]
  expect_setequal(names(sent), intersect(nlmers:::parameter_parts, names(model$spec$parameters[[1L]])))
  expect_false(any(c("unit", "label", "prior") %in% names(sent)))
})
