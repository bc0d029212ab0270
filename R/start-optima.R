# Several places where the pooled model fits the data equally well, such as the flip-flop of absorption and
# elimination: the pooled model cannot tell them apart, the model with its random effects can.

# The best pooled fit and others that are about as good elsewhere, the best first. `open` are the parameters that are
# looked for, `scales` their scales.
pooled_optima <- function(pooled, rows, best, open, scales, fix, options, most = 3L) {
  if (is.null(best) || length(open) < 2L || length(open) > 8L) return(list(best))
  found <- list(best)
  for (start in other_starts(pooled, rows, best$values[open], scales[open], options)) {
    fit <- pooled_fit(pooled, rows, utils::modifyList(best$values, start), fix, options)
    if (is.null(fit)) next
    known <- vapply(found, function(other) same_place(fit$values[open], other$values[open]), NA)
    if (!any(known)) found <- c(found, list(fit))
  }
  height <- vapply(found, `[[`, 0, "log_lik")
  found <- found[order(-height)]
  # Random effects may turn a small difference round.
  near <- sort(height, decreasing = TRUE) > max(height) - 5
  utils::head(found[near], most)
}

same_place <- function(a, b) {
  a <- unlist(a)
  b <- unlist(b)
  all(abs(a - b) <= 0.1 * pmax(abs(a), abs(b)) + 1e-8)
}

# Combinations far from `values` whose predictions are close to the data all the same.
other_starts <- function(pooled, rows, values, scales, options, most = 5L) {
  rows <- screening_rows(pooled, rows, options)
  grid <- Map(sizes_around, values, scales)
  states <- has_states(pooled)
  n <- min(prod(lengths(grid)), max(200, (if (states) 20000 else 120000) %/% nrow(rows)))
  combined <- spread_combinations(grid, n)
  names(combined) <- names(values)
  here <- as.data.frame(values)
  combined <- combined[far_from(combined, here), , drop = FALSE]
  misfit <- candidate_misfits(pooled, rows, combined, options)
  near <- neighbors(combined[order(misfit)[seq_len(min(8L, nrow(combined)))], , drop = FALSE], scales)
  near <- near[far_from(near, here), , drop = FALSE]
  combined <- rbind(combined, near)
  misfit <- c(misfit, candidate_misfits(pooled, rows, near, options))
  chosen <- integer()
  for (k in order(misfit)) {
    if (!is.finite(misfit[k]) || length(chosen) == most) break
    new <- vapply(chosen, function(other) far_from(combined[k, ], combined[other, ]), NA)
    if (all(new)) chosen <- c(chosen, k)
  }
  lapply(chosen, function(k) as.list(combined[k, , drop = FALSE]))
}

# A parameter may be a rate or the logarithm of one: it is multiplied, and added to.
sizes_around <- function(value, scale) {
  if (scale %in% c("logit", "probit")) return(c(0.05, 0.25, 0.5, 0.75, 0.95))
  steps <- seq(-3.5, 3.5, length.out = 11L)
  sizes <- value * exp(steps)
  # Logarithms of likely sizes are small numbers.
  if (scale == "identity" && abs(value) < 8) sizes <- c(sizes, value + steps)
  unique(sizes)
}

# Rows of `combined` of which two parameters are far from those of `here`.
far_from <- function(combined, here) {
  far <- Map(function(a, b) abs(a - b) > 0.5 * pmax(abs(a), abs(b)), combined, here)
  Reduce(`+`, far) >= min(2L, length(far))
}

# The start from which the model with its random effects reaches the higher likelihood. `starts` are complete,
# `model_at()` makes the model that starts there.
best_of_starts <- function(starts, model_at, data, options) {
  if (length(starts) < 2L) return(starts[[1L]])
  starts <- starts[order(-vapply(starts, absorbs_first, 0))]
  height <- vapply(starts, function(start) likelihood_from(model_at(start), data, options), 0)
  # Where the likelihood hardly prefers another, absorption is faster than elimination. Short fits of equations end
  # somewhat below their maximum.
  enough <- if (has_states(model_at(starts[[1L]]))) 2 else 1
  if (absorbs_first(starts[[1L]]) == 1 && isTRUE(height[1L] > max(height) - enough)) return(starts[[1L]])
  starts[[which.max(height)]]
}

# Log-likelihood after a short fit, of some subjects where there are many.
likelihood_from <- function(model, data, options) {
  if (!has_effects(model)) options$id <- NULL
  # To the maximum where that takes no time.
  method <- saem(exploration = 80, smoothing = 60, polish = !has_states(model))
  fit <- tryCatch(
    suppressMessages(suppressWarnings(fit_nlme(
      model, some_subjects(model, data), method, id = options$id, time = options$time,
      events = options$events, seed = 1, threads = 1, progress = FALSE
    ))),
    nlmers_error = function(error) NULL
  )
  height <- if (!is.null(fit)) tryCatch(as.numeric(stats::logLik(fit)), error = function(error) NA)
  if (length(height) == 1L && is.finite(height)) height else -Inf
}

some_subjects <- function(model, data, most = 40L) {
  column <- subject_column(model, data, NULL)
  if (is.null(column)) return(data)
  all <- unique(data[[column]])
  if (length(all) <= most) return(data)
  kept <- all[unique(round(seq(1, length(all), length.out = most)))]
  data[data[[column]] %in% kept, , drop = FALSE]
}

# 1 where absorption is faster than elimination, by the names of the parameters; 0 where these say nothing.
absorbs_first <- function(values) {
  plain <- tolower(names(values))
  natural <- sub("^(log|ln|l)[._]?", "", plain)
  value <- function(role) {
    words <- compartment_names[[role]]
    own <- values[plain %in% words]
    logged <- values[natural %in% words]
    if (length(own) > 0L) own[[1L]] else if (length(logged) > 0L) exp(logged[[1L]]) else NA_real_
  }
  k <- value("k")
  if (is.na(k)) k <- value("cl") / value("v")
  as.numeric(isTRUE(value("ka") > k))
}
