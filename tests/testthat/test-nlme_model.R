test_that("the parts may stand in any order and be split", {
  made <- nlme_model(
    y ~ normal(a + eta, s),
    random(eta ~ normal(0, omega) | id),
    fixed(a = 1), fixed(omega = positive(1), s = positive(1))
  )
  expect_s3_class(made, "nlme_model")
  expect_equal(made$group, "id")
  expect_equal(made$described$outcomes, "y")
})

test_that("values and lists are put in", {
  k <- 2.5
  more <- list(omega = quote(positive(0.4)), s = 1)
  made <- nlme_model(
    fixed(a = 1, !!!more), random(eta ~ normal(0, omega) | id),
    y ~ normal(!!k * a + eta, s)
  )
  expect_length(made$spec$parameters, 3L)
  expect_equal(made$spec$statements[[1L]]$dist$args[[1L]]$args[[1L]]$args[[1L]], list(num = 2.5))
})

test_that("the words of the language mask nothing", {
  expect_false(any(c("fixed", "random", "positive", "normal", "add") %in% getNamespaceExports("nlmers")))
})

test_that("other parts are refused", {
  expect_equal(caught(nlme_model(fixed(a = 1), 3))$reason, "unknown_part")
  expect_equal(caught(nlme_model(covariates(w = constantly())))$reason, "bad_covariate")
})

test_that("a model is plain data", {
  expect_identical(unserialize(serialize(theo_blocks(), NULL)), theo_blocks())
})
