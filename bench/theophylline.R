# Write the request of a fit of theophylline (datasets::Theoph without its time-zero rows, dose in mg) and its data,
# for the benchmark of the core: bench/theophylline.R REQUEST COLUMNS.

library(nlmers)

path <- commandArgs(TRUE)
data <- subset(datasets::Theoph, Time > 0)
data$Dose <- data$Dose * data$Wt
model <- nlme_model(
  fixed(
    ka = positive(1), V = positive(20), Cl = positive(0.5),
    omega = positive(c(1, 1, 1)), a = positive(1)
  ),
  random(c(eta_ka, eta_V, eta_Cl) ~ mvnormal(c(0, 0, 0), diag(omega)) | Subject),
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
bound <- nlmers:::bind_data(model, data)
settings <- list(start = list(), fix = list(), seed = 1, threads = 1)
request <- nlmers:::fit_request(model, bound, saem(), settings)
writeLines(nlmers:::request_json(request), path[1])
write.csv(bound$columns, path[2], row.names = FALSE, quote = FALSE)
