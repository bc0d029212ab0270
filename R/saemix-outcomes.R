# Outcomes of a model that is given by its likelihood: where the likelihood is that of a whole number, it is
# computed at every number, so that the outcome has a mean and can be drawn.

is_likelihood <- function(fit) "custom" %in% fit$model$described$families

# Log-likelihood of `rows` with the outcome at each of `values`, with the effects of the fit: rows x values.
outcome_log_density <- function(fit, frame, values, level) {
  column <- fit$fitted$outcome
  n <- nrow(frame)
  # The core wants two subjects at least: a row more, of a typical one, is taken off again.
  rows <- frame[c(rep(seq_len(n), length(values)), 1L), , drop = FALSE]
  rows[[column]] <- c(rep(values, each = n), values[1L])
  rows[[fit$data$group]] <- replace(group_text(rows[[fit$data$group]]), nrow(rows), ".another")
  time <- if (isTRUE(fit$data$time %in% names(rows))) fit$data$time
  bound <- bind_data(fit$model, rows, fit$data$group, time, "newdata")
  at <- effect_groups(fit)
  labels <- if (level == 0) as.character(bound$fields$labels) else c(as.character(fit$effects$labels), ".another")
  modes <- if (level == 0) matrix(0, length(labels), length(fit$effects$name)) else rbind(fit$effects$modes, 0)
  at[[1L]]$effects[c("labels", "modes")] <- list(labels, modes)
  request <- core_request("log_density", fit$model$spec, list(
    data = bound$fields, at = list(parameters = value_fields(estimated_values(fit))),
    random = unname(Map(known_modes, at, bound$groups))
  ))
  matrix(utils::head(core_call(request, bound$columns)$value, -1L), n)
}

# Probabilities of whole numbers, those that were observed first, then up from the smallest, until they make one or
# `enough` says so of a row: a list of `values` and the matrix of their probabilities.
outcome_distribution <- function(fit, frame, level, enough = function(total) total > 1 - 1e-6) {
  column <- fit$fitted$outcome
  seen <- sort(unique(stats::na.omit(fit$data$frame[[column]])))
  if (any(seen != round(seen))) {
    broken <- format(seen[seen != round(seen)][1L])
    stop_no_distribution(column, sprintf("`%s` is not a whole number: %s.", column, broken))
  }
  if (level == 0 && !fit$data$group %in% names(frame)) frame <- with_groups(frame, fit$data$group, FALSE)
  values <- numeric()
  probability <- matrix(0, nrow(frame), 0L)
  following <- seen
  open <- seq_len(nrow(frame))
  repeat {
    values <- c(values, following)
    added <- matrix(0, nrow(frame), length(following))
    # Most rows are done long before the one with the largest mean.
    added[open, ] <- exp(outcome_log_density(fit, frame[open, , drop = FALSE], following, level))
    probability <- cbind(probability, added)
    total <- rowSums(probability)
    check_total(total, column, values)
    open <- which(!enough(total))
    if (length(open) == 0L || length(values) > 5000L) break
    from <- min(0, seen)
    following <- setdiff(seq(from, length.out = 2 * length(values) + 20), values)
  }
  order <- order(values)
  list(values = values[order], probability = probability[, order, drop = FALSE])
}

check_total <- function(total, column, values) {
  wrong <- which(!is.finite(total) | total > 1 + 1e-4)
  if (length(wrong) == 0L) return(invisible())
  stop_no_distribution(column, sprintf(
    "In row %d the probabilities of `%s` from %s to %s add up to %s.", wrong[1L], column, format(min(values)),
    format(max(values)), format(total[wrong[1L]], digits = 4)
  ))
}

stop_no_distribution <- function(column, problem) {
  stop_model(
    "no_distribution",
    paste(
      "A likelihood says how outcomes are predicted and drawn only where it is the probability of a number.", problem
    ),
    hint = sprintf(
      "Write the outcome with a distribution in nlme_model(), as in `%s ~ poisson(lambda)`; ?nlme_model lists them.",
      column
    ), fields = list(column = column)
  )
}

# Mean of the outcome in each row; NA where its numbers do not end.
expected_outcome <- function(fit, newdata, level) {
  frame <- if (is.null(newdata)) fit$data$frame else newdata
  known <- outcome_distribution(fit, frame, level)
  mean <- drop(known$probability %*% known$values)
  mean[rowSums(known$probability) < 1 - 1e-3] <- NA
  mean
}

