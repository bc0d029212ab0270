# Stiff models. Fast binding: fitted by the implicit solver, refused where explicit steps would not get through.
# tests/slow/stiff.R

library(nlmers)

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
      y ~ normal(log(drug + 0.01), sigma)
    }
  )
}

# The implicit solver takes lanes one by one.
few_solutions <- function() {
  saem(exploration = 60, smoothing = 60, n_chains = 1, auto_small_n_chains = FALSE, log_lik = FALSE)
}

binding_data <- function() {
  design <- expand.grid(t = c(0, 0.25, 1, 4, 8, 16, 24, 28, 32, 36), id = 1:12)
  design <- design[order(design$id, design$t), ]
  design$amt <- ifelse(design$t == 0, 100, 0)
  simulate(binding(), seed = 5, data = design)
}

data <- binding_data()
made <- fit_nlme(
  binding(ode_control(solver = "stiff")), data, fix = "lkon", method = few_solutions(), seed = 1, progress = FALSE
)
print(summary(made))
stopifnot(
  made$status$code == "converged",
  max(abs(fixef(made)[c("lke", "lksyn")] - c(log(0.1), 0))) < 0.2,
  any(grepl("by an implicit method", capture.output(summary(made)))),
  nrow(as.data.frame(made$equations$failed)) == 0
)

# Explicit steps do not get there: refused at the start, with the way out.
hurried <- binding(ode_control(solver = "explicit", max_steps = 300))
refused <- tryCatch(
  fit_nlme(hurried, data, fix = "lkon", method = few_solutions(), seed = 1, progress = FALSE),
  error = conditionMessage
)
cat(refused, "\n")
stopifnot(grepl("too many steps", refused), grepl("ode_control", refused))

# Robertson's kinetics (1966): rates apart by nine orders of magnitude.
robertson <- function(start) {
  nlme_model(
    fixed(lk1 = !!start, lk3 = log(1e4), omega = positive(0.3), sigma = positive(0.02)),
    random(eta ~ normal(lk1, omega) | id),
    ode_control(solver = "stiff"),
    {
      slow <- exp(eta) * a
      back <- exp(lk3) * b * c
      d/dt(a) <- back - slow
      d/dt(b) <- slow - back - 3e7 * b^2
      d/dt(c) <- 3e7 * b^2
      a(0) <- 1
      y ~ normal(a, sigma)
    }
  )
}
design <- expand.grid(t = c(1, 4, 10, 40, 100, 400, 1000, 4000), id = 1:12)
data <- simulate(robertson(log(0.04)), seed = 3, data = design[order(design$id, design$t), ])
made <- fit_nlme(robertson(log(0.08)), data, fix = "lk3", method = few_solutions(), seed = 1, progress = FALSE)
print(summary(made))
stopifnot(
  made$status$code == "converged",
  abs(fixef(made)[["lk1"]] - log(0.04)) < 0.25,
  nrow(as.data.frame(made$equations$failed)) == 0
)
