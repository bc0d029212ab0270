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
