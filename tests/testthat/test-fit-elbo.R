fit <- fit_orange(method = short_saem(), seed = 1)
approximated <- as_if_by_vem(fit)

test_that("the bound is a number with its parts", {
  bound <- elbo(approximated)
  expect_s3_class(bound, "nlme_elbo")
  expect_equal(as.numeric(bound), sum(attr(bound, "batches")))
  expect_setequal(names(attr(bound, "batches")), levels(orange$Tree))
  expect_equal(attr(bound, "mc_error"), 0.004)
  expect_equal(attr(bound, "family"), "full_rank")
  expect_output(print(bound), "ELBO .*bound of the log-likelihood.*full-rank Gaussian, cubature points\nMonte-Carlo")
  expect_lt(bound, logLik(approximated))
  expect_equal(objective(approximated), as.numeric(bound))
})

test_that("a fit without a bound says the way out", {
  error <- caught(elbo(fit))
  expect_equal(error$reason, "no_bound")
  expect_match(error$problem, "saem()", fixed = TRUE)
  expect_match(error$hint, "vem(), start_from = fit", fixed = TRUE)
  approximated$elbo <- NULL
  expect_match(caught(elbo(approximated))$problem, "stopped before")
  expect_equal(caught(elbo(3))$reason, "bad_fit")
})
