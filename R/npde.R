#' Normalized prediction discrepancies with their tests
#'
#' Compares every observation with simulations of the fit. Under the true model the errors `npde` are independent
#' standard normal numbers, whatever the model and however the random effects enter.
#'
#' @param fit (`nlme_fit`) a fit. Its outcomes are continuous; its subjects are independent.
#' @param nsim (integer) number of simulated data sets.
#' @param seed (integer or NULL) seed of the draws, as in [simulate.nlme_fit()].
#' @param x (`nlme_npde`) a result of `npde()`.
#' @param ... for the generic; an argument that lands here is refused.
#' @details
#' The prediction discrepancy of an observation is the share of its `nsim` simulations below it; 0 becomes
#' `1 / (2 nsim)` and 1 becomes `1 - 1 / (2 nsim)`. Those of one subject correlate; for `npde` observations and
#' simulations of the subject are first multiplied by the inverse of the Cholesky factor of the covariance of its
#' simulations. `npd` and `npde` are normal quantiles of the discrepancies. Each outcome is treated by itself.
#'
#' A censored observation has a discrepancy drawn evenly from the share of the simulations beyond its limit, and
#' as its value the quantile of the simulations there.
#'
#' The tests are of the mean (Wilcoxon), the variance (chi-squared distribution) and the normality (Shapiro and Wilk;
#' of more than 5000 errors the first 5000 by order of the rows are taken). The adjusted p value is
#' three times the least of them (Bonferroni), at most 1.
#' @returns An object of class `nlme_npde`: a list with `errors`, a data frame with `row`, `group`, `outcome`,
#'   `observed`, `pd`, `npd`, `npde`, and `tests`, one row an outcome with `n`, `mean`, `variance`, `skewness`,
#'   `kurtosis`, `p_mean`, `p_variance`, `p_normal` and `p_adjusted`; further `nsim` and `seed`.
#' @references Brendel et al. (2006), Pharmaceutical Research 23: 2036-2049; Comets, Brendel and Mentré (2008),
#'   Computer Methods and Programs in Biomedicine 90: 154-166.
#' @seealso [residuals.nlme_fit()] for the numbers in the order of the rows.
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   seed = 1
#' )
#' npde(fit, seed = 1)
#' @export
npde <- function(fit, nsim = 1000, seed = NULL) {
  if (!inherits(fit, "nlme_fit")) stop_bad_option("fit", fit, "a fit of fit_nlme()")
  check_format(fit)
  nsim <- check_count(nsim, "nsim", 100)
  check_independent(fit, "npde")
  parts <- simulated_outcomes(fit, nsim, seed, weighted_families, "prediction errors `npde`")
  seed <- attr(parts, "seed")
  errors <- do.call(rbind, lapply(parts, function(part) {
    part <- with_censored_drawn(part, seed)
    data.frame(
      row = part$rows, group = group_text(fit$data$frame[[fit$data$group]])[part$rows], outcome = part$outcome,
      observed = part$observed, pd = part$pd, npd = stats::qnorm(part$pd), npde = stats::qnorm(part_pde(part))
    )
  }))
  tests <- lapply(fit$fitted$outcome, function(outcome) npde_tests(errors$npde[errors$outcome == outcome], outcome))
  structure(list(errors = errors, tests = do.call(rbind, tests), nsim = nsim, seed = seed), class = "nlme_npde")
}

npde_tests <- function(x, outcome) {
  n <- length(x)
  if (n < 3L) {
    stop_data("too_few", sprintf("`%s` has %s: tests need at least 3.", outcome, counted(n, "observation")))
  }
  apart <- x - mean(x)
  share <- stats::pchisq((n - 1) * stats::var(x), n - 1)
  p <- c(
    p_mean = stats::wilcox.test(x, exact = FALSE)$p.value, p_variance = 2 * min(share, 1 - share),
    p_normal = if (stats::var(x) > 0) stats::shapiro.test(utils::head(x, 5000L))$p.value else 0
  )
  data.frame(
    outcome = outcome, n = n, mean = mean(x), variance = stats::var(x),
    skewness = mean(apart^3) / mean(apart^2)^1.5, kurtosis = mean(apart^4) / mean(apart^2)^2 - 3,
    as.list(p), p_adjusted = min(1, 3 * min(p))
  )
}

p_words <- function(p) if (p < 1e-4) "p < 1e-04" else paste("p =", format(p, digits = 2))

#' @rdname npde
#' @export
print.nlme_npde <- function(x, ...) {
  refuse_dots(...)
  cat(sprintf("Normalized prediction errors from %d simulations (seed %s)\n", as.integer(x$nsim), format(x$seed)))
  for (i in seq_len(nrow(x$tests))) {
    test <- x$tests[i, ]
    line <- function(what, value, name, p) {
      cat(sprintf("  %-10s%8.3f   %-18s %s\n", what, value, name, p_words(p)))
    }
    cat(sprintf("\n%s: %s\n", test$outcome, counted(test$n, "error")))
    line("mean", test$mean, "Wilcoxon", test$p_mean)
    line("variance", test$variance, "chi-squared", test$p_variance)
    cat(sprintf("  skewness  %8.3f\n", test$skewness))
    line("kurtosis", test$kurtosis, "Shapiro and Wilk", test$p_normal)
    cat(sprintf("  all three, adjusted %s\n", p_words(test$p_adjusted)))
  }
  invisible(x)
}
