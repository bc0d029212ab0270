# SDs of random effects that depend on covariates of their level.

spread_data <- local({
  set.seed(1)
  n <- 40
  d <- expand.grid(time = 0:4, id = seq_len(n))
  x <- stats::rnorm(n)
  d$x <- x[d$id]
  d$sex <- c("F", "M")[1 + d$id %% 2]
  by_sex <- stats::rnorm(n, 0, c(0.5, 1.5)[1 + seq_len(n) %% 2])
  by_x <- stats::rnorm(n, 0, 0.8 * exp(0.5 * x))
  d$y_sex <- 5 - d$time + by_sex[d$id] + stats::rnorm(nrow(d), 0, 0.5)
  d$y_x <- 5 - d$time + by_x[d$id] + stats::rnorm(nrow(d), 0, 0.5)
  d
})

# Normal rows with an effect of SD `sd[row]` of their subject.
exact_spread <- function(d, y, mean, s, sd) {
  sum(vapply(split(seq_len(nrow(d)), d$id), function(r) {
    mvtnorm::dmvnorm(d[[y]][r], mean[r], sd[r[1L]]^2 + diag(s^2, length(r)), log = TRUE)
  }, 0))
}

best_of <- function(f, start) {
  stats::optim(start, function(p) -f(p), method = "BFGS", hessian = TRUE, control = list(reltol = 1e-13))
}

by_sex_model <- nlme_model(
  fixed(a = 5, b = -1, wf = positive(1), wm = positive(1), s = positive(0.5)),
  covariates(sex = factor(levels = c("F", "M"))),
  random(eta ~ normal(0, ifelse(sex == "F", wf, wm)) | id),
  y_sex ~ normal(a + b * time + eta, s)
)

by_x_model <- nlme_model(
  fixed(a = 5, b = -1, w = positive(1), g = 0, s = positive(0.5)),
  random(eta ~ normal(0, w * exp(g * x)) | id),
  y_x ~ normal(a + b * time + eta, s)
)

test_that("SDs that depend on a covariate reach the exact maximum by both estimators", {
  skip_if_not_installed("mvtnorm")
  d <- spread_data
  by_sex <- best_of(function(p) {
    exact_spread(d, "y_sex", p[1] + p[2] * d$time, exp(p[5]), exp(ifelse(d$sex == "F", p[3], p[4])))
  }, c(5, -1, 0, 0, -0.7))
  by_x <- best_of(function(p) {
    exact_spread(d, "y_x", p[1] + p[2] * d$time, exp(p[5]), exp(p[3] + p[4] * d$x))
  }, c(5, -1, 0, 0, -0.7))
  scales <- list(c(1, 1, exp(by_sex$par[3:5])), c(1, 1, exp(by_x$par[3]), 1, exp(by_x$par[5])))
  for (method in list(saem(), vem())) {
    fits <- list(fit_nlme(by_sex_model, d, method, seed = 1), fit_nlme(by_x_model, d, method, seed = 1))
    for (k in 1:2) {
      best <- list(by_sex, by_x)[[k]]
      expect_true(converged(fits[[k]]))
      expect_equal(as.numeric(logLik(fits[[k]])), -best$value, tolerance = 0.02 / abs(best$value))
      se <- sqrt(diag(solve(best$hessian))) * scales[[k]]
      expect_equal(unname(sqrt(diag(vcov(fits[[k]])))), se, tolerance = 0.05)
      # Linear in its effects: the linearized model is the model.
      expect_equal(as.numeric(logLik(fits[[k]], method = "linear")), -best$value, tolerance = 0.02 / abs(best$value))
    }
  }
})

