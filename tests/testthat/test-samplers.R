test_that("samplers have the fields the core reads", {
  fields <- function(sampler) unclass(sampler)
  expect_equal(fields(independence(sweeps = 3)), list(
    kind = "independence", independence = 3, prior = 1, random_walk = 1, block = 1, target_accept = 0.4
  ))
  expect_equal(fields(mh()), list(kind = "mh", scale = 1))
  expect_equal(fields(saemix_mh()), list(
    kind = "saemix_mh", n_kern1 = 2, n_kern2 = 2, n_kern3 = 0, target_accept = 0.44, adapt_rate = 0.7
  ))
  expect_equal(fields(adaptive_mh()), list(kind = "adaptive_mh", adapt_start = 50, init_scale = 1, eps_reg = 1e-6))
  expect_equal(fields(nuts(n_adapt = 9)), list(kind = "nuts", target_accept = 0.8, max_depth = 6, n_adapt = 9))
  expect_equal(fields(mala(n_adapt = 9)), list(kind = "mala", target_accept = 0.57, n_adapt = 9))
})

test_that("every sampler has a number of steps", {
  for (sampler in list(independence(), mh(), saemix_mh(), adaptive_mh(), nuts(), mala())) {
    expect_s3_class(sampler, "nlme_sampler")
    expect_gt(saem(sampler = sampler)$options$mcmc_steps, 0)
  }
})

test_that("what a sampler cannot do is refused", {
  for (bad in expression(
    independence(sweeps = -1), independence(0, 0, 0, 0), independence(target_accept = 2), mh(scale = 0), mh(scale = NA),
    saemix_mh(n_kern1 = 0.5), saemix_mh(0, 0, 0), saemix_mh(adapt_rate = 0), adaptive_mh(adapt_start = -1),
    adaptive_mh(init_scale = 0), adaptive_mh(eps_reg = 0), nuts(max_depth = 0), nuts(target_accept = 1),
    mala(n_adapt = -1)
  )) {
    expect_s3_class(caught(eval(bad)), "nlmers_error_option")
  }
  expect_equal(caught(saemix_mh(0, 0, 0))$reason, "no_kernel")
})

test_that("a sampler prints as the call that makes it", {
  expect_output(print(mh(0.5)), "Sampler mh(scale = 0.5)", fixed = TRUE)
  expect_output(print(independence()), "independence(sweeps = 2, prior = 1", fixed = TRUE)
  expect_output(print(nuts()), "n_adapt = NULL)", fixed = TRUE)
})

test_that("mala() lets a variance grow from a small start", {
  fit <- fit_orange(method = saem(sampler = mala()), seed = 1)
  expect_true(converged(fit))
  expect_gt(VarCorr(fit)$sd, 25)
})
