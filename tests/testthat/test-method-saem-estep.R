test_that("few batches get more chains unless the user counts them", {
  expect_true(saem()$options$auto_small_n_chains)
  expect_false(saem(n_chains = 2)$options$auto_small_n_chains)
  expect_true(saem(n_chains = 2, auto_small_n_chains = TRUE)$options$auto_small_n_chains)
  expect_true(saem(n_chains = 2, small_n_chain_target = 30)$options$auto_small_n_chains)
  expect_equal(caught(saem(auto_small_n_chains = FALSE, small_n_chain_target = 30))$reason, "idle_option")
  # Five trees.
  chains <- function(...) fit_orange(method = saem(2, 0, log_lik = FALSE, ...), seed = 1)$chains
  suppressWarnings({
    expect_equal(chains(), 10L)
    expect_equal(chains(small_n_chain_target = 25), 5L)
    expect_equal(chains(n_chains = 8), 8L)
    expect_equal(chains(n_chains = 12, auto_small_n_chains = TRUE), 12L)
    expect_equal(chains(auto_small_n_chains = FALSE), 1L)
  })
})

test_that("steps go by the sampler unless given", {
  steps <- function(...) saem(...)$options$mcmc_steps
  expect_equal(steps(), 1)
  expect_equal(steps(sampler = mh()), 80)
  expect_equal(steps(sampler = nuts(), mcmc_steps = 3), 3)
  expect_equal(caught(saem(mcmc_steps = 0))$name, "mcmc_steps")
})

test_that("gradient samplers adapt while the gain is 1 unless told how long", {
  adapts <- function(...) saem(...)$options$sampler$n_adapt
  expect_equal(adapts(sampler = nuts()), 300)
  expect_equal(adapts(60, 20, sampler = mala(n_adapt = NULL), sa_burnin_iters = 5), 65)
  expect_equal(adapts(sampler = nuts(n_adapt = 7)), 7)
  expect_equal(adapts(sampler = mala(n_adapt = NULL), sa_schedule = function(iter, opts) 1 / iter, maxiters = 30), 15)
})

test_that("a sampler that is none is refused", {
  expect_equal(caught(saem(sampler = "mh"))$reason, "bad_sampler")
  expect_equal(caught(saem(sampler = mh))$reason, "bad_sampler")
})

test_that("batches are all, so many, or those of a function", {
  expect_equal(saem(update_schedule = 2)$options$update_schedule, 2)
  chosen <- saem(update_schedule = function(n, iter, rng) 1)
  expect_equal(chosen$options$update_schedule, "function")
  expect_named(chosen$hooks, "update_schedule")
  expect_equal(as.character(chosen$options$hooks), "update_schedule")
  for (bad in list("some", 0, 1.5, c(1, 2), NULL, list(), NA, TRUE)) {
    expect_equal(caught(do.call(saem, list(update_schedule = bad)))$name, "update_schedule")
  }
})
