# Write requests of fits of theophylline (datasets::Theoph without its time-zero rows, dose in mg) and its data, for the
# benchmark of the core: bench/theophylline.R FOLDER. Where NLMERS_SHARED names a folder with warfarin data, a fit of
# these with combined error, too.

library(nlmers)

folder <- commandArgs(TRUE)[1L]
data <- subset(datasets::Theoph, Time > 0)
data$Dose <- data$Dose * data$Wt
typical <- quote(fixed(
  ka = positive(1), V = positive(20), Cl = positive(0.5),
  omega = positive(c(1, 1, 1)), a = positive(1)
))
effects <- quote(random(c(eta_ka, eta_V, eta_Cl) ~ mvnormal(c(0, 0, 0), diag(omega)) | Subject))
model <- nlme_model(
  !!typical, !!effects,
  {
    ka_i <- ka * exp(eta_ka)
    v_i <- V * exp(eta_V)
    cl_i <- Cl * exp(eta_Cl)
    conc ~ normal(
      Dose * ka_i / (v_i * ka_i - cl_i) * (exp(-cl_i / v_i * Time) - exp(-ka_i * Time)),
      a
    )
  }
)
write_request <- function(name, model, data, method) {
  bound <- nlmers:::bind_data(model, data)
  settings <- list(start = list(), fix = list(), seed = 1, threads = 1)
  request <- nlmers:::fit_request(bound$model, bound, method, settings)
  writeLines(nlmers:::request_json(request), file.path(folder, paste0(name, ".json")))
  write.csv(bound$columns, file.path(folder, paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
}

equations <- function(...) {
  nlme_model(
    !!typical, !!effects, ...,
    {
      ka_i <- ka * exp(eta_ka)
      v_i <- V * exp(eta_V)
      d/dt(depot) <- -ka_i * depot
      d/dt(center) <- ka_i * depot - Cl * exp(eta_Cl) / v_i * center
      depot(0) <- Dose
      conc ~ normal(center / v_i, a)
    }
  )
}

write_request("theophylline", model, data, saem())
write_request("saem-theophylline", model, data, saem())
write_request("equations-theophylline", equations(), data, saem())
write_request("steps-theophylline", equations(ode_control(linear = FALSE)), data, saem())
write_request("vem-theophylline", model, data, vem())
write_request("vem-steps-theophylline", equations(ode_control(linear = FALSE)), data, vem())

warfarin <- file.path(Sys.getenv("NLMERS_SHARED"), "reference", "data", "warfarin_cp.csv")
if (file.exists(warfarin)) {
  combined <- nlme_model(
    fixed(
      ka = positive(1), V = positive(8), Cl = positive(0.13),
      omega = positive(c(1, 1, 1)), a = positive(1), b = positive(1)
    ),
    random(c(eta_ka, eta_V, eta_Cl) ~ mvnormal(c(0, 0, 0), diag(omega)) | id),
    {
      ka_i <- ka * exp(eta_ka)
      v_i <- V * exp(eta_V)
      k <- Cl * exp(eta_Cl) / v_i
      conc <- dose * ka_i / (v_i * (ka_i - k)) * (exp(-k * time) - exp(-ka_i * time))
      dv ~ normal(conc, add_prop(a, b))
    }
  )
  write_request("vem-warfarin", combined, read.csv(warfarin), vem())
}
