# Models at given values, against closed forms, integrals and the fits whose estimates these are.

line_data <- function() {
  data <- expand.grid(x = 0:4, id = 1:6)
  data$y <- 2 + 0.5 * data$x + rep(c(-1, 0.3, 0.8, -0.4, 1.2, -0.6), each = 5) + 0.3 * sin(seq_len(30))
  data
}
line_model <- function() {
  nlme_model(
    fixed(a = 1, b = 1, o = positive(1), s = positive(1)), random(e ~ normal(0, o) | id), {
      y ~ normal(a + b * x + e, s)
    }
  )
}
line_values <- list(a = 2, b = 0.4, o = 0.7, s = 0.5)

test_that("of a linear model likelihood, modes, their SDs and residuals are those of its closed form", {
  skip_if_not_installed("mvtnorm")
  data <- line_data()
  known <- evaluate_nlme(line_model(), data, start = line_values, seed = 1)
  v <- line_values
  covariance <- diag(v$s^2, 5) + v$o^2
  mean <- v$a + v$b * 0:4
  exact <- sum(tapply(data$y, data$id, function(y) mvtnorm::dmvnorm(y, mean, covariance, log = TRUE)))
  expect_equal(as.numeric(logLik(known)), exact, tolerance = 1e-8)
  expect_equal(as.numeric(logLik(known, method = "importance")), exact, tolerance = 1e-4)
  gain <- v$o^2 / (v$o^2 + v$s^2 / 5)
  modes <- gain * tapply(data$y - v$a - v$b * data$x, data$id, base::mean)
  expect_equal(nlme::ranef(known)$e, as.numeric(modes), tolerance = 1e-6)
  sd <- v$o * sqrt(1 - gain)
  expect_equal(attr(nlme::ranef(known), "cond_sd")$e, rep(sd, 6), tolerance = 0.02)
  expect_equal(nlme::ranef(known, type = "mean")$e, as.numeric(modes), tolerance = 0.02)
  individual <- v$a + v$b * data$x + as.numeric(modes)[data$id]
  expect_equal(predict(known), individual, tolerance = 1e-6)
  expect_equal(residuals(known, "iwres"), (data$y - individual) / v$s, tolerance = 1e-5)
  expect_equal(residuals(known, level = 0), data$y - v$a - v$b * data$x, tolerance = 1e-12)
})

test_that("of a nonlinear model the likelihood is the integral", {
  data <- data.frame(id = 1, time = c(1, 2, 4, 8), y = c(4.1, 3.4, 2.2, 1.1))
  model <- nlme_model(
    fixed(a = 4, k = positive(0.1), o = positive(0.3), s = positive(0.5)), random(e ~ normal(0, o) | id), {
      y ~ normal(a * exp(-k * exp(e) * time), s)
    }
  )
  known <- evaluate_nlme(model, data, start = c(a = 5, k = 0.2), seed = 1)
  joint <- function(e) {
    vapply(e, function(e) {
      exp(sum(stats::dnorm(data$y, 5 * exp(-0.2 * exp(e) * data$time), 0.5, log = TRUE))) * stats::dnorm(e, 0, 0.3)
    }, 0)
  }
  marginal <- stats::integrate(joint, -3, 3, rel.tol = 1e-10)$value
  expect_equal(as.numeric(logLik(known)), log(marginal), tolerance = 1e-6)
  first <- stats::integrate(function(e) e * joint(e), -3, 3, rel.tol = 1e-10)$value / marginal
  second <- stats::integrate(function(e) e^2 * joint(e), -3, 3, rel.tol = 1e-10)$value / marginal
  expect_equal(nlme::ranef(known, type = "mean")$e, first, tolerance = 0.02)
  expect_equal(attr(nlme::ranef(known), "cond_sd")$e, sqrt(second - first^2), tolerance = 0.02)
  mode <- stats::optimize(function(e) log(joint(e)), c(-2, 2), maximum = TRUE, tol = 1e-9)$maximum
  expect_equal(nlme::ranef(known)$e, mode, tolerance = 1e-4)
})

test_that("without effects it is the density", {
  model <- nlme_model(fixed(a = 1, b = 1, s = positive(1)), {
    y ~ normal(a + b * x, s)
  })
  data <- line_data()[-2L]
  known <- evaluate_nlme(model, data, start = line_values[c("a", "b", "s")], seed = 1)
  exact <- sum(stats::dnorm(data$y, 2 + 0.4 * data$x, 0.5, log = TRUE))
  expect_equal(as.numeric(logLik(known)), exact, tolerance = 1e-12)
})

