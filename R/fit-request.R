# Ask the core for what is computed at the estimates of a fit.

# The reply to `task`; `fields` come in place of those the fit itself sends.
ask_of_fit <- function(fit, task, fields = list()) {
  bound <- rebind_data(fit)
  sent <- mode_fields(fit, bound)
  sent[names(fields)] <- fields
  core_call(core_request(task, fit$model$spec, sent), bound$columns)
}

# How many importance draws a batch, and by which random numbers: as the fit itself, unless the user says.
draw_fields <- function(fit, draws, seed) {
  # Those of saem() judge a fit, and are as many as that takes.
  method <- if (identical(fit$method$options$name, "vem")) fit$method else vem()
  usual <- method$options$draws
  list(
    draws = if (is.null(draws)) usual else check_count(draws, "draws", 2),
    seed = if (is.null(seed)) fit$settings$seed else check_count(seed, "seed", 0)
  )
}

# What a request for modes, or for what is computed around them, says of the fit.
mode_fields <- function(fit, bound) {
  coordinates <- fit$coordinates$value
  means <- Map(known_means, effect_groups(fit), bound$groups)
  list(
    data = bound$fields,
    parameters = value_fields(estimated_values(fit)),
    coordinates = if (all(is.finite(coordinates))) I(coordinates),
    began = if (!is.null(fit$coordinates$start)) I(fit$coordinates$start),
    fix = value_fields(fit$settings$fix),
    levels = level_fields(fit$settings$levels),
    random = if (all(is.finite(unlist(means)))) unname(means),
    method = fit$method$options,
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
