# Residual errors that grow with a power of the prediction, and outcomes that are normal on another scale.

fit_plain <- function(model, data, ...) fit_nlme(model, data, seed = 1, progress = FALSE, ...)

# What a model says of each outcome, without random effects.
log_density_of <- function(model, data, ...) {
  nlmers:::complete_log_density(model, data, ...)$value[, 1L]
}

set.seed(3)
spread_data <- data.frame(x = rep(c(0.5, 1, 2, 4, 8, 16), each = 12))
spread_data$y <- 1.7 * spread_data$x + rnorm(72) * (0.15 + 0.3 * spread_data$x^0.7)

test_that("a power of the prediction is the variance function of nlme", {
  model <- nlme_model(
    fixed(m = 2, b = positive(0.5), c = 1), y ~ normal(m * x, pow(b, c))
  )
  made <- fit_plain(model, spread_data)
  known <- nlme::gls(y ~ x - 1, spread_data, weights = nlme::varPower(form = ~x), method = "ML")
  expect_equal(as.numeric(logLik(made)), as.numeric(logLik(known)), tolerance = 1e-7)
  exponent <- coef(known$modelStruct$varStruct, unconstrained = FALSE)[[1L]]
  expect_equal(fixef(made)[["m"]], coef(known)[[1L]], tolerance = 1e-4)
  expect_equal(made$parameters$natural[made$parameters$name == "c"], exponent, tolerance = 1e-3)
  # b * (m x)^c is sigma * x^c.
  expect_equal(
    made$parameters$natural[made$parameters$name == "b"], sigma(known) / coef(known)[[1L]]^exponent, tolerance = 1e-3
  )
})

test_that("SDs that add are the variance function of nlme", {
  model <- nlme_model(
    fixed(m = 2, a = positive(0.5), b = positive(0.5), c = 1), y ~ normal(m * x, add_pow_sd(a, b, c))
  )
  made <- fit_plain(model, spread_data)
  known <- nlme::gls(y ~ x - 1, spread_data, weights = nlme::varConstPower(form = ~x), method = "ML")
  expect_equal(as.numeric(logLik(made)), as.numeric(logLik(known)), tolerance = 1e-5)
})

test_that("the formula door names and starts the parameters of a power", {
  made <- fit_plain(y ~ m * x, spread_data, start = c(m = 2), error = pow(b = 0.5, c = 1))
  known <- nlme::gls(y ~ x - 1, spread_data, weights = nlme::varPower(form = ~x), method = "ML")
  expect_equal(as.numeric(logLik(made)), as.numeric(logLik(known)), tolerance = 1e-7)
  scales <- vapply(made$model$spec$parameters, `[[`, "", "scale")
  expect_equal(scales, c("identity", "log", "identity"))
  error <- caught(nlme_formula(y ~ c * x, start = c(c = 2), error = add_pow(1, 0.1, 1)))
  expect_match(error$hint, "error = add_pow(a = 1, b = 0.1, power = 1)", fixed = TRUE)
  expect_equal(caught(nlme_formula(y ~ m * x, start = c(m = 2), error = pow(1)))$reason, "bad_error")
})

test_that("a prediction of 0 has the SD of add() and no slope that is not a number", {
  model <- nlme_model(
    fixed(m = 2, a = positive(0.5), b = positive(0.5), o = positive(0.3)),
    random(e ~ normal(0, o) | id), y ~ normal((m + e) * x, add_pow(a, b, 0.4))
  )
  data <- data.frame(id = rep(1:3, each = 2), x = c(0, 1), y = c(0.3, 2, -0.2, 3, 0, 1))
  got <- nlmers:::complete_log_density(model, data)
  sd <- sqrt(0.25 + 0.25 * abs(2 * data$x)^0.8)
  expect_equal(got$value[, 1L], dnorm(data$y, 2 * data$x, sd, log = TRUE), tolerance = 1e-12)
  expect_true(all(is.finite(unlist(got$gradient))))
})

test_that("a function of the user's own called pow is still theirs", {
  pow <- function(x, k) x^k
  model <- nlme_model(fixed(m = 2, s = positive(0.5)), y ~ normal(pow(m, 2) * x, s))
  expect_equal(log_density_of(model, spread_data), dnorm(spread_data$y, 4 * spread_data$x, 0.5, log = TRUE))
})

test_that("the power of Box and Cox with the highest likelihood is that of MASS", {
  skip_if_not_installed("MASS")
  volume <- datasets::trees$Volume
  model <- nlme_model(fixed(m = positive(25), s = positive(1), lambda = 0.5), Volume ~ box_cox(m, s, lambda))
  made <- fit_plain(model, datasets::trees)
  # MASS leaves out a constant; ours is the density of the volume itself.
  profile <- function(lambda) {
    h <- if (lambda == 0) log(volume) else (volume^lambda - 1) / lambda
    n <- length(h)
    -n / 2 * (log(2 * pi * mean((h - mean(h))^2)) + 1) + (lambda - 1) * sum(log(volume))
  }
  at <- MASS::boxcox(lm(Volume ~ 1, datasets::trees), lambda = seq(-2, 2, 0.01), plotit = FALSE)
  expect_equal(diff(at$y[c(100, 250)]), profile(at$x[250]) - profile(at$x[100]))
  best <- optimize(profile, c(-2, 2), maximum = TRUE, tol = 1e-8)
  expect_equal(as.numeric(logLik(made)), best$objective, tolerance = 1e-8)
  expect_equal(made$parameters$natural[made$parameters$name == "lambda"], best$maximum, tolerance = 1e-4)
})

