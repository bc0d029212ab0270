test_that("the request has every option the algorithm reads, and no other", {
  fields <- c(
    "name", "family", "rule", "points", "flows", "sweeps", "maxiters", "tolerance", "inner_maxiters",
    "inner_tolerance", "optimizer", "batch_size", "penalty", "polish", "polish_draws", "polish_rounds", "lb", "ub",
    "ebe_optimizer", "ebe_maxiters", "ebe_grad_tol", "ebe_multistart_n", "ebe_multistart_k",
    "ebe_multistart_max_rounds", "ebe_multistart_sampling", "ebe_rescue_on_high_grad", "ebe_rescue_multistart_n",
    "ebe_rescue_multistart_k", "ebe_rescue_max_rounds", "ebe_rescue_grad_tol", "ebe_rescue_multistart_sampling",
    "store_eb_modes", "log_lik", "draws", "nodes", "se", "verbose"
  )
  expect_setequal(names(vem()$options), fields)
  expect_s3_class(vem(), "nlme_method")
  given <- vem(
    family = "planar_flow", flows = 3, rule = "qmc", points = 64, sweeps = 0, tolerance = 1e-6, polish_draws = 100,
    log_lik = "quadrature", nodes = 7, se = "sandwich", penalty = list(a = 2)
  )$options
  expect_equal(given[c("family", "flows", "rule", "points")], list(
    family = "planar_flow", flows = 3, rule = "qmc", points = 64
  ))
  expect_equal(given[c("sweeps", "tolerance", "polish_draws", "nodes", "se", "penalty")], list(
    sweeps = 0, tolerance = 1e-6, polish_draws = 100, nodes = 7, se = "sandwich", penalty = list(a = 2)
  ))
})

test_that("an option that cannot be honored is refused when the method is made", {
  for (bad in expression(
    vem(family = "full"), vem(rule = 3), vem(rule = "qmc", points = 0), vem(family = "planar_flow", flows = 0),
    vem(sweeps = -1), vem(maxiters = 0), vem(tolerance = 0), vem(inner_maxiters = 1.5), vem(inner_tolerance = -1),
    vem(optimizer = "adam"), vem(optimizer = nelder_mead()), vem(optimizer = score()), vem(penalty = 1),
    vem(penalty = c(a = 0)), vem(penalty = c(a = 1, a = 2)), vem(polish = 1), vem(polish_draws = 1),
    vem(polish_rounds = 0), vem(log_lik = TRUE), vem(draws = 1), vem(log_lik = "quadrature", nodes = 0),
    vem(se = "hessian"), vem(verbose = NA), vem(ebe_optimizer = "bfgs"), vem(optimizer = lbfgs(adtype = "finite")),
    vem(optimizer = adam(), batch_size = 0)
  )) {
    expect_s3_class(caught(eval(bad)), "nlmers_error_option")
  }
  expect_equal(caught(vem(famly = "full_rank"))$hint, "Did you mean `family`?")
})

test_that("an option that nothing reads beside the others is refused by name", {
  idle <- alist(
    points = vem(points = 64), flows = vem(flows = 2), batch_size = vem(batch_size = 8),
    polish_draws = vem(polish = FALSE, polish_draws = 64), polish_rounds = vem(polish = FALSE, polish_rounds = 2),
    draws = vem(log_lik = "laplace", se = "linear", draws = 50), nodes = vem(nodes = 7),
    g_tol = vem(optimizer = lbfgs(g_tol = 1e-3))
  )
  for (name in names(idle)) {
    error <- caught(eval(idle[[name]]))
    expect_equal(error[c("reason", "name")], list(reason = "idle_option", name = name))
  }
  expect_equal(vem(log_lik = "none", se = "louis", draws = 50)$options$draws, 50)
})

test_that("the steps are those of the optimizer, else those of vem()", {
  of <- function(...) {
    options <- vem(...)$options
    c(options$maxiters, options$optimizer$maxiters)
  }
  expect_equal(of(), 200)
  expect_equal(of(maxiters = 30), 30)
  expect_equal(of(optimizer = lbfgs()), c(200, 200))
  expect_equal(of(optimizer = lbfgs(), maxiters = 30), c(30, 30))
  expect_equal(of(optimizer = adam(maxiters = 999)), c(999, 999))
  expect_equal(caught(vem(optimizer = adam(maxiters = 9), maxiters = 9))$reason, "two_lengths")
  expect_equal(vem(optimizer = adam(0.1), batch_size = 8)$options$optimizer, list(
    kind = "adam", rate = 0.1, maxiters = 200, adtype = "reverse"
  ))
})

test_that("what needs points that stay refuses fresh ones", {
  flow <- caught(vem(family = "planar_flow", rule = "monte_carlo"))
  expect_equal(c(flow$reason, flow$name), c("not_possible", "rule"))
  expect_equal(vem(family = "planar_flow")$options$rule, "qmc")
  expect_equal(caught(vem(rule = "monte_carlo", optimizer = lbfgs()))$reason, "idle_option")
  expect_equal(vem(rule = "monte_carlo", batch_size = 4)$options$batch_size, 4)
})