test_that("at the estimates of a fit it gives the numbers of the fit", {
  fit <- fit_orange(seed = 1)
  known <- evaluate_nlme(data = orange, start_from = fit, seed = 1)
  expect_equal(nlme::fixef(known), nlme::fixef(fit))
  expect_equal(as.numeric(logLik(known)), as.numeric(logLik(fit)), tolerance = 1e-6)
  expect_equal(nlme::ranef(known)$eta_Asym, nlme::ranef(fit)$eta_Asym, tolerance = 1e-5)
  expect_equal(predict(known), predict(fit), tolerance = 1e-6)
  expect_equal(residuals(known, "iwres"), residuals(fit, "iwres"), tolerance = 1e-5)
  # New subjects of a fitted model.
  some <- orange[orange$Tree %in% c(1, 4), ]
  part <- evaluate_nlme(data = some, start_from = fit, seed = 1)
  expect_equal(predict(part), predict(fit)[orange$Tree %in% c(1, 4)], tolerance = 1e-5)
})

test_that("it says what it is, and has no standard errors", {
  known <- evaluate_nlme(line_model(), line_data(), start = line_values, fix = "b", seed = 1)
  expect_equal(known$status$code, "evaluated")
  expect_false(converged(known))
  expect_match(capture.output(print(known)), "Evaluated at given values, nothing fitted", all = FALSE)
  expect_no_match(paste(capture.output(print(summary(known))), collapse = " "), "Options|Acceptance")
  expect_equal(attr(logLik(known), "df"), 3)
  for (ask in list(quote(vcov(known)), quote(vcov(known, method = "louis")), quote(confint(known)),
                   quote(plot(known, "trace")), quote(objective(known)))) {
    expect_equal(caught(eval(ask))$reason, "not_fitted")
  }
  expect_equal(as.list(nlme::fixef(known)), line_values[c("a", "b")])
  expect_equal(caught(evaluate_nlme(line_model(), line_data(), start_from = 1))$name, "start_from")
  # Nothing is drawn by R's generator where a seed is given, and the same seed gives the same numbers.
  again <- evaluate_nlme(line_model(), line_data(), start = line_values, fix = "b", seed = 1)
  expect_identical(again$effects, known$effects)
})

test_that("levels with given effects keep them", {
  known <- evaluate_nlme(line_model(), line_data(), start = line_values, fix = list(e = c("3" = 0.25)), seed = 1)
  expect_equal(nlme::ranef(known)["3", "e"], 0.25)
})

test_that("a model has population curves before any fit", {
  model <- line_model()
  expect_equal(predict(model, data.frame(x = c(0, 3))), c(1, 4))
  expect_equal(predict(model, data.frame(x = c(0, 3)), start = c(a = 5)), c(5, 8))
  ode <- nlme_model(
    fixed(k = positive(0.2), v = positive(10), o = positive(0.3), s = positive(1)), random(e ~ normal(0, o) | id), {
      d/dt(central) <- -k * exp(e) * central
      y ~ normal(central / v, s)
    }
  )
  doses <- data.frame(time = c(0, 1, 5, 5, 6), amt = c(100, 0, 0, 50, 0))
  expected <- 10 * exp(-0.2 * doses$time) + 5 * (c(0, 0, 0, 1, 1) * exp(-0.2 * (doses$time - 5)))
  expect_equal(predict(ode, doses), expected, tolerance = 1e-6)
  expect_equal(caught(predict(model))$reason, "missing_argument")
  expect_equal(caught(predict(model, data.frame(x = 1), start = c(z = 1)))$reason, "unknown_parameter")
  expect_equal(caught(predict(model, data.frame(z = 1)))$reason, "unknown_symbol")
})

test_that("typical subjects of effects that are not normal do not depend on where a fit started", {
  set.seed(2)
  data <- expand.grid(x = 1:6, id = 1:40)
  data$y <- rep(rgamma(40, 3, scale = 0.5), each = 6) * data$x + rnorm(240, 0, 0.2)
  model <- nlme_model(fixed(k = positive(3), m = positive(0.5), s = positive(0.2)), random(e ~ gamma(k, m) | id), {
    y ~ normal(e * x, s)
  })
  values <- c(k = 2.5, m = 0.6)
  known <- evaluate_nlme(model, data, start = values, seed = 1)
  # The mean of log e, on whose scale the effect moves.
  typical <- exp(digamma(2.5) + log(0.6))
  expect_equal(predict(known, level = 0), typical * data$x, tolerance = 1e-6)
  fit <- fit_nlme(model, data, seed = 1, progress = FALSE)
  k <- fit$parameters$natural[fit$parameters$name == "k"]
  m <- fit$parameters$natural[fit$parameters$name == "m"]
  expect_equal(predict(fit, level = 0), exp(digamma(k) + log(m)) * data$x, tolerance = 1e-6)
})