test_that("likelihoods compare across scales", {
  data <- data.frame(y = c(0.3, 1.2, 2.5, 7), x = c(1, 1, 2, 2))
  with <- function(outcome) {
    log_density_of(eval(bquote(nlme_model(fixed(m = 1.3, s = positive(0.5), l = 0), .(outcome)))), data)
  }
  lognormal <- dlnorm(data$y, log(1.3 * data$x), 0.5, log = TRUE)
  expect_equal(with(quote(y ~ lognormal(log(m * x), s))), lognormal)
  # Power 0 is the logarithm, estimated or fixed; power 1 changes nothing.
  expect_equal(with(quote(y ~ box_cox(m * x, s, l))), lognormal)
  expect_equal(with(quote(y ~ box_cox(m * x, s, 0))), lognormal)
  normal <- dnorm(data$y, 1.3 * data$x, 0.5, log = TRUE)
  expect_equal(with(quote(y ~ box_cox(m * x, s, 1 + l))), normal)
  expect_equal(with(quote(y ~ yeo_johnson(m * x, s, 1))), normal)
})

test_that("densities with bounds are ones: their integral is 1", {
  for (family in c("logit_normal", "probit_normal")) {
    model <- eval(bquote(nlme_model(
      fixed(m = 20, s = positive(0.8)), y ~ .(as.symbol(family))(m, s, lower = 5, upper = 60)
    )))
    density <- function(y) exp(log_density_of(model, data.frame(y = y)))
    expect_equal(integrate(density, 5, 60, rel.tol = 1e-9)$value, 1, tolerance = 1e-7)
    # The median splits it.
    expect_equal(integrate(density, 5, 20, rel.tol = 1e-9)$value, 0.5, tolerance = 1e-7)
  }
})

bounded_model <- function() {
  nlme_model(
    fixed(m = 0.4, o = positive(0.4), s = positive(0.3)), random(e ~ normal(m, o) | id),
    y ~ logit_normal(100 * plogis(e + 0.3 * x), s, 0, 100)
  )
}

test_that("draws, predictions and residuals belong to the scale", {
  design <- expand.grid(x = -2:2, id = 1:60)
  drawn <- simulate(bounded_model(), data = design, seed = 4)
  expect_true(all(drawn$y > 0 & drawn$y < 100))
  made <- fit_nlme(bounded_model(), drawn, seed = 1, progress = FALSE)
  expect_true(converged(made))
  f <- fitted(made)
  s <- sigma(made)[[1L]]
  expect_equal(
    residuals(made, type = "iwres"), (qlogis(drawn$y / 100) - qlogis(f / 100)) / s, tolerance = 1e-8
  )
  expect_equal(residuals(made), drawn$y - f)
  expect_lt(abs(s - 0.3), 0.05)
  # A logit of the data and a normal outcome is the same fit, the likelihood less the slope of the logit.
  plain <- nlme_model(
    fixed(m = 0.4, o = positive(0.4), s = positive(0.3)), random(e ~ normal(m, o) | id), z ~ normal(e + 0.3 * x, s)
  )
  other <- fit_nlme(plain, transform(drawn, z = qlogis(y / 100)), seed = 1, progress = FALSE)
  slope <- sum(log(100 / (drawn$y * (100 - drawn$y))))
  expect_equal(as.numeric(logLik(made)), as.numeric(logLik(other)) + slope, tolerance = 1e-6)
})

test_that("draws of a power stay where its scale has values", {
  model <- nlme_model(fixed(m = 1, s = positive(0.9)), y ~ box_cox(m, s, 0.8))
  drawn <- simulate(model, nsim = 4000, seed = 2, data = data.frame(x = 1))$y
  # Normal about h(1) = 0, above -1/0.8.
  above <- pnorm(-1.25 / 0.9, lower.tail = FALSE)
  known <- function(q) (pnorm((q^0.8 - 1) / 0.8 / 0.9) - 1 + above) / above
  expect_gt(ks.test(drawn, known)$p.value, 1e-3)
})

test_that("errors say what is missing and where values lie", {
  outcome <- function(code) caught(eval(bquote(nlme_model(fixed(m = 1, s = positive(1)), .(code)))))
  expect_equal(outcome(quote(y ~ box_cox(m, s)))$hint, "Write `y ~ box_cox(f, sigma, lambda)`.")
  expect_equal(outcome(quote(y ~ logit_normal(m, s, 3, 1)))$reason, "bounds_out_of_order")
  expect_equal(outcome(quote(y ~ probit_normal(m, s, low = 3)))$reason, "unknown_argument")
  expect_match(outcome(quote(y ~ normal(m, add_pow(s, 1))))$problem, "takes 3 arguments: a, b, c", fixed = TRUE)
  outside <- caught(fit_plain(bounded_model(), data.frame(id = rep(1:2, 2), x = 0, y = c(3, 50, 100, 9))))
  expect_equal(outside$reason, "outcome_outside_support")
  expect_match(outside$problem, "between 0 and 100", fixed = TRUE)
})
