# Classes of subjects against sums over the classes in R.

lines_of_classes <- function(n, slopes, seed = 1) {
  set.seed(seed)
  class <- rep(seq_along(slopes), length.out = n)
  data <- data.frame(id = rep(seq_len(n), each = 4), x = rep(1:4, n), class = rep(class, each = 4))
  data$y <- (slopes[data$class] + stats::rnorm(n, 0, 0.4)[data$id]) * data$x + stats::rnorm(4 * n, 0, 0.8)
  data
}

two_lines <- function() {
  nlme_model(
    fixed(b1 = 1, b2 = 2.5, p = probability(0.4), omega = positive(0.5), sigma = positive(1)),
    random(eta ~ normal(0, omega) | id),
    {
      slope <- mix(b1, p, b2) + eta
      y ~ normal(slope * x, sigma)
    }
  )
}

orange_line <- function() {
  nlme_model(
    fixed(a = 50, omega = positive(20), s = positive(30)), random(eta ~ normal(0, omega) | Tree),
    {
      circumference ~ normal(a + eta + 0.1 * age, s)
    }
  )
}

# Log density of a subject's outcomes in each class, a column a class.
densities <- function(data, slopes, omega, sigma) {
  skip_if_not_installed("mvtnorm")
  t(vapply(split(data, data$id), function(own) {
    covariance <- omega^2 * outer(own$x, own$x) + diag(sigma^2, nrow(own))
    vapply(slopes, function(b) mvtnorm::dmvnorm(own$y, b * own$x, covariance, log = TRUE), 0)
  }, slopes))
}

test_that("the likelihood sums over the classes, whatever stands in mix()", {
  data <- lines_of_classes(12, c(1, 2.5))
  logs <- densities(data, c(1, 2.5), 0.5, 1)
  exact <- sum(log(exp(logs) %*% c(0.4, 0.6)))
  at_start <- function(model) as.numeric(logLik(evaluate_nlme(model, data)))
  expect_equal(at_start(two_lines()), exact, tolerance = 1e-6)
  in_mean <- nlme_model(
    fixed(b1 = 1, b2 = 2.5, p = probability(0.4), omega = positive(0.5), sigma = positive(1)),
    random(b ~ normal(mix(b1, p, b2), omega) | id),
    {
      y ~ normal(b * x, sigma)
    }
  )
  expect_equal(at_start(in_mean), exact, tolerance = 1e-6)
  twice <- nlme_model(
    fixed(b1 = 1, b2 = 2.5, p = simplex(c(0.4, 0.6)), omega = positive(0.5), sigma = positive(1)),
    random(eta ~ normal(0, omega) | id),
    {
      b <- mix(b1, p[1], b2)
      s <- mix(sigma, p[1], 2 * sigma)
      y ~ normal((b + eta) * x, s)
    }
  )
  both <- cbind(t(densities(data, 1, 0.5, 1)), t(densities(data, 2.5, 0.5, 2)))
  expect_equal(at_start(twice), sum(log(exp(both) %*% c(0.4, 0.6))), tolerance = 1e-6)
})

test_that("probabilities of classes are those given all outcomes", {
  data <- lines_of_classes(12, c(1, 2.5))
  fit <- evaluate_nlme(two_lines(), data)
  joint <- exp(densities(data, c(1, 2.5), 0.5, 1)) %*% diag(c(0.4, 0.6))
  shares <- class_probabilities(fit)
  expect_equal(shares$probability, as.vector(t(joint / rowSums(joint))), tolerance = 1e-5)
  expect_equal(shares$subject, rep(as.character(1:12), each = 2))
  expect_equal(shares$class, rep(1:2, 12))
  expect_match(paste(capture.output(print(fit)), collapse = " "), "Classes: 1 (", fixed = TRUE)
  expect_equal(caught(class_probabilities(evaluate_nlme(orange_line(), Orange)))$reason, "no_classes")
})

test_that("a start with equal classes is left, and both estimators find the maximum", {
  data <- lines_of_classes(40, c(1, 3.5), seed = 3)
  value <- function(p) {
    share <- stats::plogis(p[3])
    sum(log(exp(densities(data, p[1:2], exp(p[4]), exp(p[5]))) %*% c(share, 1 - share)))
  }
  best <- stats::optim(c(1, 3.5, 0, log(0.4), log(0.8)), function(p) -value(p), method = "BFGS")
  for (method in list(saem(), vem())) {
    fit <- fit_nlme(two_lines(), data, method, start = list(b1 = 2, b2 = 2), seed = 1)
    expect_true(converged(fit))
    expect_gt(as.numeric(logLik(fit)), -best$value - 0.1)
    expect_lt(as.numeric(logLik(fit)), -best$value + 0.05)
    estimates <- sort(fixef(fit)[c("b1", "b2")])
    expect_equal(unname(estimates), sort(best$par[1:2]), tolerance = 0.02)
    expect_false(anyNA(sqrt(diag(vcov(fit)))))
    expect_match(paste(capture.output(print(fit)), collapse = " "), "20 subjects), 2 (", fixed = TRUE)
  }
})

