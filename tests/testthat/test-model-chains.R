read_dist <- function(code) {
  nlmers:::model_statements(call("~", quote(y), code), globalenv())[[1L]]$dist
}

test_that("emissions are distributions, in a list or with vectors", {
  dist <- read_dist(quote(hmm(P, list(normal(a, s), normal(b, add(s))), c(0.5, 0.5))))
  expect_equal(dist$call, "hmm")
  expect_equal(vapply(dist$args[[2L]]$args, `[[`, "", "call"), c("normal", "normal"))
  dist <- read_dist(quote(hmm(initial = p, emissions = bernoulli(c(a, b)), transition = P)))
  expect_equal(dist$args[[2L]]$call, "bernoulli")
  expect_equal(dist$names, c("initial", "emissions", "transition"))
  dist <- read_dist(quote(continuous_time_hmm(rates = Q, c(poisson(a), poisson(b)), p)))
  expect_equal(dist$args[[2L]]$call, "list")
})

test_that("emissions that are none are refused", {
  expect_equal(
    caught(read_dist(quote(hmm(P, list(normal(a, s), b), p))))$reason, "unknown_distribution"
  )
  expect_equal(
    caught(read_dist(quote(hmm(P, markov(P, p), p))))$reason, "unknown_distribution"
  )
  expect_equal(caught(read_dist(quote(normal(list(a), s))))$reason, "unknown_function")
})

test_that("a matrix put in keeps its shape", {
  P <- rbind(c(0.9, 0.1), c(0.2, 0.8)) # nolint: object_name_linter.
  model <- nlme_model(
    fixed(m = 0, omega = positive(1)),
    random(eta ~ normal(m, omega) | id),
    y ~ hmm(!!P, normal(c(eta, 5), 1), c(0.5, 0.5))
  )
  expect_equal(model$described$families, "hmm")
  expect_equal(model$described$columns, "y")
  expect_equal(model$spec$statements[[1L]]$dist$args[[1L]]$call, "rbind")
})

# Two states with Bernoulli outcomes, by the sum over the paths.
test_that("the likelihood of a hidden chain is that of its paths", {
  P <- rbind(c(0.85, 0.15), c(0.25, 0.75)) # nolint: object_name_linter.
  model <- nlme_model(
    fixed(m = 0, omega = positive(1e-6)),
    random(eta ~ normal(m, omega) | id),
    y ~ hmm(!!P, bernoulli(plogis(c(2, -1) + eta)), c(0.6, 0.4))
  )
  data <- data.frame(id = rep(1:2, each = 3), time = 1:3, y = c(1, NA, 0, 1, NA, 1))
  # Too short to converge, and the effects hardly vary: the likelihood is what counts.
  fit <- suppressWarnings(fit_nlme(
    model, data,
    fix = c(omega = 1e-6), method = saem(exploration = 1, smoothing = 1), seed = 1, progress = FALSE
  ))
  p <- plogis(c(2, -1) + fixef(fit)[["m"]])
  paths <- function(last) {
    total <- 0
    for (s0 in 1:2) for (s1 in 1:2) for (s2 in 1:2) for (s3 in 1:2) {
      total <- total + c(0.6, 0.4)[s0] * P[s0, s1] * P[s1, s2] * P[s2, s3] * p[s1] * last[s3]
    }
    log(total)
  }
  expect_equal(as.numeric(logLik(fit)), paths(1 - p) + paths(p), tolerance = 1e-8)
})

test_that("a chain in continuous time is fitted and predicted", {
  set.seed(2)
  data <- do.call(rbind, lapply(seq_len(40), function(id) {
    time <- cumsum(stats::rexp(20, 2))
    state <- 1L
    states <- integer(20)
    for (j in 1:20) {
      dt <- if (j == 1) 0 else time[j] - time[j - 1]
      rate <- c(0.5, 1)
      change <- rate[state] / 1.5 * (1 - exp(-1.5 * dt))
      if (stats::runif(1) < change) state <- 3L - state
      states[j] <- state
    }
    effect <- stats::rnorm(1, 0, 0.3)
    data.frame(id = id, time = time, y = stats::rpois(20, exp(c(0, 2)[states] + effect)))
  }))
  model <- nlme_model(
    fixed(up = positive(1), down = positive(1), low = 0.3, gap = positive(1), omega = positive(0.5)),
    random(eta ~ normal(low, omega) | id),
    y ~ continuous_time_hmm(
      rbind(c(0, up), c(down, 0)), poisson(exp(c(eta, eta + gap))), c(1, 0)
    )
  )
  fit <- fit_nlme(model, data, method = short_saem(), seed = 1, progress = FALSE)
  z <- (unlist(fixef(fit)) - c(0.5, 1, 0, 2))[1:4]
  expect_true(all(abs(z) < c(0.3, 0.5, 0.4, 0.4)))
  expect_true(all(is.finite(fitted(fit))))
  expect_error(fit_nlme(model, data[setdiff(names(data), "time")]), class = "nlmers_error_data")
})