test_that("effects and their variability are told on the scale on which they are written", {
  skip_if_not_installed("mvtnorm")
  d <- spread_data
  values <- list(a = 5.1, b = -1, wf = 0.4, wm = 1.3, s = 0.5)
  at <- evaluate_nlme(by_sex_model, d, start = values)
  own <- split(d, d$id)
  blup <- vapply(own, function(r) {
    sd <- if (r$sex[1L] == "F") 0.4 else 1.3
    v <- sd^2 + diag(0.5^2, nrow(r))
    sum(sd^2 * solve(v, r$y_sex - 5.1 + r$time))
  }, 0)
  expect_equal(ranef(at)$eta, unname(blup), tolerance = 1e-4)
  table <- VarCorr(at)
  share <- mean(vapply(own, function(r) r$sex[1L] == "F", NA))
  expect_equal(table$variance, share * 0.4^2 + (1 - share) * 1.3^2, tolerance = 1e-6)
  spread <- attr(table, "by_level")
  expect_equal(spread[c("effect", "depends_on")], data.frame(effect = "eta", depends_on = "sex"))
  expect_equal(c(spread$lowest, spread$highest), c(0.4, 1.3), tolerance = 1e-6)
  expect_output(print(table), "SD of `eta` depends on `sex`: 0.4000 to 1.300", fixed = TRUE)
  many <- data.frame(time = 0, id = 1:4000, sex = c("F", "M"))
  drawn <- simulate(by_sex_model, data = many, start = list(wf = 0.3, wm = 2, s = 1e-6), seed = 1)
  expect_equal(stats::sd(drawn$y_sex[drawn$id %% 2 == 1]), 0.3, tolerance = 0.05)
  expect_equal(stats::sd(drawn$y_sex[drawn$id %% 2 == 0]), 2, tolerance = 0.05)
})

test_that("lognormal effects and diagonal covariances are the scaled effects they stand for", {
  set.seed(2)
  n <- 30
  d <- expand.grid(time = c(0.5, 1, 2, 4, 8), id = seq_len(n))
  x <- stats::rnorm(n)
  d$x <- x[d$id]
  k <- exp(-1 + stats::rnorm(n, 0, 0.3 * exp(0.4 * x)))
  v <- exp(2 + stats::rnorm(n, 0, 0.2))
  d$y <- 100 / v[d$id] * exp(-k[d$id] * d$time) + stats::rnorm(nrow(d), 0, 0.4)
  build <- function(random, code) {
    eval(bquote(nlme_model(
      fixed(lk = -1, lv = 2, w = positive(0.3), g = 0.3, u = positive(0.2), s = positive(0.4)), .(random), .(code)
    )))
  }
  models <- list(
    build(quote(random(k ~ lognormal(lk, w * exp(g * x)) | id, v ~ lognormal(lv, u) | id)), quote({
      y ~ normal(100 / v * exp(-k * time), s)
    })),
    build(quote(random(e ~ mvnormal(c(lk, lv), diag(c(w^2 * exp(2 * g * x), u^2))) | id)), quote({
      y ~ normal(100 / exp(e[2]) * exp(-exp(e[1]) * time), s)
    }))
  )
  # The same by a sum over a fine grid of both effects.
  z <- seq(-6, 6, length.out = 121)
  weight <- outer(stats::dnorm(z), stats::dnorm(z))
  weight <- weight / sum(weight)
  exact <- sum(vapply(split(d, d$id), function(own) {
    at <- outer(z, z, Vectorize(function(zk, zv) {
      rate <- exp(-1 + 0.3 * exp(0.3 * own$x[1L]) * zk)
      prod(stats::dnorm(own$y, 100 / exp(2 + 0.2 * zv) * exp(-rate * own$time), 0.4))
    }))
    log(sum(weight * at))
  }, 0))
  for (model in models) {
    here <- evaluate_nlme(model, d)
    expect_equal(as.numeric(logLik(here)), exact, tolerance = 0.02 / abs(exact))
    fit <- fit_nlme(model, d, saem(), seed = 1)
    expect_true(converged(fit))
    expect_identical(nrow(attr(VarCorr(fit), "by_level")), 1L)
  }
})

test_that("a covariance that depends on a covariate, and a covariate that varies in its level, are refused", {
  two <- function(random) {
    eval(bquote(nlme_model(
      fixed(a = 1, g = 0.1, w = positive(1), s = positive(1)), .(random), y_x ~ normal(a + e1 + e2, s)
    )))
  }
  full <- quote(random(c(e1, e2) ~ mvnormal(c(0, 0), rbind(c(exp(g * x), 0.1), c(0.1, w))) | id))
  error <- expect_error(fit_nlme(two(full), spread_data, saem()), class = "nlmers_error_data")
  expect_identical(error$reason, "varying_covariance")
  expect_match(conditionMessage(error), "eta1 <- exp(slope * x) * z[1]", fixed = TRUE)
  varying <- quote(random(e1 ~ normal(0, exp(g * time)) | id, e2 ~ normal(0, w) | id))
  error <- expect_error(fit_nlme(two(varying), spread_data, saem()), class = "nlmers_error_data")
  expect_identical(error$reason, "varying_covariate")
  fit <- fit_nlme(by_x_model, spread_data, vem(), seed = 1)
  expect_error(vcov(fit, method = "linear"), "one SD for all levels: that of `eta` depends on a covariate")
})
