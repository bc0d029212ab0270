# Residuals that compare what was observed with simulations of the fit: discrepancies and weighted residuals.

# Families on whole numbers: what was observed stands among ties, over which a discrepancy is spread at random.
count_families <- c("poisson", "neg_binomial", "binomial", "bernoulli")

# Of one outcome: its number, column and family, and per row what was observed, simulated (rows x nsim) and censored.
simulated_outcomes <- function(fit, nsim, seed, families, what) {
  check_comparable(fit, families, what)
  drawn <- simulate(fit, nsim = nsim, seed = seed)
  n <- nrow(fit$data$frame)
  group <- group_text(fit$data$frame[[fit$data$group]])
  censored <- fit$data$rows$censored
  parts <- lapply(seq_along(fit$fitted$outcome), function(k) {
    column <- fit$fitted$outcome[k]
    observed <- as.matrix(observed_values(fit))[, k]
    values <- matrix(as.double(drawn[[column]]), n)
    rows <- which(!is.na(observed) & !is.na(values[, 1L]))
    list(
      number = k, outcome = column, discrete = fit$model$described$families[k] %in% count_families,
      rows = rows, groups = split(seq_along(rows), group[rows]),
      observed = observed[rows], simulated = values[rows, , drop = FALSE],
      censored = censored_here(censored[censored$taken & censored$outcome == column, ], rows)
    )
  })
  structure(parts, seed = attr(drawn, "seed"))
}

# The censored observations by their place among `rows`.
censored_here <- function(censored, rows) {
  censored$place <- match(censored$row, rows)
  censored[!is.na(censored$place), ]
}

# What has no simulated distribution of a number at each row, given nothing but the estimates.
check_comparable <- function(fit, families, what) {
  described <- fit$model$described
  without <- described$outcomes[!described$families %in% families]
  if (length(without) == 0L) return(invisible())
  family <- described$families[match(without[1L], described$outcomes)]
  stop_option(
    "no_simulated_residual", sprintf("The outcome `%s` is %s(), for which there are no %s.", without[1L], family, what),
    hint = if (family %in% count_families) "Its residuals are those of `type = \"quantile\"`.",
    fields = list(column = without[1L])
  )
}

# Rows of a subject are decorrelated together: subjects themselves must be independent.
check_independent <- function(fit, what) {
  subject <- group_text(fit$data$frame[[fit$data$group]])
  for (other in fit$others) {
    column <- other$effects$group
    level <- do.call(paste, c(fit$data$frame[strsplit(column, ":", fixed = TRUE)[[1L]]], sep = "\r"))
    nested <- all(tapply(subject, level, function(x) length(unique(x))) == 1L)
    if (nested) next
    stop_option(
      "crossed_groups",
      sprintf("Levels of `%s` have rows of several `%s`: %s need independent subjects.", column, fit$data$group, what),
      hint = "Use `type = \"npd\"`, which compares each row by itself."
    )
  }
}

# The share of the simulations below each value; none and all are put half a step from the ends. Ties of whole numbers
# are spread evenly.
discrepancy <- function(observed, simulated, discrete = FALSE, seed = 0, stream = 0) {
  n <- ncol(simulated)
  below <- rowMeans(simulated < observed)
  if (discrete) {
    share <- below + drawn_uniform(seed, stream, length(observed)) * rowMeans(simulated == observed)
    return(pmin(pmax(share, 0.5 / n), 1 - 0.5 / n))
  }
  pmin(pmax(below, 0.5 / n), 1 - 0.5 / n)
}

drawn_uniform <- function(seed, stream, n) with_draws(seed + stream, stats::runif(n))

