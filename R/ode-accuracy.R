# Fits whose differential equations, or hazards, were not integrated precisely enough for their likelihood. The core
# says by how much the log density of data and effects changes with smaller tolerances, or a finer rule (`change`), and
# which are `wanted`, if any.

wanted_tolerances <- function(fit) {
  wanted <- as.numeric(unlist(fit$equations$wanted))
  if (length(wanted) == 2L) list(rtol = wanted[1L], atol = wanted[2L])
}

wanted_panels <- function(fit) {
  wanted <- as.integer(unlist(fit$hazard$wanted))
  if (length(wanted) == 1L) wanted
}

# The fit, or one that goes on from its estimates with smaller tolerances and a finer rule, until these suffice.
# Tolerances that the user has given stay. `ask`: gives the core a request. Three times smaller is the end of what a
# solver can do.
precise_fit <- function(fit, bound, course, ask) {
  if (is.null(fit$equations) && is.null(fit$hazard)) return(fit)
  own <- any(c("rtol", "atol") %in% names(fit$model$spec$ode))
  course$resume <- NULL
  for (time in 0:3) {
    # The core may have taken others from the start; what comes after the fit needs them, too.
    if (isTRUE(fit$hazard$panels > 1)) fit$model$spec$hazard_panels <- as.integer(fit$hazard$panels)
    if (!own && isTRUE(fit$equations$rtol < formals(ode_control)$rtol)) {
      fit$model$spec$ode[c("rtol", "atol")] <- fit$equations[c("rtol", "atol")]
    }
    wanted <- if (!own) wanted_tolerances(fit)
    panels <- wanted_panels(fit)
    if (time == 3L || is.null(wanted) && is.null(panels) || fit$status$code == "interrupted") break
    model <- fit$model
    model$spec$ode[names(wanted)] <- wanted
    if (!is.null(panels)) model$spec$hazard_panels <- panels
    settings <- fit$settings
    settings$start <- utils::modifyList(settings$start, values_lent(fit, model, NULL))
    bound$model <- model
    reply <- ask(fit_request(model, bound, fit$method, settings, course))
    fit <- new_nlme_fit(fit$call, model, bound, fit$method, fit$settings, reply)
  }
  with_doubt(fit)
}

with_doubt <- function(fit) {
  if (isTRUE(fit$hazard$doubtful)) {
    fit$warnings <- c(fit$warnings, sprintf(
      paste(
        "The hazard is not integrated precisely enough: a finer rule changes the log-likelihood by about %s. Give",
        "subjects more rows without an event, so that intervals are shorter."
      ), signif(fit$hazard$change, 2L)
    ))
  }
  wanted <- wanted_tolerances(fit)
  if (is.null(wanted)) return(fit)
  fit$warnings <- c(fit$warnings, sprintf(
    paste(
      "The equations are not solved precisely enough: smaller tolerances change the log-likelihood by about %s.",
      "Write ode_control(rtol = %s, atol = %s)."
    ),
    signif(fit$equations$change, 2L), format(wanted$rtol), format(wanted$atol)
  ))
  fit
}
