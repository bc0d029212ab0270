truth <- function(x) 3 * x^3 / (1 + x^3)

emax_data <- function() {
  set.seed(11)
  data <- expand.grid(x = seq(0, 3, length.out = 12), id = 1:25)
  data$y <- truth(data$x) + rnorm(25, 0, 0.3)[data$id] + rnorm(nrow(data), 0, 0.15)
  data
}

emax_model <- nlme_model(
  fixed(f = network(1, 5, seed = 2), omega = positive(0.5), sigma = positive(0.5)),
  random(eta ~ normal(0, omega) | id),
  y ~ normal(f(x) + eta, sigma)
)
emax_fit <- fit_nlme(emax_model, emax_data(), seed = 1)

# Mean squared error over the visited range as a part of the variance of the truth, up to a constant that effects share.
learned_error <- function(fit, truth, name = NULL) {
  found <- learned(fit, name)
  miss <- found$value - truth(found$x)
  mean((miss - mean(miss))^2) / stats::var(truth(found$x))
}

test_that("a curve is learned by a network, by either estimator", {
  expect_true(converged(emax_fit))
  expect_lt(learned_error(emax_fit, truth), 0.01)
  expect_equal(unname(sigma(emax_fit)), 0.15, tolerance = 0.1)
  fit <- fit_nlme(emax_model, emax_data(), vem(), seed = 1)
  expect_lt(learned_error(fit, truth), 0.01)
})

test_that("a rate that changes with time is learned by a spline", {
  set.seed(3)
  rate <- function(t) 1.2 * exp(-((t - 4) / 2)^2) + 0.1
  data <- expand.grid(t = seq(0, 10, by = 0.5), id = 1:20)
  steps <- seq(0, 10, by = 0.001)
  amount <- Reduce(function(a, t) a + 0.001 * (rate(t) - 0.3 * a), steps[-1L], 0, accumulate = TRUE)
  data$y <- stats::approx(steps, amount, data$t)$y * exp(rnorm(20, 0, 0.2))[data$id] + rnorm(nrow(data), 0, 0.03)
  model <- nlme_model(
    fixed(r = spline(seq(0, 10, by = 2), clamp = TRUE), omega = positive(0.3), sigma = positive(0.1)),
    random(eta ~ normal(0, omega) | id),
    {
      d/dt(a) <- r(t) - 0.3 * a
      y ~ normal(a * exp(eta), sigma)
    }
  )
  for (method in list(saem(), vem())) {
    fit <- fit_nlme(model, data, method, seed = 1)
    expect_true(converged(fit))
    found <- learned(fit, newdata = seq(0.5, 9.5, by = 0.25))
    scale <- stats::coef(stats::lm(rate(found$x) ~ found$value - 1))
    expect_lt(mean((scale * found$value - rate(found$x))^2) / stats::var(rate(found$x)), 0.05)
  }
})

