# Plots under the names of saemix.

#' @rdname saemix_verbs
#' @export
plot.saemix_fit <- function(x, y, ..., type = NULL, plot.type = NULL) { # nolint: object_name_linter.
  if (!missing(y)) stop_bad_option("y", y, "left out; write `plot(fit, plot.type = \"data\")`")
  if (is.null(plot.type)) {
    x <- with_expectations(x)
    return(if (is.null(type)) plot.nlme_fit(x, ...) else plot.nlme_fit(x, type = type, ...))
  }
  if (!is.null(type)) refuse_idle("type", "type", "`plot.type` says the same")
  for (word in plot.type) check_word(word, "plot.type", c(names(saemix_plots), "reduced", "full", "npde"))
  words <- unlist(lapply(plot.type, function(word) {
    switch(word, reduced = saemix_plot_sets$reduced, full = saemix_plot_sets$full, word)
  }))
  options <- plot_options(list(...))
  x <- with_expectations(x)
  plots <- lapply(words, function(word) {
    if (word == "npde") stop_no_counterpart("plot", "npde")
    plot_labels(saemix_plots[[word]](x, options), options)
  })
  if (length(plots) == 1L) plots[[1L]] else structure(plots, class = "saemix_plots", names = words)
}

saemix_plot_sets <- list(
  reduced = c("data", "convergence", "observations.vs.predictions"),
  full = c(
    "data", "convergence", "observations.vs.predictions", "residuals.scatter", "residuals.distribution", "vpc",
    "random.effects", "correlations", "marginal.distribution", "parameters.vs.covariates", "randeff.vs.covariates"
  )
)

#' @export
print.saemix_plots <- function(x, ...) {
  for (plot in x) print(plot)
  invisible(x)
}

# Options of base graphics have no meaning for a ggplot, which is edited with `+`.
plot_options <- function(given) {
  read <- c("main", "xlab", "ylab", "ilist", "level")
  other <- setdiff(rlang::names2(given), read)
  if (length(other) > 0L) {
    say_without_meaning("plot", stats::setNames(
      rep("these plots are ggplots, edited with `+`", length(other)), ifelse(nzchar(other), other, "...")
    ))
  }
  given[intersect(names(given), read)]
}

plot_labels <- function(plot, options) {
  if (!is.null(options$main)) plot <- plot + ggplot2::ggtitle(options$main)
  if (!is.null(options$xlab)) plot <- plot + ggplot2::xlab(options$xlab)
  if (!is.null(options$ylab)) plot <- plot + ggplot2::ylab(options$ylab)
  plot
}

# The predictions that a likelihood leaves open, where its outcome has a mean.
with_expectations <- function(fit) {
  if (!is_likelihood(fit)) return(fit)
  fit <- with_modes(fit)
  fit$fitted$individual <- as.matrix(fitted.saemix_fit(fit, 1))
  fit$fitted$population <- as.matrix(fitted.saemix_fit(fit, 0))
  fit
}

plot_fits <- function(fit, options, series) {
  chosen <- if (is.null(options$ilist)) NULL else fit$data$labels[options$ilist]
  data <- plot_data(fit, "fits", subjects = chosen)
  draw_fits(data[data$series %in% c("observed", series), ], fit)
}

plot_observed <- function(fit, options) {
  data <- plot_data(fit, "observed")
  shown <- c("population", "individual")[if (is.null(options$level)) 1:2 else options$level + 1]
  draw_observed(data[data$level %in% shown, ])
}

plot_records <- function(fit, options) {
  axis <- axis_of(fit)
  group <- group_text(fit$data$frame[[fit$data$group]])
  draw_records(axis$x, observed_values(fit), group, axis$name, fit$fitted$outcome)
}

draw_records <- function(x, y, group, x_name, y_name) {
  data <- data.frame(x = x, y = y, group = group)
  ggplot2::ggplot(data[!is.na(data$y), ], ggplot2::aes(x = .data$x, y = .data$y, group = .data$group)) +
    ggplot2::geom_line(color = individual_color, alpha = 0.6) +
    ggplot2::geom_point(color = observed_color, size = 1.2) +
    ggplot2::labs(x = x_name, y = y_name) +
    ggplot2::theme_bw()
}

# Weighted where the outcome has a residual SD.
plain_residuals <- function(fit) {
  weighted <- all(fit$model$described$families %in% weighted_families)
  values <- stats::residuals(fit, type = if (weighted) "iwres" else "response")
  list(values = as.numeric(values), name = if (weighted) "Individual weighted residual" else "Residual")
}

plot_residuals <- function(fit, options) {
  axis <- axis_of(fit)
  residual <- plain_residuals(fit)
  against <- c(axis$name, "Individual prediction")
  data <- data.frame(
    x = c(axis$x, as.numeric(stats::fitted(fit))), y = rep(residual$values, 2L),
    against = factor(rep(against, each = length(residual$values)), against)
  )
  ggplot2::ggplot(data[!is.na(data$y), ], ggplot2::aes(x = .data$x, y = .data$y)) +
    ggplot2::geom_hline(yintercept = 0, color = "gray60") +
    ggplot2::geom_point(color = observed_color, alpha = 0.7) +
    ggplot2::facet_wrap("against", scales = "free_x") +
    ggplot2::labs(x = NULL, y = residual$name) +
    ggplot2::theme_bw()
}

plot_histograms <- function(values, name) {
  data <- stacked(values)
  ggplot2::ggplot(data[!is.na(data$value), ], ggplot2::aes(x = .data$value)) +
    ggplot2::geom_histogram(bins = 20, fill = individual_color, color = "white") +
    ggplot2::facet_wrap("name", scales = "free") +
    ggplot2::labs(x = name, y = "Number") +
    ggplot2::theme_bw()
}