test_that("predictions are of the likely class, at level 0 of all", {
  data <- lines_of_classes(12, c(1, 6))
  fit <- evaluate_nlme(two_lines(), data, start = list(b2 = 6))
  own <- c(1, 6)[data$class] + ranef(fit)$eta[data$id]
  expect_equal(predict(fit), own * data$x, tolerance = 1e-8)
  expect_equal(coef(fit)$slope, own[data$x == 1], tolerance = 1e-8)
  expect_equal(predict(fit, data.frame(id = c(2, 1), x = c(10, 20))), c(10, 20) * own[c(5, 1)], tolerance = 1e-8)
  expect_equal(predict(fit, level = 0), (0.4 * 1 + 0.6 * 6) * data$x, tolerance = 1e-8)
  expect_equal(residuals(fit), data$y - predict(fit))
  again <- unserialize(serialize(fit, NULL))
  expect_equal(class_probabilities(again), class_probabilities(fit))
})

test_that("classes are drawn with their probabilities", {
  design <- expand.grid(x = c(1, 2), id = 1:4000)
  model <- two_lines()
  drawn <- simulate(model, seed = 2, data = design, start = list(b1 = 0, b2 = 50))
  slopes <- tapply(drawn$y / drawn$x, drawn$id, mean)
  expect_equal(mean(slopes < 25), 0.4, tolerance = 0.06)
  # All rows of a subject are of one class.
  expect_true(all(tapply(drawn$y / drawn$x < 25, drawn$id, function(low) all(low) || !any(low))))
})

test_that("states are solved in each class", {
  set.seed(4)
  times <- c(1, 3, 6, 10)
  cl <- rep(c(1, 4), 5) * exp(stats::rnorm(10, 0, 0.2))
  data <- do.call(rbind, lapply(1:10, function(i) {
    data.frame(
      id = i, t = c(0, times), AMT = c(100, rep(0, 4)), EVID = c(1, rep(0, 4)),
      y = c(NA, 10 * exp(-cl[i] / 10 * times) * exp(stats::rnorm(4, 0, 0.2)))
    )
  }))
  parameters <- quote(fixed(
    cl1 = positive(1), cl2 = positive(4), p = probability(0.5), omega = positive(0.2), sigma = positive(0.2)
  ))
  by_states <- eval(bquote(nlme_model(
    .(parameters), random(eta ~ normal(0, omega) | id),
    {
      d / dt(center) <- -mix(cl1, p, cl2) * exp(eta) / 10 * center
      y ~ lognormal(log(center / 10), sigma)
    }
  )))
  closed <- eval(bquote(nlme_model(
    .(parameters), random(eta ~ normal(0, omega) | id),
    {
      y ~ lognormal(log(10) - mix(cl1, p, cl2) * exp(eta) / 10 * t, sigma)
    }
  )))
  observed <- data[data$EVID == 0, ]
  solved <- evaluate_nlme(by_states, data, time = "t")
  plain <- evaluate_nlme(closed, observed)
  one <- function(own, cl) {
    given <- function(eta) {
      vapply(eta, function(e) {
        prod(stats::dlnorm(own$y, log(10) - cl * exp(e) / 10 * own$t, 0.2)) * stats::dnorm(e, 0, 0.2)
      }, 0)
    }
    stats::integrate(given, -1.6, 1.6, rel.tol = 1e-10, subdivisions = 1000L)$value
  }
  exact <- sum(vapply(split(observed, observed$id), function(own) log(0.5 * one(own, 1) + 0.5 * one(own, 4)), 0))
  expect_equal(as.numeric(logLik(plain)), exact, tolerance = 1e-4)
  expect_equal(as.numeric(logLik(solved)), exact, tolerance = 1e-4)
  expect_equal(predict(solved)[data$EVID == 0], predict(plain), tolerance = 1e-4)
})

