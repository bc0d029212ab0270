# Acceptance cases of SAEM that need the whole package, each under its number. The
# others are unit tests of the core (schedules, ring buffer, closed forms, kernels).

page_model <- function() {
  nlme_model(
    fixed(a = 0.2, b = 0.1, sigma = positive(0.3)),
    random(eta ~ normal(0, 0.4) | id),
    {
      mu <- exp(a + b * t + eta)
      y ~ lognormal(log(mu), sigma)
    }
  )
}

page_data <- data.frame(
  id = rep(c("A", "B", "C"), each = 2), t = rep(0:1, 3),
  y = c(1.0, 1.25, 0.95, 1.18, 1.05, 1.42)
)

# Random intercepts: the marginal likelihood is that of a normal distribution.
intercepts <- function(n, rows, a = 1, sd = 0.5, sigma = 0.3, seed = 1) {
  withr::with_seed(seed, {
    data <- data.frame(id = rep(seq_len(n), each = rows))
    data$y <- a + sd * stats::rnorm(n)[data$id] + sigma * stats::rnorm(nrow(data))
    data
  })
}

intercept_model <- function() {
  nlme_model(
    fixed(a = 0.5, omega_sd = positive(1), sigma = positive(1)),
    random(eta ~ normal(0, omega_sd) | id),
    y ~ normal(a + eta, sigma)
  )
}

# Exact maximum for balanced data: variances by the method of moments, where they
# are positive the maximum of the likelihood.
intercept_maximum <- function(data) {
  rows <- table(data$id)[[1L]]
  n <- length(unique(data$id))
  means <- tapply(data$y, data$id, mean)
  within <- sum((data$y - means[as.character(data$id)])^2) / (n * (rows - 1))
  between <- sum((means - mean(means))^2) / n
  c(a = mean(means), omega_sd = sqrt(between - within / rows), sigma = sqrt(within))
}

closed <- function(model) {
  routes <- as.data.frame(model$described$routes)
  sort(routes$parameter[routes$route == "closed form"])
}

fit_quietly <- function(...) suppressWarnings(fit_nlme(..., progress = FALSE))

test_that("case 10: closed forms are recognized where the model has them", {
  by_outcome <- nlme_model(
    fixed(a = 1, s = positive(1)), random(eta ~ normal(0, 1) | id), y ~ normal(a + eta, s)
  )
  expect_true("s" %in% closed(by_outcome))
  derived <- nlme_model(
    fixed(a = 1), random(eta ~ normal(0, 1) | id),
    {
      p <- 1 / (1 + exp(-(a + eta) * x))
      y ~ bernoulli(p)
    }
  )
  expect_length(setdiff(closed(derived), "a"), 0L)
  beside <- nlme_model(
    fixed(a = 1, o = positive(1), nu_sd = positive(1)),
    random(eta ~ normal(0, o) | id), random(u ~ student_t(5, 0, nu_sd) | id),
    y ~ normal(exp(a + eta) + u, 1)
  )
  expect_true("o" %in% closed(beside))
  expect_false("nu_sd" %in% closed(beside))
  one_sigma <- nlme_model(
    fixed(a = 1, s = positive(1)), random(eta ~ normal(0, 1) | id),
    {
      y1 ~ normal(a + eta, s)
      y2 ~ normal(a * eta, s)
    }
  )
  expect_true("s" %in% closed(one_sigma))
  two_sigmas <- nlme_model(
    fixed(a = 1, s1 = positive(1), s2 = positive(1)), random(eta ~ normal(0, 1) | id),
    {
      y1 ~ normal(a + eta, s1)
      y2 ~ normal(a * eta, s2)
    }
  )
  expect_true(all(c("s1", "s2") %in% closed(two_sigmas)))
})

test_that("case 11: a lognormal outcome gives its sigma", {
  number <- nlme_model(
    fixed(s = positive(1), o = positive(1)), random(eta ~ normal(0, o) | id),
    {
      y ~ lognormal(0.5, s)
      z ~ normal(eta, 1)
    }
  )
  expect_true("s" %in% closed(number))
  # With an expression for the location too: residuals do not care what they are residuals of.
  expect_true("sigma" %in% closed(page_model()))
})

