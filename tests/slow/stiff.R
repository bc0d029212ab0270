# Fast binding: fitted by the implicit solver; hurried explicit steps end as rejected draws that the summary names.
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
  saem(exploration = 30, smoothing = 20, n_chains = 1, auto_small_n_chains = FALSE, log_lik = FALSE)
}

binding_data <- function() {
  design <- expand.grid(t = c(0, 0.25, 1, 4, 8, 24, 48, 72), id = 1:6)
  design <- design[order(design$id, design$t), ]
  design$amt <- ifelse(design$t == 0, 20, 0)
  simulate(binding(), seed = 5, data = design)
}

data <- binding_data()
made <- fit_nlme(
  binding(ode_control(solver = "stiff")), data, fix = "lkon", method = few_solutions(), seed = 1, progress = FALSE
)
print(fixef(made))
stopifnot(
  max(abs(fixef(made)[c("lke", "lksyn")] - c(log(0.1), 0))) < 0.3,
  any(grepl("by an implicit method", capture.output(summary(made))))
)

hurried <- binding(ode_control(solver = "explicit", max_steps = 300))
made <- fit_nlme(hurried, data, fix = "lkon", method = few_solutions(), seed = 1, progress = FALSE)
print(made$equations$failed)
stopifnot(
  "too many steps" %in% made$equations$failed$reason,
  any(grepl("too many steps", capture.output(summary(made))))
)
