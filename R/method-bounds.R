# Bounds of the parameters: the options `lb` and `ub` of a method.

bound_options <- function(asked) {
  bounds <- list(lb = bound_option(asked$lb, "lb"), ub = bound_option(asked$ub, "ub"))
  check_bound_order(bounds)
  bounds
}

# Bounds by parameter: a number, or one for each coordinate.
bound_option <- function(bounds, name) {
  bounds <- as.list(bounds)
  if (any(rlang::names2(bounds) == "")) {
    stop_option(
      "unnamed_value", sprintf("`%s` must be named: every bound belongs to a parameter.", name),
      hint = sprintf("Write `%s = c(sigma = log(0.01))`; bounds are on the transformed scale.", name),
      fields = list(name = name)
    )
  }
  for (parameter in names(bounds)) {
    value <- bounds[[parameter]]
    nowhere <- if (name == "lb") Inf else -Inf
    if (!is.numeric(value) || length(value) == 0L || anyNA(value) || any(value == nowhere)) {
      stop_bad_option(
        sprintf("%s[\"%s\"]", name, parameter), value,
        sprintf("numbers on the transformed scale, %s for none", format(-nowhere))
      )
    }
  }
  bounds
}

check_bound_order <- function(bounds) {
  for (name in intersect(names(bounds$lb), names(bounds$ub))) {
    if (!any(bounds$lb[[name]] >= bounds$ub[[name]])) next
    stop_option(
      "bad_bounds", sprintf("The bounds of `%s` are the wrong way round or equal.", name),
      sprintf("lb = %s, ub = %s", code_text(bounds$lb[[name]]), code_text(bounds$ub[[name]])),
      "Write `lb` below `ub`; to hold a parameter, use `fix` of fit_nlme().", list(name = name)
    )
  }
}

# The options with bounds as the core reads them.
bounded_options <- function(options, parameters, held) {
  for (side in c("lb", "ub")) options[[side]] <- bound_fields(options, side, parameters, held)
  options
}

# list(list(name, one value a coordinate), ...); no bound is null.
bound_fields <- function(options, argument, parameters, held) {
  bounds <- options[[argument]]
  fields <- lapply(names(bounds), function(name) {
    check_parameter_name(name, argument, names(parameters))
    if (name %in% held) {
      tell_unused(options$name, argument, name)
      return(NULL)
    }
    value <- bounds[[name]]
    n <- coordinate_count(parameters[[name]])
    if (!length(value) %in% c(1L, n)) {
      stop_option(
        "bound_length",
        sprintf("`%s` gives `%s` %d bounds; it has %d coordinate%s.", argument, name, length(value), n,
                if (n == 1L) "" else "s"),
        hint = "Give one number, or one for each coordinate.", fields = list(name = name)
      )
    }
    list(name, I(rep_len(as.numeric(value), n)))
  })
  Filter(Negate(is.null), fields)
}

# Numbers a parameter has on the transformed scale.
coordinate_count <- function(parameter) {
  n <- parameter$dim
  switch(parameter$type,
    covariance_matrix = n * (n + 1) / 2, transition_matrix = , rate_matrix = n * (n - 1),
    simplex = length(parameter$value) - 1, length(parameter$value)
  )
}