# One draw a row: the first number whose cumulative probability reaches a uniform one.
drawn_outcome <- function(fit, frame) {
  uniform <- stats::runif(nrow(frame))
  # What is missing of 1 counts as nothing.
  uniform <- pmin(uniform, 1 - 1e-6)
  known <- outcome_distribution(fit, frame, 1, function(total) total >= uniform)
  reached <- rep(NA_real_, nrow(frame))
  total <- rep(0, nrow(frame))
  for (k in seq_along(known$values)) {
    total <- total + known$probability[, k]
    reached[is.na(reached) & total >= uniform] <- known$values[k]
  }
  reached
}

#' @export
simulate.saemix_fit <- function(object, nsim = 1, seed = NULL, newdata = NULL, ...) {
  if (!is_likelihood(object)) return(simulate.nlme_fit(object, nsim = nsim, seed = seed, newdata = newdata, ...))
  refuse_dots(...)
  nsim <- check_count(nsim, "nsim", 1)
  seed <- if (is.null(seed)) sample.int(.Machine$integer.max, 1L) else check_count(seed, "seed", 0)
  frame <- if (is.null(newdata)) object$data$frame else coded_records(object, as.data.frame(newdata))
  column <- object$fitted$outcome
  values <- over_population(object, frame, nsim, seed, drawn_outcome, most = 5000L)
  # A record that was not observed is not made up.
  if (column %in% names(frame)) values[is.na(frame[[column]]), ] <- NA
  draws <- cbind(sim = rep(seq_len(nsim), each = nrow(frame)), frame[rep(seq_len(nrow(frame)), nsim), , drop = FALSE])
  draws[[column]] <- as.vector(values)
  rownames(draws) <- NULL
  if (anyNA(draws[[column]]) && !anyNA(frame[[column]])) {
    warn_nlmers("drawn", sprintf(
      "Some draws of `%s` lie above 5000 and are missing: the effects of some subjects reach very large numbers.",
      column
    ))
  }
  structure(draws, seed = seed)
}

#' @rdname saemix_verbs
#' @export
simul.saemix <- function(saemixObject, nsim = 100, seed = NULL, ...) { # nolint: object_name_linter.
  check_saemix_fit(saemixObject, "simul.saemix", "simulate(fit)")
  refuse_dots(...)
  draws <- stats::simulate(saemixObject, nsim = nsim, seed = if (is.null(seed)) saemixObject$settings$seed else seed)
  with_simulated(saemixObject, draws[[saemixObject$fitted$outcome[1L]]], nsim)
}

# In the columns of saemix.
with_simulated <- function(fit, values, nsim) {
  frame <- fit$data$frame
  fit$saemix$simulated <- data.frame(
    idsim = rep(group_text(frame[[fit$data$group]]), nsim), irep = rep(seq_len(nsim), each = nrow(frame)),
    ysim = values
  )
  fit
}

#' @rdname saemix_verbs
#' @export
simulateDiscreteSaemix <- function(object, simulate.function = NULL, nsim = 100, # nolint: object_name_linter.
                                   seed = NULL, ...) {
  if (is.numeric(simulate.function)) {
    stop_bad_option("simulate.function", simulate.function, "a function or NULL; write `nsim = ` for the number")
  }
  if (is.null(check_function(simulate.function, "simulate.function"))) {
    return(simul.saemix(object, nsim = nsim, seed = seed, ...))
  }
  check_saemix_fit(object, "simulateDiscreteSaemix", "simulate(fit)")
  refuse_dots(...)
  nsim <- check_count(nsim, "nsim", 1)
  frame <- object$data$frame
  predictors <- frame[object$saemix$data$columns$predictors]
  id <- match(group_text(frame[[object$data$group]]), object$data$labels)
  object$effects$modes <- NULL
  seed <- if (is.null(seed)) object$settings$seed else check_count(seed, "seed", 0)
  values <- with_draws(seed, lapply(seq_len(nsim), function(i) {
    drawn <- drawn_effects(object)
    dimnames(drawn) <- list(object$effects$labels, object$effects$name)
    psi <- on_scale(mean_phi(object) + all_effects(object, as.data.frame(drawn)), object$saemix$scales, "from")
    simulate.function(psi, id, predictors)
  }))
  with_simulated(object, unlist(values), nsim)
}
