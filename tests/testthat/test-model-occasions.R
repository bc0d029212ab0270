# Effects of occasions in models with equations.

by_occasions <- nlme_model(
  fixed(a = 3, w = positive(0.5), v = positive(0.3), s = positive(0.4)),
  random(eta ~ normal(0, w) | id, kappa ~ normal(0, v) | id:occ),
  {
    d/dt(x) <- -0.1 * x
    x(0) <- 10
    y ~ normal(x + a + eta + kappa, s)
  }
)

# Unbalanced: three occasions, some of which some subjects do not have.
visits <- local({
  set.seed(4)
  d <- expand.grid(t = c(0, 1, 3), occ = c(1, 2, 5), id = 1:6)
  d <- d[!(d$id %in% c(2, 5) & d$occ == 2) & !(d$id == 6 & d$occ == 5), ]
  d$time <- d$t + 10 * d$occ
  d$y <- 10 * exp(-0.1 * d$time) + 3 + stats::rnorm(6, 0, 0.6)[d$id] +
    matrix(stats::rnorm(30, 0, 0.4), 6)[cbind(d$id, d$occ)] + stats::rnorm(nrow(d), 0, 0.4)
  d
})

exact <- function(data, p) {
  sum(vapply(split(data, data$id), function(own) {
    same <- outer(own$occ, own$occ, "==")
    sigma <- p$w^2 + p$v^2 * same + diag(p$s^2, nrow(own))
    r <- chol(sigma)
    z <- backsolve(r, own$y - 10 * exp(-0.1 * own$time) - p$a, transpose = TRUE)
    -sum(z^2) / 2 - sum(log(diag(r))) - nrow(own) * log(2 * pi) / 2
  }, 0))
}

test_that("the likelihood is that of one effect an occasion, whatever occasions a subject has", {
  p <- list(a = 2.5, w = 0.7, v = 0.5, s = 0.45)
  here <- evaluate_nlme(by_occasions, visits, start = p)
  expect_equal(as.numeric(logLik(here)), exact(visits, p), tolerance = 1e-4)
  texts <- transform(visits, occ = c("first", "second", "", "", "last")[occ])
  expect_equal(as.numeric(logLik(evaluate_nlme(by_occasions, texts, start = p))), exact(visits, p), tolerance = 1e-4)
})

test_that("a fit reaches the exact maximum, and its effects are named by occasion", {
  fit <- fit_nlme(by_occasions, visits, vem(), seed = 1)
  expect_true(converged(fit))
  best <- stats::optim(c(3, log(c(0.5, 0.3, 0.4))), function(x) {
    -exact(visits, list(a = x[1], w = exp(x[2]), v = exp(x[3]), s = exp(x[4])))
  }, method = "BFGS", control = list(reltol = 1e-12))
  expect_equal(as.numeric(logLik(fit)), -best$value, tolerance = 0.02 / abs(best$value))
  expect_setequal(names(ranef(fit)), c("eta", "kappa.1", "kappa.2", "kappa.5"))
  # In another occasion there is no effect of it.
  new <- data.frame(id = 1, occ = 9, time = 4, y = NA)
  expected <- 10 * exp(-0.4) + unname(fixef(fit)["a"]) + ranef(fit)["1", "eta"]
  expect_equal(as.numeric(predict(fit, newdata = new)), expected, tolerance = 1e-4)
})

test_that("occasions are drawn each for itself", {
  many <- expand.grid(time = c(1, 2), occ = 1:2, id = 1:400)
  many$time <- many$time + 5 * many$occ
  drawn <- simulate(by_occasions, data = many, seed = 1, start = list(s = 1e-6, v = 1, w = 1e-6))
  at <- drawn$y - 10 * exp(-0.1 * drawn$time) - 3
  first <- at[drawn$occ == 1 & drawn$time == 6]
  second <- at[drawn$occ == 2 & drawn$time == 11]
  expect_equal(c(stats::sd(first), stats::sd(second)), c(1, 1), tolerance = 0.1)
  expect_lt(abs(stats::cor(first, second)), 0.15)
  expect_equal(first, at[drawn$occ == 1 & drawn$time == 7], tolerance = 1e-3)
})
