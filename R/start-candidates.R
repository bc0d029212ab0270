# Starting values of a formula for which nobody knows any: of very many combinations
# of likely sizes those whose predictions come nearest to the data.

# `open` are the parameters without a value, with their transformations. The best few
# combinations, as lists by name.
candidate_starts <- function(pooled, data, open, transform, options, most = 3L) {
  rows <- screening_rows(pooled, data, options)
  sizes <- likely_sizes(pooled, rows)
  grid <- lapply(open, function(name) sizes_on(sizes, transform[[name]]))
  states <- has_states(pooled)
  n <- min(max(prod(lengths(grid)), 1), 4000, max(50, (if (states) 20000 else 60000) %/% nrow(rows)))
  combined <- spread_combinations(grid, n)
  names(combined) <- open
  misfit <- candidate_misfits(pooled, rows, combined, options)
  near <- neighbors(combined[order(misfit)[seq_len(min(8L, nrow(combined)))], , drop = FALSE], transform[open])
  combined <- rbind(combined, near)
  misfit <- c(misfit, candidate_misfits(pooled, rows, near, options))
  chosen <- integer()
  for (k in order(misfit)) {
    if (!is.finite(misfit[k]) || length(chosen) == most || misfit[k] > 2 * min(misfit)) break
    apart <- vapply(chosen, function(other) {
      sum(abs(combined[k, ] - combined[other, ]) > 0.5 * pmax(abs(combined[k, ]), abs(combined[other, ])))
    }, 1L)
    if (all(apart >= min(2L, length(open)))) chosen <- c(chosen, k)
  }
  lapply(chosen, function(k) as.list(combined[k, , drop = FALSE]))
}

# At most 60 rows over the whole range of the outcome; with doses whole subjects.
screening_rows <- function(pooled, data, options) {
  outcome <- pooled$described$outcomes[1L]
  if (has_states(pooled)) {
    subject <- pooled_subjects(data, options)
    return(data[subject %in% utils::head(unique(subject), 4L), , drop = FALSE])
  }
  data <- data[is.finite(as.numeric(data[[outcome]])), , drop = FALSE]
  data <- data[order(data[[outcome]]), , drop = FALSE]
  data[unique(round(seq(1, nrow(data), length.out = min(60, nrow(data))))), , drop = FALSE]
}

pooled_subjects <- function(data, options) {
  if (is.null(options$id)) return(rep(1L, nrow(data)))
  grouping(options$id, data, "data")$codes
}

# Sizes that parameters often have: those of the outcome, of the predictors, of rates per
# predictor and their logarithms, and numbers near one.
likely_sizes <- function(pooled, rows) {
  spread <- function(values, at) unname(stats::quantile(values, at, na.rm = TRUE))
  outcome <- pooled$described$outcomes[1L]
  y <- as.numeric(rows[[outcome]])
  sizes <- c(spread(y, c(0, 0.25, 0.5, 0.75, 1)), 1.3 * max(y, na.rm = TRUE), diff(range(y, na.rm = TRUE)))
  for (column in intersect(setdiff(pooled$described$columns, outcome), names(rows))) {
    x <- rows[[column]]
    if (!is.numeric(x) || length(unique(x)) < 2L) next
    middle <- stats::median(abs(x[x != 0]), na.rm = TRUE)
    sizes <- c(sizes, spread(x, c(0.1, 0.5, 0.9)), middle / 4, c(0.3, 1, 3) / middle, log(1 / middle) + c(-1, 0, 1))
  }
  c(sizes, 0, 0.1, 1, 3, -0.1, -1)
}

sizes_on <- function(sizes, scale) {
  if (scale %in% c("logit", "probit")) return(c(0.05, 0.25, 0.5, 0.75, 0.95))
  sizes <- sizes[is.finite(sizes)]
  if (scale == "log") sizes <- c(sizes[sizes > 0], 0.01, 10)
  unique(signif(sizes, 6L))
}

# All combinations, or `n` of them spread evenly by a Halton sequence: the same every time.
spread_combinations <- function(grid, n) {
  if (prod(lengths(grid)) <= n) return(expand.grid(grid))
  bases <- c(2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)
  as.data.frame(lapply(seq_along(grid), function(d) {
    values <- grid[[d]]
    base <- bases[(d - 1L) %% length(bases) + 1L]
    # Dimensions beyond the bases begin elsewhere in the sequence.
    at <- halton(seq_len(n) + 20L + 409L * ((d - 1L) %/% length(bases)), base)
    values[pmin(floor(at * length(values)) + 1L, length(values))]
  }), col.names = paste0("p", seq_along(grid)))
}

# Combinations around good ones: each parameter between half and double.
neighbors <- function(combined, scales, each = 60L) {
  factors <- spread_combinations(rep(list(exp(seq(-0.7, 0.7, length.out = 15L))), ncol(combined)), each)
  of <- rep(seq_len(nrow(combined)), each = nrow(factors))
  near <- combined[of, , drop = FALSE] * factors[rep(seq_len(nrow(factors)), nrow(combined)), , drop = FALSE]
  for (d in which(scales %in% c("logit", "probit"))) near[[d]] <- pmin(near[[d]], 0.99)
  rownames(near) <- NULL
  near
}

halton <- function(index, base) {
  value <- numeric(length(index))
  weight <- 1 / base
  while (any(index > 0)) {
    value <- value + weight * (index %% base)
    index <- index %/% base
    weight <- weight / base
  }
  value
}

# Sums of squares of all combinations at once: the parameters are columns of data in
# which each combination has the rows again.
candidate_misfits <- function(pooled, rows, combined, options) {
  spec <- pooled$spec
  spec$parameters <- Filter(function(parameter) !parameter$name %in% names(combined), spec$parameters)
  columns <- new_nlme_model(spec)
  columns$designs <- pooled$designs
  n <- nrow(rows)
  of <- rep(seq_len(nrow(combined)), each = n)
  again <- rep(seq_len(n), nrow(combined))
  stacked <- lapply(as.list(rows), function(column) if (is.null(dim(column))) column[again] else column[again, ])
  stacked[names(combined)] <- lapply(combined, function(values) values[of])
  stacked <- list2DF(stacked)
  subject <- if (has_states(pooled)) paste(of, rep(pooled_subjects(rows, options), nrow(combined)), sep = ".") else of
  stacked$.candidate <- subject
  bound <- bind_data(columns, stacked, ".candidate", options$time, events = options$events)
  reply <- core_call(core_request("predict", columns$spec, list(
    data = bound$fields, at = list(parameters = value_fields(start_values(columns)))
  )), bound$columns)
  observed <- bound$columns[[pooled$described$outcomes[1L]]]
  seen <- is.finite(observed)
  misfit <- drop(rowsum((reply$value[seen, 1L] - observed[seen])^2, of[seen]))
  ifelse(is.finite(misfit), misfit, Inf)
}