test_that("case 12: all six targets of lognormal and exponential blocks", {
  model <- nlme_model(
    fixed(
      mu_e = 0, sd_e = positive(0.5), scale_e = positive(1),
      mu_y = 0, sd_y = positive(0.5), scale_y = positive(1)
    ),
    random(eta ~ lognormal(mu_e, sd_e) | id), random(u ~ exponential(scale_e) | id),
    {
      y ~ lognormal(mu_y, sd_y)
      z ~ exponential(scale_y)
      w ~ normal(eta + u, 1)
    }
  )
  expect_setequal(closed(model), c("mu_e", "sd_e", "scale_e", "mu_y", "sd_y", "scale_y"))
  means <- nlme_model(
    fixed(a = 1, b = 1, omega = positive(c(1, 1))),
    random(eta ~ mvnormal(c(a, b), diag(omega)) | id), y ~ normal(exp(eta[1]) + exp(eta[2]) * t, 1)
  )
  expect_setequal(closed(means), c("a", "b", "omega[1]", "omega[2]"))
  fixed_matrix <- nlme_model(
    fixed(z = c(1, 1)), random(eta ~ mvnormal(z, diag(c(1, 1))) | id), y ~ normal(exp(eta[1]) + exp(eta[2]) * t, 1)
  )
  expect_setequal(closed(fixed_matrix), c("z[1]", "z[2]"))
  literal_mean <- nlme_model(
    fixed(omega = covariance_matrix(diag(2))), random(eta ~ mvnormal(c(0, 0), omega) | id),
    y ~ normal(exp(eta[1]) + exp(eta[2]) * t, 1)
  )
  expect_length(closed(literal_mean), 3L)
  counts <- nlme_model(
    fixed(p = probability(0.5), m = 0), random(eta ~ normal(0, 1) | id),
    {
      y ~ bernoulli(p)
      z ~ poisson(exp(m * eta))
    }
  )
  expect_equal(closed(counts), "p")
})

test_that("case 13: notes say which part had a closed form", {
  method <- saem_page_defaults(mcmc_steps = 5, maxiters = 5, t0 = 3, builtin_stats = "none")
  fit <- fit_quietly(page_model(), page_data, method, seed = 1)
  expect_equal(notes(fit)$closed_form_mstep_mode, "numeric_only")
  expect_length(notes(fit)$closed_form_mstep_sources, 0L)
  expect_false(notes(fit)$closed_form_mstep_used)
  fit <- fit_quietly(intercept_model(), intercepts(5, 3), saem(maxiters = 8), seed = 1)
  expect_equal(notes(fit)$closed_form_mstep_mode, "closed_form_only")
  expect_equal(notes(fit)$closed_form_mstep_sources, "builtin_stats")
  alias <- saem(builtin_stats = "gaussian_re")
  expect_equal(alias$options$builtin_stats, "closed_form")
})

test_that("case 17: parameters of a hidden chain have no closed form, those of its effects do", {
  model <- nlme_model(
    fixed(p1 = probability(0.9), p2 = probability(0.2), m = 0, o = positive(1)),
    random(eta ~ normal(m, o) | id),
    {
      stay <- 1 / (1 + exp(-eta))
      y ~ hmm(rbind(c(stay, 1 - stay), c(0.25, 0.75)), bernoulli(c(p1, p2)), c(0.6, 0.4))
    }
  )
  expect_setequal(closed(model), c("m", "o"))
})

test_that("case 19: the page's basic example runs", {
  fit <- fit_quietly(page_model(), page_data, saem_page_defaults(mcmc_steps = 20, maxiters = 40), seed = 1)
  expect_true(all(is.finite(fixef(fit))))
  expect_true(is.finite(objective(fit)))
  expect_equal(nrow(ranef(fit)), 3L)
  expect_type(converged(fit), "logical")
  expect_s3_class(notes(fit)$diagnostics, "data.frame")
  expect_equal(nrow(notes(fit)$diagnostics), nrow(fit$trace$value))
})

test_that("case 20: the same seed gives the same fit, whatever the threads", {
  fits <- lapply(list(c(1, 1), c(1, 2), c(2, 1)), function(x) {
    fit <- fit_quietly(page_model(), page_data, saem(maxiters = 20), seed = x[1L], threads = x[2L])
    fit[c("parameters", "trace", "effects")]
  })
  expect_identical(fits[[1L]], fits[[2L]])
  expect_false(identical(fits[[1L]]$trace, fits[[3L]]$trace))
})

