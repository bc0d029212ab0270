# Several groupings against lme4 and against the values that data were simulated with.

crossed_data <- function(seed = 3) {
  set.seed(seed)
  data <- expand.grid(site = 1:6, id = 1:30, rep = 1:2)
  data$x <- stats::runif(nrow(data))
  data$y <- 2 + data$x + stats::rnorm(30, 0, 0.8)[data$id] + stats::rnorm(6, 0, 0.5)[data$site] +
    stats::rnorm(nrow(data), 0, 0.4)
  data
}

crossed_model <- function() {
  nlme_model(
    fixed(m = 1, b = 0.5, o = positive(0.5), k = positive(0.5), s = positive(0.5)),
    random(u ~ normal(0, o) | id, v ~ normal(0, k) | site), {
      y ~ normal(m + b * x + u + v, s)
    }
  )
}

test_that("crossed variances are those of lme4", {
  skip_if_not_installed("lme4")
  data <- crossed_data()
  fit <- fit_nlme(crossed_model(), data, seed = 1)
  exact <- lme4::lmer(y ~ x + (1 | id) + (1 | site), data, REML = FALSE)
  variances <- as.data.frame(lme4::VarCorr(exact))$vcov
  got <- c(nlme::VarCorr(fit)$variance, sigma(fit)^2)
  expect_equal(got, variances, tolerance = 0.01, ignore_attr = TRUE)
  expect_lt(2 * abs(as.numeric(logLik(fit)) - as.numeric(logLik(exact))), 0.02)
  expect_equal(unname(fixef(fit)), unname(lme4::fixef(exact)), tolerance = 0.01)
  expect_true(converged(fit))
  sites <- ranef(fit)$site
  expect_equal(sites$v, lme4::ranef(exact)$site[["(Intercept)"]], tolerance = 0.02)
})

test_that("variability between subjects and occasions is recovered without bias", {
  skip_on_cran()
  model <- nlme_model(
    fixed(lcl = log(3), o = positive(0.3), k = positive(0.2), s = positive(0.1)),
    random(eta ~ normal(0, o) | id, kappa ~ normal(0, k) | id:occ), {
      cl <- exp(lcl + eta + kappa)
      conc ~ normal(10 * exp(-cl / 10 * time), prop(s))
    }
  )
  data <- expand.grid(time = c(0.5, 1, 2, 4, 6), occ = 1:3, id = 1:60)
  # Estimated variances over those of the effects that were drawn.
  ratios <- vapply(1:20, function(seed) {
    set.seed(seed)
    eta <- stats::rnorm(60, 0, 0.3)
    kappa <- stats::rnorm(180, 0, 0.2)
    cl <- 3 * exp(eta[data$id] + kappa[3 * (data$id - 1) + data$occ])
    data$conc <- 10 * exp(-cl / 10 * data$time) * (1 + 0.1 * stats::rnorm(nrow(data)))
    fit <- fit_nlme(model, data, saem(log_lik = FALSE), seed = seed)
    nlme::VarCorr(fit)$variance / c(mean(eta^2), mean(kappa^2))
  }, double(2L))
  error <- apply(ratios, 1L, stats::sd) / sqrt(20)
  expect_equal(rowMeans(ratios), c(1, 1), tolerance = 0.05)
  expect_true(all(abs(rowMeans(ratios) - 1) < 3 * error + 0.02))
})

test_that("effects, predictions and tables know their groups", {
  data <- crossed_data()
  fit <- fit_nlme(crossed_model(), data, short_saem(), seed = 1, id = "id")
  expect_named(ranef(fit), c("id", "site"))
  expect_equal(dim(ranef(fit)$site), c(6L, 1L))
  expect_equal(nlme::VarCorr(fit)$group, c("id", "site"))
  expect_equal(predict(fit, data), fitted(fit))
  expect_equal(predict(fit, data["x"], level = 0), fitted(fit, level = 0))
  expect_error(predict(fit, transform(data, site = 9)), class = "nlmers_error_data")
  expect_setequal(tidy(fit, effects = "ran_vals")$group, c("id", "site"))
  expect_equal(fit$data$group, "id")
})

test_that("chosen levels of an effect can be held fixed", {
  data <- crossed_data()
  fit <- suppressWarnings(
    fit_nlme(crossed_model(), data, short_saem(), fix = list(v = c("2" = 0.25)), seed = 1)
  )
  expect_equal(ranef(fit)$site["2", "v"], 0.25)
  expect_error(
    fit_nlme(crossed_model(), data, fix = list(v = c("7" = 0))), class = "nlmers_error_start"
  )
  expect_error(fit_nlme(crossed_model(), data, fix = list(v = 0)), class = "nlmers_error_start")
})
