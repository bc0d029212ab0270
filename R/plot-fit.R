#' Plots of a fit
#'
#' @param x,fit (`nlme_fit`) a fit.
#' @param type (character) `"fits"`: data, individual and population curves by
#'   subject; `"observed"`: observed against predicted; `"trace"`: the estimates by
#'   iteration, and before them the bound of a fit by [vem()]; `"convergence"`: gain, objective and
#'   largest relative change of the estimates by iteration, see [notes()]; `"learned"`: learned functions over the range
#'   that the data visited, with marks of what was visited, and where their weights are random effects the range of 90
#'   percent of the subjects, see [learned()].
#' @param subjects (character or NULL) labels of the subjects to draw in `"fits"`;
#'   `NULL` draws the first 16.
#' @param points (integer) number of points of each curve in `"fits"`.
#' @param ... for `plot()`: `subjects` and `points`.
#' @returns `plot()` a ggplot, which can be edited further. `plot_data()` the
#'   numbers it shows: for `"fits"` a data frame with `group`, `x`, `outcome`,
#'   `series` (`observed`, `individual`, `population`) and `value`; for
#'   `"observed"` with `group`, `outcome`, `level`, `predicted` and `observed`; for
#'   `"trace"` with `iteration`, `phase`, `parameter` and `value`, without weights of learned functions; for
#'   `"convergence"` with `iteration`, `phase`, `quantity` and `value`, changes as logarithms to the base 10; for
#'   `"learned"` with `name`, `input`, `output`, `series` (`curve`, `visited`), `x`, `value`, `lower` and `upper`.
#' @details
#' The horizontal axis of `"fits"` is the time column; without one, the first
#' covariate of the model that varies within a subject; else the number of the
#' record. When it is a column the model uses, curves are computed on a grid with
#' the subject's other covariates, each at its last value; otherwise they join the
#' predictions of the records.
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   seed = 1
#' )
#' plot(fit)
#' plot(fit, type = "trace")
#' head(plot_data(fit, type = "observed"))
#' @importFrom rlang .data
#' @export
plot.nlme_fit <- function(x, type = c("fits", "observed", "trace", "convergence", "learned"), ...) {
  check_format(x)
  type <- check_word(type, "type", plot_types)
  data <- plot_data(x, type, ...)
  if (type == "fits") x <- as_one_subject(x)
  switch(type,
    fits = draw_fits(data, x), observed = draw_observed(data), trace = draw_trace(data, "parameter"),
    convergence = draw_trace(data, "quantity"), learned = draw_learned(data)
  )
}

#' @rdname plot.nlme_fit
#' @export
plot_data <- function(fit, type = c("fits", "observed", "trace", "convergence", "learned"), subjects = NULL,
                      points = 100) {
  type <- check_word(type, "type", plot_types)
  if (type != "fits" && (!is.null(subjects) || !missing(points))) {
    stop_option(
      "unused_argument", "`subjects` and `points` are for `type = \"fits\"` only.",
      fields = list(name = if (is.null(subjects)) "points" else "subjects")
    )
  }
  points <- check_count(points, "points", 2)
  if (type %in% c("trace", "convergence") && is_evaluated(fit)) stop_not_fitted("are no iterations")
  switch(type,
    fits = shown_levels(fit, curves_of(fit, subjects, points)),
    observed = shown_levels(fit, observed_data(with_modes(fit))),
    trace = trace_data(fit), convergence = convergence_data(fit), learned = learned_data(fit)
  )
}

curves_of <- function(fit, subjects, points) {
  fit <- as_one_subject(fit)
  curve_data(with_modes(fit), chosen_subjects(fit, subjects), points)
}

# Without random effects the subject is the population.
shown_levels <- function(fit, data) {
  if (has_effects(fit)) return(data)
  kind <- intersect(c("series", "level"), names(data))
  unname_rows(droplevels(data[data[[kind]] != "individual", ]))
}

plot_types <- c("fits", "observed", "trace", "convergence", "learned")