two_groupings <- function() {
  model <- nlme_model(
    fixed(a = 0.5, b = 0.2, sigma = positive(0.3)),
    random(eta_id ~ normal(0, 1.2) | id), random(eta_site ~ normal(0, 0.8) | site),
    y ~ normal(a + b * t + eta_id + eta_site, sigma)
  )
  data <- expand.grid(t = 0:2, id = paste0("p", 1:8))
  data$site <- rep(c("north", "south"), each = 12)
  data$y <- withr::with_seed(2, {
    0.5 + 0.2 * data$t + stats::rnorm(8)[data$id] + stats::rnorm(nrow(data), 0, 0.3)
  })
  list(model = model, data = data)
}

test_that("case 9: an annealed effect ends at its mean", {
  sites <- two_groupings()
  for (schedule in c("exponential", "linear", "gamma")) {
    method <- saem_page_defaults(
      mcmc_steps = 5, maxiters = 200, anneal_to_fixed = "eta_site", anneal_schedule = schedule
    )
    fit <- fit_quietly(sites$model, sites$data, method, seed = 1)
    expect_true(all(abs(ranef(fit)$site$eta_site) <= 1e-8), label = schedule)
    expect_gt(stats::sd(ranef(fit)$id$eta_id), 0.1)
  }
})

test_that("case 21: two groupings share batches, and levels may be held", {
  sites <- two_groupings()
  seen <- NULL
  method <- saem(
    maxiters = 8, acceleration = FALSE,
    update_schedule = function(n_batches, iteration) {
      seen <<- n_batches
      seq_len(n_batches)
    }
  )
  fit <- fit_quietly(sites$model, sites$data, method, seed = 1)
  expect_equal(seen, 2)
  expect_equal(vapply(ranef(fit), nrow, 0L), c(id = 8L, site = 2L))
  held <- fit_quietly(
    sites$model, sites$data, saem(maxiters = 40),
    fix = list(eta_site = c(north = 0.25)), seed = 1
  )
  site <- ranef(held)$site
  expect_identical(site["north", "eta_site"], 0.25)
  expect_false(site["south", "eta_site"] == 0.25)
  expect_true(is.finite(objective(held)))
})

test_that("case 22: the M-step of the user's choice", {
  data <- intercepts(12, 4)
  reference <- fixef(fit_quietly(intercept_model(), data, seed = 1))
  for (optimizer in list(lbfgs(), adam(0.05, maxiters = 100), nelder_mead())) {
    fit <- fit_quietly(
      intercept_model(), data, saem(optimizer = optimizer, builtin_stats = "none"), seed = 1
    )
    expect_equal(fixef(fit), reference, tolerance = 0.05)
  }
})

test_that("case 23: every sampler recovers the exact maximum", {
  data <- intercepts(20, 3)
  exact <- intercept_maximum(data)
  for (sampler in list(independence(), saemix_mh(), adaptive_mh(adapt_start = 5), mh(), mala(), nuts())) {
    fit <- fit_quietly(intercept_model(), data, saem(sampler = sampler), seed = 1)
    found <- c(fixef(fit)["a"], omega_sd = VarCorr(fit)$sd, sigma = unname(sigma(fit)))
    se <- c(0.12, 0.08, 0.03)
    expect_true(all(abs(found - exact) < 0.15 * se), label = sampler$kind)
  }
})

test_that("case 24: chains do not shrink the variance of the effects", {
  data <- intercepts(12, 3, sd = 0.85)
  exact <- intercept_maximum(data)[["omega_sd"]]
  for (chains in c(1, 4, 10)) {
    method <- saem_page_defaults(n_chains = chains, mcmc_steps = 10, builtin_stats = "auto")
    found <- VarCorr(fit_quietly(intercept_model(), data, method, seed = 1))$sd
    expect_gt(found, 0.3)
    expect_equal(found, exact, tolerance = 0.1)
  }
})

test_that("case 25: with the step on the parameters the store does not matter", {
  data <- intercepts(8, 3)
  traces <- lapply(c(3, 50), function(size) {
    method <- saem_page_defaults(
      mstep_sa_on_params = TRUE, max_store = size, builtin_stats = "none", mcmc_steps = 3, maxiters = 12,
      t0 = 6, sampler = saemix_mh()
    )
    fit_quietly(intercept_model(), data, method, seed = 1)$trace
  })
  expect_identical(traces[[1L]]$value, traces[[2L]]$value)
  # The gain of the last iteration is 0.
  last <- traces[[1L]]$value[11:12, ]
  expect_identical(last[1L, ], last[2L, ])
})

