test_that("the likelihood of a linear model is that of its normal distribution", {
  boys <- as.data.frame(nlme::Oxboys)
  fit <- fit_nlme(
    height ~ base + slope * age, boys, start = c(base = 140, slope = 1),
    random = base + slope ~ 1 | Subject, correlated = TRUE, method = short_saem(),
    seed = 1, progress = FALSE
  )
  omega <- attr(VarCorr(fit), "covariance")
  exact <- sum(vapply(split(boys, boys$Subject), function(boy) {
    design <- cbind(1, boy$age)
    covariance <- design %*% omega %*% t(design) + diag(sigma(fit)^2, nrow(boy))
    residual <- boy$height - design %*% fixef(fit)
    -0.5 * (nrow(boy) * log(2 * pi) + as.numeric(determinant(covariance)$modulus) +
              sum(residual * solve(covariance, residual)))
  }, 0))
  expect_equal(as.numeric(logLik(fit)), exact, tolerance = 1e-8)
  expect_equal(as.numeric(logLik(fit, nodes = 1)), exact, tolerance = 1e-8)
})

test_that("attributes say how it was computed", {
  fit <- fit_orange(method = short_saem(log_lik = FALSE), seed = 1)
  expect_null(fit$log_lik)
  value <- logLik(fit)
  expect_equal(attr(value, "df"), 5)
  expect_equal(attr(value, "nobs"), 35)
  expect_equal(attr(value, "method"), "quadrature")
  expect_equal(attr(logLik(fit, nodes = 11), "nodes"), 11)
  expect_equal(AIC(fit), 2 * 5 - 2 * as.numeric(value))
  expect_equal(BIC(fit), log(35) * 5 - 2 * as.numeric(value))
  expect_equal(nobs(fit), 35L)
  expect_equal(caught(logLik(fit, method = "linearized"))$name, "method")
  expect_equal(caught(logLik(fit, nodes = 0))$name, "nodes")
  expect_null(attr(value, "mc_error"))
  expect_lt(attr(value, "error"), 0.005)
  expect_equal(as.numeric(value), as.numeric(logLik(fit, nodes = 25)), tolerance = 1e-6)
  expect_null(attr(logLik(fit, nodes = 1), "error"))
})

test_that("what a method does not read is refused", {
  fit <- fit_orange(method = short_saem(), seed = 1)
  expect_equal(caught(logLik(fit, method = "importance", nodes = 3))$name, "nodes")
  expect_equal(caught(logLik(fit, method = "linear", nodes = 3))$name, "nodes")
  expect_equal(caught(logLik(fit, method = "quadrature", draws = 30))$name, "draws")
  expect_equal(caught(logLik(fit, nodes = 3, seed = 1))$name, "seed")
  expect_equal(caught(logLik(fit, draws = 1))$name, "draws")
})

test_that("without a method it is the one of the fit, or of what is given", {
  fit <- fit_orange(method = short_saem(), seed = 1)
  of <- nlmers:::likelihood_asked
  expect_equal(of(fit, NULL, NULL, NULL), "quadrature")
  expect_equal(of(fit, NULL, 3, NULL), "quadrature")
  expect_equal(of(fit, NULL, NULL, 300), "importance")
  fit$log_lik <- NULL
  expect_equal(of(fit, NULL, NULL, NULL), "quadrature")
  fit$method <- vem(log_lik = "none")
  expect_equal(of(fit, NULL, NULL, NULL), "importance")
  fit$method <- vem(log_lik = "linear")
  expect_equal(of(fit, NULL, NULL, NULL), "linear")
})

test_that("the likelihood of a fit by importance sampling is held with its error", {
  fit <- as_if_by_vem(fit_orange(method = short_saem(), seed = 1))
  value <- logLik(fit)
  expect_equal(attributes(value)[c("method", "draws", "mc_error")], list(
    method = "importance", draws = 1000L, mc_error = 0.0123
  ))
  expect_equal(attr(logLik(fit, nodes = 7), "method"), "quadrature")
})

test_that("degrees of freedom count what is free to move", {
  case <- declared_gallery()$simplex
  data <- simulate(case$model, data = case$data, seed = 1)
  fit <- suppressWarnings(fit_nlme(case$model, data, short_saem(), seed = 1))
  # Two of three probabilities, and the SD of the effect.
  expect_equal(attr(logLik(fit), "df"), 3)
})

