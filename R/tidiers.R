#' Tidy tables of a fit
#'
#' The tables of broom.mixed: `tidy()` one row a parameter, `glance()` one row a
#' fit, `augment()` one row a record.
#'
#' @param x (`nlme_fit`) a fit.
#' @param effects (character) any of `"fixed"` (population parameters), `"ran_pars"`
#'   (SDs `sd__ka` and correlations `cor__ka.V` of the random effects, and the
#'   residual parameters), `"ran_vals"` (random effects of each subject) and
#'   `"ran_coefs"` (individual parameters of each subject).
#' @param conf.int (logical) add the bounds `conf.low` and `conf.high`.
#' @param conf.level (number in (0, 1)) the confidence level of the bounds.
#' @param data (data.frame or NULL) the data to add columns to; `NULL` takes the
#'   columns the fit used.
#' @param ... for the generic; an argument that lands here is refused.
#' @returns A data frame. `tidy()` has `effect`, `group`, `level` (when asked for
#'   subjects), `term`, `estimate`, `std.error`, `statistic` (of fixed effects:
#'   estimate over standard error), `conf.low` and `conf.high`; missing where there
#'   is none. Intervals of population and residual parameters are those of
#'   [confint()], those of SDs are computed on the log scale, those of correlations
#'   on Fisher's z scale; standard errors of SDs and correlations are by the delta
#'   method. Of random effects of subjects `std.error` is the conditional SD.
#'   `augment()` adds `.fitted` (individual), `.fixed` (population) and `.resid`,
#'   with the outcome's name appended when there are several.
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   seed = 1
#' )
#' tidy(fit)
#' glance(fit)
#' head(augment(fit))
#' @name tidiers
NULL

#' @rdname tidiers
#' @method tidy nlme_fit
#' @export
tidy.nlme_fit <- function(x, effects = c("fixed", "ran_pars"),
                          conf.int = TRUE, conf.level = 0.95, ...) { # nolint: object_name_linter.
  refuse_dots(...)
  check_flag(conf.int, "conf.int")
  level <- check_fraction(conf.level, "conf.level")
  tables <- list(
    fixed = tidy_fixed, ran_pars = tidy_ran_pars,
    ran_vals = tidy_ran_vals, ran_coefs = tidy_ran_coefs
  )
  for (effect in effects) check_word(effect, "effects", names(tables))
  if (!has_effects(x)) tables <- direct_tables(tables)
  rows <- lapply(tables[effects], function(table) table(x, level))
  columns <- c(
    "effect", "group", if (any(c("ran_vals", "ran_coefs") %in% effects)) "level",
    "term", "estimate", "std.error", "statistic", if (conf.int) c("conf.low", "conf.high")
  )
  rows <- lapply(rows, function(part) {
  check_format(x)
    for (name in setdiff(columns, names(part))) part[[name]] <- rep(NA, nrow(part))
    part[columns]
  })
  unname_rows(do.call(rbind, rows))
}

# A model without random effects has none to list; its residual parameters stand alone.
direct_tables <- function(tables) {
  tables$ran_pars <- tidy_residual
  tables$ran_vals <- tables$ran_coefs <- function(fit, level) tidy_residual(fit, level)[0L, ]
  tables
}

tidy_residual <- function(fit, level) {
  residual <- names(stats::sigma(fit))
  data.frame(
    effect = rep("ran_pars", length(residual)), group = rep("Residual", length(residual)), term = residual,
    tidy_columns(estimate_table(fit, level)[residual, ])
  )
}

unname_rows <- function(frame) {
  rownames(frame) <- NULL
  frame
}

# A table of estimates under broom.mixed's names.
tidy_columns <- function(table) {
  data.frame(
    estimate = table$estimate, std.error = table$se,
    conf.low = table$lower, conf.high = table$upper
  )
}

tidy_fixed <- function(fit, level) {
  names <- names(nlme::fixef(fit))
  table <- tidy_columns(estimate_table(fit, level)[names, ])
  table$statistic <- table$estimate / table$std.error
  data.frame(effect = rep("fixed", length(names)), group = NA_character_, term = names, table)
}

