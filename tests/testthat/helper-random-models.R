# Random models with data: drawn from a seed, written as a model in any units, and their estimates read back.
#
# A design holds the terms of its curve with their typical values, SDs of effects and coefficients of covariates, the
# table of its parameters (`design_parameters()`), the data, and the units both are written in.

# `error` is a start of the constant residual error that does not go with the unit.
design_units <- function(response = 1, time = 1, covariate = 1, center = FALSE, log = FALSE, error = NULL) {
  list(response = response, time = time, covariate = covariate, center = center, log = log, error = error)
}

# Families and curves in the order of the designs, so that any twenty in a row hold them all.
design_kinds <- function() {
  curves <- c(
    "normal decay", "poisson rate", "normal oral", "ordered grades", "normal emax", "bernoulli odds", "lognormal decay",
    "normal logistic", "event hazard", "normal gompertz", "binomial odds", "normal biexponential", "neg_binomial rate",
    "normal oral_ode", "normal michaelis", "normal linear", "lognormal oral", "event_once hazard", "normal hill",
    "normal saturable_ode"
  )
  parts <- strsplit(curves, " ")
  data.frame(family = vapply(parts, `[[`, "", 1L), curve = vapply(parts, `[[`, "", 2L))
}

# R's generator is left as it was.
seeded <- function(seed, code) {
  old <- get0(".Random.seed", globalenv(), inherits = FALSE)
  on.exit(if (is.null(old)) rm(".Random.seed", envir = globalenv()) else assign(".Random.seed", old, globalenv()))
  set.seed(seed)
  code
}

random_design <- function(seed, ...) seeded(seed, drawn_design(seed, ...))

# An argument that is NULL is drawn.
drawn_design <- function(seed, kind = design_kinds()[(seed - 1L) %% 20L + 1L, ], subjects = NULL, rows = NULL,
                         effects = NULL, covariates = NULL, zero = NULL, full = NULL, error = NULL) {
  curve <- random_curves()[[kind$curve]]
  family <- sub("_once", "", kind$family)
  terms <- drawn_terms(curve, family)
  typical <- vapply(terms, `[[`, 0, "value")
  size <- drawn_size(kind, length(terms), subjects, rows, effects)
  error <- given_or(error, sample(c("constant", "proportional", "combined", "combined_sd"), 1L))
  # Doses are not known here; their curves have a response of about dose / volume.
  response <- if ("v" %in% names(terms)) 50 / typical[["v"]] else if (family == "normal") max(typical) / 2 else 1
  if (kind$curve == "emax" || kind$curve == "hill") response <- typical[["emax"]] / 2
  if (kind$curve == "linear") response <- typical[["a"]]
  outcome <- random_family(family, error, response)
  extras <- lapply(outcome$extras, function(extra) c(extra, value = log_uniform(extra)))
  terms <- drawn_effects(terms, size$effects, family, given_or(zero, stats::runif(1) < 0.15))
  terms <- drawn_covariates(terms, given_or(covariates, sample(0:2, 1L, prob = c(2, 2, 1))), size$subjects, family)
  n <- sum(vapply(terms, function(term) !is.na(term$sd), NA))
  full <- n > 1L && all(vapply(terms, `[[`, 0, "sd") > 0, na.rm = TRUE) && given_or(full, stats::runif(1) < 0.4)
  design <- list(
    seed = seed, kind = kind, curve = curve, terms = terms, extras = extras, outcome = outcome,
    size = size, full = full, correlation = if (full) drawn_correlation(n) else diag(n),
    form = list(
      reference = stats::runif(1) < 0.6, product = stats::runif(1) < 0.5,
      spread = if (full) "full" else if (n > 1L && stats::runif(1) < 0.5) "variances" else "sd"
    ),
    units = design_units(log = stats::runif(1) < 0.4)
  )
  design$parameters <- with_starts(design, design_parameters(design))
  design$data <- drawn_data(design)
  design
}

given_or <- function(value, otherwise) if (is.null(value)) otherwise else value

# Positive ranges on the log scale, the others as they are.
log_uniform <- function(range) {
  if (range$low > 0) exp(stats::runif(1, log(range$low), log(range$high))) else stats::runif(1, range$low, range$high)
}

