test_that("tolerances choose the test that reads them", {
  expect_equal(saem()$options$convergence_test, "windowed")
  for (name in c("rtol_theta", "atol_theta", "rtol_Q", "atol_Q", "consecutive_params")) {
    expect_equal(do.call(saem, stats::setNames(list(2), name))$options$convergence_test, "consecutive")
    error <- caught(do.call(saem, c(stats::setNames(list(2), name), list(convergence_test = "windowed"))))
    expect_equal(error[c("reason", "name")], list(reason = "idle_option", name = name))
  }
  options <- saem(rtol_theta = 0, atol_Q = Inf)$options
  expect_equal(options[c("rtol_theta", "atol_Q", "rtol_Q")], list(rtol_theta = 0, atol_Q = Inf, rtol_Q = 5e-5))
  expect_equal(caught(saem(rtol_theta = -1))$name, "rtol_theta")
  expect_equal(caught(saem(consecutive_params = 0))$name, "consecutive_params")
})

test_that("annealing has a rate, a floor, or nothing", {
  anneals <- function(...) saem(...)$options[c("sa_anneal_schedule", "sa_anneal_alpha")]
  expect_equal(anneals()$sa_anneal_schedule, "none")
  expect_equal(anneals(sa_anneal_schedule = "rate"), list(sa_anneal_schedule = "rate", sa_anneal_alpha = 0.95))
  expect_equal(anneals(sa_anneal_iters = 9), list(sa_anneal_schedule = "rate", sa_anneal_alpha = 0.95))
  expect_equal(anneals(sa_anneal_schedule = "linear"), list(sa_anneal_schedule = "linear", sa_anneal_alpha = 0.9))
  expect_equal(anneals(sa_anneal_alpha = 0.8), list(sa_anneal_schedule = "rate", sa_anneal_alpha = 0.8))
  targets <- saem(sa_anneal_targets = c(omega = 0.8, tau = 0.7))$options
  expect_equal(targets$sa_anneal_schedule, "exponential")
  expect_equal(targets$sa_anneal_targets, list(list("omega", 0.8), list("tau", 0.7)))
  for (bad in expression(
    saem(sa_anneal_schedule = "rate", sa_anneal_targets = c(omega = 0.8)), saem(auto_var_lb = FALSE, var_lb_value = 1),
    saem(sa_anneal_schedule = "none", sa_anneal_alpha = 0.8), saem(sa_anneal_schedule = "none", sa_anneal_iters = 8)
  )) {
    expect_equal(caught(eval(bad))$reason, "idle_option")
  }
  for (bad in expression(
    saem(sa_anneal_alpha = 1), saem(sa_anneal_schedule = "yes"), saem(sa_anneal_targets = 0.8),
    saem(sa_anneal_targets = c(omega = 1.2)), saem(sa_anneal_iters = -1), saem(var_lb_value = 0)
  )) {
    expect_s3_class(caught(eval(bad)), "nlmers_error_option")
  }
  expect_equal(caught(saem(sa_anneal_fn = identity))$reason, "reserved_option")
})

test_that("effects that become their means are named, with a schedule that ends", {
  for (bad in expression(
    saem(anneal_schedule = "linear"), saem(anneal_min_sd = 1e-3),
    saem(anneal_to_fixed = character(), anneal_min_sd = 1e-3)
  )) {
    expect_equal(caught(eval(bad))$reason, "idle_option")
  }
  expect_equal(caught(saem(anneal_to_fixed = "eta", anneal_schedule = "fast"))$name, "anneal_schedule")
  expect_equal(caught(saem(anneal_to_fixed = "eta", anneal_min_sd = 0))$name, "anneal_min_sd")
  expect_equal(caught(saem(anneal_to_fixed = 3))$name, "anneal_to_fixed")
  expect_warning(
    saem(maxiters = 100, anneal_to_fixed = "eta", anneal_schedule = "gamma"), class = "nlmers_warning_constant_sd"
  )
  expect_silent(saem(anneal_to_fixed = "eta", anneal_schedule = "gamma"))
})

test_that("a run may end early anywhere, and is shown by what was run", {
  for (t0 in c(0, 1, 6, 20)) {
    for (row in c(1, 3, 9)) {
      method <- saem_page_defaults(
        t0 = t0, maxiters = 300, mcmc_steps = 20, rtol_theta = Inf, atol_theta = Inf, rtol_Q = Inf, atol_Q = Inf,
        consecutive_params = row, polish = FALSE
      )
      fit <- suppressMessages(suppressWarnings(fit_orange(method = method, seed = 1)))
      run <- max(t0 + 1, row)
      expect_equal(nrow(fit$trace$value), run)
      expect_equal(nrow(notes(fit)$diagnostics), run)
      expect_equal(max(plot(fit, "trace")$data$iteration), run)
      expect_match(capture.output(print(fit)), sprintf("after %d iteration", run), all = FALSE)
      expect_match(fit$status$evidence, "one more Newton step promises", all = FALSE)
    }
  }
})

test_that("a page's example does not stop where no draw moves", {
  model <- nlme_model(
    fixed(a = 0.2, sigma = positive(0.3)), random(eta ~ normal(0, 1) | ID), y ~ lognormal(a + eta, sigma)
  )
  data <- data.frame(ID = rep(1:3, each = 2), y = c(1.0, 1.1, 0.9, 1.0, 1.05, 1.2))
  for (seed in 1:3) {
    method <- saem_page_defaults(t0 = 30, maxiters = 300, mcmc_steps = 2, polish = FALSE)
    fit <- suppressMessages(suppressWarnings(fit_nlme(model, data, method, seed = seed, progress = FALSE)))
    expect_equal(nrow(fit$trace$value), 300)
    expect_false(converged(fit))
  }
})