# No statistic: a test of an SD against 0 is on the boundary.
tidy_ran_pars <- function(fit, level) {
  table <- nlme::VarCorr(fit)
  correlation <- attr(table, "correlation")
  pairs <- which(lower.tri(correlation) & correlation != 0, arr.ind = TRUE)
  residual <- names(stats::sigma(fit))
  groups <- fit$covariance$groups
  data.frame(
    effect = "ran_pars",
    group = c(groups, groups[pairs[, "row"]], rep("Residual", length(residual))),
    term = c(
      paste0("sd__", table$term),
      if (nrow(pairs) > 0L) {
        sprintf("cor__%s.%s", table$term[pairs[, "col"]], table$term[pairs[, "row"]])
      },
      residual
    ),
    tidy_columns(rbind(
      sd_table(fit, level), correlation_table(fit, pairs, level),
      estimate_table(fit, level)[residual, ]
    ))
  )
}

# The interval of a lognormal effect is that of its logarithm.
tidy_ran_vals <- function(fit, level) {
  do.call(rbind, lapply(effect_groups(with_modes(fit)), function(group) {
    tidy_effects(group$effects, fit$model$spec$random, level)
  }))
}

tidy_effects <- function(effects, random, level) {
  table <- long_levels(effects, level_frame(effects, effects$name, effects$modes), "ran_vals")
  table$std.error <- as.vector(effects$cond_sd)
  reach <- normal_reach(level) * table$std.error
  table$conf.low <- table$estimate - reach
  table$conf.high <- table$estimate + reach
  families <- vapply(effects$name, effect_family, "", random = random)
  log <- rep(families == "lognormal", each = length(effects$labels))
  mean <- as.vector(effects$cond_mean)
  reach <- exp(normal_reach(level) * sqrt(log1p((table$std.error / mean)^2)))
  table$conf.low[log] <- (table$estimate / reach)[log]
  table$conf.high[log] <- (table$estimate * reach)[log]
  table
}

tidy_ran_coefs <- function(fit, level) {
  do.call(rbind, lapply(effect_groups(with_modes(fit)), function(group) {
    individual <- level_frame(group$effects, group$individual$name, group$individual$value)
    long_levels(group$effects, individual, "ran_coefs")
  }))
}

# One row a level and column of `frame`.
long_levels <- function(effects, frame, effect) {
  data.frame(
    effect = rep(effect, length(frame) * nrow(frame)),
    group = rep(effects$group, length(frame) * nrow(frame)),
    level = rep(rownames(frame), length(frame)),
    term = rep(names(frame), each = nrow(frame)),
    estimate = unlist(frame, use.names = FALSE)
  )
}

#' @rdname tidiers
#' @method glance nlme_fit
#' @export
glance.nlme_fit <- function(x, ...) {
  check_format(x)
  refuse_dots(...)
  log_lik <- stats::logLik(x)
  data.frame(
    method = if (is_evaluated(x)) "evaluation" else x$method$options$name,
    nobs = stats::nobs(x),
    ngrps = if (has_effects(x)) as.integer(x$n_subjects) else 0L,
    df = attr(log_lik, "df"),
    logLik = as.numeric(log_lik),
    AIC = stats::AIC(log_lik),
    BIC = stats::BIC(log_lik),
    converged = converged(x),
    status = x$status$code,
    iterations = nrow(x$trace$value)
  )
}

#' @rdname tidiers
#' @method augment nlme_fit
#' @export
augment.nlme_fit <- function(x, data = NULL, ...) {
  check_format(x)
  refuse_dots(...)
  if (is.null(data)) data <- x$data$frame
  check_frame(data, "data")
  if (nrow(data) != nrow(x$data$frame)) {
    stop_data(
      "wrong_rows",
      sprintf("`data` has %s; the fit has %d.", counted(nrow(data), "row"), nrow(x$data$frame)),
      hint = "Give the data frame the model was fitted to."
    )
  }
  x <- with_modes(x)
  parts <- list(
    .fitted = stats::fitted(x), .fixed = stats::fitted(x, level = 0),
    .resid = stats::residuals(x)
  )
  for (name in names(parts)) {
    added <- as.data.frame(parts[[name]])
    names(added) <- if (length(added) == 1L) name else paste(name, names(added), sep = "_")
    data[names(added)] <- added
  }
  data
}
