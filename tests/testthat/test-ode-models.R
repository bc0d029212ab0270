# Models with real dosing histories, two outcomes, stiff kinetics, and the published mechanistic example.

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

# A drug that binds its target a thousand times faster than it is eliminated.
binding <- function(...) {
  nlme_model(
    fixed(
      lke = log(0.1), lkon = log(50), lksyn = log(1),
      omega = positive(c(0.2, 0.2)), sigma = positive(0.1)
    ),
    random(eta ~ mvnormal(c(lke, lksyn), diag(omega^2)) | id),
    ...,
    {
      ke <- exp(eta[1])
      ksyn <- exp(eta[2])
      kon <- exp(lkon)
      koff <- 5
      d/dt(drug) <- -ke * drug - kon * drug * target + koff * complex
      d/dt(target) <- ksyn - 0.5 * target - kon * drug * target + koff * complex
      d/dt(complex) <- kon * drug * target - (koff + 0.3) * complex
      target(0) <- ksyn / 0.5
      y ~ normal(log(drug + 1e-6), sigma)
    }
  )
}

# The implicit solver takes lanes one by one.
few_solutions <- function() {
  saem(exploration = 30, smoothing = 20, n_chains = 1, auto_small_n_chains = FALSE, log_lik = FALSE)
}

binding_data <- function() {
  design <- expand.grid(t = c(0, 0.25, 1, 4, 8, 24, 48, 72), id = 1:6)
  design <- design[order(design$id, design$t), ]
  design$amt <- ifelse(design$t == 0, 20, 0)
  simulate(binding(), seed = 5, data = design)
}

test_that("fast binding is fitted, and the summary says what solved it", {
  skip_on_cran()
  data <- binding_data()
  made <- fit_nlme(
    binding(ode_control(solver = "stiff")), data, fix = "lkon",
    method = few_solutions(), seed = 1, progress = FALSE
  )
  expect_lt(max(abs(fixef(made)[c("lke", "lksyn")] - c(log(0.1), 0))), 0.3)
  lines <- capture.output(summary(made))
  expect_true(any(grepl("by an implicit method", lines)))
})

test_that("draws without solution are rejected, counted and named", {
  skip_on_cran()
  data <- binding_data()
  hurried <- binding(ode_control(solver = "explicit", max_steps = 300))
  made <- fit_nlme(
    hurried, data, fix = "lkon", method = few_solutions(), seed = 1, progress = FALSE
  )
  failed <- made$equations$failed
  expect_true("too many steps" %in% failed$reason)
  expect_true(any(grepl("too many steps", capture.output(summary(made)))))
})