drawn_terms <- function(curve, family) {
  for (attempt in 1:100) {
    values <- vapply(curve$terms, log_uniform, 0)
    if (curve$sensible(values)) break
  }
  Map(function(term, value) {
    # Some parameters in the unit of the response vary on their own scale.
    if (family == "normal" && term$scale == "log" && term$r == 1 && stats::runif(1) < 0.3) term$scale <- "identity"
    c(term, value = signif(value, 3))
  }, curve$terms, values)
}

# From sparse to rich, with as many observations as the family needs to say anything.
drawn_size <- function(kind, n_terms, subjects, rows, effects) {
  needed <- switch(kind$family,
    normal = 18, lognormal = 18, poisson = 60, neg_binomial = 120, binomial = 60, ordered = 200, 250
  )
  most <- if (kind$family %in% c("normal", "lognormal")) 4L else if (grepl("event", kind$family)) 1L else 2L
  rows <- given_or(rows, sample(2:12, 1L))
  most <- min(most, n_terms, max(1L, rows - 1L))
  effects <- given_or(effects, sample(seq_len(most), 1L, prob = c(0.35, 0.3, 0.2, 0.15)[seq_len(most)]))
  subjects <- given_or(subjects, sample(c(3, 5, 8, 12, 20, 30, 50, 80, 150, 300, 500), 1L))
  if (grepl("_ode", kind$curve)) subjects <- min(subjects, 30)
  least <- max(ceiling(needed / rows), c(3, 8, 14, 20)[effects])
  list(subjects = max(subjects, least), rows = rows, effects = min(effects, most))
}

drawn_effects <- function(terms, n, family, zero) {
  chosen <- if ("u" %in% names(terms)) c("u", setdiff(names(terms), "u"))[seq_len(n)] else sample(names(terms), n)
  for (name in names(terms)) {
    term <- terms[[name]]
    terms[[name]]$sd <- if (!name %in% chosen) {
      NA_real_
    } else if (term$scale == "log") {
      stats::runif(1, 0.15, 0.45)
    } else if (family %in% c("normal", "lognormal")) {
      abs(term$value) * stats::runif(1, 0.1, 0.25)
    } else {
      stats::runif(1, 0.5, 1) * (if (term$t == 0) 1 else 0.15)
    }
  }
  # What a start is measured by where the truth is 0.
  for (name in chosen) terms[[name]]$usual <- terms[[name]]$sd
  if (zero) terms[[sample(chosen, 1L)]]$sd <- 0
  terms
}

# Weight as it is and its logarithm are continuous, sex is 0 or 1. An effect of `wt` moves the typical value to the
# weight 0.
drawn_covariates <- function(terms, n, subjects, family) {
  for (term in names(terms)) terms[[term]]$beta <- numeric()
  if (subjects < 10 || n == 0L) return(terms)
  reach <- c(wt = 0.012, lwt = 0.6, sex = 0.35)
  open <- setdiff(names(terms), if (family == "normal") c("h", "b") else "b")
  # Weight and its logarithm together would be the same covariate twice.
  candidates <- c(sample(c("wt", "lwt"), 1L), "sex")
  for (covariate in sample(candidates, n)) {
    name <- open[sample.int(length(open), 1L)]
    beta <- reach[[covariate]] * stats::runif(1, 0.3, 1) * sample(c(-1, 1), 1L)
    term <- terms[[name]]
    if (term$scale == "identity" && family == "normal") beta <- beta * term$value
    if (term$scale == "identity" && family != "normal") beta <- 2 * beta
    terms[[name]]$beta[covariate] <- signif(beta, 2)
  }
  terms
}

drawn_correlation <- function(n) {
  loadings <- stats::runif(n, 0.3, 0.8) * sample(c(-1, 1), n, replace = TRUE)
  correlation <- outer(loadings, loadings)
  diag(correlation) <- 1
  correlation
}

random_terms <- function(design) Filter(function(term) !is.na(term$sd), design$terms)