test_that("a covariate model by a network finds what is there, and nothing where nothing is", {
  simulated <- function(seed, size) {
    set.seed(seed)
    data <- expand.grid(time = c(0.5, 1, 2, 4, 8, 12), id = 1:150)
    covariates <- matrix(stats::runif(300, -1, 1), 150)
    data$wt <- covariates[data$id, 1L]
    data$age <- covariates[data$id, 2L]
    lcl <- size * (sin(3 * covariates[, 1L]) * (covariates[, 2L] > 0)) + rnorm(150, 0, 0.15)
    data$y <- 10 * exp(-exp(-1.5 + lcl[data$id]) * data$time) + rnorm(nrow(data), 0, 0.3)
    data
  }
  network <- nlme_model(
    fixed(lcl = -1.5, g = network(2, 8, zero_last = TRUE), omega = positive(0.3), s = positive(0.5)),
    random(eta ~ normal(lcl + g(wt, age), omega) | id), y ~ normal(10 * exp(-exp(eta) * time), s)
  )
  linear <- nlme_model(
    fixed(lcl = -1.5, b = c(0, 0), omega = positive(0.3), s = positive(0.5)),
    random(eta ~ normal(lcl + b[1] * wt + b[2] * age, omega) | id), y ~ normal(10 * exp(-exp(eta) * time), s)
  )
  held_out <- function(model) {
    fit <- fit_nlme(model, simulated(1, 0.6), seed = 1)
    -2 * as.numeric(logLik(evaluate_nlme(model, simulated(2, 0.6), start_from = fit, seed = 1)))
  }
  expect_lt(held_out(network), held_out(linear) - 10)
  fit <- fit_nlme(network, simulated(3, 0), saem(penalty = c(g = 5)), seed = 1)
  grid <- expand.grid(seq(-1, 1, by = 0.25), seq(-1, 1, by = 0.25))
  expect_lt(stats::sd(learned(fit, newdata = grid)$value), 0.05)
  expect_match(caught(fit_nlme(linear, simulated(1, 0.6), saem(penalty = c(b = 1)), seed = 1))$message, "does not move")
  expect_match(caught(saem(penalty = c(g = 1), optimizer = adam()))$message, "no effect")
})

test_that("effects with two humps are learned by a planar flow", {
  set.seed(4)
  z <- ifelse(stats::runif(200) < 0.35, rnorm(200, -1.2, 0.25), rnorm(200, 0.8, 0.45))
  data <- expand.grid(x = (1:6) / 2, id = 1:200)
  data$y <- z[data$id] + 0.5 * data$x + rnorm(nrow(data), 0, 0.3)
  flow <- nlme_model(
    fixed(m = 0, b = 0.3, f = planar_flow(1, 4), om = positive(1), s = positive(0.5)),
    random(eta ~ planar_flow(f) | id), y ~ normal(m + om * eta + b * x, s)
  )
  normal <- nlme_model(
    fixed(m = 0, b = 0.3, om = positive(1), s = positive(0.5)), random(eta ~ normal(m, om) | id),
    y ~ normal(eta + b * x, s)
  )
  plain <- as.numeric(logLik(fit_nlme(normal, data, seed = 1)))
  for (method in list(saem(), vem())) {
    fit <- fit_nlme(flow, data, method, seed = 1)
    expect_gt(2 * (as.numeric(logLik(fit)) - plain), 20)
    expect_equal(fixef(fit)[["b"]], 0.5, tolerance = 0.06)
  }
  fit <- fit_nlme(flow, data, seed = 1)
  drawn <- simulate(fit, 1, seed = 2, newdata = data.frame(id = 1:4000, x = 0, y = 0))$y
  wanted <- stats::quantile(z[rep(1:200, 20)] + rnorm(4000, 0, 0.3), c(0.1, 0.25, 0.75, 0.9))
  expect_lt(max(abs(stats::quantile(drawn, c(0.1, 0.25, 0.75, 0.9)) - wanted)), 0.15 * diff(range(wanted)))
})

test_that("a fit tells its functions, not their weights", {
  shown <- paste(utils::capture.output(print(emax_fit)), collapse = "\n")
  expect_match(shown, "f: network 1-5-1, 16 weights", fixed = TRUE)
  expect_no_match(shown, "f[1]", fixed = TRUE)
  expect_no_match(paste(utils::capture.output(print(summary(emax_fit))), collapse = "\n"), "f[1]", fixed = TRUE)
  expect_length(fixef(emax_fit)$f, 16L)
  expect_identical(fixef(emax_fit)$f, unname(emax_fit$parameters$natural[emax_fit$parameters$base == "f"]))
  expect_match(utils::capture.output(print(fixef(emax_fit))), "16 weights")
  expect_equal(colnames(vcov(emax_fit)), c("omega", "sigma"))
  expect_match(paste(convergence(emax_fit)$evidence, collapse = " "), "weights of `f` followed gradients")
  weights <- health(emax_fit)[health(emax_fit)$check == "weights", ]
  expect_equal(weights[c("value", "status")], data.frame(value = 16 / 300, status = "ok"), ignore_attr = TRUE)
})

