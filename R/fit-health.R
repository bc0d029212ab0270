#' Whether a fit can be trusted
#'
#' One table of everything about a fit that may be wrong, with what to do about it: whether it
#' converged, how well the conditional distributions of the random effects are known, and whether
#' the data tell the parameters.
#'
#' @param fit (`nlme_fit`) a fit by any method.
#' @param by (character) `"check"` for the table of checks, `"subject"` for the numbers of each
#'   batch (what shares levels of any random effect; with one grouping the subjects).
#' @param draws (integer or NULL) importance draws for each batch. `NULL` takes the weights that
#'   were computed with the fit; where there are none, as of [saem()], the `draws` of [vem()], 1000.
#' @param seed (integer or NULL) seed of these draws; `NULL` is that of the fit.
#' @param x (`nlme_health`) a table of checks.
#' @param ... for the generic; an argument that lands here is refused.
#' @details
#' The checks and when they are no longer `"ok"`:
#'
#' | check | value | note | problem |
#' |---|---|---|---|
#' | convergence | | | not converged |
#' | bound gap | log-likelihood less ELBO, a batch on average ([vem()] only) | 0.1 | 0.5 without polish |
#' | Pareto k | the largest of a batch | 0.7 | 1, or 0.7 in every tenth batch |
#' | effective sample size | the smallest of a batch | a tenth of the draws | 20 |
#' | Monte-Carlo error | of the log-likelihood by importance | 0.1 | 1 |
#' | lower bound | batches whose log-likelihood is below their ELBO ([vem()] only) | | 1 |
#' | likelihood | that of the fit by another method, less that by importance, beyond their errors | 0.1 | 1 |
#' | modes | batches whose modes were not found | 1 | |
#' | shrinkage | the largest, percent | 30 | |
#' | correlation | the largest of random effects, in size | 0.95 | 0.99 |
#' | condition of Omega | of the correlation matrix of the random effects | 100 | 1e4 |
#' | small SD | the smallest of a random effect, as part of the size of what it varies | 0.01 | 0.001 |
#' | bounds | parameters at a bound | 1 | |
#' | standard errors | parameters without one, though they are estimated | 1 | |
#' | RSE | the largest of a fixed effect or residual parameter, percent | 50 | |
#' | residual error | the smallest, as part of its start | 0.01 | 0.001 |
#' | weights | of learned functions without penalty, an observation | 0.1 | 1 |
#'
#' The gap between bound and log-likelihood is the Kullback-Leibler divergence of the
#' approximation from the conditional distribution. Pareto k is the shape of the tail of the
#' importance weights (Vehtari and others, 2024): above 0.7 the draws do not cover the
#' conditional distribution, and the log-likelihood and the standard errors that were computed
#' from them are not reliable. The effective sample size is `(sum w)^2 / sum w^2`.
#' @returns With `by = "check"` a data frame of class `nlme_health` with the columns `check`,
#'   `value` (a number, missing where there is none), `detail` (the place in words), `status`
#'   (`"ok"`, `"note"` or `"problem"`) and `advice`. With `by = "subject"` a data frame with
#'   `batch`, `log_lik`, `mc_error`, `ess`, `khat` and, for a fit by [vem()], `elbo` and `gap`.
#' @references Vehtari A, Simpson D, Gelman A, Yao Y, Gabry J (2024). Pareto smoothed importance
#'   sampling. *Journal of Machine Learning Research* 25, 1-58.
#' @seealso [convergence()], [elbo()], [logLik.nlme_fit()]
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   seed = 1
#' )
#' health(fit)
#' health(fit, by = "subject")
#' @export
health <- function(fit, by = c("check", "subject"), draws = NULL, seed = NULL) {
  check_fit(fit)
  by <- check_word(by, "by", c("check", "subject"))
  if (!has_effects(fit)) return(direct_health(fit, by, draws, seed))
  weights <- importance_of(fit, draws, seed)
  batches <- batch_table(fit, weights)
  if (by == "subject") return(batches)
  fit <- with_modes(fit)
  rows <- c(
    list(check_convergence(fit)), importance_checks(fit, batches, weights$draws), likelihood_checks(fit, batches),
    effect_checks(fit), parameter_checks(fit)
  )
  structure(do.call(rbind, rows), class = c("nlme_health", "data.frame"))
}

# Without random effects nothing is sampled.
direct_health <- function(fit, by, draws, seed) {
  given <- c(if (!is.null(draws)) "draws", if (!is.null(seed)) "seed")
  refuse_idle(given, given, "the model has no random effects")
  if (by == "subject") {
    values <- as.numeric(marginal_log_lik(fit, "exact", NULL, NULL, NULL)$subjects)
    return(data.frame(batch = batch_labels(fit, length(values)), log_lik = values))
  }
  rows <- c(list(check_convergence(fit)), parameter_checks(fit))
  structure(do.call(rbind, rows), class = c("nlme_health", "data.frame"))
}

