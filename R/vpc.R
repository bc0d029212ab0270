#' Visual predictive check of continuous outcomes
#'
#' Percentiles of what was observed beside those of data simulated by the fit, in bins along the time.
#'
#' @param fit (`nlme_fit`) a fit whose outcomes are continuous and not censored.
#' @param nsim (integer) number of simulated data sets.
#' @param stratify (character or NULL) columns of the data; each combination of their values is checked by itself.
#' @param bins (character or numeric) `"quantile"` for bins of about as many observations each, `"time"` for one a
#'   time observed; or the breaks between bins, two or more. Of a break the bin on its right has the value.
#' @param n_bins (integer) number of bins of `"quantile"`; equal times stay together, so there may be fewer.
#' @param pred_corr (logical) whether observations and simulations are multiplied by the median population prediction
#'   of their bin over their own (Bergstrand's correction), for doses or covariates that differ within bins. It needs
#'   predictions above 0.
#' @param level (number) level of the bands.
#' @param quantiles (numeric) of the outcome, between 0 and 1.
#' @param seed (integer or NULL) seed of the draws, as in [simulate.nlme_fit()].
#' @param x (`nlme_vpc`) a result of `vpc()`.
#' @param log_y (logical) whether the vertical axis is logarithmic.
#' @param ... for the generic; an argument that lands here is refused.
#' @returns `vpc()` an object of class `nlme_vpc`: a list with `summary`, a data frame with `outcome`, the columns of
#'   `stratify`, `bin`, `x` (median time), `n`, `quantile`, `observed`, and of the simulated percentiles `lower`,
#'   `median`, `upper`; `data`, the observations with their bins; `nsim`, `seed`, `level`. `plot()` a ggplot.
#' @references Bergstrand et al. (2011), The AAPS Journal 13: 143-151.
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   seed = 1
#' )
#' check <- vpc(fit, nsim = 100, bins = "time", seed = 1)
#' check
#' plot(check)
#' @export
vpc <- function(fit, nsim = 500, stratify = NULL, bins = "quantile", n_bins = 8, pred_corr = FALSE, level = 0.9,
                quantiles = c(0.05, 0.5, 0.95), seed = NULL) {
  if (!inherits(fit, "nlme_fit")) stop_bad_option("fit", fit, "a fit of fit_nlme()")
  check_format(fit)
  nsim <- check_count(nsim, "nsim", 50)
  level <- check_fraction(level, "level")
  pred_corr <- check_flag(pred_corr, "pred_corr")
  if (!is.numeric(quantiles) || length(quantiles) == 0L || anyNA(quantiles) || any(quantiles <= 0 | quantiles >= 1)) {
    stop_bad_option("quantiles", quantiles, "numbers between 0 and 1")
  }
  if (!identical(bins, "quantile") && !missing(n_bins)) {
    refuse_idle("n_bins", "n_bins", "it is for `bins = \"quantile\"`")
  }
  n_bins <- check_count(n_bins, "n_bins", 1)
  parts <- simulated_outcomes(fit, nsim, seed, weighted_families, "percentiles of a continuous outcome")
  axis <- vpc_axis(fit, stratify)
  checks <- lapply(seq_along(parts), function(k) {
    part <- parts[[k]]
    if (nrow(part$censored) > 0L) stop_censored_vpc(part$outcome)
    data <- data.frame(outcome = part$outcome, fit$data$frame[part$rows, stratify, drop = FALSE], check.names = FALSE)
    data$x <- as.double(axis$x[part$rows])
    data$bin <- vpc_bins(data$x, bins, n_bins)
    data$value <- part$observed
    cell <- split(seq_len(nrow(data)), data[c(stratify, "bin")], drop = TRUE)
    if (pred_corr) {
      factor <- vpc_correction(as.matrix(fit$fitted$population)[part$rows, k], cell, part$outcome)
      data$value <- data$value * factor
      part$simulated <- part$simulated * factor
    }
    summary <- lapply(cell, function(rows) {
      vpc_cell(data[rows, ], part$simulated[rows, , drop = FALSE], quantiles, level)
    })
    list(summary = do.call(rbind, summary), data = data)
  })
  structure(list(
    summary = unname_rows(do.call(rbind, lapply(checks, `[[`, "summary"))),
    data = unname_rows(do.call(rbind, lapply(checks, `[[`, "data"))),
    nsim = nsim, seed = attr(parts, "seed"), level = level, stratify = stratify, axis = axis$name,
    pred_corr = pred_corr
  ), class = "nlme_vpc")
}

# What the rows are put in bins by: `name` and `x`.
vpc_axis <- function(fit, stratify) {
  unknown <- setdiff(stratify, names(fit$data$frame))
  if (length(unknown) == 0L) return(axis_of(fit))
  stop_option(
    "unknown_column",
    sprintf("`stratify` names the column `%s`, which the data of the fit do not have.", unknown[1L]),
    hint = nearest_hint(unknown[1L], names(fit$data$frame), "Columns"), fields = list(name = unknown[1L])
  )
}

stop_censored_vpc <- function(outcome) {
  stop_option(
    "censored_vpc", sprintf("Observations of `%s` are censored: their percentiles are not known.", outcome),
    hint = "`npde(fit)` takes censored observations into account.", fields = list(column = outcome)
  )
}

