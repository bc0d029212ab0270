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

# A table of the starts: how far from the maximum a fit ended, and what it says of itself.
distant_fits <- function(model, data, cases, maximum, nodes = 11) {
  rows <- lapply(names(cases), function(name) {
    fit <- suppressWarnings(fit_nlme(
      model, data, seed = 1, start = as.list(cases[[name]]), method = saem(nodes = nodes), progress = FALSE
    ))
    data.frame(
      start = name, status = fit$status$code, excess = -2 * (as.numeric(logLik(fit)) - maximum)
    )
  })
  do.call(rbind, rows)
}

expect_never_silently_wrong <- function(table, most_flagged) {
  flagged <- table$status != "converged"
  expect_true(all(flagged | abs(table$excess) < 0.2), label = paste(
    table$start[!flagged & !(abs(table$excess) < 0.2)], collapse = ", "
  ))
  expect_lte(sum(flagged), most_flagged)
}

test_that("theophylline from distant starts", {
  cases <- distant_cases(
    c(ka = 1, V = 20, Cl = 0.5), c(omega_sd_ka = 1, omega_sd_V = 1, omega_sd_Cl = 1), c(a = 1)
  )
  expect_never_silently_wrong(distant_fits(theo_formula(), theo, cases, -172.717417), 2)
})

test_that("where no random effect moves a fit has stalled, and says so", {
  start <- list(ka = 1e-5, V = 1e4, Cl = 1e4)
  fit <- suppressWarnings(fit_nlme(theo_formula(), theo, seed = 1, start = start, progress = FALSE))
  expect_equal(fit$status$code, "stalled")
  expect_false(converged(fit))
  found <- convergence(fit)
  expect_match(found$evidence, "No random effect moves from its mean", all = FALSE)
  expect_match(found$advice[1L], "Start elsewhere")
  expect_warning(
    fit_nlme(theo_formula(), theo, seed = 1, start = start, progress = FALSE), class = "nlmers_warning_stalled"
  )
})

test_that("warfarin from distant starts", {
  skip_on_cran()
  folder <- Sys.getenv("NLMERS_SHARED")
  file <- file.path(folder, "reference", "data", "warfarin_cp.csv")
  skip_if_not(nzchar(folder) && file.exists(file), "warfarin data")
  data <- utils::read.csv(file)
  model <- function(...) {
    nlme_formula(
      dv ~ one_compartment(dose, time, ka, V, Cl), start = c(ka = 1, V = 8, Cl = 0.13),
      transform = "log", random = ka + V + Cl ~ 1 | id, ...
    )
  }
  fixed <- c(ka = 1, V = 8, Cl = 0.13)
  spread <- c(omega_sd_ka = 1, omega_sd_V = 1, omega_sd_Cl = 1)
  constant <- distant_fits(model(), data, distant_cases(fixed, spread, c(a = 1)), -450.893878)
  expect_never_silently_wrong(constant, 2)
  combined <- distant_fits(
    model(error = add_prop(a = 1, b = 1)), data, distant_cases(fixed, spread, c(a = 1, b = 1)), -443.152
  )
  expect_never_silently_wrong(combined, 2)
})
