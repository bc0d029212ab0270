test_that("defaults and given options reach the request", {
  options <- saem(n_chains = 3, sampler = independence(block = 0), nodes = 5)$options
  expect_equal(options$exploration, 300)
  expect_equal(options$n_chains, 3)
  expect_equal(options$sampler$block, 0)
  expect_equal(options$nodes, 5)
})

test_that("the request has every field the algorithm reads, and no other", {
  fields <- c(
    "name", "sa_schedule", "exploration", "smoothing", "maxiters", "sa_burnin_iters", "t0", "kappa",
    "sa_phase1_iters", "sa_phase2_kappa", "gains", "n_chains", "auto_small_n_chains", "small_n_chain_target",
    "sampler", "mcmc_steps", "update_schedule", "warm_start", "optimizer", "builtin_stats", "builtin_mean",
    "resid_var_param", "re_cov_params", "re_mean_params", "mstep_sa_on_params", "max_store", "lb", "ub", "penalty",
    "hooks", "sa_anneal_schedule", "sa_anneal_iters", "sa_anneal_alpha", "sa_anneal_targets", "auto_var_lb",
    "var_lb_value", "anneal_to_fixed", "anneal_schedule", "anneal_min_sd", "convergence_test", "rtol_theta",
    "atol_theta", "rtol_Q", "atol_Q", "consecutive_params", "ebe_optimizer", "ebe_maxiters", "ebe_grad_tol",
    "ebe_multistart_n", "ebe_multistart_k", "ebe_multistart_max_rounds", "ebe_multistart_sampling",
    "ebe_rescue_on_high_grad", "ebe_rescue_multistart_n", "ebe_rescue_multistart_k", "ebe_rescue_max_rounds",
    "ebe_rescue_grad_tol", "ebe_rescue_multistart_sampling", "store_eb_modes", "acceleration", "adaptive",
    "polish", "polish_draws", "polish_rounds", "draws", "log_lik", "nodes", "verbose"
  )
  expect_setequal(names(saem()$options), fields)
  expect_match(nlmers:::request_json(saem()$options), "\"hooks\":[],", fixed = TRUE)
})

test_that("an option that cannot be honored is refused when the method is made", {
  for (bad in expression(
    saem(exploration = 0), saem(smoothing = -1), saem(n_chains = "many"), saem(n_chains = 1.5), saem(n_chains = NULL),
    saem(acceleration = 2), saem(log_lik = "yes"), saem(nodes = 0), saem(verbose = NA), saem(warm_start = 1),
    saem(adaptive = "no"), saem(polish = 1), saem(polish_draws = 15), saem(polish_rounds = 0), saem(draws = 2),
    saem(adaptive = TRUE, sa_schedule = "power")
  )) {
    expect_s3_class(caught(eval(bad)), "nlmers_error_option")
  }
  expect_equal(caught(saem(n_chain = 2, chains = 3))$hint, "Did you mean `n_chains`?")
})

test_that("the smoothing is accelerated where nothing stands against it", {
  expect_true(saem()$options$acceleration)
  expect_true(saem(builtin_stats = "none", sampler = mh(), n_chains = 3)$options$acceleration)
  obstacles <- alist(
    sa_schedule = "power", optimizer = lbfgs(), update_schedule = 2, update_schedule = function(n, iter, rng) 1,
    builtin_mean = "glm", convergence_test = "consecutive", rtol_theta = Inf, anneal_to_fixed = "eta"
  )
  for (k in seq_along(obstacles)) {
    expect_false(do.call(saem, obstacles[k])$options$acceleration)
    error <- caught(do.call(saem, c(obstacles[k], list(acceleration = TRUE))))
    expect_equal(error[c("reason", "name")], list(reason = "not_possible", name = "acceleration"))
  }
  expect_false(saem(acceleration = FALSE)$options$acceleration)
})

test_that("phases end by themselves unless something says how long they are", {
  expect_true(saem()$options$adaptive)
  expect_true(saem(n_chains = 3, sampler = mh())$options$adaptive)
  lengths <- alist(
    exploration = 300, smoothing = 100, nbiter = c(300, 100), maxiters = 400, sa_anneal_iters = 50,
    sa_schedule = "power", acceleration = FALSE, optimizer = lbfgs(), rtol_theta = 1e-4
  )
  for (k in seq_along(lengths)) expect_false(do.call(saem, lengths[k])$options$adaptive)
  expect_true(saem(exploration = 200, adaptive = TRUE)$options$adaptive)
  expect_false(saem(adaptive = FALSE)$options$adaptive)
  expect_false(saem_page_defaults(sa_schedule = "saemix", optimizer = score())$options$adaptive)
  expect_false(saemix_control()$method$options$adaptive)
})
