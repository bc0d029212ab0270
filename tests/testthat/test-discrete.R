# Discrete outcomes and events against the maximum of a likelihood integrated here.

# Minus twice the log-likelihood with one normal effect of SD `o`, by the trapezoidal
# rule over 8 SDs: `density(e, rows)` gives log densities of the subject's rows, one
# column a point.
integrated <- function(id, density, o) {
  points <- seq(-8, 8, length.out = 161L)
  weight <- log(points[2L] - points[1L]) + stats::dnorm(points, log = TRUE)
  terms <- vapply(points * o, density, double(length(id)))
  each <- rowsum(terms, id) + rep(weight, each = length(unique(id)))
  largest <- apply(each, 1L, max)
  -2 * sum(largest + log(rowSums(exp(each - largest))))
}

excess <- function(fit, value) {
  estimate <- fit$parameters$transformed
  best <- stats::optim(estimate, value, method = "BFGS", control = list(reltol = 1e-12))
  value(estimate) - best$value
}

test_that("a binary outcome reaches the maximum", {
  model <- nlme_model(
    fixed(a = -0.5, b = 0.8, o = positive(1)), random(e ~ normal(0, o) | id), {
      y ~ bernoulli(plogis(a + b * x + e))
    }
  )
  data <- simulate(model, data = gallery_data(80, 8), seed = 4)
  fit <- fit_nlme(model, data, seed = 1)
  expect_lt(excess(fit, function(p) {
    integrated(data$id, function(e) {
      stats::dbinom(data$y, 1, plogis(p[1L] + p[2L] * data$x + e), log = TRUE)
    }, exp(p[3L]))
  }), 0.1)
})

test_that("an ordinal outcome reaches the maximum", {
  model <- nlme_model(
    fixed(b = 0.8, c1 = -1, gap = positive(1.5), o = positive(1)), random(e ~ normal(0, o) | id), {
      y ~ ordered(b * x + e, c(c1, c1 + gap))
    }
  )
  data <- simulate(model, data = gallery_data(80, 8), seed = 4)
  fit <- fit_nlme(model, data, seed = 1)
  expect_lt(excess(fit, function(p) {
    integrated(data$id, function(e) {
      f <- p[1L] * data$x + e
      below <- cbind(0, plogis(p[2L] - f), plogis(p[2L] + exp(p[3L]) - f), 1)
      log(below[cbind(seq_along(f), data$y + 1)] - below[cbind(seq_along(f), data$y)])
    }, exp(p[4L]))
  }), 0.1)
})

test_that("repeated events with a Weibull hazard reach the maximum", {
  set.seed(6)
  rows <- lapply(1:80, function(id) {
    scale <- exp(1 + stats::rnorm(1, 0, 0.5))
    # Times of a process with cumulative hazard (t / scale)^1.4, seen until time 6.
    times <- scale * cumsum(stats::rexp(50))^(1 / 1.4)
    times <- times[times < 6]
    data.frame(id = id, time = c(times, 6), y = c(rep(1, length(times)), 0))
  })
  data <- do.call(rbind, rows)
  model <- nlme_model(
    fixed(l = 0.5, k = positive(1), o = positive(0.4)), random(e ~ normal(0, o) | id), {
      scale <- exp(l + e)
      y ~ event(k / scale * (t / scale)^(k - 1))
    }
  )
  fit <- fit_nlme(model, data, seed = 1)
  before <- c(0, data$time[-nrow(data)]) * (data$id == c(0, data$id[-nrow(data)]))
  expect_lt(excess(fit, function(p) {
    integrated(data$id, function(e) {
      k <- exp(p[2L])
      scale <- exp(p[1L] + e)
      data$y * log(k / scale * (data$time / scale)^(k - 1)) -
        ((data$time / scale)^k - (before / scale)^k)
    }, exp(p[3L]))
  }), 0.1)
  expect_equal(unname(fixef(fit)), c(1, 1.4), tolerance = 0.15)
})

test_that("counts of seizures reach the maximum", {
  skip_if_not_installed("MASS")
  data <- MASS::epil
  model <- nlme_model(
    fixed(a = 1.5, b = 0.5, o = positive(0.5)), random(e ~ normal(0, o) | subject), {
      y ~ poisson(exp(a + b * lbase + e))
    }
  )
  fit <- fit_nlme(model, data, seed = 1)
  expect_lt(excess(fit, function(p) {
    integrated(data$subject, function(e) {
      stats::dpois(data$y, exp(p[1L] + p[2L] * data$lbase + e), log = TRUE)
    }, exp(p[3L]))
  }), 0.1)
})
