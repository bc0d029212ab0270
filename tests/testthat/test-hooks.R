# A normal random intercept: its M-step in closed form, its objective, its data.
intercepts <- nlme_model(
  fixed(mu = 3, omega = positive(1), sigma = positive(1)),
  random(eta ~ normal(0, omega) | id),
  {
    level <- mu + eta
    y ~ normal(level, sigma)
  }
)
rows <- data.frame(id = rep(c("d", "a", "c", "b", "e"), times = c(2, 3, 4, 2, 3)))
rows$y <- c(a = 4, b = 7, c = 5, d = 3, e = 6)[rows$id] + rep(c(-0.7, 0.2, 0.4), length.out = 14)
rows$note <- "a column that the model does not read"

moments <- function(data, batches, effects, parameters, fixed) {
  level <- parameters$mu + unlist(effects)
  rows <- lapply(batches, `[[`, "rows")
  residual <- data$y[unlist(rows)] - rep(level, lengths(rows))
  list(level = mean(level), square = mean(level^2), error = mean(residual^2))
}
solved <- function(s, data) {
  list(mu = s$level, omega = sqrt(s$square - s$level^2), sigma = sqrt(s$error))
}
expected <- function(s, parameters, data) {
  about <- s$square - 2 * s$level * parameters$mu + parameters$mu^2
  -5 * (log(parameters$omega) + about / (2 * parameters$omega^2)) -
    14 * (log(parameters$sigma) + s$error / (2 * parameters$sigma^2))
}

short <- function(...) saem(exploration = 6, smoothing = 4, ...)
own <- function(..., suffstats = moments, mstep_closed_form = solved) {
  short(suffstats = suffstats, mstep_closed_form = mstep_closed_form, ...)
}
fit_rows <- function(method, data = rows, model = intercepts, seed = 1, ...) {
  suppressWarnings(fit_nlme(model, data, method, seed = seed, progress = FALSE, ...))
}
trace_of <- function(fit) fit$trace$value

test_that("case 26: the functions of a normal random intercept give the iterates of the built-in closed forms", {
  # The built-in statistics average over all draws of an iteration that count. The kernel that draws from the population
  # is counted once an iteration, at its last draw, which is the one the functions see.
  last_draw <- independence(sweeps = 0, prior = 5, random_walk = 0, block = 0)
  same <- list(
    exploration = 40, smoothing = 30, acceleration = FALSE, sa_anneal_schedule = "none", sampler = last_draw,
    auto_var_lb = FALSE, polish = FALSE
  )
  built_in <- do.call(saem, same)
  custom <- do.call(saem, c(same, suffstats = moments, mstep_closed_form = solved))
  for (chains in c(1, 3)) {
    more <- function(method) {
      method$options$n_chains <- chains
      method$options$auto_small_n_chains <- FALSE
      method
    }
    a <- trace_of(fit_rows(more(built_in)))
    b <- trace_of(fit_rows(more(custom)))
    expect_equal(dim(a), c(70L, 3L))
    expect_gt(sd(a[, 1]), 1e-3)
    expect_lt(max(abs(a - b)), 1e-10)
  }
})

test_that("the functions see the data, the batches, the effects and the parameters", {
  seen <- list()
  looking <- function(data, batches, effects, parameters, fixed) {
    seen <<- list(data = data, batches = batches, effects = effects, parameters = parameters, fixed = fixed)
    moments(data, batches, effects, parameters, fixed)
  }
  fit_rows(own(suffstats = looking))
  expect_identical(seen$data, rows)
  expect_identical(seen$batches[[1]], list(levels = list(id = "a"), rows = 3:5))
  expect_identical(lapply(seen$batches, function(batch) unique(rows$id[batch$rows])), as.list(letters[1:5]))
  expect_named(unlist(seen$effects), sprintf("eta[%s]", letters[1:5]))
  expect_named(seen$parameters, c("mu", "omega", "sigma"))
  expect_identical(seen$fixed, list())
})

