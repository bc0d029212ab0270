# Models with real dosing histories, and the published mechanistic example.

# Maxima of the likelihood: ours by quadrature with 25 nodes, found by quasi-Newton steps on it (phenobarbital) and by
# vem(), polished (quinidine).
phenobarb_maximum <- -436.1829008
quinidine_maximum <- -440.5570176

test_that("phenobarbital in newborns reaches the maximum", {
  skip_on_cran()
  made <- fit_nlme(
    phenobarb_model(), as.data.frame(nlme::Phenobarb), events = c(amt = "dose"), seed = 1, progress = FALSE
  )
  expect_true(converged(made))
  expect_equal(made$n_obs, 155)
  expect_lte(-2 * (as.numeric(logLik(made, nodes = 25)) - phenobarb_maximum), 0.2)
})

test_that("quinidine in patients reaches the maximum", {
  skip_on_cran()
  made <- fit_nlme(
    quinidine_model(), quinidine, events = c(amt = "dose", ii = "interval"), fix = "lka", seed = 1,
    progress = FALSE
  )
  expect_true(converged(made))
  expect_equal(made$n_obs, 361)
  expect_lte(-2 * (as.numeric(logLik(made, nodes = 25)) - quinidine_maximum), 0.2)
})

# The documentation of NoLimits.jl, example 3, in the words of this language.
mechanistic <- function() {
  nlme_model(
    fixed(
      tka = 0.45, tcl = 1.0, tv = 3.45,
      omega1 = positive(1), omega2 = positive(1), omega3 = positive(1), sigma_eps = positive(1)
    ),
    random(eta ~ mvnormal(c(tka, tcl, tv), diag(c(omega1, omega2, omega3))) | id),
    {
      ka <- exp(eta[1])
      cl <- exp(eta[2])
      v <- exp(eta[3])
      d/dt(depot) <- -ka * depot
      d/dt(center) <- ka * depot - cl / v * center
      depot(0) <- 1
      center(0) <- 0
      y1 ~ normal(center / v, sigma_eps)
    }
  )
}

test_that("the mechanistic example is fitted as written, in closed form wherever the page says so", {
  design <- expand.grid(t = c(0.5, 1, 2, 4, 8, 12, 24), id = 1:30)
  truth <- list(omega1 = 0.2, omega2 = 0.1, omega3 = 0.1, sigma_eps = 0.002)
  drawn <- simulate(mechanistic(), seed = 2, data = design, start = truth)
  made <- fit_nlme(mechanistic(), drawn, saem(builtin_stats = "auto"), seed = 1, progress = FALSE)
  routes <- mstep_routes(made)
  route <- stats::setNames(routes$route, routes$parameter)
  expect_true(all(route == "closed form"))
  expect_true(converged(made))
  bounds <- confint(made, level = 0.999)
  expect_true(all(bounds[c("tka", "tcl", "tv"), 1] < c(0.45, 1, 3.45)))
  expect_true(all(bounds[c("tka", "tcl", "tv"), 2] > c(0.45, 1, 3.45)))
})

test_that("doses that are missing, and properties of doses without one, are spoken of", {
  oral <- nlme_model(
    fixed(lka = 0, lke = log(0.2), omega = positive(0.3), sigma = positive(0.5)),
    random(eta ~ normal(lke, omega) | id),
    {
      d/dt(depot) <- -exp(lka) * depot
      d/dt(center) <- exp(lka) * depot - exp(eta) * center
      dur(depot) <- 2
      y ~ normal(center, sigma)
    }
  )
  data <- expand.grid(time = c(0, 1, 2, 4, 8, 12), id = 1:6)
  data$amt <- ifelse(data$time == 0, 10, 0)
  data <- simulate(oral, seed = 1, data = data)
  forgotten <- caught(fit_nlme(oral, transform(data, amt = NULL)))
  expect_s3_class(forgotten, "nlmers_error_data")
  expect_equal(forgotten$reason, "no_dose")
  expect_match(forgotten$hint, "events = c(amt", fixed = TRUE)
  made <- suppressWarnings(fit_nlme(oral, data, short_saem(), seed = 1, progress = FALSE))
  expect_match(made$warnings, "`dur(depot)` changes nothing", fixed = TRUE, all = FALSE)
})

test_that("a dose at steady state into a state that only adds up is refused", {
  model <- nlme_model(
    fixed(k = positive(0.1), s = positive(1)), random(eta ~ normal(0, 0.1) | id),
    {
      d/dt(a) <- -k * exp(eta) * a
      d/dt(auc) <- a
      y ~ normal(a + 0 * auc, s)
    }
  )
  data <- data.frame(
    id = rep(1:2, each = 3), time = c(0, 6, 12), amt = c(100, 0, 0), ii = c(12, 0, 0), y = c(NA, 80, 50)
  )
  into <- transform(data, ss = c(1, 0, 0), cmt = c(2, 0, 0))
  error <- tryCatch(check_data(model, into), error = identity)
  expect_equal(error$reason, "no_steady_state")
  expect_match(error$problem, "goes into `auc`, which only adds up", fixed = TRUE)
  expect_s3_class(check_data(model, transform(into, cmt = c(1, 0, 0))), "nlme_data_report")
  # The area of a single dose is a value like any other.
  expect_s3_class(check_data(model, transform(data, ii = 0)), "nlme_data_report")
})
