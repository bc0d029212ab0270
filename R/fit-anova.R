#' Compare fits by likelihood-ratio tests
#'
#' @param object (`nlme_fit`) a fit.
#' @param ... other fits, of the same data. With none the table has the one row of `object`.
#' @details
#' Each fit is tested against the one above it, after sorting by the number of free parameters. A test needs nested
#' models, which is for the user to see. Where the smaller model sets a variance to 0, on the boundary of what it can
#' be, the p-value is too large; half of it is right for one variance (Self and Liang, 1987).
#' Log-likelihoods must have been computed by the same method, as far as methods differ: quadrature, importance sampling
#' and exact values all approach the same number, Laplace's approximation and linearization do not.
#' @returns A data frame of class `anova`: free parameters `Df`, `AIC`, `BIC`, `logLik`, and for the second and further
#'   fits `Chisq`, `Chi Df` and `Pr(>Chisq)`.
#' @references Self SG, Liang KY (1987). Asymptotic properties of maximum likelihood estimators and likelihood
#'   ratio tests under nonstandard conditions. *Journal of the American Statistical Association* 82, 605-610.
#' @examples
#' model <- nlme_formula(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   start = c(Asym = 170, xmid = 700, scal = 350), random = Asym ~ 1 | Tree, error = add(sigma = 8)
#' )
#' full <- fit_nlme(model, Orange, seed = 1)
#' small <- fit_nlme(model, Orange, fix = c(scal = 300), seed = 1)
#' anova(small, full)
#' @importFrom stats anova
#' @export
anova.nlme_fit <- function(object, ...) {
  check_format(object)
  fits <- list(object, ...)
  for (fit in fits) {
    if (!inherits(fit, "nlme_fit")) {
      stop_option(
        "bad_fit", sprintf("anova() compares fits; one argument is of class `%s`.", class(fit)[1L]),
        hint = "Write `anova(fit1, fit2)`."
      )
    }
  }
  names <- vapply(as.list(match.call())[-1L], function(text) code_text(text)[1L], "")
  names <- make.unique(ifelse(nchar(names) > 30L, paste0("fit", seq_along(names)), names))
  check_same_data(fits)
  log_lik <- lapply(fits, stats::logLik)
  check_same_likelihood(log_lik)
  df <- vapply(log_lik, attr, 0, "df")
  by_size <- order(df)
  value <- vapply(log_lik, as.numeric, 0)
  table <- data.frame(
    Df = df, AIC = vapply(log_lik, stats::AIC, 0), BIC = vapply(log_lik, stats::BIC, 0), logLik = value,
    row.names = names
  )[by_size, ]
  if (length(fits) > 1L) {
    more <- c(NA, diff(table$Df))
    ratio <- c(NA, 2 * diff(table$logLik))
    table[["Chisq"]] <- ratio
    table[["Chi Df"]] <- more
    # Models of one size are not nested.
    table[["Pr(>Chisq)"]] <- ifelse(more > 0, stats::pchisq(ratio, more, lower.tail = FALSE), NA)
  }
  structure(table, heading = "Likelihood-ratio tests\n", class = c("anova", "data.frame"))
}

check_same_data <- function(fits) {
  outcomes <- lapply(fits, function(fit) as.vector(stats::na.omit(as.vector(observed_values(fit)))))
  for (other in outcomes[-1L]) {
    if (isTRUE(all.equal(sort(outcomes[[1L]]), sort(other)))) next
    stop_option(
      "other_data",
      sprintf(
        "The fits are of different data: %d and %s.", length(outcomes[[1L]]), counted(length(other), "observation")
      ),
      hint = "Fit the models to the same rows; a likelihood-ratio test says nothing else."
    )
  }
}

# Methods that approximate the likelihood, and do not go to it with more effort.
check_same_likelihood <- function(log_lik) {
  kinds <- vapply(log_lik, function(value) {
    nodes <- attr(value, "nodes")
    if (identical(as.numeric(nodes), 1)) return("laplace")
    if (attr(value, "method") %in% c("laplace", "linear")) attr(value, "method") else "integral"
  }, "")
  if (length(unique(kinds)) == 1L) return(invisible())
  stop_option(
    "other_likelihood", sprintf(
      "The log-likelihoods were computed by different methods: %s.",
      paste(unique(vapply(log_lik, attr, "", "method")), collapse = ", ")
    ),
    hint = "Fit again with the same `log_lik`, or compare `logLik(fit, method = \"importance\")` of each."
  )
}