test_that("effects are as the model writes them, and fixed levels are left out", {
  lognormal <- nlme_model(
    fixed(m = 0, omega = positive(0.3), sigma = positive(0.5)),
    random(v ~ lognormal(m, omega) | id),
    y ~ normal(v, sigma)
  )
  seen <- NULL
  looking <- function(data, batches, effects, parameters, fixed) {
    seen <<- list(effects = effects, fixed = fixed)
    1
  }
  held <- c(b = 7.5)
  fit_rows(
    own(suffstats = looking, mstep_closed_form = function(s, data) c(m = 1.5, omega = 0.3, sigma = 0.5)),
    model = lognormal, fix = list(v = held)
  )
  expect_identical(seen$fixed, list(v = held))
  expect_length(seen$effects[[2]], 0)
  expect_named(unlist(seen$effects), sprintf("v[%s]", c("a", "c", "d", "e")))
  # The data are near 4, 5, 3 and 6.
  expect_equal(unlist(seen$effects, use.names = FALSE), c(4, 5, 3, 6), tolerance = 0.3)
})

test_that("batches of two groupings have the levels and rows of both", {
  nested <- nlme_model(
    fixed(mu = 3, omega = positive(1), tau = positive(1), sigma = positive(1)),
    random(eta ~ normal(0, omega) | id),
    random(kappa ~ normal(0, tau) | site),
    y ~ normal(mu + eta + kappa, sigma)
  )
  data <- transform(rows, site = ifelse(id %in% c("a", "d"), "north", "south"))
  seen <- NULL
  looking <- function(data, batches, effects) {
    seen <<- list(batches = batches, effects = effects)
    1
  }
  same <- function(s) c(mu = 5, omega = 1, tau = 1, sigma = 1)
  fit_rows(own(suffstats = looking, mstep_closed_form = same), data = data, model = nested, id = "id")
  expect_length(seen$batches, 2)
  north <- which(vapply(seen$batches, function(batch) "north" %in% batch$levels$site, NA))
  expect_identical(seen$batches[[north]]$levels[c("id", "site")], list(id = c("a", "d"), site = "north"))
  expect_identical(seen$batches[[north]]$rows, which(data$site == "north"))
  expect_named(seen$effects[[north]], c("eta[a]", "eta[d]", "kappa[north]"))
})

test_that("several chains call `suffstats` once a chain", {
  calls <- 0
  counting <- function(...) {
    calls <<- calls + 1
    moments(...)
  }
  fit_rows(own(suffstats = counting, n_chains = 3))
  expect_equal(calls, 10 * 3)
})

test_that("the objective is that of `q_from_stats`", {
  last <- NULL
  watched <- function(s, parameters, data) {
    last <<- expected(s, parameters, data)
    last
  }
  fit <- fit_rows(own(q_from_stats = watched))
  expect_identical(utils::tail(fit$trace$objective, 1), last)
})

test_that("an optimizer that maximizes `q_from_stats` does what the closed form does", {
  closed <- fit_rows(own(q_from_stats = expected))
  for (optimizer in list(lbfgs(maxiters = 100, g_tol = 1e-8), nelder_mead(maxiters = 1000, f_tol = 1e-14))) {
    climbed <- fit_rows(short(
      suffstats = moments, q_from_stats = expected, builtin_stats = "none", optimizer = optimizer
    ))
    expect_equal(trace_of(climbed), trace_of(closed), tolerance = 1e-3)
    # Closed forms of the package maximize another objective: they are left out unless named.
    auto <- fit_rows(short(suffstats = moments, q_from_stats = expected, optimizer = optimizer))
    expect_equal(trace_of(auto), trace_of(climbed))
    expect_equal(notes(auto)$closed_form_mstep_mode, "numeric_only")
  }
  named <- fit_rows(short(
    suffstats = moments, q_from_stats = expected, builtin_stats = "closed_form", resid_var_param = "sigma"
  ))
  expect_equal(mstep_routes(named)$route, c("numeric", "numeric", "closed form"))
})

test_that("parameters that are fixed keep their values, and bounds hold", {
  bounded <- nlme_model(
    fixed(mu = real(3, upper = 4), omega = positive(1), sigma = positive(1)),
    random(eta ~ normal(0, omega) | id),
    y ~ normal(mu + eta, sigma)
  )
  fit <- fit_rows(own(), model = bounded, fix = c(sigma = 0.55))
  values <- stats::setNames(fit$parameters$natural, fit$parameters$name)
  expect_equal(values[["sigma"]], 0.55)
  expect_equal(values[["mu"]], 4)
})

# The condition of a fit that a function stops.
stopped <- function(...) caught(fit_rows(own(...)))

