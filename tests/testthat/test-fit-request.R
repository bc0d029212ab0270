fit <- fit_orange(method = short_saem(), seed = 1)

test_that("a request carries the fit, and what is asked for in its place", {
  bound <- nlmers:::rebind_data(fit)
  sent <- nlmers:::fitted_fields(fit, bound)
  expect_equal(sent$seed, 1)
  expect_equal(as.numeric(sent$at$coordinates), fit$coordinates$value)
  expect_length(sent$random[[1L]], 5L)
  expect_equal(
    nlmers:::ask_of_fit(fit, "log_likelihood", inference = list(nodes = 11))$value, as.numeric(logLik(fit, nodes = 11))
  )
})

test_that("draws are those of the fit unless the user says", {
  expect_equal(nlmers:::draw_field(fit, NULL), 1000)
  expect_equal(nlmers:::draw_field(as_if_by_vem(fit, draws = 300), NULL), 300)
  expect_equal(nlmers:::draw_field(fit, 50L), 50)
  expect_equal(caught(nlmers:::draw_field(fit, 1))$name, "draws")
  expect_equal(caught(nlmers:::ask_of_fit(fit, "modes", -1))$name, "seed")
})

test_that("what the core does not know is refused, not passed over", {
  bound <- nlmers:::rebind_data(fit)
  sent <- nlmers:::fitted_fields(fit, bound)
  refused <- function(...) caught(nlmers:::core_call(list(...), bound$columns))$message
  expect_match(refused(task = "modes", fit = c(sent, list(sede = 2))), "unknown field `sede`")
  expect_match(refused(task = "mode", fit = sent), "unknown variant `mode`")
  wrong <- sent
  wrong$method$name <- "sam"
  expect_match(refused(task = "modes", fit = wrong), "unknown variant `sam`")
  wrong <- sent
  wrong$method$schedule$sa_schedule <- "saemx"
  expect_match(refused(task = "modes", fit = wrong), "unknown variant `saemx`")
  wrong <- sent
  wrong$method$update_schedule <- "al"
  expect_match(refused(task = "modes", fit = wrong), "no update schedule `al`")
})

test_that("every option of both estimators has a place in the request", {
  for (method in list(saem(), vem(), saem_page_defaults())) {
    sent <- nlmers:::method_fields(method$options)
    groups <- intersect(names(sent), c("schedule", "chains", "anneal", "stop", "mstep", "ebe", "inference"))
    flat <- c(setdiff(names(sent), groups), unlist(lapply(sent[groups], names), use.names = FALSE))
    expect_setequal(flat, setdiff(names(method$options), "verbose"))
  }
})

test_that("every choice that an option has reaches the core", {
  model <- nlme_model(
    fixed(a = 1, b = 0.1, omega = positive(0.3), s = positive(0.3)), random(e ~ normal(a, omega) | g),
    y ~ normal(e + b * x, s)
  )
  data <- data.frame(g = rep(1:6, each = 4), x = rep(0:3, 6))
  data$y <- 1 + 0.2 * data$x + rep(c(-0.3, 0.1, 0.2, -0.1, 0.4, 0), each = 4) + sin(seq_len(24)) / 5
  runs <- function(method, option, values, short) {
    for (value in values) {
      options <- short
      options[[option]] <- value
      # An optimizer that says its own length takes the place of `maxiters`.
      if (inherits(value, "nlme_optimizer") && !is.null(value$maxiters)) options$maxiters <- NULL
      if (option == "flows") options$family <- "planar_flow"
      fit <- suppressWarnings(suppressMessages(fit_nlme(model, data, do.call(method, options), seed = 1)))
      expect_s3_class(fit, "nlme_fit")
    }
  }
  by_saem <- list(
    sampler = list(mh(), saemix_mh(), adaptive_mh(), nuts(), mala(), independence(random_walk = 2)),
    optimizer = list(score(), lbfgs(), nelder_mead(), adam()), sa_schedule = c("saemix", "robbins_monro", "power"),
    sa_anneal_schedule = c("none", "rate", "exponential", "linear"), convergence_test = c("windowed", "consecutive"),
    builtin_stats = c("auto", "none"), builtin_mean = c("none", "glm"), lb = list(c(b = -5)), n_chains = 2,
    mcmc_steps = 2, warm_start = FALSE, acceleration = FALSE, adaptive = FALSE, update_schedule = list("all", 3),
    nodes = 5
  )
  for (option in names(by_saem)) {
    runs(saem, option, by_saem[[option]], list(maxiters = 8, polish = FALSE, store_eb_modes = FALSE))
  }
  by_vem <- list(
    optimizer = list(lbfgs(), adam(), lbfgs(memory = 3), adam(0.1, maxiters = 9)),
    family = c("full_rank", "mean_field", "planar_flow"), rule = c("qmc", "monte_carlo", "cubature"),
    penalty = list(c(b = 1)), flows = 3, sweeps = 2, tolerance = 1e-3, inner_maxiters = 5, ub = list(c(b = 5))
  )
  for (option in names(by_vem)) runs(vem, option, by_vem[[option]], list(maxiters = 10, log_lik = "none", se = "none"))
})