test_that("values of a function are those of its weights, and new fits start at them", {
  w <- fixef(emax_fit)$f
  x <- c(0, 0.7, 2)
  by_hand <- vapply(x, function(x) sum(w[11:15] * tanh(w[1:5] * x + w[6:10])) + w[16], 0)
  expect_equal(learned(emax_fit, "f", x)$value, by_hand, tolerance = 1e-12)
  expect_equal(predict(emax_fit, data.frame(x = x), level = 0), by_hand, tolerance = 1e-12)
  path <- withr::local_tempfile()
  saveRDS(emax_fit, path)
  expect_equal(learned(readRDS(path), newdata = x)$value, by_hand, tolerance = 1e-12)
  again <- suppressMessages(evaluate_nlme(emax_model, emax_data(), start_from = emax_fit, seed = 1))
  expect_equal(logLik(again)[[1L]], logLik(emax_fit)[[1L]], tolerance = 1e-6)
  expect_equal(caught(learned(emax_fit, "g"))$reason, "unknown_function")
  expect_equal(caught(learned(emax_fit, newdata = data.frame(a = 1, b = 2)))$name, "newdata")
  expect_match(caught(learned(fit_orange(method = short_saem(), seed = 1)))$message, "no learned function")
})

test_that("curves are drawn over what the data visited, with the spread of the subjects where weights are theirs", {
  model <- nlme_model(
    fixed(f = soft_tree(1, 1), sigma = positive(0.5)),
    random(w ~ mvnormal(f, diag(0.1, length(f))) | id),
    y ~ normal(f(x, weights = w), sigma)
  )
  fit <- fit_nlme(model, emax_data(), saem(maxiters = 60, polish = FALSE, log_lik = FALSE), seed = 1) |>
    suppressWarnings()
  data <- plot_data(fit, "learned")
  expect_equal(range(data$x[data$series == "curve"]), c(0, 3))
  expect_equal(sort(data$x[data$series == "visited"]), seq(0, 3, length.out = 12))
  curve <- data[data$series == "curve", ]
  expect_true(all(curve$lower <= curve$upper))
  expect_gt(mean(curve$lower <= curve$value & curve$value <= curve$upper), 0.8)
  expect_s3_class(plot(fit, type = "learned"), "ggplot")
  expect_equal(levels(plot_data(emax_fit, "trace")$parameter), c("omega", "sigma"))
})

test_that("a function without random effects is trained by maximum likelihood", {
  data <- emax_data()[1:12, ]
  data$y <- truth(data$x) + 0.02 * (-1)^(1:12)
  model <- nlme_model(fixed(f = network(1, 3, seed = 4), s = positive(0.3)), y ~ normal(f(x), s))
  fit <- suppressWarnings(fit_nlme(model, data, saem(penalty = c(f = 0.1)), seed = 1))
  expect_lt(learned_error(fit, truth), 0.05)
})

test_that("`se = TRUE` makes weights ordinary parameters, with errors of their own", {
  model <- nlme_model(
    fixed(f = network(1, 1, se = TRUE, weights = c(2, -2, 3, 0)), omega = positive(0.5), sigma = positive(0.5)),
    random(eta ~ normal(0, omega) | id), y ~ normal(f(x) + eta, sigma)
  )
  expect_false("gradient" %in% model$described$routes$route)
  fit <- fit_nlme(model, emax_data(), seed = 1)
  expect_true(converged(fit))
  expect_equal(colnames(vcov(fit)), c(sprintf("f[%d]", 1:4), "omega", "sigma"))
  expect_true(all(diag(vcov(fit)) > 0))
  expect_no_match(paste(convergence(fit)$evidence, collapse = " "), "gradients")
})
