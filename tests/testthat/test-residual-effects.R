# Random effects on residual errors, `y ~ normal(f, s * exp(es))`.

test_that("effects on the residual SD reach the exact maximum, with its standard errors", {
  model <- nlme_model(
    fixed(a = 5, b = -1, w = positive(1), v = positive(0.3), s = positive(0.5)),
    random(eta ~ normal(0, w) | id, es ~ normal(0, v) | id),
    y ~ normal(a + b * time + eta, s * exp(es))
  )
  z <- seq(-6, 6, length.out = 81)
  weight <- stats::dnorm(z, log = TRUE) - log(sum(stats::dnorm(z)))
  # Normal in eta at each value of es, which a fine grid sums over.
  exact <- function(d, p) {
    w2 <- exp(2 * p[3])
    s2 <- exp(2 * (p[5] + exp(p[4]) * z))
    sum(vapply(split(d$y - p[1] - p[2] * d$time, d$id), function(r) {
      n <- length(r)
      whole <- s2 + n * w2
      terms <- weight - n / 2 * log(2 * pi) - ((n - 1) * log(s2) + log(whole)) / 2 -
        (sum(r^2) / s2 - w2 * sum(r)^2 / (s2 * whole)) / 2
      max(terms) + log(sum(exp(terms - max(terms))))
    }, 0))
  }
  designs <- list(c(n = 30, times = 8, v = 0.4), c(n = 20, times = 12, v = 0.6))
  for (k in seq_along(designs)) {
    design <- designs[[k]]
    set.seed(k)
    n <- design[["n"]]
    d <- expand.grid(time = seq(0, 4, length.out = design[["times"]]), id = seq_len(n))
    d$y <- 5 - d$time + stats::rnorm(n)[d$id] +
      stats::rnorm(nrow(d), 0, 0.5 * exp(stats::rnorm(n, 0, design[["v"]])[d$id]))
    best <- stats::optim(c(5, -1, 0, -1, -0.7), function(p) -exact(d, p), method = "BFGS", hessian = TRUE)
    se <- sqrt(diag(solve(best$hessian))) * c(1, 1, exp(best$par[3:5]))
    for (method in list(saem(), vem())) {
      fit <- fit_nlme(model, d, method, seed = 1)
      expect_true(converged(fit))
      expect_gt(exact(d, fit$parameters$transformed), -best$value - 0.02)
      expect_equal(unname(sqrt(diag(vcov(fit)))), se, tolerance = 0.06)
    }
  }
})
