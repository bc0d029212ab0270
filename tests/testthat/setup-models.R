# Data, models and short fits that several test files use.

# Theophylline as saemix has it: without the rows at time zero, dose in mg.
theo <- subset(as.data.frame(datasets::Theoph), Time > 0)
theo$dose <- theo$Dose * theo$Wt
orange <- as.data.frame(datasets::Orange)

one_compartment <- function(dose, time, ka, v, cl) {
  k <- cl / v
  dose * ka / (v * (ka - k)) * (exp(-k * time) - exp(-ka * time))
}

short_saem <- function(...) saem(exploration = 100, smoothing = 100, ...)

fit_orange <- function(...) {
  fit_nlme(
    circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
    data = orange, start = c(Asym = 170, xmid = 700, scal = 350),
    random = Asym ~ 1 | Tree, error = add(sigma = 8), ...,
    progress = FALSE
  )
}

theo_formula <- function(...) {
  nlme_formula(
    conc ~ one_compartment(dose, Time, ka, V, Cl),
    start = c(ka = 1, V = 20, Cl = 0.5), transform = "log",
    random = ka + V + Cl ~ 1 | Subject, ...
  )
}

theo_blocks <- function() {
  nlme_model(
    fixed(
      tka = 0, tv = log(20), tcl = log(0.5),
      omega = positive(c(1, 1, 1)), sigma = positive(1)
    ),
    random(eta ~ mvnormal(c(tka, tv, tcl), diag(omega)) | Subject),
    {
      ka <- exp(eta[1])
      v <- exp(eta[2])
      cl <- exp(eta[3])
      conc ~ normal(one_compartment(dose, Time, ka, v, cl), sigma)
    }
  )
}

# The warfarin data are read from the folder named in NLMERS_SHARED.
warfarin <- function() {
  folder <- Sys.getenv("NLMERS_SHARED")
  file <- file.path(folder, "reference", "data", "warfarin_cp.csv")
  skip_if_not(nzchar(folder) && file.exists(file), "warfarin data")
  utils::read.csv(file)
}

warfarin_formula <- function(formula = dv ~ one_compartment(dose, time, ka, V, Cl), ...) {
  nlme_formula(
    formula, start = c(ka = 1, V = 8, Cl = 0.13), transform = "log", random = ka + V + Cl ~ 1 | id, ...
  )
}

orange_growth <- function() {
  softplus <- function(u) ifelse(u > 20, u, log1p(exp(u)))
  nlme_model(
    fixed(phi1 = 30, log_vmax = 5, phi3 = 700, omega_sd = positive(0.3), sigma = positive(0.3)),
    random(v ~ lognormal(log_vmax, omega_sd) | Tree),
    {
      size <- phi1 + (v - phi1) / (1 + exp(-(age - phi3) / 100))
      circumference ~ lognormal(log(softplus(size) + 1e-6), sigma)
    }
  )
}

counts <- function() {
  nlme_model(
    fixed(lambda = positive(0.5), omega_sd = positive(1)),
    random(eta ~ normal(0, omega_sd) | subject),
    {
      rate <- lambda * exp(eta)
      y ~ poisson(rate)
    }
  )
}

# The condition that code raises, for its class and its fields.
caught <- function(code) tryCatch(code, nlmers_error = function(error) error)

# A fit by saem() with what a fit by vem() has beyond it, in numbers made up here.
as_if_by_vem <- function(fit, ...) {
  n <- as.integer(fit$n_subjects)
  fit$method <- vem(...)
  fit$chains <- 2L
  terms <- as.numeric(fit$log_lik$subjects)
  fit$log_lik <- list(
    value = sum(terms), subjects = terms, method = "importance", draws = 1000L, mc_error = 0.0123,
    converged = rep(TRUE, n)
  )
  fit$importance <- list(
    log_lik = terms, mc_error = rep(0.0123 / sqrt(n), n), ess = seq(900, 500, length.out = n),
    khat = seq(-0.2, 0.4, length.out = n), draws = 1000L
  )
  fit$elbo <- list(
    value = sum(terms) - 0.01 * n, subjects = terms - 0.01, mc_error = 0.004, fitted = sum(terms), points = 2L,
    family = "full_rank"
  )
  fit$trace$phase <- ifelse(seq_len(nrow(fit$trace$value)) <= 10L, "sweep", "newton")
  fit$acceptance <- list(kernel = character(), rate = numeric())
  fit
}
