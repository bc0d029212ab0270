# The conditional modes of a fit, held in it or found when they are asked for.

# The fit with its modes and all that depends on them. A fit by
# `store_eb_modes = FALSE` finds them as its options say: from the same estimates,
# with the same random numbers, so they are those the fit would have held.
with_modes <- function(fit) {
  if (!is.null(fit$effects$modes)) return(fit)
  bound <- rebind_data(fit)
  request <- core_request("modes", fit$model$spec, mode_fields(fit, bound))
  reply <- core_call(request, bound$columns)
  for (text in reply$warnings) warn_nlmers("fit", text)
  fit$fitted[names(reply$fitted)] <- reply$fitted
  first <- reply$groups[[1L]]
  fit$effects[names(first$effects)] <- first$effects
  fit$individual <- first$individual
  for (i in seq_along(fit$others)) {
    other <- reply$groups[[i + 1L]]
    fit$others[[i]]$effects[names(other$effects)] <- other$effects
    fit$others[[i]]$individual <- other$individual
  }
  fit
}

# What a request for modes, or for what is computed around them, says of the fit.
mode_fields <- function(fit, bound) {
  coordinates <- fit$coordinates$value
  means <- Map(known_means, effect_groups(fit), bound$groups)
  list(
    data = bound$fields,
    parameters = value_fields(estimated_values(fit)),
    coordinates = if (all(is.finite(coordinates))) I(coordinates),
    levels = level_fields(fit$settings$levels),
    random = if (all(is.finite(unlist(means)))) unname(means),
    method = fit$method$options,
    seed = fit$settings$seed,
    threads = fit$settings$threads
  )
}

# Conditional means of the levels in the data, a row a level.
known_means <- function(fitted, bound) {
  means <- fitted$effects$cond_mean
  lapply(match(bound$labels, fitted$effects$labels), function(i) I(means[i, ]))
}
