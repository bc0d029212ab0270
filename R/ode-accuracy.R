# Fits whose differential equations were not solved precisely enough for their likelihood. The core says by how much the
# log density of data and effects changes with smaller tolerances (`change`), and which are `wanted`, if any.

wanted_tolerances <- function(fit) {
  wanted <- as.numeric(unlist(fit$equations$wanted))
  if (length(wanted) == 2L) list(rtol = wanted[1L], atol = wanted[2L])
}

# The fit, or one that goes on from its estimates with smaller tolerances, until these suffice. Tolerances that the user
# has given stay. `ask`: gives the core a request. Three times smaller is the end of what a solver can do.
precise_fit <- function(fit, bound, course, ask) {
  if (is.null(fit$equations)) return(fit)
  if (any(c("rtol", "atol") %in% names(fit$model$spec$ode))) return(with_doubt(fit))
  course$resume <- NULL
  # The core may have taken smaller ones from the start; what comes after the fit needs them, too.
  if (isTRUE(fit$equations$rtol < formals(ode_control)$rtol)) {
    fit$model$spec$ode[c("rtol", "atol")] <- fit$equations[c("rtol", "atol")]
  }
  for (time in 1:3) {
    wanted <- wanted_tolerances(fit)
    if (is.null(wanted) || fit$status$code == "interrupted") break
    model <- fit$model
    model$spec$ode[names(wanted)] <- wanted
    settings <- fit$settings
    settings$start <- utils::modifyList(settings$start, values_lent(fit, model, NULL))
    bound$model <- model
    reply <- ask(fit_request(model, bound, fit$method, settings, course))
    fit <- new_nlme_fit(fit$call, model, bound, fit$method, fit$settings, reply)
  }
  with_doubt(fit)
}

with_doubt <- function(fit) {
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