# The number of each value's bin.
vpc_bins <- function(x, bins, n_bins) {
  if (identical(bins, "time")) return(match(x, sort(unique(x))))
  if (identical(bins, "quantile")) {
    inner <- stats::quantile(x, seq_len(n_bins - 1) / n_bins, type = 1, names = FALSE)
    return(1L + findInterval(x, unique(inner), left.open = TRUE))
  }
  if (!is.numeric(bins) || length(bins) < 2L || anyNA(bins)) {
    stop_bad_option("bins", bins, "\"quantile\", \"time\" or at least two breaks")
  }
  1L + findInterval(x, sort(bins))
}

# The median prediction of a cell over that of each row.
vpc_correction <- function(predicted, cell, outcome) {
  if (any(!is.finite(predicted) | predicted <= 0)) {
    stop_option(
      "not_positive", sprintf("`pred_corr` divides by predictions of `%s`, of which some are not above 0.", outcome),
      hint = "Leave `pred_corr` out, or exclude these records."
    )
  }
  factor <- double(length(predicted))
  for (rows in cell) factor[rows] <- stats::median(predicted[rows]) / predicted[rows]
  factor
}

# Percentiles of one bin: observed, and the band of those of the simulated data sets.
vpc_cell <- function(data, simulated, quantiles, level) {
  drawn <- column_quantiles(simulated, quantiles)
  band <- apply(drawn, 1L, stats::quantile, c((1 - level) / 2, 0.5, (1 + level) / 2), names = FALSE)
  first <- data[rep(1L, length(quantiles)), setdiff(names(data), c("x", "value")), drop = FALSE]
  cbind(first, data.frame(
    x = stats::median(data$x), n = nrow(data), quantile = quantiles,
    observed = stats::quantile(data$value, quantiles, names = FALSE),
    lower = band[1L, ], median = band[2L, ], upper = band[3L, ]
  ))
}

# Quantiles of every column as quantile() defines them (type 7), of all columns in one sort: quantiles x columns.
column_quantiles <- function(x, quantiles) {
  n <- nrow(x)
  sorted <- matrix(x[order(col(x), x)], n)
  at <- 1 + (n - 1) * quantiles
  low <- floor(at)
  share <- at - low
  sorted[low, , drop = FALSE] * (1 - share) + sorted[pmin(low + 1, n), , drop = FALSE] * share
}

#' @rdname vpc
#' @export
print.nlme_vpc <- function(x, ...) {
  refuse_dots(...)
  inside <- x$summary$observed >= x$summary$lower & x$summary$observed <= x$summary$upper
  cat(sprintf(
    "Visual predictive check of %s from %d simulations (seed %s)\n%d of %d percentiles are inside their %s %% band\n",
    paste0("`", unique(x$summary$outcome), "`", collapse = ", "), as.integer(x$nsim), format(x$seed), sum(inside),
    length(inside), format(100 * x$level)
  ))
  invisible(x)
}

#' @rdname vpc
#' @export
plot.nlme_vpc <- function(x, log_y = FALSE, ...) {
  refuse_dots(...)
  log_y <- check_flag(log_y, "log_y")
  note <- NULL
  if (log_y) {
    positive <- x$data$value[x$data$value > 0]
    if (any(x$data$value <= 0) || any(x$summary$lower <= 0)) note <- "What is not above 0 has no place on this scale."
    x$data <- x$data[x$data$value > 0, ]
    # Bands that reach 0 go down to the least value shown.
    ends <- unlist(x$summary[c("lower", "median", "upper")])
    least <- min(positive, ends[ends > 0])
    x$summary[c("lower", "upper")] <- lapply(x$summary[c("lower", "upper")], pmax, least)
    shown <- function(v) ifelse(v > 0, v, NA_real_)
    x$summary[c("median", "observed")] <- lapply(x$summary[c("median", "observed")], shown)
  }
  panels <- c(if (length(unique(x$summary$outcome)) > 1L) "outcome", x$stratify)
  drawn <- ggplot2::ggplot(x$summary, ggplot2::aes(x = .data$x, group = factor(.data$quantile))) +
    ggplot2::geom_ribbon(ggplot2::aes(ymin = .data$lower, ymax = .data$upper), fill = individual_color, alpha = 0.25) +
    ggplot2::geom_point(
      ggplot2::aes(x = .data$x, y = .data$value), data = x$data, inherit.aes = FALSE, color = observed_color,
      size = 0.8, alpha = 0.4
    ) +
    ggplot2::geom_line(ggplot2::aes(y = .data$median), color = individual_color, linetype = 2, na.rm = TRUE) +
    ggplot2::geom_line(ggplot2::aes(y = .data$observed), color = observed_color, na.rm = TRUE) +
    ggplot2::labs(
      x = x$axis, y = paste0(paste(unique(x$summary$outcome), collapse = ", "),
                             if (x$pred_corr) " (prediction corrected)"), caption = note
    ) +
    ggplot2::theme_bw()
  if (length(panels) > 0L) drawn <- drawn + ggplot2::facet_wrap(panels, scales = "free_y")
  if (log_y) drawn + ggplot2::scale_y_log10() else drawn
}
