# nolint start: object_name_linter. Names as in the documentation of saemix.

test_that("a Poisson likelihood has the mean and the variance of a Poisson outcome", {
  fit <- count_saemix_fit()
  lambda <- psi(fit)[match(fit$data$frame$subject, fit$data$labels), "lambda"]
  expect_equal(predict(fit), unname(lambda), tolerance = 1e-5)
  expect_equal(fitted(fit, level = 0), rep(fixef(fit)[["lambda"]], nrow(MASS::epil)), tolerance = 1e-5)
  expect_equal(residuals(fit), MASS::epil$y - unname(lambda), tolerance = 1e-4)
  draws <- simulate(fit, nsim = 100, seed = 4)
  expect_equal(nrow(draws), 100 * nrow(MASS::epil))
  expect_equal(attr(draws, "seed"), 4)
  # Mean and variance of a Poisson count whose log rate is normal; four counts share a rate.
  variance <- VarCorr(fit)$variance
  mean <- fixef(fit)[["lambda"]] * exp(variance / 2)
  expect_equal(mean(draws$y), mean, tolerance = 0.05)
  expect_equal(var(draws$y), mean + mean^2 * expm1(variance), tolerance = 0.25)
  expect_identical(simulate(fit, nsim = 2, seed = 4)$y, draws$y[seq_len(2 * nrow(MASS::epil))])
})

test_that("a binary and a categorical likelihood are drawn with their probabilities", {
  binary <- function(psi, id, xidep) {
    p <- 1 / (1 + exp(-(psi[id, 1] + psi[id, 2] * xidep[, 1])))
    log((xidep[, 2] == 0) * (1 - p) + (xidep[, 2] == 1) * p)
  }
  frame <- data.frame(id = rep(1:25, each = 6), time = 0:5, y = rep(c(0, 1, 0, 1, 1, 1, 0, 0, 1, 1), 15))
  model <- saemix_model(
    binary, psi_row(a = 0, b = 0.1), modeltype = "likelihood", covariance.model = diag(c(1, 0)), verbose = FALSE
  )
  data <- saemix_data(
    frame, name.group = "id", name.predictors = c("time", "y"), name.response = "y", verbose = FALSE
  )
  fit <- suppressWarnings(saemix(model, data, list(seed = 1, nbiter.saemix = c(40, 20), displayProgress = FALSE)))
  expect_equal(predict(fit, type = "ppred"), plogis(fixef(fit)[["a"]] + fixef(fit)[["b"]] * frame$time))
  new <- predict(fit, data.frame(time = c(0, 10)), type = "ppred")
  expect_equal(new, plogis(fixef(fit)[["a"]] + fixef(fit)[["b"]] * c(0, 10)))
  draws <- simulate(fit, nsim = 200, seed = 1)
  exact <- integrate(function(u) {
    plogis(fixef(fit)[["a"]] + VarCorr(fit)$sd * u) * dnorm(u)
  }, -8, 8)$value
  # 200 data sets of 25 independent subjects.
  expect_lt(abs(mean(draws$y[draws$time == 0]) - exact), 4 * sqrt(0.25 / (200 * 25)))
  expect_s3_class(plot(fit), "ggplot")
  expect_false(anyNA(plot_data(nlmers:::with_expectations(fit), "observed")$predicted))
})

test_that("simulate functions of saemix draw with individual parameters", {
  fit <- count_saemix_fit()
  poisson <- function(psi, id, xidep) rpois(nrow(xidep), psi[id, 1])
  drawn <- simulateDiscreteSaemix(fit, poisson, nsim = 50)["sim.data"]["datasim"]
  expect_named(drawn, c("idsim", "irep", "ysim"))
  own <- simulateDiscreteSaemix(fit, nsim = 50)["sim.data"]["datasim"]
  mean <- fixef(fit)[["lambda"]] * exp(VarCorr(fit)$variance / 2)
  expect_equal(mean(drawn$ysim), mean, tolerance = 0.1)
  expect_equal(mean(own$ysim), mean, tolerance = 0.1)
  expect_equal(caught(simulateDiscreteSaemix(fit, 100))$reason, "bad_option")
})

test_that("a likelihood that is no probability of a number says why it is not drawn", {
  gaussian <- function(psi, id, xidep) -0.5 * ((xidep[, 2] - psi[id, 1]) / 5)^2 - log(5) - 0.5 * log(2 * pi)
  half <- function(psi, id, xidep) -0.5 * (xidep[, 2] - psi[id, 1])^2
  fit_of <- function(fn, frame) {
    data <- saemix_data(
      frame, name.group = "Tree", name.predictors = c("age", "circumference"), name.response = "circumference",
      verbose = FALSE
    )
    model <- saemix_model(fn, psi_row(a = 115), modeltype = "likelihood", omega.init = matrix(400), verbose = FALSE)
    suppressWarnings(saemix(model, data, list(seed = 1, nbiter.saemix = c(10, 5), displayProgress = FALSE)))
  }
  error <- caught(predict(fit_of(gaussian, transform(orange, circumference = circumference + 0.5))))
  expect_equal(error$reason, "no_distribution")
  expect_match(error$problem, "is not a whole number")
  error <- caught(simulate(fit_of(half, orange)))
  expect_match(error$problem, "add up to")
  expect_match(error$hint, "circumference ~ poisson(lambda)", fixed = TRUE)
})

# nolint end
