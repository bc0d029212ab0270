with_later_modes <- function(...) {
  list(
    now = fit_orange(method = short_saem(...), seed = 1),
    later = fit_orange(method = short_saem(..., store_eb_modes = FALSE), seed = 1)
  )
}

test_that("modes that are found later are those the fit would have held", {
  fits <- with_later_modes()
  expect_null(fits$later$effects$modes)
  expect_null(fits$later$individual)
  expect_identical(ranef(fits$later), ranef(fits$now))
  expect_identical(coef(fits$later), coef(fits$now))
  expect_identical(fitted(fits$later), fitted(fits$now))
  expect_identical(fitted(fits$later, level = 0), fitted(fits$now, level = 0))
  expect_identical(residuals(fits$later, type = "iwres"), residuals(fits$now, type = "iwres"))
  expect_identical(VarCorr(fits$later), VarCorr(fits$now))
  expect_identical(tidy(fits$later, c("ran_vals", "ran_coefs")), tidy(fits$now, c("ran_vals", "ran_coefs")))
  expect_identical(augment(fits$later), augment(fits$now))
  new <- data.frame(age = c(500, 1000), Tree = 1)
  expect_identical(predict(fits$later, new), predict(fits$now, new))
  expect_identical(plot_data(fits$later, "observed"), plot_data(fits$now, "observed"))
  expect_identical(plot_data(fits$later, points = 5), plot_data(fits$now, points = 5))
  expect_identical(fits$later$log_lik, fits$now$log_lik)
})

# Modes of effects at the estimates of `fit`, searched for by other options.
searched <- function(fit, ...) {
  fit$method <- short_saem(..., store_eb_modes = FALSE)
  fit$effects$modes <- NULL
  with_modes(fit)$effects
}

test_that("the options of the search are passed on", {
  fit <- fit_orange(method = short_saem(), seed = 1)
  expect_equal(fit$effects$mode_rounds, rep(0, 5))
  expect_true(all(fit$effects$mode_gradient <= 1e-4))
  all <- searched(fit, ebe_grad_tol = 0, ebe_multistart_n = 4, ebe_multistart_k = 1, ebe_rescue_on_high_grad = FALSE)
  expect_true(all(all$mode_rounds >= 1))
  expect_equal(all$modes, fit$effects$modes, tolerance = 1e-8)
  rescued <- searched(fit, ebe_grad_tol = 0, ebe_multistart_max_rounds = 1, ebe_rescue_max_rounds = 1)
  expect_equal(rescued$mode_rounds, rep(2, 5))
  for (optimizer in c("lbfgs", "nelder_mead")) {
    other <- searched(fit, ebe_optimizer = optimizer, ebe_grad_tol = 0.01)
    expect_equal(other$modes, fit$effects$modes, tolerance = 1e-4, label = optimizer)
  }
})

test_that("modes that were not found are named", {
  fit <- fit_orange(method = short_saem(), seed = 1)
  cut <- quote(searched(
    fit, ebe_optim_kwargs = list(maxiters = 1), ebe_rescue_on_high_grad = FALSE, ebe_multistart_max_rounds = 1,
    ebe_multistart_n = 2, ebe_multistart_k = 1, ebe_grad_tol = 1e-10
  ))
  expect_warning(lost <- eval(cut), "conditional modes of \\d subjects were not found")
  expect_false(all(lost$mode_converged))
})

test_that("levels that are held have the values given, to the last digit", {
  model <- nlme_model(
    fixed(a = 0.5, sigma = positive(0.3), omega_sd = positive(0.5)),
    random(eta ~ lognormal(0, omega_sd) | id),
    y ~ normal(a * eta, sigma)
  )
  data <- data.frame(id = rep(1:6, each = 3), y = 0.5 + (1:18 %% 5) / 10)
  fit <- suppressWarnings(fit_nlme(
    model, data, short_saem(), fix = list(eta = c("2" = 1.1, "5" = 0.7)), seed = 1, progress = FALSE
  ))
  expect_identical(ranef(fit)[c("2", "5"), "eta"], c(1.1, 0.7))
  expect_identical(ranef(fit, type = "mean")[c("2", "5"), "eta"], c(1.1, 0.7))
  expect_false(any(ranef(fit)[c("1", "3", "4", "6"), "eta"] %in% c(1.1, 0.7)))
})

test_that("an effect that is annealed ends at its mean exactly, and the others vary", {
  model <- nlme_model(
    fixed(a = 0.5, b = 0.2, sigma = positive(0.3), omega_sd = positive(1)),
    random(eta ~ normal(0, omega_sd) | id), random(slope ~ normal(b, 0.8) | id),
    y ~ normal(a + eta + slope * t, sigma)
  )
  data <- expand.grid(t = 0:3, id = 1:10)
  data$y <- withr::with_seed(2, {
    0.5 + 0.2 * data$t + stats::rnorm(10)[data$id] + stats::rnorm(nrow(data), 0, 0.3)
  })
  for (store in c(TRUE, FALSE)) {
    fit <- suppressWarnings(fit_nlme(
      model, data, short_saem(anneal_to_fixed = "slope", store_eb_modes = store), seed = 1, progress = FALSE
    ))
    expect_true(all(abs(ranef(fit)$slope - fixef(fit)[["b"]]) <= 1e-8))
    expect_gt(stats::sd(ranef(fit)$eta), 0.1)
  }
})
