# Fits whose differential equations were not solved precisely enough for their likelihood. The core says by how much the
# log density of data and effects changes with tolerances that are smaller by these parts.
tighter <- c(rtol = 1e-2, atol = 1e-4)

# Change that calls for them, and the relative tolerance at which there is no more to gain.
imprecise <- 0.02
finest <- 1e-10

# Models without equations have no change.
is_imprecise <- function(fit) any(abs(as.numeric(fit$equations$change)) > imprecise)

# The fit, or one that goes on from its estimates with smaller tolerances, until these suffice. Tolerances that the user
# has given stay. `ask`: gives the core a request.
precise_fit <- function(fit, bound, course, ask) {
  if (is.null(fit$equations)) return(fit)
  if (any(names(tighter) %in% names(fit$model$spec$ode))) return(with_doubt(fit))
  course$resume <- NULL
  # The core may have taken smaller ones from the start; what comes after the fit needs them, too.
  if (isTRUE(fit$equations$rtol < formals(ode_control)$rtol)) {
    fit$model$spec$ode[names(tighter)] <- fit$equations[names(tighter)]
  }
  while (is_imprecise(fit) && fit$equations$rtol > finest && fit$status$code != "interrupted") {
    model <- fit$model
    model$spec$ode[names(tighter)] <- as.list(tighter * unlist(fit$equations[names(tighter)]))
    settings <- fit$settings
    settings$start <- utils::modifyList(settings$start, values_lent(fit, model, NULL))
    bound$model <- model
    reply <- ask(fit_request(model, bound, fit$method, settings, course))
    fit <- new_nlme_fit(fit$call, model, bound, fit$method, fit$settings, reply)
  }
  with_doubt(fit)
}

with_doubt <- function(fit) {
  if (!is_imprecise(fit)) return(fit)
  wanted <- tighter * unlist(fit$equations[names(tighter)])
  fit$warnings <- c(fit$warnings, sprintf(
    paste(
      "The equations are not solved precisely enough: smaller tolerances change the log-likelihood by about %s.",
      "Write ode_control(rtol = %s, atol = %s)."
    ),
    signif(fit$equations$change, 2L), format(wanted[["rtol"]]), format(wanted[["atol"]])
  ))
  fit
}
