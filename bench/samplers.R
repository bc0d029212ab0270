# Compare the samplers of SAEM on recorded problems: bench/samplers.R OUTPUT [UNIT]
#
# For every case and sampler, ten seeds, everything else by default: excess of minus twice the log-likelihood over the
# exact maximum (mean and worst), CPU units of SAEM on one thread (median; the unit is a million scalar exponentials,
# UNIT its milliseconds as `make bench` prints them), and the iterations after which minus twice the log-likelihood of
# the estimates stays within 0.5 of the final one (median over three seeds, on a grid of iterations). The maxima are
# those of tests/testthat/test-accuracy.R. The warfarin cases need the folder named in NLMERS_SHARED.

library(nlmers)

samplers <- list(
  independence = independence(), saemix_mh = saemix_mh(n_kern3 = 2), mh = mh(),
  adaptive_mh = adaptive_mh(), mala = mala(), nuts = nuts()
)
grid <- c(1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100, 140, 180, 220, 260, 300, 350)

theo <- subset(as.data.frame(datasets::Theoph), Time > 0)
theo$dose <- theo$Dose * theo$Wt

one_compartment <- function(dose, time, ka, v, cl) {
  k <- cl / v
  dose * ka / (v * (ka - k)) * (exp(-k * time) - exp(-ka * time))
}

theo_formula <- function(...) {
  nlme_formula(
    conc ~ one_compartment(dose, Time, ka, V, Cl), start = c(ka = 1, V = 20, Cl = 0.5),
    transform = "log", random = ka + V + Cl ~ 1 | Subject, ...
  )
}

warfarin_formula <- function(...) {
  nlme_formula(
    dv ~ one_compartment(dose, time, ka, V, Cl), start = c(ka = 1, V = 8, Cl = 0.13),
    transform = "log", random = ka + V + Cl ~ 1 | id, ...
  )
}

orange_model <- function() {
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

counts_model <- function() {
  nlme_model(
    fixed(lambda = positive(0.5), omega_sd = positive(1)),
    random(eta ~ normal(0, omega_sd) | subject),
    y ~ poisson(lambda * exp(eta))
  )
}

cases <- list(
  theo_base = list(theo_formula(), theo, -172.717417, 25),
  theo_wtCL = list(theo_formula(covariates = Cl ~ Wt), theo, -172.373354, 25),
  oxboys_lmm = list(
    nlme_formula(
      height ~ base + slope * age, start = c(base = 140, slope = 1), random = base + slope ~ 1 | Subject,
      correlated = TRUE
    ),
    as.data.frame(nlme::Oxboys), -362.983844550387, 3
  ),
  epil_poisson = list(counts_model(), MASS::epil, -701.093673400881, 15),
  orange = list(orange_model(), as.data.frame(datasets::Orange), -140.185758, 25)
)
warfarin <- file.path(Sys.getenv("NLMERS_SHARED"), "reference", "data", "warfarin_cp.csv")
if (file.exists(warfarin)) {
  warfarin <- utils::read.csv(warfarin)
  cases$warfarin_pk_const <- list(warfarin_formula(), warfarin, -450.893878, 25)
  cases$warfarin_pk_comb <- list(warfarin_formula(error = add_prop(a = 1, b = 1)), warfarin, -443.150061, 25)
}

minus2ll <- function(fit, nodes, natural = fit$parameters$natural) {
  fit$parameters$natural <- natural
  # Without coordinates the natural values count.
  fit$coordinates$value <- NA_real_
  tryCatch(-2 * as.numeric(logLik(fit, nodes = nodes)), error = function(e) Inf)
}

# The first iteration of the grid from which on the estimates stay near the final ones.
arrival <- function(fit, nodes) {
  last <- minus2ll(fit, nodes)
  along <- vapply(grid, function(k) minus2ll(fit, nodes, fit$trace$value[k, ]), 0)
  near <- rev(cumprod(rev(abs(along - last) <= 0.5)))
  if (any(near == 1)) grid[which(near == 1)[1L]] else nrow(fit$trace$value)
}

measure <- function(case, sampler, unit) {
  method <- saem(sampler = sampler, log_lik = FALSE)
  fits <- lapply(1:10, function(seed) {
    suppressWarnings(fit_nlme(case[[1]], case[[2]], method, seed = seed, threads = 1, progress = FALSE))
  })
  excess <- vapply(fits, minus2ll, 0, nodes = case[[4]]) + 2 * case[[3]]
  seconds <- vapply(fits, function(fit) fit$timing$seconds[match("saem", fit$timing$name)], 0)
  data.frame(
    excess_mean = mean(excess), excess_worst = max(excess), units = 1e3 * stats::median(seconds) / unit,
    arrival = stats::median(vapply(fits[1:3], arrival, 0, nodes = min(case[[4]], 7))),
    converged = mean(vapply(fits, converged, NA))
  )
}

arguments <- commandArgs(TRUE)
unit <- if (length(arguments) > 1L) as.numeric(arguments[2L]) else NA
rows <- list()
for (name in names(cases)) {
  for (kind in names(samplers)) {
    row <- cbind(case = name, sampler = kind, measure(cases[[name]], samplers[[kind]], unit))
    print(row, digits = 3, row.names = FALSE)
    rows <- c(rows, list(row))
  }
}
utils::write.csv(do.call(rbind, rows), arguments[1L], row.names = FALSE, quote = FALSE)
