# Ten seeds with default settings against the exact maximum of the likelihood:
# minus twice the log-likelihood at the estimate, computed with the same number of
# quadrature nodes, exceeds that at the maximum by little.
#
# The maxima were found by adaptive Gauss-Hermite quadrature and a quasi-Newton
# optimizer. The warfarin data are read from the folder named in NLMERS_SHARED.

source("../testthat/setup-models.R", local = TRUE)

excess <- function(model, data, maximum, nodes, seeds = 1:10) {
  vapply(seeds, function(seed) {
    fit <- fit_nlme(model, data, seed = seed, progress = FALSE)
    -2 * (as.numeric(logLik(fit, nodes = nodes)) - maximum)
  }, 0)
}

expect_near_maximum <- function(values, mean, worst) {
  cat(sprintf("\nexcess of -2LL: mean %.4f, worst %.4f\n", base::mean(values), max(values)))
  expect_lte(base::mean(values), mean)
  expect_lte(max(values), worst)
}

warfarin <- function() {
  folder <- Sys.getenv("NLMERS_SHARED")
  file <- file.path(folder, "reference", "data", "warfarin_cp.csv")
  skip_if_not(nzchar(folder) && file.exists(file), "warfarin data")
  utils::read.csv(file)
}

warfarin_formula <- function(...) {
  nlme_formula(
    dv ~ one_compartment(dose, time, ka, V, Cl), start = c(ka = 1, V = 8, Cl = 0.13),
    transform = "log", random = ka + V + Cl ~ 1 | id, ...
  )
}

test_that("theophylline", {
  expect_near_maximum(excess(theo_formula(), theo, -172.718120910676, 7), 0.03, 0.10)
})

test_that("theophylline in blocks", {
  expect_near_maximum(excess(theo_blocks(), theo, -172.718120910676, 7), 0.03, 0.10)
})

test_that("theophylline with weight on clearance", {
  model <- theo_formula(covariates = Cl ~ Wt)
  expect_near_maximum(excess(model, theo, -172.374001839154, 7), 0.03, 0.10)
})

test_that("warfarin with constant error", {
  expect_near_maximum(excess(warfarin_formula(), warfarin(), -450.916556940179, 7), 0.03, 0.10)
})

test_that("warfarin with combined error", {
  model <- warfarin_formula(error = add_prop(a = 1, b = 1))
  expect_near_maximum(excess(model, warfarin(), -443.176898263957, 7), 0.03, 0.10)
})

test_that("orange trees", {
  softplus <- function(u) ifelse(u > 20, u, log1p(exp(u)))
  model <- nlme_model(
    fixed(phi1 = 30, log_vmax = 5, phi3 = 700, omega_sd = positive(0.3), sigma = positive(0.3)),
    random(v ~ lognormal(log_vmax, omega_sd) | Tree),
    {
      size <- phi1 + (v - phi1) / (1 + exp(-(age - phi3) / 100))
      circumference ~ lognormal(log(softplus(size) + 1e-6), sigma)
    }
  )
  expect_near_maximum(excess(model, orange, -140.185758, 25), 0.03, 0.10)
})

test_that("growth of Oxford boys", {
  model <- nlme_formula(
    height ~ base + slope * age, start = c(base = 140, slope = 1),
    random = base + slope ~ 1 | Subject, correlated = TRUE
  )
  values <- excess(model, as.data.frame(nlme::Oxboys), -362.983844550387, 3)
  expect_near_maximum(values, 0.05, 0.05)
})

test_that("seizure counts", {
  values <- excess(counts(), MASS::epil, -701.093673400881, 15)
  expect_near_maximum(values, 0.05, 0.05)
})
