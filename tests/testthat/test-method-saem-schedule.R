lengths <- function(...) unlist(saem(...)$options[c("exploration", "smoothing", "maxiters")], use.names = FALSE)

test_that("the length of a run can be said in three ways, of which one is used", {
  expect_equal(lengths(), c(300, 100, 400))
  expect_equal(lengths(nbiter = c(200, 50)), c(200, 50, 250))
  expect_equal(lengths(maxiters = 10), c(8, 2, 10))
  expect_equal(lengths(maxiters = 10, sa_burnin_iters = 2), c(6, 2, 10))
  expect_equal(lengths(maxiters = 1), c(1, 0, 1))
  expect_equal(lengths(40, 20, sa_burnin_iters = 5), c(40, 20, 65))
  expect_equal(lengths(sa_schedule = "power")[3L], 300)
  for (bad in expression(
    saem(nbiter = c(200, 50), exploration = 3), saem(maxiters = 5, smoothing = 2), saem(nbiter = c(2, 2), maxiters = 4)
  )) {
    expect_equal(caught(eval(bad))$reason, "two_lengths")
  }
  expect_equal(caught(saem(nbiter = 300))$name, "nbiter")
  expect_equal(caught(saem(maxiters = 20, sa_burnin_iters = 20))$reason, "all_burnin")
})

test_that("what the schedule does not read is refused", {
  for (bad in expression(
    saem(t0 = 10), saem(kappa = 0.8), saem(sa_phase1_iters = 3), saem(sa_schedule = "power", exploration = 10),
    saem(sa_schedule = "robbins_monro", sa_phase2_kappa = -1), saem(sa_schedule = "two_phase", t0 = 10),
    saem(sa_schedule = "power", nbiter = c(3, 4)),
    saem(sa_schedule = function(iter, opts) 1 / iter, sa_burnin_iters = 2),
    saem(sa_schedule = "power", sa_schedule_fn = function(iter, opts) 1)
  )) {
    expect_equal(caught(eval(bad))$reason, "idle_option")
  }
  gamma <- saem(anneal_to_fixed = "eta", anneal_schedule = "gamma", t0 = 40, kappa = 0.8)
  expect_equal(gamma$options$t0, 40)
  expect_equal(saem(maxiters = NULL)$options$maxiters, 400)
})

test_that("a gain that would grow is refused", {
  error <- caught(saem(sa_schedule = "two_phase", sa_phase2_kappa = 0.5))
  expect_equal(error$name, "sa_phase2_kappa")
  expect_match(error$problem, "would not decrease")
  for (kappa in list(0, 1.1, -1, "a", NA)) {
    expect_equal(caught(saem(sa_schedule = "power", kappa = kappa))$name, "kappa")
  }
  expect_equal(saem(sa_schedule = "power", kappa = 1)$options$kappa, 1)
})

test_that("a schedule that never decreases is warned of", {
  expect_warning(saem(sa_schedule = "robbins_monro", maxiters = 100), class = "nlmers_warning_constant_gain")
  expect_warning(
    saem(sa_schedule = "power", maxiters = 160, sa_burnin_iters = 10), class = "nlmers_warning_constant_gain"
  )
  expect_warning(
    saem(sa_schedule = "two_phase", maxiters = 100, sa_phase1_iters = 100), class = "nlmers_warning_constant_gain"
  )
  expect_warning(saem(sa_schedule = "two_phase", sa_phase2_kappa = 0), class = "nlmers_warning_constant_gain")
  expect_warning(saem(sa_schedule = function(iter, opts) 1, maxiters = 5), class = "nlmers_warning_constant_gain")
  expect_silent(saem(sa_schedule = "robbins_monro"))
  expect_silent(saem(sa_schedule = "power", maxiters = 161, sa_burnin_iters = 10))
})

test_that("a schedule of the user is evaluated for all iterations", {
  seen <- list()
  gain <- function(iter, opts) {
    seen[[iter]] <<- opts
    min(1, 5 / iter)
  }
  options <- saem(sa_schedule = gain, maxiters = 20, n_chains = 2)$options
  expect_equal(options$sa_schedule, "custom")
  expect_equal(as.numeric(options$gains), pmin(1, 5 / 1:20))
  expect_equal(seen[[20L]]$n_chains, 2)
  expect_equal(seen[[1L]]$maxiters, 20)
  same <- saem(sa_schedule_fn = gain, maxiters = 20, n_chains = 2)$options
  expect_equal(same$gains, options$gains)
  expect_equal(saem(sa_schedule = "custom", sa_schedule_fn = gain, maxiters = 20, n_chains = 2)$options, options)
})

test_that("an error of the user's schedule has the user's words and the name of the function", {
  error <- caught(saem(sa_schedule = function(iter, opts) if (iter == 3) stop("no gain today") else 1))
  expect_match(error$problem, "`sa_schedule_fn` stopped at iteration 3: no gain today", fixed = TRUE)
  expect_equal(error$name, "sa_schedule_fn")
  for (gain in list(2, -0.1, NA_real_, "a", c(1, 1), Inf)) {
    expect_equal(caught(saem(sa_schedule = function(iter, opts) gain))$reason, "bad_gain")
  }
  expect_match(caught(saem(sa_schedule = function(iter, opts) 0))$problem, "nothing would be learned")
  expect_equal(caught(saem(sa_schedule = "custom"))$reason, "missing_function")
  expect_equal(caught(saem(sa_schedule = identity, sa_schedule_fn = identity))$reason, "two_schedules")
  expect_equal(caught(saem(sa_schedule = "robins_monro"))$name, "sa_schedule")
})
