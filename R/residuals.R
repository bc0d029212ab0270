#' Residuals of a fit
#'
#' @param object (`nlme_fit`) a fit.
#' @param type (character) `"response"` for observed minus predicted, `"iwres"` for
#'   individual weighted residuals: that difference over the residual SD at the
#'   individual prediction (on the scale on which the outcome is normal, for `lognormal()` the log scale,
#'   for `box_cox()`, `yeo_johnson()`, `logit_normal()` and `probit_normal()` that of their transformation). The SD is
#'   that of the outcome's distribution; counts, categories and events have none. A
#'   censored value counts with its limit. Outcomes of `mvnormal()` are weighted each by its own SD, and those of
#'   `ar1()` and `exchangeable()` by theirs, as the residuals that nlme calls `"pearson"`: they correlate as the
#'   model says.
#'   `"cwres"` for conditional weighted residuals: the model is linearized in the random effects at their modes, and
#'   the residuals of a subject are multiplied by the inverse of the symmetric root of the covariance that this gives
#'   them, with the residual SD at the individual prediction (normal outcomes and effects, one grouping).
#'   From simulations: `"pwres"` for population weighted residuals, observed minus the mean of the simulations,
#'   multiplied by the inverse of the symmetric root of their covariance; `"pit"` for prediction discrepancies, the
#'   share of the simulations below what was observed, between 0 and 1; `"npd"` for their normal quantiles;
#'   `"npde"` for these after decorrelation, see [npde()]; `"quantile"` is `"npd"`, the name in use for counts, whose
#'   ties are spread at random. Counts have `"pit"`, `"npd"` and `"quantile"`.
#' @param nsim (integer) number of simulations behind `"pwres"`, `"pit"`, `"npd"`, `"npde"` and `"quantile"`.
#' @param seed (integer or NULL) their seed, as in [simulate.nlme_fit()].
#' @param level (0 or 1) of the prediction, as in [predict.nlme_fit()]; individual
#'   weighted residuals are at level 1; the other types but `"response"` have none.
#' @param ... for the generic; an argument that lands here is refused.
#' @returns A numeric vector in the order of the rows, missing where the outcome
#'   is; with several outcomes a matrix.
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   seed = 1
#' )
#' summary(residuals(fit, type = "iwres"))
#' @importFrom stats residuals
#' @export
residuals.nlme_fit <- function(object,
                               type = c("response", "iwres", "pwres", "cwres", "npd", "npde", "quantile", "pit"),
                               level = 1, nsim = 1000, seed = NULL, ...) {
  check_format(object)
  refuse_dots(...)
  type <- check_word(type, "type", residual_types)
  simulates <- type %in% c("pwres", "npd", "npde", "quantile", "pit")
  given <- c(if (!missing(nsim)) "nsim", if (!missing(seed)) "seed", if (!missing(level)) "level")
  if (!simulates) refuse_idle(given, c("nsim", "seed"), sprintf("`type = \"%s\"` simulates nothing", type))
  if (!type %in% c("response", "iwres")) {
    refuse_idle(given, "level", sprintf("`type = \"%s\"` has no level", type))
  }
  level <- check_level(level)
  if (simulates) return(simulated_residuals(object, type, check_count(nsim, "nsim", 100), seed))
  if (type == "cwres") return(conditional_residuals(object))
  observed <- observed_values(object)
  if (type == "response") return(observed - stats::fitted(object, level = level))
  if (level == 0) {
    stop_option("bad_option", "Individual weighted residuals are at `level = 1`.")
  }
  object <- with_modes(object)
  weighted_residuals(object, observed, stats::fitted(object, level = 1))
}

residual_types <- c("response", "iwres", "pwres", "cwres", "npd", "npde", "quantile", "pit")

# Families with a median on the scale of the outcome that are normal on another one.
transformed_families <- c("box_cox", "yeo_johnson", "logit_normal", "probit_normal")

# Continuous families, which have a residual SD.
weighted_families <- c(
  "normal", "mvnormal", "ar1", "exchangeable", "lognormal", transformed_families,
  "student_t", "laplace", "logistic", "gamma", "beta", "exponential", "weibull"
)

weighted_residuals <- function(fit, observed, predicted) {
  outcomes <- fit$fitted$outcome
  families <- fit$model$described$families
  without <- outcomes[!families %in% weighted_families]
  if (length(without) > 0L) {
    stop_option(
      "no_residual_sd",
      sprintf("The outcome `%s` has no residual SD to weight by.", without[1L]),
      hint = "Use `type = \"response\"`.", fields = list(column = without[1L])
    )
  }
  # Column by column: a model may mix families. Outcomes that are normal on another scale have their residuals there.
  residuals <- (as.matrix(observed) - as.matrix(predicted)) / fit$fitted$sd
  on_scale <- families %in% c("lognormal", transformed_families)
  residuals[, on_scale] <- fit$fitted$weighted[, on_scale]
  outcome_values(unname(residuals), outcomes)
}
