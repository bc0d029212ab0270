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
#' @param data (data.frame or NULL) the data to add columns to; `NULL` takes the
#'   columns the fit used.
#' @param ... for the generic; an argument that lands here is refused.
#' @returns A data frame. `tidy()` has `effect`, `group`, `level` (when asked for
#'   subjects), `term`, `estimate` and, for random effects of subjects,
#'   `std.error`. `augment()` adds `.fitted` (individual), `.fixed` (population)
#'   and `.resid`, with the outcome's name appended when there are several.
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   method = saem(exploration = 100, smoothing = 50), seed = 1
#' )
#' tidy(fit)
#' glance(fit)
#' head(augment(fit))
#' @name tidiers
NULL

#' @rdname tidiers
#' @method tidy nlme_fit
#' @export
tidy.nlme_fit <- function(x, effects = c("fixed", "ran_pars"), ...) {
  refuse_dots(...)
  tables <- list(
    fixed = tidy_fixed, ran_pars = tidy_ran_pars,
    ran_vals = tidy_ran_vals, ran_coefs = tidy_ran_coefs
  )
  for (effect in effects) check_word(effect, "effects", names(tables))
  rows <- lapply(tables[effects], function(table) table(x))
  columns <- c("effect", "group", "level", "term", "estimate", "std.error")
  columns <- intersect(columns, unlist(lapply(rows, names)))
  rows <- lapply(rows, function(part) {
    part[setdiff(columns, names(part))] <- NA
    part[columns]
  })
  unname_rows(do.call(rbind, rows))
}

unname_rows <- function(frame) {
  rownames(frame) <- NULL
  frame
}

tidy_fixed <- function(fit) {
  values <- nlme::fixef(fit)
  data.frame(effect = "fixed", group = NA_character_, term = names(values), estimate = unname(values))
}

tidy_ran_pars <- function(fit) {
  table <- nlme::VarCorr(fit)
  correlation <- attr(table, "correlation")
  pairs <- which(lower.tri(correlation) & correlation != 0, arr.ind = TRUE)
  residual <- stats::sigma(fit)
  data.frame(
    effect = "ran_pars",
    group = c(rep(fit$data$group, nrow(table) + nrow(pairs)), rep("Residual", length(residual))),
    term = c(
      paste0("sd__", table$term),
      if (nrow(pairs) > 0L) {
        sprintf("cor__%s.%s", table$term[pairs[, "col"]], table$term[pairs[, "row"]])
      },
      names(residual)
    ),
    estimate = c(table$sd, correlation[pairs], unname(residual))
  )
}

tidy_ran_vals <- function(fit) {
  effects <- nlme::ranef(fit)
  cbind(
    long_levels(fit, effects, "ran_vals"),
    std.error = unlist(attr(effects, "cond_sd"), use.names = FALSE)
  )
}

tidy_ran_coefs <- function(fit) long_levels(fit, stats::coef(fit), "ran_coefs")

# One row a subject and column of `frame`.
long_levels <- function(fit, frame, effect) {
  data.frame(
    effect = rep(effect, length(frame) * nrow(frame)),
    group = rep(fit$data$group, length(frame) * nrow(frame)),
    level = rep(rownames(frame), length(frame)),
    term = rep(names(frame), each = nrow(frame)),
    estimate = unlist(frame, use.names = FALSE)
  )
}

#' @rdname tidiers
#' @method glance nlme_fit
#' @export
glance.nlme_fit <- function(x, ...) {
  refuse_dots(...)
  log_lik <- stats::logLik(x)
  data.frame(
    method = x$method$options$name,
    nobs = stats::nobs(x),
    ngrps = as.integer(x$n_subjects),
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
  refuse_dots(...)
  if (is.null(data)) data <- x$data$frame
  check_frame(data)
  if (nrow(data) != nrow(x$data$frame)) {
    stop_data(
      "wrong_rows",
      sprintf("`data` has %d rows; the fit has %d.", nrow(data), nrow(x$data$frame)),
      hint = "Give the data frame the model was fitted to."
    )
  }
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
