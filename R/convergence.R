#' Convergence of a fit
#'
#' @param fit (`nlme_fit`) a fit.
#' @returns `converged()` `TRUE` or `FALSE`. `convergence()` a data frame with the
#'   `status`, the `evidence` for it and the `advice`, one row a piece of evidence.
#'   `mstep_routes()` a data frame with the route by which the M-step updates each
#'   `parameter`: `"closed form"`, `"score"` for steps on score and information,
#'   `"numeric"` for an optimizer, `"hook"` for the user's own function, `"fixed"`. Of a fit by [vem()] they are
#'   those of the sweeps; after them all parameters move together. Without random effects there is no
#'   M-step: all parameters move together by Newton's steps, `"newton"`.
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   seed = 1
#' )
#' convergence(fit)
#' mstep_routes(fit)
#' @export
convergence <- function(fit) {
  data.frame(
    status = fit$status$code,
    evidence = if (length(fit$status$evidence) > 0L) fit$status$evidence else NA_character_,
    advice = status_advice(fit)
  )
}

#' @rdname convergence
#' @export
converged <- function(fit) fit$status$code == "converged"

#' @rdname convergence
#' @export
mstep_routes <- function(fit) {
  route <- fit$parameters$route
  if (is_evaluated(fit)) route[] <- "fixed"
  if (!has_effects(fit)) route[route != "fixed"] <- "newton"
  if ("mstep_closed_form" %in% fit$method$options$hooks) route[route != "fixed"] <- "hook"
  data.frame(parameter = fit$parameters$name, route = route)
}

status_sentence <- function(fit) {
  words <- switch(fit$status$code,
    converged = "Converged after %d iterations",
    max_iterations = "Not converged after %d iterations",
    stalled = "Stalled after %d iterations",
    not_finite = "Stopped after %d iterations: an estimate or the log-likelihood is not finite",
    interrupted = "Interrupted after %d iterations",
    evaluated = return("Evaluated at given values, nothing fitted")
  )
  if (!has_effects(fit)) words <- sub("iterations", "Newton steps", words)
  n <- nrow(fit$trace$value)
  sprintf(if (n == 1L) sub("(iteration|step)s", "\\1", words) else words, n)
}

status_advice <- function(fit) {
  if (is_evaluated(fit)) return("`fit_nlme()` with the same arguments estimates the parameters.")
  if (!has_effects(fit)) return(advice_for_direct(fit))
  if (identical(fit$method$options$name, "vem")) return(advice_for_vem(fit))
  options <- fit$method$options
  switch(fit$status$code,
    converged = "None needed.",
    max_iterations = if (isFALSE(options$polish)) {
      "Write `polish = TRUE` in saem(), which goes on to the maximum, or raise `exploration` and `smoothing`."
    } else if (identical(options$convergence_test, "consecutive")) {
      "Widen the tolerances, or judge the run as a whole: convergence_test = \"windowed\"."
    } else {
      "Raise `exploration` and `smoothing` in saem(), and look at plot(fit, \"trace\")."
    },
    stalled = advice_stalled(fit, "Start elsewhere or simplify the random effects; see plot(fit, \"trace\")."),
    not_finite = advice_not_finite(fit),
    interrupted = "The estimates are those of the last iteration; `fit_nlme(start_from = )` with this fit goes on."
  )
}

# Where the solver stands in the way nothing else helps.
advice_stalled <- function(fit, other) {
  wanted <- wanted_tolerances(fit)
  if (!is.null(wanted)) {
    return(sprintf(
      "Solve the equations more precisely: ode_control(rtol = %s, atol = %s).", format(wanted$rtol), format(wanted$atol)
    ))
  }
  if (!any(grepl("equations have no solution", fit$status$evidence, fixed = TRUE))) return(other)
  paste("Raise the limits of ode_control(), or change the starting values.", other)
}

advice_not_finite <- function(fit) {
  check <- "Check the starting values and the scales of the parameters."
  if (sum(fit$equations$failed$count) == 0) return(check)
  paste(
    check, "Differential equations without solution are counted in summary(fit): see ode_control() for their limits."
  )
}

advice_for_vem <- function(fit) {
  switch(fit$status$code,
    converged = "None needed.",
    max_iterations = if (fit$method$options$optimizer$kind == "adam") {
      "Raise the `maxiters` of adam() or lower its `rate`, and look at plot(fit, \"trace\")."
    } else {
      "Raise `maxiters` and `sweeps` in vem(), and look at plot(fit, \"trace\")."
    },
    stalled = advice_stalled(fit, paste(
      "Start elsewhere, as from a fit by saem() with `start_from`, or simplify the random effects;",
      "see plot(fit, \"trace\")."
    )),
    not_finite = advice_not_finite(fit),
    interrupted = "The estimates are those of the last iteration; `start_from` this fit begins there."
  )
}