test_that("an error in a function stops the fit with its message and the function's name", {
  broken <- function(...) stop("no such luck")
  for (name in c("suffstats", "q_from_stats", "mstep_closed_form", "update_schedule")) {
    error <- do.call(stopped, stats::setNames(list(broken), name))
    expect_s3_class(error, "nlmers_error_option")
    expect_identical(error$reason, "hook_failed")
    expect_identical(conditionMessage(error), sprintf("`%s` stopped: no such luck", name))
    expect_identical(error$hook, name)
  }
  # The session goes on.
  expect_equal(fit_rows(own())$status$code, "max_iterations")
})

test_that("a result of the wrong kind stops the fit with the function's name", {
  calls <- 0
  growing <- function(...) {
    calls <<- calls + 1
    c(moments(...), if (calls > 30) list(more = 1))
  }
  for (case in list(
    list(list(suffstats = growing), "`suffstats` returns a statistic `more`, which it did not before."),
    list(list(suffstats = function(...) "a"), "`suffstats` returns statistics that is not a number."),
    list(list(q_from_stats = function(...) 1:2), "`q_from_stats` must return one number."),
    list(list(q_from_stats = function(...) NaN), "`q_from_stats` gives NaN, which is not a finite number."),
    list(list(mstep_closed_form = function(...) c(mu = 1, omega = 1)), "`mstep_closed_form` does not return `sigma`."),
    list(
      list(mstep_closed_form = function(...) c(mu = 1, omega = -1, sigma = 1)),
      "`mstep_closed_form` gives `omega` a value that it cannot have."
    ),
    list(list(update_schedule = function(...) 6), "`update_schedule` names 6, which is not a batch."),
    list(list(update_schedule = function(...) c(2, 2)), "`update_schedule` names batch 2 twice."),
    list(list(update_schedule = function(...) integer()), "`update_schedule` names no batch.")
  )) {
    error <- do.call(stopped, case[[1]])
    expect_identical(error$problem, case[[2]])
    expect_identical(error$reason, "hook_value")
    expect_identical(error$hook, names(case[[1]]))
  }
})

test_that("`update_schedule` is asked in every iteration and its batches are recorded", {
  asked <- list()
  method <- short(update_schedule = function(n, iteration) {
    asked[[length(asked) + 1]] <<- c(n, iteration)
    1 + (iteration + 0:1) %% n
  })
  fit_rows(method)
  expect_identical(lapply(asked, as.numeric), lapply(1:10, function(k) c(5, k)))
})

test_that("case 22: the batches that `update_schedule` does not name keep their draws", {
  seen <- list()
  looking <- function(data, batches, effects) {
    seen[[length(seen) + 1]] <<- unlist(effects)
    1
  }
  fit_rows(own(
    suffstats = looking, mstep_closed_form = function(s) c(mu = 5, omega = 1, sigma = 1), n_chains = 1,
    update_schedule = function(n, iteration) if (iteration <= 2) seq_len(n) else c(4, 2)
  ))
  # The mean, which effects are counted from, stands still from the second iteration on.
  moved <- vapply(3:10, function(k) seen[[k]] != seen[[k - 1]], logical(5))
  expect_identical(unname(rowSums(moved) > 0), c(FALSE, TRUE, FALSE, TRUE, FALSE))
})

test_that("functions may leave out their last arguments", {
  few <- function(data, batches, effects) length(unlist(effects))
  fit <- fit_rows(own(suffstats = few, mstep_closed_form = function(s) c(mu = s, omega = 1, sigma = 1)))
  expect_equal(fit$parameters$natural, c(5, 1, 1))
})

test_that("random numbers of the functions follow the seed of the fit and leave R's alone", {
  noisy <- function(s, data) {
    values <- solved(s, data)
    values$mu <- values$mu + stats::rnorm(1) * 0.01
    values
  }
  method <- own(mstep_closed_form = noisy, update_schedule = function(n, iteration) sample(n, 2))
  set.seed(20)
  before <- .Random.seed
  first <- fit_rows(method)
  expect_identical(.Random.seed, before)
  stats::runif(3)
  again <- fit_rows(method)
  expect_identical(trace_of(again), trace_of(first))
  expect_false(identical(trace_of(fit_rows(method, seed = 2)), trace_of(first)))
  # Another kind of generator changes nothing and stays.
  withr::with_seed(1, {
    expect_identical(trace_of(fit_rows(method)), trace_of(first))
    expect_equal(RNGkind()[1], "Wichmann-Hill")
  }, .rng_kind = "Wichmann-Hill")
})