test_that("case 28: modes are the same when they are computed later", {
  data <- intercepts(8, 3)
  now <- fit_quietly(intercept_model(), data, saem(maxiters = 20), seed = 1)
  later <- fit_quietly(intercept_model(), data, saem(maxiters = 20, store_eb_modes = FALSE), seed = 1)
  expect_null(later$effects$modes)
  expect_equal(ranef(later)$eta, ranef(now)$eta, tolerance = 1e-10)
})

test_that("case 29: the log-likelihood at the modes is the sum over the observations", {
  data <- intercepts(8, 3)
  data$y[5] <- NA
  fit <- fit_quietly(intercept_model(), data, saem(maxiters = 30), seed = 1)
  at_modes <- sum(stats::dnorm(data$y, fitted(fit), sigma(fit), log = TRUE), na.rm = TRUE)
  expect_equal(as.numeric(logLik(fit, method = "conditional")), at_modes, tolerance = 1e-8)
})

test_that("case 30: parameters of the means by themselves", {
  both <- nlme_model(
    fixed(a = 0.1, b = 0.1), random(eta ~ normal(0, 0.5) | id),
    {
      y ~ bernoulli(1 / (1 + exp(-(a + eta))))
      n ~ poisson(exp(b + eta))
    }
  )
  data <- withr::with_seed(3, {
    eta <- 0.5 * stats::rnorm(15)
    data.frame(id = rep(1:15, each = 4)) |>
      transform(y = stats::rbinom(60, 1, stats::plogis(0.4 + eta[id])), n = stats::rpois(60, exp(0.8 + eta[id])))
  })
  plain <- fixef(fit_quietly(both, data, seed = 1))
  glm <- fixef(fit_quietly(both, data, saem(builtin_mean = "glm"), seed = 1))
  expect_equal(glm, plain, tolerance = 0.1)
  waiting <- nlme_model(
    fixed(a = 1, s = positive(1), r = 0), random(eta ~ normal(0, 0.5) | id),
    {
      y ~ normal(a * 2 + eta, s)
      w ~ exponential(exp(r + eta))
    }
  )
  data$w <- withr::with_seed(4, stats::rexp(60))
  for (stats in c("auto", "none")) {
    fit <- fit_quietly(waiting, data, saem(builtin_mean = "glm", builtin_stats = stats, maxiters = 60), seed = 1)
    expect_true(all(is.finite(fixef(fit))))
  }
})

test_that("case 35: orange trees reach the exact maximum", {
  softplus <- function(u) ifelse(u > 20, u, log1p(exp(u)))
  model <- nlme_model(
    fixed(phi1 = 30, log_vmax = 5, phi3 = 700, omega = positive(0.3), sigma = positive(0.3)),
    random(v ~ lognormal(log_vmax, omega) | Tree),
    {
      size <- phi1 + (v - phi1) / (1 + exp(-(age - phi3) / 100))
      circumference ~ lognormal(log(softplus(size) + 1e-6), sigma)
    }
  )
  fit <- fit_quietly(model, orange, seed = 1)
  found <- stats::setNames(fit$parameters$natural, fit$parameters$name)
  exact <- c(phi1 = 31.22357, log_vmax = 5.034747, phi3 = 639.7153, omega = 0.1668677, sigma = 0.1126667)
  off <- abs(found[names(exact)] / exact - 1)
  expect_true(all(off[1:3] < 0.01) && all(off[4:5] < 0.03), label = paste(round(off, 4), collapse = " "))
  expect_equal(as.numeric(logLik(fit, nodes = 25)), -140.185758, tolerance = 1e-4)
})

test_that("case 36: random intercepts under a k^-kappa tail", {
  data <- intercepts(25, 4)
  exact <- intercept_maximum(data)
  method <- saem(sa_schedule = "power", t0 = 200, kappa = 0.8, maxiters = 500)
  fit <- fit_quietly(intercept_model(), data, method, seed = 1)
  found <- c(fixef(fit)["a"], omega_sd = VarCorr(fit)$sd, sigma = unname(sigma(fit)))
  expect_equal(found, exact, tolerance = 0.01)
})
