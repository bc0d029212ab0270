# Starts far from the maximum: a fit reaches it, within 0.2 of -2 log L, or says that it did not.

distant_cases <- function(fixed, spread, residual) {
  base <- c(fixed, spread, residual)
  scaled <- function(names, by) replace(base, names, base[names] * by)
  single <- lapply(names(base), scaled, by = 10)
  names(single) <- paste(names(base), "x10")
  smaller <- lapply(names(base), scaled, by = 0.1)
  names(smaller) <- paste(names(base), "x0.1")
  c(single, smaller, list(
    "all x10" = base * 10, "all x0.1" = base / 10,
    "typical values x10" = scaled(names(fixed), 10), "typical values x0.1" = scaled(names(fixed), 0.1),
    "variances x100" = scaled(names(spread), 10), "deviations x100" = scaled(names(spread), 100),
    "residual x10" = scaled(names(residual), 10), "residual x0.1" = scaled(names(residual), 0.1)
  ))
}

# A table of the starts: how far from the maximum a fit ended, what it says of itself, and how wide
# its distributions of the random effects are, in SDs of these.
distant_fits <- function(model, data, cases, maximum, method = saem(nodes = 11)) {
  rows <- lapply(names(cases), function(name) {
    warned <- FALSE
    fit <- withCallingHandlers(
      fit_nlme(model, data, seed = 1, start = as.list(cases[[name]]), method = method, progress = FALSE),
      warning = function(w) {
        warned <<- TRUE
        invokeRestart("muffleWarning")
      }
    )
    data.frame(
      start = name, status = fit$status$code, warned = warned,
      excess = -2 * (as.numeric(logLik(fit, nodes = 11)) - maximum),
      width = if (method$options$name == "vem") width_of_q(fit) else NA
    )
  })
  do.call(rbind, rows)
}

# The largest SD of an effect in any `q`, over its SD in the population. One grouping, full rank; lower
# triangles are stored by rows.
width_of_q <- function(fit) {
  sds <- sqrt(diag(fit$covariance$value))
  n <- length(sds)
  triangles <- matrix(fit$q$chol, n * (n + 1) / 2)
  squares <- vapply(seq_len(n), function(k) max(colSums(triangles[seq_len(k) + k * (k - 1) / 2, , drop = FALSE]^2)), 0)
  max(sqrt(squares) / sds)
}

expect_never_silently_wrong <- function(table, most_flagged, flagged = table$status != "converged") {
  expect_true(all(flagged | abs(table$excess) < 0.2), label = paste(
    table$start[!flagged & !(abs(table$excess) < 0.2)], collapse = ", "
  ))
  expect_lte(sum(flagged), most_flagged)
}

# A warning is a plain statement too. The bound alone ends within 0.15 of the maximum.
expect_vem_says <- function(table, most_flagged) {
  flagged <- table$status != "converged" | table$warned
  expect_never_silently_wrong(table, most_flagged, flagged)
  expect_lt(max(table$width[!flagged]), 1.2)
}

both_ways <- list(vem(), vem(polish = FALSE))

test_that("theophylline from distant starts", {
  cases <- distant_cases(
    c(ka = 1, V = 20, Cl = 0.5), c(omega_sd_ka = 1, omega_sd_V = 1, omega_sd_Cl = 1), c(a = 1)
  )
  expect_never_silently_wrong(distant_fits(theo_formula(), theo, cases, -172.717417), 2)
  for (method in both_ways) {
    expect_vem_says(distant_fits(theo_formula(), theo, cases, -172.717417, method), 2)
  }
})

test_that("where no random effect moves a fit has stalled, and says so", {
  start <- list(ka = 1e-30, V = 1e30, Cl = 1e30)
  fit <- suppressWarnings(fit_nlme(theo_formula(), theo, seed = 1, start = start, progress = FALSE))
  expect_equal(fit$status$code, "stalled")
  expect_false(converged(fit))
  found <- convergence(fit)
  expect_match(found$evidence, "A constant describes the outcomes better", all = FALSE)
  expect_match(found$advice[1L], "Start elsewhere")
  expect_warning(
    fit_nlme(theo_formula(), theo, seed = 1, start = start, progress = FALSE), class = "nlmers_warning_stalled"
  )
})

test_that("vem() says too that no random effect moves", {
  start <- list(ka = 1e-5, V = 1e4, Cl = 1e4)
  fit <- suppressWarnings(fit_nlme(theo_formula(), theo, vem(), seed = 1, start = start, progress = FALSE))
  expect_true(!converged(fit) || abs(-2 * (as.numeric(logLik(fit, nodes = 11)) + 172.717417)) < 0.2)
})

test_that("variances at 0 that gain nothing where a search begins are tried again where it has led", {
  start <- list(ka = 1e-6, V = 1e6, Cl = 1e3)
  fit <- fit_nlme(theo_formula(), theo, vem(), seed = 1, start = start, progress = FALSE)
  expect_true(converged(fit))
  expect_equal(as.numeric(logLik(fit, nodes = 11)), -172.717417, tolerance = 0.05 / 172)
})

test_that("warfarin from distant starts", {
  skip_on_cran()
  data <- warfarin()
  fixed <- c(ka = 1, V = 8, Cl = 0.13)
  spread <- c(omega_sd_ka = 1, omega_sd_V = 1, omega_sd_Cl = 1)
  constant <- distant_cases(fixed, spread, c(a = 1))
  expect_never_silently_wrong(distant_fits(warfarin_formula(), data, constant, -450.893878), 2)
  combined <- distant_cases(fixed, spread, c(a = 1, b = 1))
  both <- warfarin_formula(error = add_prop(a = 1, b = 1))
  expect_never_silently_wrong(distant_fits(both, data, combined, -443.150061), 2)
  for (method in both_ways) {
    expect_vem_says(distant_fits(warfarin_formula(), data, constant, -450.893878, method), 2)
    expect_vem_says(distant_fits(both, data, combined, -443.150061, method), 2)
  }
})