test_that("random numbers of the functions go on from call to call", {
  generate <- own_generator(2^40)
  first <- generate(stats::runif(1))
  expect_identical(own_generator(2^40)(stats::runif(2)), c(first, generate(stats::runif(1))))
})

test_that("threads do not change a fit with functions", {
  a <- fit_rows(own(q_from_stats = expected), threads = 1)
  b <- fit_rows(own(q_from_stats = expected), threads = 3)
  expect_identical(trace_of(a), trace_of(b))
})

test_that("a fit keeps the names of the functions only", {
  fit <- fit_rows(own())
  expect_null(fit$method$hooks)
  expect_identical(as.character(fit$method$options$hooks), c("suffstats", "mstep_closed_form"))
})

test_that("a warning in a function is the user's to see", {
  warned <- function(...) {
    warning("look here", call. = FALSE)
    moments(...)
  }
  method <- own(suffstats = warned)
  heard <- 0
  withCallingHandlers(
    fit_nlme(intercepts, rows, method, seed = 1, progress = FALSE),
    warning = function(condition) {
      if (conditionMessage(condition) == "look here") heard <<- heard + 1
      invokeRestart("muffleWarning")
    }
  )
  expect_gt(heard, 9)
})

test_that("the page's example of custom statistics runs", {
  model <- nlme_model(
    fixed(a = 0.2, b = 0.1, sigma = positive(0.3), tau = positive(0.4)),
    random(eta ~ normal(0, tau) | ID),
    {
      mu <- exp(a + b * t + eta)
      y ~ exponential(scale = mu * sigma)
    }
  )
  data <- data.frame(ID = c("A", "A", "B", "B"), t = c(0, 1, 0, 1), y = c(1, 1.08, 0.96, 1.14))
  suffstats <- function(data, batches, effects, parameters, fixed) {
    draws <- unlist(effects)
    list(s_sum = sum(draws), s_sq = sum(draws^2), n = max(length(draws), 1))
  }
  mstep_closed_form <- function(s, data) {
    sigma <- sqrt(max(s$s_sq / s$n, 1e-8))
    list(a = 0.2 + 0.01 * s$s_sum, b = 0.1 + 0.001 * s$s_sq, sigma = sigma, tau = max(0.2, 0.5 * sigma))
  }
  method <- saem(
    sampler = mh(), mcmc_steps = 12, maxiters = 20, suffstats = suffstats,
    q_from_stats = function(s, parameters, data) -0.5 * (s$s_sq - s$s_sum^2 / s$n),
    mstep_closed_form = mstep_closed_form
  )
  fit <- fit_rows(method, data = data, model = model)
  values <- stats::setNames(fit$parameters$natural, fit$parameters$name)
  expect_true(all(is.finite(values)))
  expect_equal(values[["tau"]], max(0.2, 0.5 * values[["sigma"]]))
})

# Runs in its own R process: gets SIGINT inside a function after half a second, prints what came back.
interrupted_function <- function() {
  library(nlmers)
  signal <- tempfile()
  model <- nlme_model(
    fixed(mu = 3, omega = positive(1), sigma = positive(1)), random(eta ~ normal(0, omega) | id),
    y ~ normal(mu + eta, sigma)
  )
  data <- data.frame(id = rep(1:3, 2), y = 1:6)
  calls <- 0
  slow <- function(...) {
    calls <<- calls + 1
    if (calls == 4) {
      system(sprintf("(sleep 0.5; date +%%s.%%N >%s; kill -INT %d) &", signal, Sys.getpid()))
      Sys.sleep(20)
    }
    1
  }
  same <- function(s, data) c(mu = calls, omega = 1, sigma = 1)
  method <- saem(n_chains = 1, auto_small_n_chains = FALSE, suffstats = slow, mstep_closed_form = same)
  fit <- suppressWarnings(fit_nlme(model, data, method, seed = 1, progress = FALSE))
  late <- as.numeric(Sys.time()) - as.numeric(readLines(signal))
  cat("status", fit$status$code, "iterations", length(fit$trace$objective), "mu", fit$parameters$natural[1],
      "after", late, "\n")
}

test_that("Ctrl-C inside a function stops the fit, which gives what it has", {
  output <- output_of_own_process("interrupted_function")
  line <- grep("^status", output, value = TRUE)
  expect_match(line, "status interrupted iterations 3 mu 3 ")
  expect_lt(as.numeric(sub(".* after ", "", line)), 0.5)
})
