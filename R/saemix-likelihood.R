# Likelihoods and criteria under the names of saemix.

saemix_likelihoods <- c(is = "importance", gq = "quadrature", lin = "linear")

saemix_log_lik <- function(fit, method) {
  known <- fit$saemix$log_lik[[method]]
  if (is.null(known)) stats::logLik(fit, method = saemix_likelihoods[[method]]) else known
}

with_log_lik <- function(fit, verb, instead, method) {
  check_saemix_fit(fit, verb, instead)
  fit$saemix$log_lik[[method]] <- saemix_log_lik(fit, method)
  fit
}

#' @rdname saemix_verbs
#' @export
llis.saemix <- function(saemixObject) { # nolint: object_name_linter.
  with_log_lik(saemixObject, "llis.saemix", "logLik(fit, method = \"importance\")", "is")
}

#' @rdname saemix_verbs
#' @export
llgq.saemix <- function(saemixObject) { # nolint: object_name_linter.
  with_log_lik(saemixObject, "llgq.saemix", "logLik(fit, method = \"quadrature\")", "gq")
}

#' @rdname saemix_verbs
#' @export
fim.saemix <- function(saemixObject) { # nolint: object_name_linter.
  check_saemix_fit(saemixObject, "fim.saemix", "vcov(fit)")
  # A likelihood has no linear form; its information is that of vcov() all the same.
  if (saemixObject$saemix$model$modeltype == "likelihood") return(saemixObject)
  with_log_lik(saemixObject, "fim.saemix", "vcov(fit)", "lin")
}

#' @export
logLik.saemix_fit <- function(object, method = NULL, ...) {
  words <- names(saemix_likelihoods)
  if (identical(method, c("is", "lin", "gq"))) method <- "is"
  if (length(method) == 1L && method %in% words) return(saemix_log_lik(object, method))
  logLik.nlme_fit(object, method = method, ...)
}

saemix_criterion <- function(fit, kind, method) {
  log_lik <- saemix_log_lik(fit, method)
  counts <- fixed_counts(fit)
  subjects <- log(as.numeric(fit$n_subjects))
  -2 * as.numeric(log_lik) + switch(kind,
    aic = 2 * attr(log_lik, "df"),
    bic = subjects * attr(log_lik, "df"),
    bic.covariate = subjects * counts[["random"]] + log(as.numeric(fit$n_obs)) * counts[["fixed"]]
  )
}

# Estimated population parameters and coefficients of parameters that vary between subjects, and of the others.
fixed_counts <- function(fit) {
  about <- fit$saemix
  of <- c(about$parameters, vapply(about$coefficients, `[[`, "", "parameter"))
  names <- c(about$parameters, vapply(about$coefficients, `[[`, "", "name"))
  free <- fit$parameters$free[match(names, fit$parameters$name)]
  varies <- of %in% about$parameters[about$varies]
  c(random = sum(free & varies), fixed = sum(free & !varies))
}

#' @importFrom stats AIC
#' @export
AIC.saemix_fit <- function(object, ..., k = 2, method = NULL) { # nolint: object_name_linter.
  if (is.null(method)) return(NextMethod())
  log_lik <- saemix_log_lik(object, check_word(method, "method", names(saemix_likelihoods)))
  -2 * as.numeric(log_lik) + k * attr(log_lik, "df")
}

#' @importFrom stats BIC
#' @export
BIC.saemix_fit <- function(object, ..., method = NULL) { # nolint: object_name_linter.
  if (is.null(method)) return(NextMethod())
  saemix_criterion(object, "bic", check_word(method, "method", names(saemix_likelihoods)))
}

#' @rdname saemix_verbs
#' @rawNamespace export(BIC.covariate)
#' @rawNamespace S3method(BIC,covariate)
BIC.covariate <- function(object, method = c("is", "lin", "gq"), ...) { # nolint: object_name_linter.
  check_saemix_fit(object, "BIC.covariate", "BIC(fit)")
  saemix_criterion(object, "bic.covariate", check_word(method, "method", c("is", "lin", "gq")))
}

#' @rdname saemix_verbs
#' @export
compare.saemix <- function(..., method = c("is", "lin", "gq")) { # nolint: object_name_linter.
  method <- check_word(method, "method", c("is", "lin", "gq"))
  fits <- list(...)
  if (length(fits) == 1L && !inherits(fits[[1L]], "nlme_fit")) fits <- as.list(fits[[1L]])
  if (length(fits) < 2L) {
    stop_option(
      "missing_argument", "compare.saemix() compares two fits or more.", hint = "Write `compare.saemix(fit1, fit2)`."
    )
  }
  for (fit in fits) check_saemix_fit(fit, "compare.saemix", "AIC(fit1, fit2)")
  check_same_data(fits)
  kinds <- c(AIC = "aic", BIC = "bic", BIC.cov = if (is_same_structure(fits)) "bic.covariate")
  message("Likelihoods calculated by ", c(
    is = "importance sampling", lin = "linearization", gq = "Gaussian quadrature"
  )[[method]])
  fits <- lapply(fits, function(fit) with_log_lik(fit, "compare.saemix", "", method))
  table <- t(vapply(fits, function(fit) {
    vapply(kinds, function(kind) saemix_criterion(fit, kind, method), 0)
  }, numeric(length(kinds))))
  rownames(table) <- seq_along(fits)
  table
}

# The penalty of Delattre and others is for models that differ in their covariates alone.
is_same_structure <- function(fits) {
  structure <- lapply(fits, function(fit) {
    list(fit$saemix$text, unname(fit$saemix$model[c("modeltype", "covariance.model", "error.model")]))
  })
  all(vapply(structure[-1L], identical, logical(1L), structure[[1L]]))
}