# A censored observation can be anywhere beyond its limit: its discrepancy is uniform over the share of the simulations
# there, its value their quantile.
with_censored_drawn <- function(part, seed) {
  # Numbers of their own for every outcome.
  part$pd <- discrepancy(part$observed, part$simulated, part$discrete, seed, 2 * part$number - 1)
  censored <- part$censored
  if (nrow(censored) == 0L) return(part)
  here <- part$simulated[censored$place, , drop = FALSE]
  least <- 0.5 / ncol(here)
  lower <- pmin(censored$limit, ifelse(censored$side == 2, censored$from, censored$limit))
  upper <- pmax(censored$limit, ifelse(censored$side == 2, censored$from, censored$limit))
  from <- ifelse(censored$side == -1, 0, rowMeans(here < lower))
  to <- ifelse(censored$side == 1, 1, rowMeans(here < upper))
  share <- from + (to - from) * drawn_uniform(seed, 2 * part$number, nrow(censored))
  part$pd[censored$place] <- pmin(pmax(share, least), 1 - least)
  part$observed[censored$place] <- vapply(seq_len(nrow(censored)), function(i) {
    stats::quantile(here[i, ], part$pd[censored$place[i]], names = FALSE)
  }, double(1L))
  part
}

# Mean and covariance of the simulations of one subject's rows.
simulated_moments <- function(simulated) {
  mean <- rowMeans(simulated)
  apart <- simulated - mean
  list(mean = mean, covariance = tcrossprod(apart) / (ncol(simulated) - 1))
}

# Observations and simulations of a subject times the inverse of the Cholesky factor of their covariance, then ranked.
decorrelated_discrepancy <- function(observed, simulated) {
  moments <- simulated_moments(simulated)
  factor <- cholesky_or_refuse(moments$covariance)
  z <- backsolve(factor, cbind(observed, simulated) - moments$mean, transpose = TRUE)
  discrepancy(z[, 1L], z[, -1L, drop = FALSE])
}

cholesky_or_refuse <- function(covariance) {
  factor <- tryCatch(chol(covariance), error = function(error) NULL)
  if (!is.null(factor)) return(factor)
  stop_nlmers(
    "numeric", "singular_simulations",
    sprintf("The simulations of a subject with %d records have no covariance of full rank.", nrow(covariance)),
    hint = "Give more simulations, `nsim = 2000`, or use `type = \"npd\"`, which does not decorrelate."
  )
}

# The inverse of the symmetric square root of a covariance, times a vector.
whitened <- function(covariance, x) {
  roots <- eigen(covariance, symmetric = TRUE)
  as.vector(roots$vectors %*% (crossprod(roots$vectors, x) / sqrt(roots$values)))
}

# By subject `f(part, places)`, put back in the order of the rows of `part`.
by_subject <- function(part, f) {
  values <- double(length(part$rows))
  for (places in part$groups) values[places] <- f(places)
  values
}

# One type of residual in the shape of outcome_values().
simulated_residuals <- function(fit, type, nsim, seed) {
  weighted <- type %in% c("pwres", "npde")
  families <- c(weighted_families, if (!weighted) count_families)
  what <- sprintf("residuals of `type = \"%s\"`", type)
  if (weighted) check_independent(fit, what)
  parts <- simulated_outcomes(fit, nsim, seed, families, what)
  seed <- attr(parts, "seed")
  columns <- lapply(parts, function(part) {
    part <- with_censored_drawn(part, seed)
    values <- rep(NA_real_, nrow(fit$data$frame))
    values[part$rows] <- switch(type,
      pit = part$pd, npd = , quantile = stats::qnorm(part$pd), npde = stats::qnorm(part_pde(part)),
      pwres = by_subject(part, function(places) {
        moments <- simulated_moments(part$simulated[places, , drop = FALSE])
        cholesky_or_refuse(moments$covariance)
        whitened(moments$covariance, part$observed[places] - moments$mean)
      })
    )
    values
  })
  outcome_values(do.call(cbind, columns), fit$fitted$outcome)
}

part_pde <- function(part) {
  by_subject(part, function(places) {
    decorrelated_discrepancy(part$observed[places], part$simulated[places, , drop = FALSE])
  })
}
