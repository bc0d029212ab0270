# The M-step of saem(): optimizer, closed forms, the user's own functions, bounds.

# The functions among the options, by name.
hook_functions <- function(asked) {
  hooks <- list(
    update_schedule = if (is.function(asked$update_schedule)) asked$update_schedule,
    suffstats = check_function(asked$suffstats, "suffstats"),
    q_from_stats = check_function(asked$q_from_stats, "q_from_stats"),
    mstep_closed_form = check_function(asked$mstep_closed_form, "mstep_closed_form")
  )
  hooks <- Filter(Negate(is.null), hooks)
  users <- intersect(names(hooks), c("q_from_stats", "mstep_closed_form"))
  if (length(users) > 0L && is.null(hooks$suffstats)) {
    stop_option(
      "missing_function", sprintf("`%s` works on the statistics of `suffstats`, which is not given.", users[1L]),
      hint = "Give `suffstats`, or leave both out.", fields = list(name = "suffstats")
    )
  }
  if (!is.null(hooks$suffstats) && length(users) == 0L) {
    stop_option(
      "missing_function", "`suffstats` alone says nothing of how the parameters move.",
      hint = "Give `mstep_closed_form`, or `q_from_stats` for an optimizer to maximize.",
      fields = list(name = "suffstats")
    )
  }
  hooks
}

mstep_options <- function(asked, given, hooks) {
  optimizer <- optimizer_option(asked, given, hooks)
  builtin <- builtin_options(asked, given, hooks)
  on_params <- check_flag(asked$mstep_sa_on_params, "mstep_sa_on_params")
  if (optimizer$kind == "score" && on_params) {
    refuse_idle(
      "mstep_sa_on_params", "mstep_sa_on_params", "score() already moves by the gain at the current draws",
      "Choose an `optimizer`: lbfgs(), nelder_mead() or adam()."
    )
  }
  if (optimizer$kind == "score" && builtin$builtin_mean == "none") {
    refuse_idle(given, "max_store", "score() maximizes nothing over kept draws")
  }
  c(
    list(optimizer = optimizer), builtin,
    list(mstep_sa_on_params = on_params, max_store = check_count(asked$max_store, "max_store", 1)),
    bound_options(asked), list(penalty = weight_penalty(asked, given, optimizer), hooks = I(names(hooks)))
  )
}

# Weights of learned functions have a penalty where they follow gradients.
weight_penalty <- function(asked, given, optimizer) {
  if (optimizer$kind != "score") {
    refuse_idle(
      given, "penalty", sprintf("%s() maximizes without one", optimizer$kind), "Leave `optimizer` out."
    )
  }
  penalty_option(asked$penalty)
}

# The optimizer as the core reads it. A function of the user has no score and no derivatives.
optimizer_option <- function(asked, given, hooks) {
  optimizer <- asked$optimizer
  if (!inherits(optimizer, "nlme_optimizer")) {
    stop_option(
      "bad_optimizer",
      sprintf("`optimizer` must be an optimizer, not an object of class `%s`.", class(optimizer)[1L]),
      hint = "Write `optimizer = lbfgs()`, or one of score(), nelder_mead() and adam().",
      fields = list(name = "optimizer")
    )
  }
  own_q <- !is.null(hooks$q_from_stats) && is.null(hooks$mstep_closed_form)
  if (own_q && optimizer$kind == "score") {
    if ("optimizer" %in% given) {
      stop_option(
        "bad_optimizer", "score() cannot maximize `q_from_stats`, which has no score.",
        hint = "Write `optimizer = lbfgs()` or `nelder_mead()`, or give `mstep_closed_form`.",
        fields = list(name = "optimizer")
      )
    }
    optimizer <- lbfgs()
  }
  optimizer <- with_arguments(optimizer, asked$optim_kwargs, "optim_kwargs")
  if (!is.null(asked$adtype)) {
    optimizer <- with_arguments(optimizer, list(adtype = check_adtype(asked$adtype)), "adtype")
  }
  settle_derivatives(settle_lengths(optimizer), own_q)
}

# What an iteration of SAEM can spend on it, where the user does not say.
settle_lengths <- function(optimizer) {
  usual <- list(maxiters = switch(optimizer$kind, lbfgs = 10, adam = 50), g_tol = 1e-4)
  for (name in intersect(names(optimizer), names(usual))) {
    if (is.null(optimizer[[name]])) optimizer[[name]] <- usual[[name]]
  }
  optimizer
}

settle_derivatives <- function(optimizer, own_q) {
  if (own_q && identical(optimizer$adtype, "reverse")) {
    stop_option(
      "bad_adtype", "`q_from_stats` is a function of R: it has no exact derivatives.",
      hint = "Leave `adtype` out, or write `adtype = \"finite\"`.", fields = list(name = "adtype")
    )
  }
  fields <- unclass(optimizer)
  if ("adtype" %in% names(fields) && is.null(fields$adtype)) fields$adtype <- if (own_q) "finite" else "reverse"
  fields
}

builtin_options <- function(asked, given, hooks) {
  stats <- check_word(asked$builtin_stats, "builtin_stats", c("auto", "closed_form", "none", "gaussian_re"))
  if (stats == "gaussian_re") stats <- "closed_form"
  mean <- check_word(asked$builtin_mean, "builtin_mean", c("none", "glm"))
  if (mean == "glm" && !is.null(hooks$suffstats)) {
    message("saem(): `builtin_mean = \"glm\"` is skipped, as `suffstats` moves the parameters.")
    mean <- "none"
  }
  maps <- c("resid_var_param", "re_cov_params", "re_mean_params")
  targets <- lapply(stats::setNames(maps, maps), function(name) target_map(asked[[name]], name))
  named <- maps[lengths(targets) > 0L]
  if (stats == "none") refuse_idle(named, maps, "`builtin_stats` is \"none\"")
  if (stats == "closed_form" && length(named) == 0L) {
    message("saem(): `builtin_stats = \"closed_form\"` without a target: no parameter takes its closed form.")
  }
  c(list(builtin_stats = stats, builtin_mean = mean), targets)
}

# Names of parameters, by outcome or random effect where the user says so.
target_map <- function(targets, name) {
  if (is.null(targets)) return(character())
  flat <- unlist(targets, use.names = FALSE)
  if (length(flat) > 0L && (!is.character(flat) || anyNA(flat))) {
    stop_bad_option(name, targets, "names of parameters, as in \"sigma\" or c(eta = \"omega\")")
  }
  if (!is.list(targets)) targets <- as.list(targets)
  targets
}
