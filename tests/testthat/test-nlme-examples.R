# Examples of nlme beside the maximum of the likelihood by quadrature with 25 nodes (two effects) or 51 (one), which
# data-raw/nlme_examples.R found.

expect_maximum <- function(maximum, nodes, ...) {
  for (method in list(saem(), vem())) {
    fit <- suppressWarnings(fit_nlme(..., method = method, seed = 1, progress = FALSE))
    excess <- -2 * as.numeric(logLik(fit, method = "quadrature", nodes = nodes)) - maximum
    expect_lt(abs(excess), 0.1, label = sprintf("excess of %s, %.3f", method$options$name, excess))
  }
}

asymptotic_rise <- function(x, asym, lrc, c0) asym * (1 - exp(-exp(lrc) * (x - c0)))

test_that("Loblolly: pines that differ in their asymptote", {
  skip_on_cran()
  data <- as.data.frame(datasets::Loblolly)
  data$Seed <- as.character(data$Seed)
  expect_maximum(
    229.3936, 51, height ~ Asym + (R0 - Asym) * exp(-exp(lrc) * age), data,
    start = c(Asym = 103, R0 = -8.5, lrc = -3.3), random = Asym ~ 1 | Seed, error = add(sigma = 1)
  )
})

test_that("Dialyzer: two effects and a covariate on both", {
  skip_on_cran()
  data <- as.data.frame(nlme::Dialyzer)
  data$Subject <- as.character(data$Subject)
  data$fast <- as.numeric(data$QB == 300)
  expect_maximum(
    710.4878, 25, rate ~ asymptotic_rise(pressure, Asym, lrc, c0), data, start = c(Asym = 45, lrc = 0.8, c0 = 0.2),
    random = Asym + lrc ~ 1 | Subject, error = add(sigma = 2), covariates = list(Asym ~ fast, lrc ~ fast)
  )
})

test_that("CO2: two correlated effects of twelve plants", {
  skip_on_cran()
  data <- as.data.frame(datasets::CO2)
  data$Plant <- as.character(data$Plant)
  data$mississippi <- as.numeric(data$Type == "Mississippi")
  data$chilled <- as.numeric(data$Treatment == "chilled")
  expect_maximum(
    373.6464, 25, uptake ~ asymptotic_rise(conc, Asym, lrc, c0), data, start = c(Asym = 32, lrc = -4.5, c0 = 50),
    random = Asym + lrc ~ 1 | Plant, correlated = TRUE, error = add(sigma = 2),
    covariates = Asym ~ mississippi + chilled + I(mississippi * chilled)
  )
})

test_that("Cefamandole: a proportional error and starts far away", {
  skip_on_cran()
  expect_maximum(
    444.5903, 25, conc ~ A1 * exp(-exp(lrc1) * Time) + A2 * exp(-exp(lrc2) * Time), as.data.frame(nlme::Cefamandole),
    start = c(A1 = 250, lrc1 = -2.5, A2 = 50, lrc2 = -4), random = A1 + lrc2 ~ 1 | Subject, error = prop(sigma = 0.2)
  )
})