test_that("Laplace's approximation is quadrature with one node", {
  fit <- fit_orange(method = short_saem(), seed = 1)
  laplace <- logLik(fit, method = "laplace")
  expect_equal(as.numeric(laplace), as.numeric(logLik(fit, nodes = 1)))
  expect_equal(attr(laplace, "method"), "laplace")
  expect_equal(caught(logLik(fit, method = "laplace", nodes = 3))$name, "nodes")
})

test_that("the conditional log-likelihood is a sum over the observations at the modes", {
  data <- orange
  data$circumference[5] <- NA
  fit <- fit_nlme(
    circumference ~ Asym / (1 + exp(-(age - xmid) / scal)), data, short_saem(),
    start = c(Asym = 170, xmid = 700, scal = 350), random = Asym ~ 1 | Tree, error = add(sigma = 8),
    seed = 1, progress = FALSE
  )
  sum <- sum(stats::dnorm(data$circumference, fitted(fit), sigma(fit), log = TRUE), na.rm = TRUE)
  value <- logLik(fit, method = "conditional")
  expect_equal(as.numeric(value), sum, tolerance = 1e-8)
  expect_gt(value, logLik(fit))
  expect_equal(attr(value, "method"), "conditional")
  expect_equal(caught(logLik(fit, method = "conditional", nodes = 3))$name, "nodes")
})

test_that("the conditional log-likelihood of several outcomes and groupings is that of the outcomes", {
  model <- nlme_model(
    fixed(a = 0.5, b = 1, sigma = positive(0.3), omega = positive(c(0.5, 0.5))),
    random(eta_id ~ normal(0, omega[1]) | id), random(eta_site ~ normal(0, omega[2]) | site),
    {
      y ~ normal(a + eta_id + eta_site, sigma)
      n ~ poisson(exp(b + eta_id))
    }
  )
  data <- expand.grid(t = 1:3, id = 1:8)
  data$site <- rep(c("north", "east", "south", "west"), each = 6)
  data$y <- withr::with_seed(1, stats::rnorm(24, 0.5 + stats::rnorm(8, 0, 0.5)[data$id], 0.3))
  data$n <- withr::with_seed(2, stats::rpois(24, 3))
  data$n[4] <- NA
  fit <- suppressWarnings(fit_nlme(model, data, short_saem(), id = "id", seed = 1, progress = FALSE))
  at <- fitted(fit)
  sum <- sum(stats::dnorm(data$y, at[, "y"], sigma(fit), log = TRUE)) +
    sum(stats::dpois(data$n, at[, "n"], log = TRUE), na.rm = TRUE)
  expect_equal(as.numeric(logLik(fit, method = "conditional")), sum, tolerance = 1e-8)
})

test_that("importance sampling agrees with quadrature within its error, for a fit by any method", {
  for (method in list(short_saem(), vem(log_lik = "none"))) {
    fit <- fit_nlme(theo_formula(), theo, method, seed = 1, progress = FALSE)
    value <- logLik(fit, method = "importance", draws = 2000, seed = 3)
    expect_lt(abs(value - logLik(fit, nodes = 15)), 4 * attr(value, "mc_error"))
    expect_equal(attributes(value)[c("method", "draws")], list(method = "importance", draws = 2000L))
    expect_identical(logLik(fit, draws = 2000, seed = 3), value)
    expect_false(identical(as.numeric(logLik(fit, draws = 2000, seed = 4)), as.numeric(value)))
    expect_gt(attr(logLik(fit, draws = 200, seed = 3), "mc_error"), attr(value, "mc_error"))
  }
})

test_that("the linearized model is exact where the model is linear, and close where it is not", {
  boys <- as.data.frame(nlme::Oxboys)
  fit <- fit_nlme(
    height ~ base + slope * age, boys, vem(log_lik = "linear"), start = c(base = 140, slope = 1),
    random = base + slope ~ 1 | Subject, seed = 1, progress = FALSE
  )
  expect_equal(attr(logLik(fit), "method"), "linear")
  expect_equal(as.numeric(logLik(fit)), as.numeric(logLik(fit, method = "quadrature")), tolerance = 1e-8)
  expect_match(capture.output(print(fit)), "linearized model", all = FALSE)
  bent <- fit_nlme(theo_formula(), theo, short_saem(), seed = 1, progress = FALSE)
  expect_lt(abs(logLik(bent, method = "linear") - logLik(bent)), 2)
  counted <- suppressWarnings(fit_nlme(counts(), data.frame(subject = 1:4, y = c(0, 4, 1, 9)), vem(), seed = 1))
  expect_match(caught(logLik(counted, method = "linear"))$hint, "importance")
})

