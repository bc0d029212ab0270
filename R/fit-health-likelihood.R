# Checks of health() on the log-likelihood: against its lower bound, and one way to compute it against another.

likelihood_checks <- function(fit, batches) {
  c(
    if (!is.null(batches$gap)) list(check_bound(fit, batches)),
    if (!is.null(fit$log_lik) && fit$log_lik$method != "importance") list(check_agreement(fit, batches))
  )
}

# No log-likelihood is below the bound of the same batch, but for the errors of both.
check_bound <- function(fit, batches) {
  slack <- if (is.null(fit$elbo$errors)) fit$elbo$mc_error else fit$elbo$errors
  # An error that a few randomizations tell is itself known to a factor: none counts for less than the middle one.
  own <- ifelse(is.na(batches$mc_error), 0, batches$mc_error)
  errors <- 5 * pmax(own, stats::median(own)) + 3 * slack
  short <- which(batches$gap + errors < -1e-3)
  who <- batch_words(fit, batches$batch)
  health_row(
    "lower bound", length(short), graded(length(short), 1, 1),
    if (length(short) > 0L) {
      sprintf("log-likelihoods below it, %s by %.3g", who[short[1L]], -batches$gap[short[1L]])
    } else {
      "log-likelihoods below it"
    },
    "The importance draws miss these batches: use `logLik(method = \"quadrature\")`, and raise `draws`."
  )
}

# The log-likelihood of the fit by quadrature, Laplace's approximation or linearization, less that by importance draws.
check_agreement <- function(fit, batches) {
  known <- fit$log_lik
  apart <- known$value - sum(batches$log_lik)
  told <- if (is.null(known$error)) 0 else known$error
  error <- sqrt(sum(batches$mc_error^2)) + told
  # Within the errors that are told nothing is known to be wrong, and little below a tenth matters.
  size <- if (isTRUE(abs(apart) <= 3 * error)) 0 else abs(apart)
  if (is.na(apart)) size <- NA
  health_row(
    "likelihood", apart, graded(size, 0.1, 1),
    sprintf("%s less importance sampling, errors %.2g", known$method, error),
    if (known$method %in% c("laplace", "linear")) {
      "An approximation by its nature: `logLik(method = \"quadrature\")` takes as many nodes as it needs."
    } else {
      "Look at `health(by = \"subject\")`; without `nodes` the quadrature takes as many as it needs."
    }
  )
}
