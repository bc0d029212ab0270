# Every family, parameter type, grouping and covariate against the same density in R.

start_list <- function(model) {
  parameters <- model$described$parameters
  split(parameters$start, factor(parameters$base, unique(parameters$base)))
}

# Effects of every level: draws, so that they are values of their distributions.
some_effects <- function(case, seed) {
  set.seed(seed)
  lapply(seq_along(case$groups), function(g) {
    levels <- length(unique(case$groups[[g]]))
    effects <- case$model$described$groups
    width <- sum(effects == unique(effects)[g])
    # In (0, 1), where every family has values.
    matrix(0.2 + 0.6 * stats::runif(levels * width), levels)
  })
}

by_row <- function(case, effects) {
  rows <- lapply(seq_along(effects), function(g) {
    code <- match(case$groups[[g]], sort(unique(case$groups[[g]])))
    effects[[g]][code, , drop = FALSE]
  })
  if (length(rows) == 1L) rows[[1L]] else rows
}

written_again <- function(case, data, effects, parameters) {
  densities <- if (is.function(case$effects)) list(case$effects) else case$effects
  list(
    outcome = case$outcome(data, by_row(case, effects), parameters),
    effects = unname(Map(function(density, e) density(e, parameters), densities, effects))
  )
}

test_that("densities equal those of R", {
  skip_if_not_installed("mvtnorm")
  gallery <- whole_gallery()
  for (name in names(gallery)) {
    case <- gallery[[name]]
    data <- if (name == "custom") transform(case$data, y = x) else simulate(case$model, data = case$data, seed = 1)
    parameters <- start_list(case$model)
    effects <- some_effects(case, 1)
    got <- nlmers:::complete_log_density(case$model, data, random = effects)
    expected <- written_again(case, data, effects, parameters)
    scale <- pmax(abs(expected$outcome), 1)
    expect_lt(max(abs(got$value[, 1L] - expected$outcome) / scale), 1e-10, label = paste(name, "outcome"))
    for (g in seq_along(effects)) {
      expect_equal(got$effects[[g]], expected$effects[[g]], tolerance = 1e-10, label = paste(name, "effects"))
    }
  }
})

test_that("gradients equal finite differences", {
  gallery <- whole_gallery()
  for (name in names(gallery)) {
    case <- gallery[[name]]
    # Few levels: each is moved for itself.
    data <- if (name == "custom") transform(case$data, y = x) else simulate(case$model, data = case$data, seed = 2)
    effects <- some_effects(case, 2)
    total <- function(effects) nlmers:::complete_log_density(case$model, data, random = effects)$total
    gradient <- nlmers:::complete_log_density(case$model, data, random = effects)$gradient
    for (g in seq_along(effects)) {
      for (k in seq_len(ncol(effects[[g]]))) {
        moved <- function(h) {
          effects[[g]][3L, k] <- effects[[g]][3L, k] + h
          total(effects)
        }
        h <- 1e-4
        slope <- (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h)
        expect_lt(abs(gradient[[g]][3L, k] - slope) / max(abs(slope), 1), 1e-6, label = paste(name, g, k))
      }
    }
  }
})
