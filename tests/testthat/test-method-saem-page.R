test_that("the defaults are those of the documentation", {
  options <- saem_page_defaults()$options
  schedule <- list(sa_schedule = "robbins_monro", maxiters = 300, t0 = 150, kappa = 0.65)
  expect_equal(options[names(schedule)], schedule)
  draws <- list(n_chains = 1, auto_small_n_chains = FALSE, mcmc_steps = 80)
  expect_equal(options[names(draws)], draws)
  expect_equal(options$sampler, list(kind = "mh", scale = 1))
  expect_equal(options$optimizer$kind, "lbfgs")
  expect_equal(options[c("sa_anneal_schedule", "sa_anneal_alpha", "var_lb_value")], list(
    sa_anneal_schedule = "exponential", sa_anneal_alpha = 0.9, var_lb_value = 1e-5
  ))
  expect_equal(options[c("convergence_test", "rtol_theta", "atol_Q", "consecutive_params", "acceleration")], list(
    convergence_test = "consecutive", rtol_theta = 5e-5, atol_Q = 5e-7, consecutive_params = 4, acceleration = FALSE
  ))
})

test_that("options go over the defaults, which are then not held against them", {
  expect_equal(saem_page_defaults(sa_schedule = "two_phase", sa_phase1_iters = 50)$options$sa_phase1_iters, 50)
  expect_equal(saem_page_defaults(sa_schedule = "saemix", exploration = 50)$options$maxiters, 150)
  expect_equal(saem_page_defaults(sampler = saemix_mh(), mcmc_steps = 1)$options$mcmc_steps, 1)
  expect_equal(saem_page_defaults(convergence_test = "windowed")$options$convergence_test, "windowed")
  expect_null(saem_page_defaults(var_lb_value = NULL)$options$var_lb_value)
  expect_equal(caught(saem_page_defaults(t1 = 3))$hint, "Did you mean `t0`?")
  expect_equal(caught(saem_page_defaults(3))$reason, "unknown_argument")
  expect_warning(saem_page_defaults(maxiters = 40), class = "nlmers_warning_constant_gain")
})
