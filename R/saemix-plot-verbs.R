# The functions of saemix that draw one plot each, or a set of them.

draw_saemix <- function(fit, verb, plot.type, ...) { # nolint: object_name_linter.
  check_saemix_fit(fit, verb, "plot(fit)")
  plot.saemix_fit(fit, plot.type = plot.type, ...)
}

# nolint start: object_name_linter. The names are those of saemix.

#' @rdname saemix_verbs
#' @export
saemix.plot.data <- function(saemixObject, ...) draw_saemix(saemixObject, "saemix.plot.data", "data", ...)

#' @rdname saemix_verbs
#' @export
saemix.plot.convergence <- function(saemixObject, ...) {
  draw_saemix(saemixObject, "saemix.plot.convergence", "convergence", ...)
}

#' @rdname saemix_verbs
#' @export
saemix.plot.llis <- function(saemixObject, ...) draw_saemix(saemixObject, "saemix.plot.llis", "likelihood", ...)

#' @rdname saemix_verbs
#' @export
saemix.plot.obsvspred <- function(saemixObject, ...) {
  draw_saemix(saemixObject, "saemix.plot.obsvspred", "observations.vs.predictions", ...)
}

#' @rdname saemix_verbs
#' @export
saemix.plot.scatterresiduals <- function(saemixObject, ...) {
  draw_saemix(saemixObject, "saemix.plot.scatterresiduals", "residuals.scatter", ...)
}

#' @rdname saemix_verbs
#' @export
saemix.plot.distribresiduals <- function(saemixObject, ...) {
  draw_saemix(saemixObject, "saemix.plot.distribresiduals", "residuals.distribution", ...)
}

#' @rdname saemix_verbs
#' @export
saemix.plot.fits <- function(saemixObject, ...) draw_saemix(saemixObject, "saemix.plot.fits", "both.fit", ...)

#' @rdname saemix_verbs
#' @export
saemix.plot.distpsi <- function(saemixObject, ...) {
  draw_saemix(saemixObject, "saemix.plot.distpsi", "marginal.distribution", ...)
}

#' @rdname saemix_verbs
#' @export
saemix.plot.randeff <- function(saemixObject, ...) {
  draw_saemix(saemixObject, "saemix.plot.randeff", "random.effects", ...)
}

#' @rdname saemix_verbs
#' @export
saemix.plot.correlations <- function(saemixObject, ...) {
  draw_saemix(saemixObject, "saemix.plot.correlations", "correlations", ...)
}

#' @rdname saemix_verbs
#' @export
saemix.plot.parcov <- function(saemixObject, ...) {
  draw_saemix(saemixObject, "saemix.plot.parcov", "parameters.vs.covariates", ...)
}

#' @rdname saemix_verbs
#' @export
saemix.plot.randeffcov <- function(saemixObject, ...) {
  draw_saemix(saemixObject, "saemix.plot.randeffcov", "randeff.vs.covariates", ...)
}

#' @rdname saemix_verbs
#' @export
saemix.plot.vpc <- function(saemixObject, ...) draw_saemix(saemixObject, "saemix.plot.vpc", "vpc", ...)

#' @rdname saemix_verbs
#' @export
saemix.plot.select <- function(saemixObject, ...) {
  given <- list(...)
  asked <- names(given) %in% names(saemix_plots) & vapply(given, isTRUE, logical(1L))
  refused <- names(given) %in% names(saemix_plots) & vapply(given, isFALSE, logical(1L))
  words <- names(given)[asked]
  do.call(draw_saemix, c(
    list(saemixObject, "saemix.plot.select", if (length(words) > 0L) words else "reduced"), given[!asked & !refused]
  ))
}

#' @rdname saemix_verbs
#' @export
default.saemix.plots <- function(saemixObject, ...) draw_saemix(saemixObject, "default.saemix.plots", "full", ...)

#' @rdname saemix_verbs
#' @export
basic.gof <- function(saemixObject, ...) draw_saemix(saemixObject, "basic.gof", saemix_plot_sets$reduced[-1L], ...)

#' @rdname saemix_verbs
#' @export
advanced.gof <- function(saemixObject, ...) {
  draw_saemix(saemixObject, "advanced.gof", c("residuals.scatter", "residuals.distribution", "vpc"), ...)
}

#' @rdname saemix_verbs
#' @export
covariate.fits <- function(saemixObject, ...) {
  draw_saemix(saemixObject, "covariate.fits", c("parameters.vs.covariates", "randeff.vs.covariates"), ...)
}

#' @rdname saemix_verbs
#' @export
individual.fits <- function(saemixObject, ...) draw_saemix(saemixObject, "individual.fits", "individual.fit", ...)

# nolint end
