#' Summarize a fit
#'
#' Adds to what [print()] shows the standard errors of the SDs of the random effects
#' and of the residual parameters, the options that are not the defaults, the time spent, which
#' parameter the M-step updates by which route, and of a fit by [saem()] the acceptance rates of
#' the kernels and rejected draws, of a fit by [vem()] its points and the quality of the
#' importance weights.
#'
#' @param object (`nlme_fit`) a fit.
#' @param ... for the generic; an argument that lands here is refused.
#' @returns An object of class `summary.nlme_fit`: the fit with its tables
#'   `acceptance`, `timing` and `routes` as data frames.
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   seed = 1
#' )
#' summary(fit)
#' @export
summary.nlme_fit <- function(object, ...) {
  check_format(object)
  refuse_dots(...)
  structure(
    list(
      fit = object,
      convergence = convergence(object),
      acceptance = as.data.frame(object$acceptance),
      timing = as.data.frame(object$timing),
      routes = mstep_routes(object)
    ),
    class = "summary.nlme_fit"
  )
}

#' @export
print.summary.nlme_fit <- function(x, digits = 4, ...) {
  fit <- x$fit
  iterated <- has_effects(fit) && !is_evaluated(fit)
  if (is_evaluated(fit)) x$timing$name[2L] <- "evaluation"
  timing <- sprintf("%s %s s", x$timing$name, format(signif(x$timing$seconds, 2)))
  options <- changed_option_lines(fit$method)
  if (length(options) == 0L) options <- "all at their defaults"
  routed <- split(route_names(fit, x$routes$parameter), x$routes$route)
  routes <- vapply(routed, function(names) paste(unique(names), collapse = ", "), "")
  cat(
    fit_lines(fit, digits, full = TRUE),
    "", "Convergence", paste0("  ", c(x$convergence$status[1L], stats::na.omit(x$convergence$evidence))),
    if (iterated) c("", "M-step", paste0("  ", names(routes), ": ", routes)),
    "", if (iterated) switch(fit$method$options$name, saem = chain_lines(x), vem = weight_lines(fit)),
    equation_lines(fit$equations),
    paste("Time:", paste(timing, collapse = ", ")),
    if (iterated) c("", paste("Options of", toupper(fit$method$options$name)), paste0("  ", options)),
    sep = "\n"
  )
  invisible(x)
}

# Weights of a learned function are one thing.
route_names <- function(fit, names) {
  base <- fit$parameters$base[match(names, fit$parameters$name)]
  ifelse(base %in% names(learned_parameters(fit$model)), sprintf("weights of %s", base), names)
}

chain_lines <- function(summary) {
  # A kernel that does not apply, such as blocks of a single effect, has no rate.
  rates <- summary$acceptance[is.finite(summary$acceptance$rate), ]
  c(
    paste("Acceptance:", paste(sprintf("%s %.2f", rates$kernel, rates$rate), collapse = ", ")),
    sprintf("Rejected draws (likelihood not finite): %d", as.integer(summary$fit$rejected))
  )
}

# The bound and how well its approximations cover the conditional distributions.
weight_lines <- function(fit) {
  bound <- fit$elbo
  weights <- fit$importance
  c(
    if (!is.null(bound)) {
      sprintf(
        "Bound: %s, Monte-Carlo error %s", point_words(bound$points, fit$method$options$rule),
        format(signif(bound$mc_error, 2))
      )
    },
    if (!is.null(weights)) {
      sprintf(
        "Importance weights: smallest effective sample size %.0f of %d, largest Pareto k %.2f; see `health()`",
        min(weights$ess), as.integer(weights$draws), max(weights$khat)
      )
    }
  )
}

# How the differential equations were solved, and what came of the solutions that failed.
equation_lines <- function(equations) {
  if (is.null(equations)) return(NULL)
  failed <- sum(equations$failed$count)
  number <- function(n) format(n, big.mark = ",", scientific = FALSE)
  c(
    sprintf(
      "Differential equations: %d state%s, %s, solved %s times",
      length(equations$states), if (length(equations$states) == 1L) "" else "s", equations$solver,
      number(equations$solved)
    ),
    if (isTRUE(equations$rtol < formals(ode_control)$rtol)) {
      sprintf("  to rtol = %s, atol = %s", format(equations$rtol), format(equations$atol))
    },
    # A method that was chosen is named above.
    if (equations$implicit > 0 && equations$solver != "by an implicit method") {
      by <- if (isTRUE(equations$implicit_steps == 0)) "the exponential of their matrix" else "the implicit solver"
      sprintf("  by %s, as too stiff for the explicit one: %s", by, number(equations$implicit))
    },
    if (failed > 0) {
      reasons <- paste(equations$failed$reason, number(equations$failed$count), collapse = ", ")
      sprintf("  without solution, and so without likelihood (draws rejected): %s (%s)", number(failed), reasons)
    }
  )
}
