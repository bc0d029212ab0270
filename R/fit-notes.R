#' What happened during a fit
#'
#' @param fit (`nlme_fit`) a fit.
#' @returns `objective()` of a fit by [saem()] the expected complete-data log-likelihood `Q` by
#'   stochastic approximation, see Details; of a fit by [vem()] the [elbo()]; of a model without random
#'   effects the log-likelihood. Larger is better. It is
#'   not the log-likelihood of the data, which is [logLik()]. `notes()` a list:
#'   * `closed_form_mstep_used` (logical), `closed_form_mstep_mode`: `"numeric_only"`, `"hybrid"` or
#'     `"closed_form_only"`, and `closed_form_mstep_sources`: any of `"builtin_stats"` and
#'     `"custom_mstep_closed_form"`;
#'   * `builtin_stats_mode_requested` and `builtin_stats_mode_effective`;
#'   * `builtin_stats_closed_form_eligibility`: a data frame with `parameter`, `eligible` and
#'     the `reason` where it is not;
#'   * `anneal_to_fixed`: the random effects that became their means;
#'   * `diagnostics`: a data frame with one row an iteration: `iteration`, `gain`, `phase`,
#'     `objective`, the largest changes of the estimates `dtheta_abs` and `dtheta_rel` and of the
#'     objective `dQ_abs` and `dQ_rel`, `n_updated` (batches drawn for), `n_chains_used` and
#'     `anneal_active` (whether variances were kept up). `gain` and `n_chains_used` are
#'     missing where a method has no such thing.
#' @details
#' `Q` averages over the draws of all iterations, by their gains, whatever the route of the M-step, and so
#' does the `objective` of every iteration. The part of the distribution of normal random effects is that
#' of their averaged moments at the parameters of the iteration. The part of the outcomes is averaged as a number,
#' and follows the SDs of normal residual errors to their values of the iteration exactly; where other parameters
#' of the outcomes moved, it is right to second order near a maximum. With an optimizer `Q` is computed
#' over the draws that are kept, at the parameters of the iteration; with `q_from_stats` it is that function's.
#' During a burn-in nothing is averaged yet: there it is the log-likelihood at the current draws.
#'
#' Changes of the estimates are on the transformed scale, those of the elements of
#' matrices and simplexes on the natural one. Relative changes are to the largest element, or
#' the objective, of the iteration before, if that exceeds 1.
#'
#' Parameters of hidden Markov chains have no closed form: their eligibility says why in the
#' words of NoLimits.jl.
#' @seealso [mstep_routes()], [convergence()]
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   seed = 1
#' )
#' objective(fit)
#' notes(fit)$closed_form_mstep_mode
#' tail(notes(fit)$diagnostics, 3)
#' @export
notes <- function(fit) {
  check_fit(fit)
  routes <- mstep_routes(fit)$route
  hook <- routes == "hook"
  closed <- routes == "closed form" & !hook
  moved <- sum(routes != "fixed")
  sources <- c(if (any(closed)) "builtin_stats", if (any(hook)) "custom_mstep_closed_form")
  requested <- closed_forms_asked(fit)
  list(
    closed_form_mstep_used = length(sources) > 0L,
    closed_form_mstep_mode = if (length(sources) == 0L) {
      "numeric_only"
    } else if (sum(closed | hook) == moved) {
      "closed_form_only"
    } else {
      "hybrid"
    },
    closed_form_mstep_sources = if (is.null(sources)) character() else sources,
    builtin_stats_mode_requested = requested,
    builtin_stats_mode_effective = if (any(closed)) "closed_form" else "none",
    builtin_stats_closed_form_eligibility = closed_form_eligibility(fit, closed, hook),
    anneal_to_fixed = vapply(fit$method$options$anneal_to_fixed, `[[`, character(1L), "effect"),
    diagnostics = fit_diagnostics(fit)
  )
}

# vem() takes every closed form there is.
closed_forms_asked <- function(fit) {
  asked <- fit$method$options$builtin_stats
  if (is.null(asked)) "auto" else asked
}

#' @rdname notes
#' @export
objective <- function(fit) {
  check_fit(fit)
  if (!is.null(fit$elbo)) return(fit$elbo$value)
  if (is_evaluated(fit)) stop_not_fitted("is no objective; `logLik()` is the log-likelihood")
  utils::tail(fit$trace$objective, 1L)
}

check_fit <- function(fit) {
  if (inherits(fit, "nlme_fit")) return(invisible())
  stop_option(
    "bad_fit", sprintf("`fit` must be a fit, not an object of class `%s`.", class(fit)[1L]),
    hint = "Fit a model with `fit_nlme()`.", fields = list(name = "fit")
  )
}

closed_form_eligibility <- function(fit, closed, hook) {
  base <- fit$parameters$base
  hidden <- hidden_chain_reasons(fit$model$spec)
  requested <- closed_forms_asked(fit)
  reason <- ifelse(
    fit$parameters$route == "fixed", "held fixed",
    ifelse(hook, "mstep_closed_form has priority", ifelse(
      base %in% names(hidden), hidden[base],
      if (requested == "none") "builtin_stats is \"none\"" else "no closed form where the model has it"
    ))
  )
  refused <- match(base, fit$ineligible$parameter)
  reason <- ifelse(is.na(refused), reason, fit$ineligible$reason[refused])
  data.frame(parameter = fit$parameters$name, eligible = closed, reason = ifelse(closed, NA, unname(reason)))
}