# log of the integral of exp(f) by the trapezoid rule.
log_trapezoid <- function(f, from, to, n) {
  x <- seq(from, to, length.out = n)
  terms <- vapply(x, f, 0)
  max(terms) + log(sum(exp(terms - max(terms))) * (x[2L] - x[1L]))
}

test_that("the likelihood of binary data with a large variance is that of a fine grid", {
  data <- withr::with_seed(4, {
    data <- data.frame(subject = rep(1:30, each = 12))
    data$y <- stats::rbinom(360, 1, stats::plogis(0.5 + 6 * stats::rnorm(30))[data$subject])
    data
  })
  model <- nlme_model(
    fixed(a = 0.5, o = positive(6)), random(e ~ normal(0, o) | subject), y ~ bernoulli(plogis(a + e))
  )
  fit <- suppressWarnings(fit_nlme(model, data, saem(20, 10), id = "subject", seed = 1, progress = FALSE))
  at <- c(fixef(fit)[["a"]], sqrt(attr(VarCorr(fit), "covariance")[1L, 1L]))
  exact <- sum(vapply(split(data$y, data$subject), function(y) {
    log_trapezoid(function(e) {
      sum(stats::dbinom(y, 1, stats::plogis(at[1L] + e), log = TRUE)) + stats::dnorm(e, 0, at[2L], log = TRUE)
    }, -10 * at[2L], 10 * at[2L], 4000)
  }, 0))
  expect_lt(abs(as.numeric(logLik(fit)) - exact), 0.005)
  expect_lt(attr(logLik(fit), "error"), 0.005)
  few <- logLik(fit, nodes = 5)
  expect_gt(abs(few - exact), 0.05)
  expect_lt(abs(few - exact), 3 * attr(few, "error"))
  drawn <- logLik(fit, method = "importance")
  expect_lt(abs(drawn - exact), 4 * attr(drawn, "mc_error"))
})

test_that("a model with kinks has subjects that are sampled, and the likelihood of a grid", {
  data <- withr::with_seed(1, {
    data <- expand.grid(dose = c(0, 50, 100, 150, 200, 250), site = 1:20)
    top <- 9 + 1.1 * stats::rnorm(20)
    knee <- 130 + 40 * stats::rnorm(20)
    slope <- 0.027 + 0.005 * stats::rnorm(20)
    data$y <- top[data$site] + slope[data$site] * pmin(data$dose - knee[data$site], 0) + 0.3 * stats::rnorm(120)
    data
  })
  fit <- suppressWarnings(fit_nlme(
    y ~ ifelse(dose > Xmax, Ymax, Ymax + slope * (dose - Xmax)), data, saem(60, 20),
    start = c(Ymax = 9, Xmax = 130, slope = 0.027, omega_sd_Ymax = 1, omega_sd_Xmax = 40, omega_sd_slope = 0.005),
    random = Ymax + Xmax + slope ~ 1 | site, error = add(a = 0.3), time = "dose", seed = 1, progress = FALSE
  ))
  mean <- fixef(fit)
  sd <- sqrt(diag(attr(VarCorr(fit), "covariance")))
  names(sd) <- VarCorr(fit)$term
  # Linear in two effects given the third.
  exact <- sum(vapply(split(data, data$site), function(own) {
    log_trapezoid(function(knee) {
      design <- cbind(1, pmin(own$dose - knee, 0))
      omega <- diag(sd[grep("Ymax|slope", names(sd))]^2)
      covariance <- design %*% omega %*% t(design) + diag(sigma(fit)^2, nrow(own))
      residual <- own$y - design %*% mean[c("Ymax", "slope")]
      -0.5 * (nrow(own) * log(2 * pi) + as.numeric(determinant(covariance)$modulus) +
                sum(residual * solve(covariance, residual))) +
        stats::dnorm(knee, mean[["Xmax"]], sd[grep("Xmax", names(sd))], log = TRUE)
    }, mean[["Xmax"]] - 9 * sd[[grep("Xmax", names(sd))]], mean[["Xmax"]] + 9 * sd[[grep("Xmax", names(sd))]], 4000)
  }, 0))
  value <- logLik(fit)
  expect_match(attr(value, "method"), "importance")
  error <- max(attr(value, "error"), attr(value, "mc_error"))
  expect_lt(abs(value - exact), max(3 * error, 0.005))
  expect_lt(error, 0.05)
  expect_identical(logLik(fit), value)
  expect_match(capture.output(print(fit)), "importance sampling", all = FALSE)
  drawn <- logLik(fit, method = "importance", draws = 2000)
  expect_lt(abs(drawn - exact), max(4 * attr(drawn, "mc_error"), 0.02))
})
