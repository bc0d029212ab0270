# Conditional weighted residuals: the model linearized in the random effects at their modes.

# With G the slope of the prediction in the effects at the modes m, an observation has mean f(m) - G (m - typical) and
# covariance G Omega G' + diag(sd^2); residuals are whitened by its symmetric root, subject by subject.
conditional_residuals <- function(fit) {
  check_linearizable(fit)
  fit <- with_modes(fit)
  apart <- fit$effects$modes - fit$effects$typical
  group <- match(group_text(fit$data$frame[[fit$data$group]]), fit$effects$labels)
  order <- match(fit$effects$name, fit$covariance$names)
  omega <- fit$covariance$value[order, order, drop = FALSE]
  slopes <- prediction_slopes(fit)
  observed <- as.matrix(observed_values(fit))
  columns <- lapply(seq_along(fit$fitted$outcome), function(k) {
    values <- rep(NA_real_, nrow(observed))
    for (rows in split(seq_along(group), group)) {
      rows <- rows[!is.na(observed[rows, k]) & is.finite(fit$fitted$individual[rows, k])]
      if (length(rows) == 0L) next
      slope <- matrix(slopes[rows, k, ], length(rows))
      mean <- fit$fitted$individual[rows, k] - as.vector(slope %*% apart[group[rows[1L]], ])
      covariance <- slope %*% omega %*% t(slope) + diag(fit$fitted$sd[rows, k]^2, length(rows))
      values[rows] <- whitened(covariance, observed[rows, k] - mean)
    }
    values
  })
  outcome_values(do.call(cbind, columns), fit$fitted$outcome)
}

# Slopes of the predictions in each effect at the modes, rows x outcomes x effects: central differences of steps h and
# h / 2, extrapolated (Richardson), with an error of h^4.
prediction_slopes <- function(fit) {
  scale <- sqrt(diag(fit$covariance$value))[match(fit$effects$name, fit$covariance$names)]
  at <- function(k, step) {
    fit$effects$modes[, k] <- fit$effects$modes[, k] + step
    as.matrix(predict_core(fit, fit$data$frame, 1)$value)
  }
  slopes <- lapply(seq_along(fit$effects$name), function(k) {
    h <- 0.01 * if (scale[k] > 0) scale[k] else 1
    central <- function(h) (at(k, h) - at(k, -h)) / (2 * h)
    (4 * central(h / 2) - central(h)) / 3
  })
  array(unlist(slopes), c(dim(slopes[[1L]]), length(slopes)))
}

check_linearizable <- function(fit) {
  refuse <- function(problem, ...) {
    stop_option(
      "no_conditional_residual", paste(problem, "There are no conditional weighted residuals."),
      hint = "Residuals from simulations are `type = \"npd\"`.", ...
    )
  }
  if (!has_effects(fit)) {
    stop_option(
      "no_random_effect", "The model has no random effects: there is nothing to linearize in.",
      hint = "Use `type = \"iwres\"`."
    )
  }
  families <- fit$model$described$families
  other <- which(families != "normal")
  if (length(other) > 0L) {
    refuse(sprintf("The outcome `%s` is %s(), not normal().", fit$model$described$outcomes[other[1L]],
                   families[other[1L]]))
  }
  if (length(fit$others) > 0L) refuse("The model has several groupings.")
  if (n_classes(fit) > 0L) refuse("The model has classes of subjects, mix().")
  for (effect in fit$model$spec$random) {
    if (effect$dist$call %in% c("normal", "mvnormal")) next
    refuse(sprintf("The random effect `%s` is %s(), not normal.", effect$names[1L], effect$dist$call))
  }
  if (length(fit$covariance$by_level$effect) > 0L) {
    refuse(sprintf("The SD of the random effect `%s` depends on the data.", fit$covariance$by_level$effect[1L]))
  }
}