# One row a record, outcome and level; records without the outcome are left out.
observed_data <- function(fit) {
  group <- factor(group_text(fit$data$frame[[fit$data$group]]), fit$data$labels)
  parts <- lapply(c("population", "individual"), function(level) {
    data.frame(
      group = rep(group, length(fit$fitted$outcome)),
      outcome = rep(fit$fitted$outcome, each = length(group)),
      level = level,
      predicted = as.vector(fit$fitted[[level]]),
      observed = as.vector(observed_values(fit))
    )
  })
  data <- do.call(rbind, parts)
  data$level <- factor(data$level, c("population", "individual"))
  unname_rows(data[!is.na(data$observed), ])
}

draw_observed <- function(data) {
  # Categories, and densities of one's own, have no predicted value.
  without <- setdiff(data$outcome, data$outcome[!is.na(data$predicted)])
  data <- data[!is.na(data$predicted), ]
  note <- if (length(without) > 0L) sprintf("No predicted value: %s", paste0("`", without, "`", collapse = ", "))
  if (nrow(data) == 0L) {
    return(ggplot2::ggplot() + ggplot2::labs(x = "Predicted", y = "Observed", caption = note) + ggplot2::theme_bw())
  }
  ggplot2::ggplot(data, ggplot2::aes(x = .data$predicted, y = .data$observed)) +
    ggplot2::geom_abline(slope = 1, intercept = 0, color = "gray60") +
    ggplot2::geom_point(color = observed_color, alpha = 0.7) +
    ggplot2::facet_wrap(outcome_facets(data, "level"), scales = facet_scales(data, "free")) +
    ggplot2::labs(x = "Predicted", y = "Observed", caption = note) +
    ggplot2::theme_bw()
}

# The outcome is a facet only when there are several.
outcome_facets <- function(data, first) {
  if (length(unique(data$outcome)) > 1L) c(first, "outcome") else first
}

trace_data <- function(fit) {
  shown <- !fit$coordinates$base %in% names(learned_parameters(fit$model))
  values <- fit$trace$value[, shown, drop = FALSE]
  names <- fit$trace$names[shown]
  if (!has_effects(fit)) {
    values <- cbind(fit$trace$objective, values)
    names <- c("log-likelihood", names)
  } else if (fit$method$options$name == "vem") {
    # The polish climbs the log-likelihood.
    values <- cbind(ifelse(fit$trace$phase == "polish", NA, fit$trace$objective), values)
    names <- c("ELBO", names)
  }
  data <- data.frame(
    iteration = rep(seq_len(nrow(values)), ncol(values)),
    phase = rep(fit$trace$phase, ncol(values)),
    parameter = factor(rep(names, each = nrow(values)), names),
    value = as.vector(values)
  )
  unname_rows(data[!is.na(data$value), ])
}

# Changes of nothing have no logarithm.
convergence_data <- function(fit) {
  diagnostics <- fit_diagnostics(fit)
  change <- ifelse(diagnostics$dtheta_rel > 0, log10(diagnostics$dtheta_rel), NA)
  objective <- if (fit$method$options$name == "vem") "ELBO" else "Objective"
  if (!has_effects(fit)) objective <- "Log-likelihood"
  labels <- c("Gain", objective, "Largest relative change (log10)")
  n <- nrow(diagnostics)
  data <- data.frame(
    iteration = rep(diagnostics$iteration, 3L),
    phase = rep(diagnostics$phase, 3L),
    quantity = factor(rep(labels, each = n), labels),
    value = c(diagnostics$gain, diagnostics$objective, change)
  )
  unname_rows(droplevels(data[!is.na(data$value), ]))
}

# A panel each of what the column `panels` tells apart, with lines where a phase ends.
draw_trace <- function(data, panels) {
  last <- tapply(data$iteration, data$phase, max)
  changes <- last[last < max(data$iteration)]
  ggplot2::ggplot(data, ggplot2::aes(x = .data$iteration, y = .data$value)) +
    ggplot2::geom_vline(xintercept = as.numeric(changes), color = "gray60", linetype = 2) +
    ggplot2::geom_line(color = individual_color) +
    ggplot2::facet_wrap(panels, scales = "free_y", ncol = if (panels == "quantity") 1L) +
    ggplot2::labs(x = "Iteration", y = if (panels == "parameter") "Estimate") +
    ggplot2::theme_bw()
}

# Told apart by color-blind readers and in gray print (Okabe and Ito).
observed_color <- "#333333"
individual_color <- "#0072B2"
population_color <- "#E69F00"
