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
#' @param level (0 or 1) of the prediction, as in [predict.nlme_fit()]; individual
#'   weighted residuals are at level 1.
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
residuals.nlme_fit <- function(object, type = c("response", "iwres"), level = 1, ...) {
  check_format(object)
  refuse_dots(...)
  type <- check_word(type, "type", c("response", "iwres"))
  level <- check_level(level)
  observed <- observed_values(object)
  if (type == "response") return(observed - stats::fitted(object, level = level))
  if (level == 0) {
    stop_option("bad_option", "Individual weighted residuals are at `level = 1`.")
  }
  object <- with_modes(object)
  weighted_residuals(object, observed, stats::fitted(object, level = 1))
}

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