# The value at the reference covariates, moved to the covariate 0 where weight is not centered.
at_zero_weight <- function(term) {
  shift <- if ("wt" %in% names(term$beta)) 70 * term$beta[["wt"]] else 0
  if (term$scale == "log") term$value * exp(-shift) else term$value - shift
}

parameter_row <- function(name, role, truth, r = 0, t = 0, w = 0, positive = TRUE, term = "", base = name) {
  data.frame(
    name = name, base = base, role = role, truth = truth, r = r, t = t, w = w, positive = positive, term = term
  )
}

# One row an element, named as in a fit. `r`, `t`, `w` are the powers of the units of response, time and covariate.
design_parameters <- function(design) {
  rows <- list()
  for (name in names(design$terms)) {
    term <- design$terms[[name]]
    if (term$typical) {
      rows <- c(rows, list(parameter_row(
        name, "fixed", at_zero_weight(term), term$r, term$t, positive = term$scale == "log", term = name
      )))
    }
    own <- term$scale == "identity"
    for (covariate in names(term$beta)) {
      rows <- c(rows, list(parameter_row(
        paste("b", name, covariate, sep = "_"), "covariate", term$beta[[covariate]], own * term$r, own * term$t,
        w = -(covariate != "sex"), positive = FALSE, term = name
      )))
    }
  }
  for (name in names(design$extras)) {
    extra <- design$extras[[name]]
    shift <- if (name == "c1" && "wt" %in% names(design$terms$u$beta)) 70 * design$terms$u$beta[["wt"]] else 0
    rows <- c(rows, list(parameter_row(
      name, extra$role, extra$value + shift, extra$r, extra$t, positive = is.null(extra$real)
    )))
  }
  table <- do.call(rbind, c(rows, list(spread_parameters(design))))
  table$truth <- signif(table$truth, 6)
  table
}

spread_parameters <- function(design) {
  terms <- random_terms(design)
  sds <- vapply(terms, `[[`, 0, "sd")
  own <- vapply(terms, function(term) term$scale == "identity", NA)
  r <- own * vapply(terms, `[[`, 0, "r")
  t <- own * vapply(terms, `[[`, 0, "t")
  index <- seq_along(terms)
  switch(design$form$spread,
    sd = parameter_row(paste0("o_", names(terms)), "spread", sds, r, t),
    variances = parameter_row(sprintf("omega[%d]", index), "spread", sds^2, 2 * r, 2 * t, base = "omega"),
    full = {
      pairs <- do.call(rbind, lapply(index, function(i) cbind(i, seq_len(i))))
      i <- pairs[, 1L]
      j <- pairs[, 2L]
      parameter_row(
        sprintf("omega[%d,%d]", i, j), "spread", sds[i] * sds[j] * design$correlation[pairs], r[i] + r[j], t[i] + t[j],
        positive = i == j, base = "omega"
      )
    }
  )
}

# Starts away from the truth: a factor of 0.4 to 2.5 on what is positive, 0 for coefficients, correlations of 0. A
# variance that is 0 starts where one of its size would.
with_starts <- function(design, table) {
  n <- nrow(table)
  for (attempt in 1:1000) {
    factor <- exp(stats::runif(n, log(0.4), log(2.5)))
    # Coefficients start at 0, so this is the start at any weight.
    if (design$curve$sensible(stats::setNames(table$truth * factor, table$name))) break
  }
  start <- table$truth * factor
  real <- !table$positive & table$role != "spread"
  # Intercepts on the scale of a link have no size that a factor could change.
  intercept <- real & table$r == 0 & table$t == 0
  start[intercept] <- table$truth[intercept] + stats::runif(sum(intercept), -0.9, 0.9)
  start[table$role == "covariate"] <- 0
  start[table$role == "spread" & !table$positive] <- 0
  none <- table$role == "spread" & table$truth == 0
  if (any(none & table$positive)) {
    usual <- vapply(random_terms(design), `[[`, 0, "usual")
    power <- if (design$form$spread == "variances") 2 else 1
    spreads <- which(table$role == "spread")
    start[none] <- (usual^power * factor[spreads])[none[spreads]]
  }
  table$start <- signif(start, 3)
  table
}