test_that("outcomes share the class, and its probability may depend on the subject", {
  skip_if_not_installed("mvtnorm")
  set.seed(6)
  data <- expand.grid(x = 1:4, id = 1:15)
  data$sex <- data$id %% 2
  data$y <- stats::rnorm(60, rep(c(1, 3), each = 4), 0.7)
  data$n <- stats::rpois(60, rep(c(1, 4), each = 4))
  data$n[data$x == 2] <- NA
  data$y[data$x == 3] <- NA
  model <- nlme_model(
    fixed(b1 = 1, b2 = 3, l1 = 1, l2 = 4, p0 = -0.5, ps = 1, omega = positive(0.3), s = positive(0.5)),
    random(eta ~ normal(0, omega) | id),
    {
      p <- plogis(p0 + ps * sex)
      y ~ normal(mix(b1, p, b2) + eta, s)
      n ~ poisson(mix(l1, p, l2))
    }
  )
  covariance <- 0.3^2 + diag(0.5^2, 3)
  exact <- sum(vapply(split(data, data$id), function(own) {
    p <- stats::plogis(-0.5 + own$sex[1L])
    y <- own$y[!is.na(own$y)]
    n <- own$n[!is.na(own$n)]
    one <- function(b, l) mvtnorm::dmvnorm(y, rep(b, 3), covariance) * prod(stats::dpois(n, l))
    log(p * one(1, 1) + (1 - p) * one(3, 4))
  }, 0))
  fit <- evaluate_nlme(model, data)
  expect_equal(as.numeric(logLik(fit)), exact, tolerance = 1e-6)
  expect_equal(as.numeric(logLik(fit, method = "importance")), exact, tolerance = 1e-3)
})

test_that("classes need no random effects", {
  set.seed(5)
  data <- data.frame(id = rep(1:60, each = 5))
  data$y <- stats::rpois(300, rep(rep(c(1, 4), c(20, 40)), each = 5))
  model <- nlme_model(
    fixed(l1 = positive(2), l2 = positive(2), p = probability(0.5)),
    {
      y ~ poisson(mix(l1, p, l2))
    }
  )
  value <- function(q) {
    logs <- vapply(exp(q[1:2]), function(l) tapply(stats::dpois(data$y, l, log = TRUE), data$id, sum), double(60))
    sum(log(exp(logs) %*% c(stats::plogis(q[3]), stats::plogis(-q[3]))))
  }
  best <- stats::optim(c(0, 1.4, 0), function(q) -value(q), method = "BFGS", control = list(reltol = 1e-12))
  fit <- fit_nlme(model, data, id = "id", seed = 1)
  expect_equal(as.numeric(logLik(fit)), -best$value, tolerance = 1e-6)
  expect_equal(sort(unname(fixef(fit)[c("l1", "l2")])), sort(exp(best$par[1:2])), tolerance = 1e-3)
  shares <- class_probabilities(fit)
  expect_equal(sum(shares$probability), 60)
})

test_that("what mix() cannot do is refused by a sentence", {
  reason <- function(random, code) {
    caught(eval(bquote(nlme_model(
      fixed(a = 1, b = 2, p = probability(0.4), q = probability(0.2), w = positive(1), s = positive(1)),
      .(random), .(code)
    ))))$reason
  }
  plain <- quote(random(eta ~ normal(0, w) | id))
  expect_equal(reason(plain, quote({
    y ~ normal(mix(a, p, b) + eta, mix(s, q, 2 * s))
  })), "other_probabilities")
  expect_equal(reason(plain, quote({
    y ~ normal(mix(a, p) + eta, s)
  })), "argument_count")
  expect_equal(reason(plain, quote({
    y ~ normal(mix(a, 1.5, b) + eta, s)
  })), "no_probabilities")
  expect_equal(reason(plain, quote({
    y ~ normal(mix(a, 0.6, b, 0.5, 3) + eta, s)
  })), "no_probabilities")
  expect_equal(reason(quote(random(eta ~ normal(0, mix(w, p, 2 * w)) | id)), quote({
    y ~ normal(a + eta, s)
  })), "spread_of_class")
  expect_equal(reason(plain, quote({
    y ~ hmm(rbind(c(0.9, 0.1), c(0.1, 0.9)), normal(c(mix(a, p, b), 3) + eta, s), c(0.5, 0.5))
  })), "chain_of_class")
  expect_equal(reason(plain, quote({
    d / dt(x) <- -x
    y ~ normal(mix(a, plogis(x), b) + eta, s)
  })), "not_of_subject")
  data <- data.frame(id = 1, x = 1:4, y = 1:4)
  model <- nlme_model(
    fixed(a = 1, b = 2, k = 0.1, w = positive(1), s = positive(1)), random(eta ~ normal(0, w) | id),
    {
      y ~ normal(mix(a, plogis(k * x), b) + eta, s)
    }
  )
  expect_equal(caught(evaluate_nlme(model, rbind(data, transform(data, id = 2))))$reason, "varying_covariate")
})
