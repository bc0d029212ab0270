#' Predictions and fitted values
#'
#' @param object (`nlme_fit`) a fit.
#' @param newdata (data.frame or NULL) rows to predict for; `NULL` predicts for the
#'   data of the fit. The outcome need not be there, and for `level = 0` neither
#'   need the grouping column. For a model with differential equations it holds the
#'   dosing records as well; their rows have a prediction, too, just after the dose.
#' @param level (0 or 1) 0 predicts for the typical subject with the row's
#'   covariates, 1 for the row's own subject, at the mode of its random effects.
#'   A subject the fit has not seen has no prediction at level 1. Of a model without random
#'   effects both are the same.
#' @param ... for the generic; an argument that lands here is refused.
#' @returns A numeric vector in the order of the rows; with several outcomes a
#'   matrix with one column an outcome. The prediction is the mean of a normal,
#'   Bernoulli or Poisson outcome and the median of a lognormal one and of those that are normal on another scale.
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   seed = 1
#' )
#' head(fitted(fit))
#' predict(fit, data.frame(age = c(500, 1000)), level = 0)
#' predict(fit, data.frame(age = c(500, 1000), Tree = 1), level = 1)
#' @importFrom stats predict
#' @export
predict.nlme_fit <- function(object, newdata = NULL, level = 1, ...) {
  check_format(object)
  refuse_dots(...)
  if (is.null(newdata)) return(stats::fitted(object, level = level))
  level <- check_level(level)
  reply <- predict_core(object, newdata, level)
  outcome_values(reply$value, reply$outcome)
}

#' Curves of a model before any fit
#'
#' What the model predicts for typical subjects at its starting values, or at others.
#'
#' @param object (`nlme_model`) a model of [nlme_model()], [nlme_formula()] or [as_nlme_model()].
#' @param data (data.frame) rows to predict for, as `newdata` of [predict.nlme_fit()] at `level = 0`: times, doses and
#'   covariates. Neither the outcome nor the grouping column need be there; without the latter rows of a model with
#'   differential equations are the course of one subject.
#' @param start (named numeric or list) values on the natural scale, by parameter; those left out keep the
#'   model's.
#' @param id,time (character or NULL) grouping and time column, as in [fit_nlme()].
#' @param events (named character or NULL) columns of dosing records, as in [fit_nlme()].
#' @param ... for the generic; an argument that lands here is refused.
#' @returns A numeric vector in the order of the rows; with several outcomes a matrix with one column an outcome.
#' @seealso [evaluate_nlme()] for data with the outcome: modes, likelihood, residuals.
#' @examples
#' model <- nlme_formula(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   start = c(Asym = 170, xmid = 700, scal = 350), random = Asym ~ 1 | Tree
#' )
#' predict(model, data.frame(age = c(500, 1000)))
#' predict(model, data.frame(age = c(500, 1000)), start = c(Asym = 200))
#' @export
predict.nlme_model <- function(object, data, start = NULL, id = NULL, time = NULL, events = NULL, ...) {
  refuse_dots(...)
  if (missing(data)) {
    stop_option(
      "missing_argument", "`data` says for which records to predict.",
      hint = "Give a data frame with times, doses and covariates; the outcome may be absent."
    )
  }
  check_frame(data, "data")
  data <- as.data.frame(data)
  groups <- unique(c(id, object$groups))
  if (has_effects(object) && is.null(groups)) groups <- id <- "id"
  # A typical subject needs no name.
  if (!is.null(groups)) data <- with_groups(data, groups, has_states(object))
  bound <- bind_data(object, data, id, time, "newdata", events = events)
  reply <- core_call(core_request("predict", bound$model$spec, list(
    data = bound$fields, at = list(parameters = value_fields(values_at(object, start)))
  )), bound$columns)
  outcome_values(reply$value, reply$outcome)
}

predict_core <- function(fit, newdata, level) {
  check_frame(newdata, "newdata")
  group <- fit$data$group
  if (!has_effects(fit)) level <- 0
  # A typical subject needs no name.
  if (level == 0) {
    one <- has_states(fit$model) || length(fit$data$labels) == 1L
    newdata <- with_groups(newdata, c(group, fit$model$groups), one)
  }
  time <- if (isTRUE(fit$data$time %in% names(newdata))) fit$data$time
  bound <- bind_data(fit$model, newdata, group, time, "newdata", events = fit$data$events)
  random <- if (level == 1) unname(Map(known_modes, effect_groups(with_modes(fit)), bound$groups))
  if (level == 1) bound$columns$.class <- likely_classes(fit, bound)
  request <- core_request("predict", bound$model$spec, list(
    data = bound$fields,
    at = list(parameters = value_fields(estimated_values(fit))),
    random = random
  ))
  core_call(request, bound$columns)
}

# Every row its own level of the groupings that `newdata` does not have; with
# differential equations the rows are the course of one subject.
with_groups <- function(newdata, groups, one) {
  columns <- unique(unlist(strsplit(setdiff(groups, names(newdata)), ":", fixed = TRUE)))
  levels <- if (one) rep(1L, nrow(newdata)) else seq_len(nrow(newdata))
  for (column in setdiff(columns, names(newdata))) {
    # One that differs in case alone is meant.
    like <- column_like(newdata, toupper(column))
    newdata[[column]] <- if (is.null(like)) levels else newdata[[like]]
  }
  newdata
}

# Whether a model has differential equations.
has_states <- function(model) length(model$described$states) > 0L

# Modes of the levels in the data, a row a level; one that was not fitted is an error.
known_modes <- function(fitted, bound) {
  effects <- fitted$effects
  unknown <- setdiff(bound$labels, effects$labels)
  if (length(unknown) > 0L) {
    stop_data(
      "unknown_level",
      sprintf("`newdata` has levels of `%s` that the fit has not seen: %s.", bound$name,
              paste0("`", utils::head(unknown, 10L), "`", collapse = ", ")),
      hint = "Use `level = 0` for a typical subject.",
      fields = list(subject = unknown)
    )
  }
  lapply(match(bound$labels, effects$labels), function(i) I(effects$modes[i, ]))
}

check_level <- function(level) {
  if (!is.numeric(level) || length(level) != 1L || !level %in% c(0, 1)) {
    stop_bad_option("level", level, "0 or 1")
  }
  level
}

#' @rdname predict.nlme_fit
#' @importFrom stats fitted
#' @export
fitted.nlme_fit <- function(object, level = 1, ...) {
  check_format(object)
  refuse_dots(...)
  part <- if (check_level(level) == 1) "individual" else "population"
  if (part == "individual") object <- with_modes(object)
  outcome_values(object$fitted[[part]], object$fitted$outcome)
}
