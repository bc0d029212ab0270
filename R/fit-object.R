# The fit: a plain list of numbers, words and data frames, without pointers or
# environments, so that it survives saveRDS(), workers and upgrades.

# To be raised when models or fits change so that an older nlmers would misread them.
object_format <- 1L

# A model or a fit that was saved by a newer nlmers is refused.
check_format <- function(object) {
  if (isTRUE(object$format_version <= object_format)) return(invisible(object))
  what <- if (inherits(object, "nlme_fit")) "fit" else "model"
  if (is.null(object$format_version)) {
    maker <- if (what == "fit") "fit_nlme()" else "nlme_model()"
    stop_option(
      "no_format", sprintf("The %s is not complete: it does not say by which format it is laid out.", what),
      hint = sprintf("Make it again by %s.", maker)
    )
  }
  stop_option(
    "newer_format",
    sprintf(
      "The %s was saved by a newer nlmers, in format %s; this one reads formats up to %d.", what,
      format(object$format_version), object_format
    ),
    hint = sprintf("Install the version of nlmers that saved it, or make the %s again.", what)
  )
}

new_nlme_fit <- function(call, model, bound, method, settings, reply) {
  fit <- list(
    format_version = object_format,
    call = plain_call(call),
    model = model,
    method = method_of_fit(method),
    settings = settings,
    data = list(
      frame = as.data.frame(bound$frame),
      group = bound$fields$group,
      labels = as.character(bound$fields$labels),
      time = bound$fields$time,
      events = bound$events,
      coded = bound$coded,
      rows = bound$rows
    )
  )
  structure(c(fit, reply), class = "nlme_fit")
}

# Functions of the user hold environments; their names stay among the options.
method_of_fit <- function(method) {
  method$hooks <- NULL
  method
}

# A call built by do.call() holds the data itself; keep its name only.
plain_call <- function(call) {
  if (!is.null(call$data) && !is.language(call$data)) call$data <- quote(data)
  if (!is.null(call$model) && !is.language(call$model)) call$model <- quote(model)
  if (!is.null(call$start_from) && !is.language(call$start_from) && !is.character(call$start_from)) {
    call$start_from <- quote(start_from)
  }
  call
}

# A model reads the time as `t`, whatever its column is called. The copy is made anew whenever data are bound: kept in
# the frame, it would be a second time beside the first, which `newdata` made of the frame may have changed.
without_copied_time <- function(frame, data) {
  if (!"t" %in% names(data)) frame$t <- NULL
  frame
}

# Effects and individual parameters of each grouping, in the order of the model.
effect_groups <- function(fit) {
  c(list(list(effects = fit$effects, individual = fit$individual)), unname(fit$others))
}

# The data of the fit bound to its model again, for requests after the fit.
rebind_data <- function(fit) {
  check_format(fit)
  bind_data(fit$model, fit$data$frame, fit$data$group, fit$data$time, events = fit$data$events)
}

# Estimates on the natural scale by parameter, as a request carries them.
estimated_values <- function(fit) {
  base <- fit$parameters$base
  split(fit$parameters$natural, factor(base, unique(base)))
}

# One outcome gives a vector, several a matrix with their names.
outcome_values <- function(values, outcomes) {
  if (length(outcomes) == 1L) return(as.vector(values))
  colnames(values) <- outcomes
  values
}

# Observed values in data-row order, in the shape of outcome_values().
observed_values <- function(fit) {
  outcomes <- fit$fitted$outcome
  values <- vapply(
    outcomes, function(column) as.double(fit$data$frame[[column]]),
    double(nrow(fit$data$frame))
  )
  outcome_values(matrix(values, ncol = length(outcomes)), outcomes)
}
