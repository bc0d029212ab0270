# Checks of health() on the random effects and on the parameters.

effect_checks <- function(fit) {
  table <- nlme::VarCorr(fit)
  correlation <- attr(table, "correlation")
  lower <- correlation
  lower[!lower.tri(lower)] <- 0
  pair <- arrayInd(which.max(abs(lower)), dim(lower))
  size <- abs(lower[pair])
  shrunk <- if (all(is.na(table$shrinkage))) 1L else which.max(table$shrinkage)
  c(
    list(check_modes(fit)),
    list(health_row(
      "shrinkage", table$shrinkage[shrunk], graded(table$shrinkage[shrunk], 30),
      sprintf("percent, `%s`", table$term[shrunk]),
      "Modes of this effect say little: judge it by conditional_samples(), not by plots of modes."
    )),
    if (nrow(table) > 1L && isTRUE(size > 0)) {
      list(
        health_row(
          "correlation", lower[pair], graded(size, 0.95, 0.99),
          sprintf("`%s` with `%s`", table$term[pair[2L]], table$term[pair[1L]]),
          "The two effects are hardly told apart: drop one, or make them uncorrelated."
        ),
        check_condition(correlation)
      )
    },
    list(check_small_sd(fit, table))
  )
}

check_modes <- function(fit) {
  lost <- sum(vapply(effect_groups(fit), function(group) sum(!group$effects$mode_converged), 0))
  health_row(
    "modes", lost, graded(lost, 1), "levels whose conditional modes were not found",
    "Raise `ebe_rescue_max_rounds`, or look at the data of these levels: `fit$effects$mode_converged`."
  )
}

check_condition <- function(correlation) {
  known <- !is.na(rowSums(correlation))
  values <- eigen(correlation[known, known, drop = FALSE], symmetric = TRUE, only.values = TRUE)$values
  condition <- max(values) / max(min(values), 0)
  health_row(
    "condition of Omega", condition, graded(condition, 100, 1e4), "of the correlations of the random effects",
    "Some combination of the random effects has almost no variance: leave out correlations or effects."
  )
}

# An SD as part of the size of what the effect varies, which is 1 on the scales of the logarithm, the logit and the
# probit.
check_small_sd <- function(fit, table) {
  individual <- unlist(lapply(effect_groups(fit), function(group) {
    values <- as.data.frame(group$individual$value)
    stats::setNames(sqrt(colMeans(values^2)), group$individual$name)
  }))
  size <- ifelse(varied_terms(fit)$scale == "identity", individual[table$term], 1)
  relative <- table$sd / ifelse(is.finite(size) & size > 0, size, 1)
  least <- which.min(relative)
  health_row(
    "small SD", relative[least], graded(0.01 / relative[least], 1, 10), sprintf("`%s`", table$term[least]),
    "The data show hardly any variation of it: leave the random effect out, or start with a larger SD."
  )
}

parameter_checks <- function(fit) {
  # Values that were given have no errors, and have fallen nowhere.
  if (is_evaluated(fit)) return(list())
  c(list(check_bounds(fit), check_uncertainty(fit), check_rse(fit), check_residual(fit)), check_weights(fit))
}

# Weights of learned functions that nothing draws toward 0, beside the observations that shall tell them.
check_weights <- function(fit) {
  penalized <- vapply(fit$method$options$penalty, `[[`, "", 1L)
  learned <- setdiff(names(learned_parameters(fit$model)), penalized)
  free <- sum(fit$parameters$free & fit$parameters$base %in% learned)
  if (free == 0L) return(NULL)
  share <- free / fit$n_obs
  list(health_row(
    "weights", share, graded(share, 0.1, 1), sprintf("an observation, %s without penalty", counted(free, "weight")),
    "The functions can follow noise: use `penalty`, or fewer weights, and compare fits on subjects left out."
  ))
}

check_bounds <- function(fit) {
  at <- unique(c(at_model_bounds(fit), at_method_bounds(fit)))
  health_row(
    "bounds", length(at), graded(length(at), 1), if (length(at) > 0L) paste0("`", at, "`", collapse = ", ") else "none",
    "The maximum may lie beyond: widen the bound, or hold the parameter with `fix`."
  )
}

# Within a part in ten thousand.
touches <- function(value, bound) is.finite(bound) & abs(value - bound) <= 1e-4 * pmax(1e-8, abs(bound))

at_model_bounds <- function(fit) {
  touched <- lapply(fit$model$spec$parameters, function(parameter) {
    rows <- which(fit$parameters$base == parameter$name & fit$parameters$free)
    values <- fit$parameters$natural[rows]
    hit <- rep(FALSE, length(rows))
    for (bound in list(parameter$lower, parameter$upper)) {
      if (!is.null(bound)) hit <- hit | touches(values, as.numeric(bound))
    }
    fit$parameters$name[rows[hit]]
  })
  unlist(touched)
}

at_method_bounds <- function(fit) {
  touched <- lapply(c(fit$method$options$lb, fit$method$options$ub), function(bound) {
    rows <- which(fit$coordinates$base == bound[[1L]] & fit$coordinates$free)
    fit$coordinates$name[rows[touches(fit$coordinates$value[rows], as.numeric(bound[[2L]]))]]
  })
  unlist(touched)
}

check_uncertainty <- function(fit) {
  free <- fit$parameters$free & !fit$parameters$base %in% names_without_se(fit$model$spec)
  missing <- sum(free & !is.finite(estimate_table(fit)$se))
  detail <- if (is.null(fit$uncertainty)) "none were computed" else sprintf("by \"%s\"", fit$uncertainty$method)
  health_row(
    "standard errors", missing, graded(missing, 1), detail,
    "Ask for them: vcov(fit, method = \"louis\"). Where there are none, the data cannot tell parameters apart."
  )
}

check_rse <- function(fit) {
  table <- estimate_table(fit)[fit$parameters$role %in% c("fixed", "residual"), ]
  rse <- relative_se(table)
  if (all(is.na(rse))) {
    return(health_row("RSE", NA, "ok", "no standard errors", ""))
  }
  worst <- which.max(rse)
  health_row(
    "RSE", rse[worst], graded(rse[worst], 50), sprintf("percent, `%s`", rownames(table)[worst]),
    "The data say little about it: fix or drop it, or see whether its estimate may be 0."
  )
}

check_residual <- function(fit) {
  # Only what is positive can fall to a floor.
  rows <- which(fit$parameters$role == "residual" & fit$parameters$free & element_scales(fit) == "log")
  if (length(rows) == 0L) return(health_row("residual error", NA, "ok", "no free parameter", ""))
  part <- fit$parameters$natural[rows] / fit$parameters$start[rows]
  least <- which.min(part)
  health_row(
    "residual error", part[least], graded(0.01 / part[least], 1, 10),
    sprintf("of its start, `%s`", fit$parameters$name[rows[least]]),
    "It has fallen to its floor, or the model meets the data exactly: start elsewhere, or hold it with `fix`."
  )
}
