test_that("defaults and given options reach the request", {
  options <- saem(chains = 3, kernels = c(block = 0), nodes = 5)$options
  expect_equal(options$exploration, 300)
  expect_equal(options$chains, 3)
  expect_equal(options$kernels, list(prior = 1, random_walk = 1, block = 0, independence = 2))
  expect_equal(options$nodes, 5)
})

test_that("an option that cannot be honored is refused when the method is made", {
  for (bad in expression(
    saem(exploration = 0), saem(smoothing = -1), saem(chains = "many"),
    saem(chains = 1.5), saem(annealing = NA), saem(annealing_rate = 1), saem(acceleration = 2),
    saem(target_acceptance = 0), saem(log_lik = "yes"), saem(nodes = 0)
  )) {
    expect_s3_class(caught(eval(bad)), "nlmers_error_option")
  }
  expect_equal(caught(saem(kernels = c(blok = 1)))$hint, "Did you mean `block`?")
  none <- c(prior = 0, random_walk = 0, block = 0, independence = 0)
  expect_equal(caught(saem(kernels = none))$reason, "no_kernel")
})

test_that("a method prints its options", {
  expect_output(print(saem()), "exploration = 300")
})