# Importance weights in numbers: those of the fit, unless others are asked for.
importance_of <- function(fit, draws, seed) {
  if (is.null(draws) && is.null(seed) && !is.null(fit$importance)) return(fit$importance)
  ask_of_fit(fit, "importance", seed, inference = list(draws = draw_field(fit, draws)))
}

batch_table <- function(fit, weights) {
  n <- length(weights$log_lik)
  table <- data.frame(
    batch = batch_labels(fit, n), log_lik = weights$log_lik, mc_error = weights$mc_error, ess = weights$ess,
    khat = weights$khat
  )
  if (!is.null(fit$elbo)) {
    table$elbo <- fit$elbo$subjects
    table$gap <- table$log_lik - table$elbo
  }
  table
}

# One row of the table. Without a number there is nothing to judge.
health_row <- function(check, value, status, detail, advice) {
  data.frame(
    check = check, value = as.numeric(value), detail = detail, status = status,
    advice = if (status == "ok") "" else advice
  )
}

# "ok" below `note`, "problem" from `problem` on. What could not be computed is worth a note.
graded <- function(value, note, problem = Inf) {
  if (is.na(value)) return("note")
  if (value >= problem) "problem" else if (value >= note) "note" else "ok"
}

check_convergence <- function(fit) {
  health_row(
    "convergence", NA, if (converged(fit)) "ok" else if (is_evaluated(fit)) "note" else "problem",
    status_sentence(fit),
    paste(c(fit$status$evidence, status_advice(fit)), collapse = " ")
  )
}

# What the importance weights say of each batch.
importance_checks <- function(fit, batches, draws) {
  who <- batch_words(fit, batches$batch)
  worst <- function(values) if (all(is.na(values))) 1L else which.max(values)
  many <- sum(batches$khat > 0.7, na.rm = TRUE)
  k <- worst(batches$khat)
  tails <- if (many > 0.1 * nrow(batches)) "problem" else graded(batches$khat[k], 0.7, 1)
  e <- worst(-batches$ess)
  error <- sqrt(sum(batches$mc_error^2))
  c(
    if (!is.null(batches$gap)) list(check_gap(fit, batches, who)),
    list(
      health_row(
        "Pareto k", batches$khat[k], tails,
        sprintf("%d of %d above 0.7, %s highest", many, nrow(batches), who[k]),
        "Raise `draws`; if it stays so, compare with logLik(method = \"quadrature\") and vcov(method = \"linear\")."
      ),
      health_row(
        "effective sample size", batches$ess[e],
        if (isTRUE(batches$ess[e] < 20)) "problem" else graded(0.1 * draws / batches$ess[e], 1),
        sprintf("of %s, %s lowest", counted(draws, "draw"), who[e]),
        "Raise `draws`; the conditional distribution of this batch is far from a t distribution."
      ),
      health_row(
        "Monte-Carlo error", error, graded(error, 0.1, 1), "of the log-likelihood by importance sampling",
        "Raise `draws`: the error falls with their square root."
      )
    )
  )
}

# A subject by the name of its column, where each is a batch of its own.
batch_words <- function(fit, batch) {
  if (length(fit$others) == 0L) sprintf("`%s` %s", fit$effects$group, batch) else paste("batch", batch)
}

# With the polish the estimates no longer depend on the bound.
check_gap <- function(fit, batches, who) {
  average <- mean(batches$gap)
  polished <- isTRUE(fit$method$options$polish)
  worst <- which.max(batches$gap)
  health_row(
    "bound gap", average, graded(average, 0.1, if (polished) Inf else 0.5),
    sprintf("%.3g in all, %s most with %.3g", sum(batches$gap), who[worst], batches$gap[worst]),
    if (polished) {
      "The polish has corrected the estimates; a \"planar_flow\" may come closer."
    } else {
      "Fit with `polish = TRUE`, or with a richer `family`."
    }
  )
}

#' @rdname health
#' @export
print.nlme_health <- function(x, ...) {
  # Some of its columns are an ordinary table.
  if (!all(c("check", "value", "detail", "status", "advice") %in% names(x))) return(NextMethod())
  marks <- c(ok = "ok", note = "note", problem = "PROBLEM")
  shown <- data.frame(
    value = ifelse(x$value %in% 0:1000, as.character(x$value), format_numbers(x$value, 3)),
    status = marks[x$status], detail = x$detail, row.names = x$check
  )
  if (nrow(x) > 0L) cat(health_lines(shown), sep = "\n")
  advised <- x[x$status != "ok", ]
  if (nrow(advised) > 0L) {
    cat("", strwrap(paste0(advised$check, ": ", advised$advice), width = 100L, exdent = 2L), sep = "\n")
  }
  invisible(x)
}

# Numbers to the right, words to the left.
health_lines <- function(shown) {
  columns <- list(
    formatC(rownames(shown), flag = "-", width = max(nchar(rownames(shown)))),
    formatC(shown$value, width = max(nchar(shown$value))),
    formatC(shown$status, flag = "-", width = max(nchar(shown$status))), shown$detail
  )
  sub("\\s+$", "", do.call(paste, c(columns, list(sep = "  "))))
}
