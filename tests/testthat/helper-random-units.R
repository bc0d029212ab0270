# Changes of units that no fit may notice, and what a fit noticed.

# Small enough for a fast test, rich enough to have one maximum. Starts are half as far as those of the other designs,
# on the scale of factors: what is tested is the change of the units.
invariance_design <- function(k) {
  kinds <- design_kinds()
  kinds <- kinds[kinds$family != "event_once" & !kinds$curve %in% c("saturable_ode", "hill", "biexponential"), ]
  kind <- kinds[(k - 1L) %% nrow(kinds) + 1L, ]
  scarce <- kind$family %in% c("bernoulli", "ordered", "event", "neg_binomial")
  design <- random_design(
    2000L + k, kind, subjects = if (scarce) 60 else 24, rows = 7, effects = if (scarce) 1L else 1L + k %% 2L,
    covariates = 1L + (k %% 3L == 0L), zero = FALSE
  )
  table <- design$parameters
  factors <- table$truth > 0 & table$start > 0
  half <- ifelse(factors, sqrt(abs(table$truth * table$start)), (table$truth + table$start) / 2)
  design$parameters$start <- ifelse(table$role == "covariate", 0, signif(half, 3))
  design$units$log <- FALSE
  design
}

# Those a design has: its outcome may have no unit, its covariates may be 0 or 1.
unit_changes <- function(design) {
  continuous <- any(design$parameters$w != 0)
  changes <- list(
    "time in 1/24" = design_units(time = 1 / 24), "time in 1e3" = design_units(time = 1e3),
    "logarithms of typical values" = if (any(is_log_term(design))) design_units(log = TRUE),
    "response in 1e-6" = if (has_unit(design)) design_units(response = 1e-6),
    "response in 1e6" = if (has_unit(design)) design_units(response = 1e6),
    # The default of a formula, whatever the unit.
    "response in 1e-4, error from 1" = if (has_error(design)) design_units(response = 1e-4, error = 1),
    "response in 1e4, error from 1" = if (has_error(design)) design_units(response = 1e4, error = 1),
    "covariate centered" = if (continuous) design_units(center = TRUE),
    "covariate in 1e-3" = if (continuous) design_units(covariate = 1e-3),
    "covariate in 1e3, centered" = if (continuous) design_units(covariate = 1e3, center = TRUE)
  )
  Filter(Negate(is.null), changes)
}

# `n` changes, others from model to model.
some_changes <- function(design, k, n) {
  all <- unit_changes(design)
  all[(seq(k, by = max(1L, length(all) %/% n), length.out = n) - 1L) %% length(all) + 1L]
}

fit_in_units <- function(design, units, method) {
  design$units <- units
  fit <- fit_design(design, method)
  list(
    estimate = estimates_of(design, fit), code = fit$status$code,
    minus2ll = -2 * as.numeric(logLik(fit, method = "quadrature", nodes = 15)) - unit_jacobian(design),
    se = tryCatch(sqrt(diag(stats::vcov(fit)))[design$parameters$name], nlmers_error = function(error) NA_real_)
  )
}

# Estimates that differ by more than 1 % and a tenth of a standard error, -2 log L by more than 0.05.
noticed <- function(design, base, changed) {
  table <- design$parameters
  se <- ifelse(is.na(base$se), 0, base$se)
  # Of a spread that is next to nothing 1 % is less than a fit can tell.
  least <- ifelse(table$role == "spread", 0.01 * abs(table$truth), 0)
  off <- abs(changed$estimate - base$estimate) > pmax(0.01 * abs(base$estimate), 0.1 * se, least)
  off[is.na(off)] <- TRUE
  c(
    sprintf("%s %.4g for %.4g", table$name, changed$estimate, base$estimate)[off],
    if (!isTRUE(abs(changed$minus2ll - base$minus2ll) < 0.05)) {
      sprintf("-2 log L %.3f for %.3f", changed$minus2ll, base$minus2ll)
    },
    if (changed$code != base$code) sprintf("%s for %s", changed$code, base$code)
  )
}
