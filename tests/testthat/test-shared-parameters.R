# Parameters without a random effect, and coefficients that several individual
# parameters share, have no closed form. The exact maximum is found here by a
# quasi-Newton optimizer on the quadrature log-likelihood.

# The largest log-likelihood that optim() finds from the estimates on.
exact_maximum <- function(fit, nodes) {
  scale <- vapply(fit$model$spec$parameters, `[[`, "", "scale")
  logged <- scale == "log"
  at <- function(transformed) {
    moved <- fit
    moved$parameters$natural <- ifelse(logged, exp(transformed), transformed)
    -as.numeric(logLik(moved, nodes = nodes))
  }
  natural <- fit$parameters$natural
  start <- ifelse(logged, log(natural), natural)
  control <- list(reltol = 1e-12, maxit = 500, parscale = pmax(abs(start), 0.1))
  -stats::optim(start, at, method = "BFGS", control = control)$value
}

expect_reaches_maximum <- function(model, data, nodes = 11) {
  fit <- fit_nlme(model, data, seed = 1, progress = FALSE)
  excess <- 2 * (exact_maximum(fit, nodes) - as.numeric(logLik(fit, nodes = nodes)))
  cat(sprintf("\nexcess of -2LL: %.4f\n", excess))
  expect_lte(excess, 0.1)
}

test_that("a volume without random effect", {
  skip_on_cran()
  model <- nlme_formula(
    conc ~ one_compartment(dose, Time, ka, V, Cl),
    start = c(ka = 1, V = 20, Cl = 0.5), transform = "log",
    random = ka + Cl ~ 1 | Subject
  )
  expect_reaches_maximum(model, theo)
})

test_that("one allometric coefficient on volume and clearance", {
  skip_on_cran()
  folder <- Sys.getenv("NLMERS_SHARED")
  file <- file.path(folder, "reference", "data", "warfarin_cp.csv")
  skip_if_not(nzchar(folder) && file.exists(file), "warfarin data")
  model <- nlme_model(
    fixed(
      ka = positive(1), V = positive(8), Cl = positive(0.13), power = 0.5,
      omega_ka = positive(1), omega_V = positive(1), omega_Cl = positive(1), a = positive(1)
    ),
    random(
      eta_ka ~ normal(0, omega_ka) | id, eta_V ~ normal(0, omega_V) | id,
      eta_Cl ~ normal(0, omega_Cl) | id
    ),
    {
      ka_i <- ka * exp(eta_ka)
      v_i <- V * exp(power * lw70 + eta_V)
      cl_i <- Cl * exp(power * lw70 + eta_Cl)
      dv ~ normal(one_compartment(dose, time, ka_i, v_i, cl_i), add(a))
    }
  )
  expect_reaches_maximum(model, utils::read.csv(file))
})
