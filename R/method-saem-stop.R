# The options of saem() that keep variances up and say when to stop.

anneal_options <- function(asked, given) {
  c(variance_options(asked, given), floor_options(asked, given), collapse_options(asked, given))
}

variance_options <- function(asked, given) {
  if (!is.null(asked$sa_anneal_fn)) {
    stop_option(
      "reserved_option", "`sa_anneal_fn` is reserved.",
      hint = "Choose `sa_anneal_schedule` among \"rate\", \"exponential\", \"linear\" and \"none\".",
      fields = list(name = "sa_anneal_fn")
    )
  }
  targets <- anneal_targets(asked$sa_anneal_targets)
  schedule <- check_word(asked$sa_anneal_schedule, "sa_anneal_schedule", c("rate", "exponential", "linear", "none"))
  # Floors of their own belong to the schedules that have floors.
  if (!"sa_anneal_schedule" %in% given) {
    rate <- c("sa_anneal_iters", "sa_anneal_alpha")
    if (length(targets) > 0L) schedule <- "exponential" else if (any(rate %in% given)) schedule <- "rate"
  }
  if (schedule == "none") {
    refuse_idle(given, c("sa_anneal_iters", "sa_anneal_alpha", "sa_anneal_targets"), "`sa_anneal_schedule` is \"none\"")
  } else if (schedule == "rate" && length(targets) > 0L) {
    refuse_idle(
      "sa_anneal_targets", "sa_anneal_targets", "`sa_anneal_schedule = \"rate\"` has one rate for all variances",
      "Write `sa_anneal_schedule = \"exponential\"` or \"linear\"."
    )
  }
  alpha <- asked$sa_anneal_alpha
  list(
    sa_anneal_schedule = schedule,
    sa_anneal_iters = check_count(asked$sa_anneal_iters, "sa_anneal_iters", 0),
    sa_anneal_alpha = if (is.null(alpha)) {
      if (schedule == "rate") 0.95 else 0.9
    } else {
      check_fraction(alpha, "sa_anneal_alpha")
    },
    sa_anneal_targets = targets
  )
}

# list(list(name, alpha), ...)
anneal_targets <- function(targets) {
  targets <- as.list(targets)
  if (any(rlang::names2(targets) == "")) {
    stop_option(
      "unnamed_value", "`sa_anneal_targets` must be named: every number belongs to a parameter.",
      hint = "Write `sa_anneal_targets = c(omega = 0.9)`.", fields = list(name = "sa_anneal_targets")
    )
  }
  unname(Map(function(name, alpha) {
    list(name, check_fraction(alpha, sprintf("sa_anneal_targets[\"%s\"]", name)))
  }, names(targets), targets))
}

floor_options <- function(asked, given) {
  auto <- check_flag(asked$auto_var_lb, "auto_var_lb")
  if (!auto && !is.null(asked$var_lb_value)) refuse_idle(given, "var_lb_value", "`auto_var_lb` is FALSE")
  list(
    auto_var_lb = auto,
    var_lb_value = if (!is.null(asked$var_lb_value)) check_positive(asked$var_lb_value, "var_lb_value")
  )
}

# The effects are checked, and their SDs found, when the model is known.
collapse_options <- function(asked, given) {
  effects <- as.character(unlist(asked$anneal_to_fixed))
  if (!is.null(asked$anneal_to_fixed) && !is.character(unlist(asked$anneal_to_fixed)) && length(effects) > 0L) {
    stop_bad_option("anneal_to_fixed", asked$anneal_to_fixed, "the names of random effects, as in c(\"eta_site\")")
  }
  if (length(effects) == 0L) {
    refuse_idle(given, c("anneal_schedule", "anneal_min_sd"), "`anneal_to_fixed` names no random effect")
  }
  list(
    anneal_to_fixed = I(unique(effects)),
    anneal_schedule = check_word(asked$anneal_schedule, "anneal_schedule", c("exponential", "linear", "gamma")),
    anneal_min_sd = check_positive(asked$anneal_min_sd, "anneal_min_sd")
  )
}

# The sequence of `anneal_schedule = "gamma"` is 1 for `t0` iterations.
warn_of_constant_sd <- function(options) {
  if (length(options$anneal_to_fixed) == 0L || options$anneal_schedule != "gamma") return(invisible())
  if (options$maxiters > options$t0) return(invisible())
  warn_nlmers("constant_sd", sprintf(
    "The SDs of `anneal_to_fixed` stay as they are for all %s iterations. Lower `t0` below `maxiters`.",
    format(options$maxiters)
  ))
}

stop_options <- function(asked, given) {
  tolerances <- c("rtol_theta", "atol_theta", "rtol_Q", "atol_Q", "consecutive_params")
  test <- asked$convergence_test
  if (is.null(test)) {
    test <- if (any(tolerances %in% given)) "consecutive" else "windowed"
  } else {
    check_word(test, "convergence_test", c("windowed", "consecutive"))
  }
  if (test == "windowed") refuse_idle(given, tolerances, "`convergence_test` is \"windowed\"")
  c(
    list(convergence_test = test),
    Map(check_tolerance, asked[tolerances[1:4]], tolerances[1:4]),
    list(consecutive_params = check_count(asked$consecutive_params, "consecutive_params", 1))
  )
}