stacked <- function(values) {
  values <- as.matrix(values)
  data.frame(
    row = rep(seq_len(nrow(values)), ncol(values)), value = as.vector(values),
    name = factor(rep(colnames(values), each = nrow(values)), colnames(values))
  )
}

varying_eta <- function(fit) eta(fit)[, fit$saemix$varies, drop = FALSE]

plot_random_effects <- function(fit, options) {
  ggplot2::ggplot(stacked(varying_eta(fit)), ggplot2::aes(x = .data$name, y = .data$value)) +
    ggplot2::geom_hline(yintercept = 0, color = "gray60") +
    ggplot2::geom_boxplot(color = individual_color) +
    ggplot2::labs(x = NULL, y = "Random effect") +
    ggplot2::theme_bw()
}

plot_correlations <- function(fit, options) {
  values <- varying_eta(fit)
  names <- colnames(values)
  if (length(names) < 2L) {
    stop_option("one_effect", "One parameter varies between subjects; correlations need two.")
  }
  pairs <- utils::combn(names, 2L)
  data <- do.call(rbind, lapply(seq_len(ncol(pairs)), function(k) {
    pair <- pairs[, k]
    data.frame(x = values[, pair[1L]], y = values[, pair[2L]], pair = paste(pair[2L], "against", pair[1L]))
  }))
  ggplot2::ggplot(data, ggplot2::aes(x = .data$x, y = .data$y)) +
    ggplot2::geom_point(color = observed_color, alpha = 0.7) +
    ggplot2::facet_wrap("pair", scales = "free") +
    ggplot2::labs(x = "Random effect", y = "Random effect") +
    ggplot2::theme_bw()
}

plot_covariates <- function(fit, values, name) {
  covariates <- fit$saemix$covariates[rownames(values), , drop = FALSE]
  if (ncol(covariates) == 0L) {
    stop_option(
      "no_covariate", "The data name no covariates.", hint = "Name them with `name.covariates` of saemix_data()."
    )
  }
  data <- do.call(rbind, lapply(names(covariates), function(covariate) {
    cbind(stacked(values), x = rep(as.numeric(covariates[[covariate]]), ncol(values)), covariate = covariate)
  }))
  ggplot2::ggplot(data, ggplot2::aes(x = .data$x, y = .data$value)) +
    ggplot2::geom_point(color = observed_color, alpha = 0.7) +
    ggplot2::geom_smooth(method = "lm", formula = y ~ x, se = FALSE, color = individual_color) +
    ggplot2::facet_grid(ggplot2::vars(.data$name), ggplot2::vars(.data$covariate), scales = "free") +
    ggplot2::labs(x = NULL, y = name) +
    ggplot2::theme_bw()
}

# Quantiles of the observations, and of 200 simulated data sets with the middle 95 % of them.
plot_vpc <- function(fit, options) {
  plot(vpc(fit, nsim = 200, n_bins = 10, level = 0.95, seed = fit$settings$seed))
}

# The log-likelihood by importance sampling, by the number of draws.
plot_likelihood <- function(fit, options) {
  draws <- c(100, 200, 500, 1000, 2000, 5000)
  values <- lapply(draws, function(n) logLik.nlme_fit(fit, method = "importance", draws = n))
  data <- data.frame(
    draws = draws, value = vapply(values, as.numeric, 0), error = vapply(values, function(v) attr(v, "mc_error"), 0)
  )
  ggplot2::ggplot(data, ggplot2::aes(x = .data$draws, y = .data$value)) +
    ggplot2::geom_pointrange(
      ggplot2::aes(ymin = .data$value - 2 * .data$error, ymax = .data$value + 2 * .data$error), color = individual_color
    ) +
    ggplot2::geom_line(color = individual_color) +
    ggplot2::labs(x = "Draws", y = "Log-likelihood by importance sampling") +
    ggplot2::theme_bw()
}

saemix_plots <- list(
  data = plot_records,
  convergence = function(fit, options) plot.nlme_fit(fit, type = "trace"),
  likelihood = plot_likelihood,
  individual.fit = function(fit, options) plot_fits(fit, options, "individual"),
  population.fit = function(fit, options) plot_fits(fit, options, "population"),
  both.fit = function(fit, options) plot_fits(fit, options, c("individual", "population")),
  observations.vs.predictions = plot_observed,
  residuals.scatter = plot_residuals,
  residuals.distribution = function(fit, options) {
    residual <- plain_residuals(fit)
    plot_histograms(matrix(residual$values, dimnames = list(NULL, fit$fitted$outcome)), residual$name)
  },
  random.effects = plot_random_effects,
  correlations = plot_correlations,
  marginal.distribution = function(fit, options) {
    plot_histograms(psi(fit)[, fit$saemix$varies, drop = FALSE], "Individual parameter")
  },
  parameters.vs.covariates = function(fit, options) {
    plot_covariates(fit, psi(fit)[, fit$saemix$varies, drop = FALSE], "Individual parameter")
  },
  randeff.vs.covariates = function(fit, options) plot_covariates(fit, varying_eta(fit), "Random effect"),
  vpc = plot_vpc
)

#' @export
plot.saemix_data <- function(x, y, ...) {
  known <- unclass(x)
  axis <- time_predictor(x)
  if (is.null(axis)) axis <- known$columns$predictors[1L]
  group <- group_text(known$frame[[known$columns$group]])
  options <- plot_options(list(...))
  plot <- draw_records(
    known$frame[[axis]], known$frame[[known$columns$response]], group, axis, known$columns$response
  )
  plot_labels(plot, options)
}
