# Ask the core for what is computed at the estimates of a fit.

# The reply to `task`; `seed` is that of the fit, unless it is given, `...` what the task reads beside the fit.
ask_of_fit <- function(fit, task, seed = NULL, ...) {
  bound <- rebind_data(fit)
  sent <- fitted_fields(fit, bound)
  if (!is.null(seed)) sent$seed <- check_count(seed, "seed", 0)
  core_call(list(task = task, fit = sent, ...), bound$columns)
}

# How many importance draws a batch: as the fit itself, unless the user says.
draw_field <- function(fit, draws) {
  if (!is.null(draws)) return(check_count(draws, "draws", 2))
  # Those of saem() judge a fit, and are as many as that takes.
  method <- if (identical(fit$method$options$name, "vem")) fit$method else vem()
  method$options$draws
}

# What a request for what is computed at the estimates says of the fit.
fitted_fields <- function(fit, bound) {
  coordinates <- fit$coordinates$value
  means <- Map(known_means, effect_groups(fit), bound$groups)
  list(
    model = model_fields(fit$model$spec),
    data = bound$fields,
    at = list(
      parameters = value_fields(estimated_values(fit)),
      coordinates = if (all(is.finite(coordinates))) I(coordinates),
      fix = value_fields(fit$settings$fix),
      levels = level_fields(fit$settings$levels)
    ),
    began = if (!is.null(fit$coordinates$start)) I(fit$coordinates$start),
    random = if (all(is.finite(unlist(means)))) unname(means),
    method = method_fields(fit$method$options),
    seed = fit$settings$seed,
    # The fit may come from a larger machine.
    threads = min(fit$settings$threads, available_cores())
  )
}

# Conditional means of the levels in the data, a row a level.
known_means <- function(fitted, bound) {
  means <- fitted$effects$cond_mean
  lapply(match(bound$labels, fitted$effects$labels), function(i) I(means[i, ]))
}

# The options of an estimator in the groups in which the core reads them.
method_fields <- function(options) {
  # vem() takes its optimizer's number of steps and its derivatives as its own.
  if (options$name == "vem") options$optimizer <- options$optimizer[c("kind", "memory", "rate")]
  options$optimizer <- Filter(Negate(is.null), options$optimizer)
  groups <- if (options$name == "saem") saem_fields else list()
  groups$ebe <- grep("^ebe_|^store_eb_modes$", names(options), value = TRUE)
  inference <- options[intersect(c("log_lik", "se", "draws", "nodes"), names(options))]
  if (is.logical(inference$log_lik)) inference$log_lik <- if (inference$log_lik) "quadrature" else "none"
  left <- setdiff(names(options), c(unlist(groups), "log_lik", "se", "draws", "nodes", "verbose"))
  grouped <- lapply(groups, function(group) options[intersect(group, names(options))])
  c(options[left], grouped, list(inference = inference))
}

saem_fields <- list(
  schedule = c(
    "sa_schedule", "adaptive", "exploration", "smoothing", "maxiters", "sa_burnin_iters", "t0", "kappa",
    "sa_phase1_iters", "sa_phase2_kappa", "gains"
  ),
  chains = c("n_chains", "auto_small_n_chains", "small_n_chain_target"),
  anneal = c(
    "sa_anneal_schedule", "sa_anneal_iters", "sa_anneal_alpha", "sa_anneal_targets", "auto_var_lb", "var_lb_value",
    "anneal_to_fixed", "anneal_schedule", "anneal_min_sd"
  ),
  stop = c("convergence_test", "rtol_theta", "atol_theta", "rtol_Q", "atol_Q", "consecutive_params"),
  mstep = c(
    "builtin_stats", "builtin_mean", "resid_var_param", "re_cov_params", "re_mean_params", "mstep_sa_on_params",
    "max_store", "lb", "ub", "hooks"
  )
)
