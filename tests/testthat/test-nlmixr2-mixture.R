# Subpopulations: the likelihood of mix() is the sum over them.

test_that("mix() has the likelihood of a mixture", {
  set.seed(9)
  k <- stats::rbinom(40, 1, 0.3)
  data <- data.frame(id = rep(1:40, each = 4), time = rep(1:4, 40))
  data$DV <- ifelse(rep(k, each = 4) == 1, 2, 5) + stats::rnorm(160, 0, 1.2)
  model <- function() {
    ini({
      m1 <- 1.5
      m2 <- 5.5
      p1 <- 0.5
      add.sd <- 1
    })
    model({
      y <- mix(m1, p1, m2)
      y ~ add(add.sd)
    })
  }
  log_lik <- function(p) {
    one <- function(m) tapply(stats::dnorm(data$DV, m, exp(p[4]), log = TRUE), data$id, sum)
    share <- stats::plogis(p[3])
    sum(log(share * exp(one(p[1])) + (1 - share) * exp(one(p[2]))))
  }
  best <- stats::optim(c(1.5, 5.5, 0, 0), function(p) -log_lik(p), method = "BFGS")
  fit <- suppressWarnings(fit_nlme(model, data, seed = 1))
  expect_equal(unname(fixef(fit)[c("m1", "m2")]), best$par[1:2], tolerance = 0.02)
  expect_equal(unname(fixef(fit)[["p1"]]), stats::plogis(best$par[3]), tolerance = 0.1)
  expect_equal(as.numeric(logLik(fit)), -best$value, tolerance = 2e-3)
})

test_that("three subpopulations are drawn with their probabilities", {
  model <- as_nlme_model(function() {
    ini({
      a <- 1
      p1 <- 0.2
      p2 <- 0.5
    })
    model({
      y <- mix(a, p1, 2, p2, 3)
      who <- mixest
      n <- mixnum
    })
  })
  drawn <- simulate(model, seed = 1, data = data.frame(id = 1:4000, time = 0))
  expect_equal(as.numeric(table(drawn$DV_y)) / 4000, c(0.2, 0.5, 0.3), tolerance = 0.07)
  expect_equal(drawn$DV_who, drawn$DV_y)
  expect_equal(unique(drawn$DV_n), 3)
})

test_that("beside other effects mix() has the likelihood of a mixture", {
  skip_if_not_installed("mvtnorm")
  model <- function() {
    ini({
      m1 <- 1
      m2 <- 4
      p1 <- 0.25
      eta ~ 0.25
      add.sd <- 0.5
    })
    model({
      y <- mix(m1, p1, m2) + eta
      y ~ add(add.sd)
    })
  }
  data <- expand.grid(time = 1:3, id = 1:30)
  data <- simulate(as_nlme_model(model), seed = 1, data = data)
  covariance <- matrix(0.25, 3, 3) + diag(0.25, 3)
  one <- function(y, m) mvtnorm::dmvnorm(y, rep(m, 3), covariance)
  exact <- tapply(data$DV, data$id, function(y) log(0.25 * one(y, 1) + 0.75 * one(y, 4)))
  expect_equal(as.numeric(logLik(evaluate_nlme(model, data))), sum(exact), tolerance = 1e-6)
})

test_that("effects of occasions stand beside mix()", {
  skip_if_not_installed("mvtnorm")
  model <- function() {
    ini({
      m1 <- 1
      m2 <- 4
      p1 <- 0.25
      eta ~ 0.25
      iov ~ 0.16 | occ
      add.sd <- 0.5
    })
    model({
      y <- mix(m1, p1, m2) + eta + iov
      y ~ add(add.sd)
    })
  }
  data <- expand.grid(time = 1:2, occ = 1:2, id = 1:20)
  data <- simulate(as_nlme_model(model), seed = 1, data = data)
  covariance <- 0.25 + 0.16 * outer(c(1, 1, 2, 2), c(1, 1, 2, 2), "==") + diag(0.25, 4)
  one <- function(y, m) mvtnorm::dmvnorm(y, rep(m, 4), covariance)
  exact <- tapply(data$DV, data$id, function(y) log(0.25 * one(y, 1) + 0.75 * one(y, 4)))
  expect_equal(as.numeric(logLik(evaluate_nlme(model, data))), sum(exact), tolerance = 1e-5)
})

test_that("mix() takes the same parameters throughout", {
  read <- function(line) {
    fn <- function() NULL
    body(fn) <- bquote({
      ini({
        a <- 1
        p1 <- 0.2
        p2 <- 0.5
        s <- 1
      })
      model({
        y <- mix(a, p1, 2)
        .(line)
        y ~ add(s)
      })
    })
    caught(as_nlme_model(fn))$problem
  }
  expect_match(read(quote(z <- mix(1, p2, 2))), "other probabilities")
  expect_match(read(quote(z <- mix(1, 0.3, 2))), "parameters of `ini()`", fixed = TRUE)
  expect_match(read(quote(z <- mix(1, p1))), "values with the probabilities")
})