# Parameters that the outcomes of hidden Markov chains read, with the reason why they have no closed form.
hidden_chain_reasons <- function(spec) {
  reasons <- character()
  parameters <- vapply(spec$parameters, `[[`, character(1L), "name")
  for (statement in spec$statements) {
    dist <- statement$dist
    if (is.null(dist) || !isTRUE(dist$call %in% c("hmm", "continuous_time_hmm"))) next
    for (position in seq_along(dist$args)) {
      symbols <- reached_symbols(tree_symbols(dist$args[[position]]), spec$statements)
      found <- setdiff(intersect(symbols, parameters), names(reasons))
      emission <- position == 2L
      reason <- sprintf("hmm_%s_mapping_not_supported_builtin", if (emission) "emission" else "transition")
      reasons[found] <- reason
    }
  }
  reasons
}

# Symbols, and those of the statements that assign them.
reached_symbols <- function(symbols, statements) {
  for (statement in rev(statements)) {
    if (statement$kind == "outcome") next
    if (any(statement_targets(list(statement)) %in% symbols)) symbols <- union(symbols, statement_symbols(statement))
  }
  symbols
}

fit_diagnostics <- function(fit) {
  by_saem <- fit$method$options$name == "saem" && has_effects(fit)
  theta <- transformed_trace(fit)
  objective <- fit$trace$objective
  n <- nrow(theta)
  moved <- theta[-1L, , drop = FALSE] - theta[-n, , drop = FALSE]
  dtheta <- c(NA, apply(abs(moved), 1L, max))
  size <- c(NA, apply(abs(theta[-n, , drop = FALSE]), 1L, max))
  dobjective <- c(NA, abs(diff(objective)))
  data.frame(
    iteration = seq_len(n), gain = if (by_saem) fit$trace$gain else NA_real_, phase = fit$trace$phase,
    objective = objective,
    dtheta_abs = dtheta, dtheta_rel = dtheta / pmax(1, size),
    dQ_abs = dobjective, dQ_rel = dobjective / pmax(1, abs(c(NA, objective[-n]))),
    n_updated = updated_batches(fit), n_chains_used = if (by_saem) fit$chains else NA_real_,
    anneal_active = by_saem & seq_len(n) <= annealed_iterations(fit$method$options)
  )
}

# The trace on the scale on which each parameter is estimated, where its elements have one.
transformed_trace <- function(fit) {
  values <- fit$trace$value
  spec <- fit$model$spec$parameters
  names(spec) <- vapply(spec, `[[`, character(1L), "name")
  base <- fit$parameters$base[match(fit$trace$names, fit$parameters$name)]
  for (k in seq_along(base)) {
    parameter <- spec[[base[k]]]
    scale <- switch(parameter$type, real = parameter$scale, diagonal_matrix = "log", "identity")
    values[, k] <- switch(scale,
      log = log(values[, k]), logit = stats::qlogis(values[, k]), probit = stats::qnorm(values[, k]), values[, k]
    )
  }
  values
}

# The trace has the batches of each iteration where they were not all. All take part in the way to the maximum.
updated_batches <- function(fit) {
  if (!has_effects(fit)) return(as.numeric(fit$n_subjects))
  size <- fit$method$options$batch_size
  updated <- lengths(fit$trace$updated)
  if (is.null(size) && length(updated) == 0L) return(count_batches(fit))
  all <- rep(count_batches(fit), nrow(fit$trace$value))
  polished <- fit$trace$phase == "polish"
  if (is.null(size)) {
    all[seq_along(updated)] <- as.numeric(updated)
  } else {
    all[!polished] <- pmin(size, all[!polished])
  }
  all
}

# What shares levels of any random effect belongs together.
count_batches <- function(fit) {
  if (length(fit$others) == 0L) return(as.numeric(fit$n_subjects))
  columns <- rebind_data(fit)$columns
  codes <- columns[grepl("^[.]group", names(columns))]
  batch <- seq_along(codes[[1L]])
  repeat {
    before <- batch
    for (code in codes) batch <- stats::ave(batch, code, FUN = min)
    if (identical(batch, before)) return(as.numeric(length(unique(batch))))
  }
}

# Iterations in which variances are kept up.
annealed_iterations <- function(options) {
  if (options$name != "saem") return(0)
  if (options$sa_anneal_schedule == "none") return(0)
  if (options$sa_anneal_iters > 0) return(options$sa_anneal_iters)
  if (options$sa_anneal_schedule != "rate") return(round(0.3 * options$maxiters))
  full <- iterations_of_full_gain(options)
  if (is.null(full)) {
    burnin <- sum(cumprod(options$gains == 0))
    full <- burnin + sum(cumprod(options$gains[seq_along(options$gains) > burnin] >= 1))
  }
  min(full, options$maxiters) %/% 2
}
