# How often do 95 % intervals hold the truth? tests/slow/coverage.R [DATA_SETS] [OUTPUT]
#
# Data sets are simulated from a fit of theophylline, subjects and times as they are, and fitted by SAEM and by VEM from
# the starting values of the model. For each parameter it counts the data sets in which the interval of confint() holds
# the value the data came from. The intervals of the typical values must do so in 91 to 98 of 100. Where a random effect
# all but vanishes a fit may have no covariance matrix; then the one by Louis' formula is asked for, then the linear
# one, as a user would; the last lines count them. Run by `make slow`, some minutes; on several cores with MC_CORES.

library(nlmers)

arguments <- commandArgs(TRUE)
n <- if (length(arguments) > 0L) as.integer(arguments[1L]) else 300L
cores <- as.integer(Sys.getenv("MC_CORES", "1"))

theo <- subset(as.data.frame(datasets::Theoph), Time > 0)
theo$dose <- theo$Dose * theo$Wt

one_compartment <- function(dose, time, ka, v, cl) {
  k <- cl / v
  dose * ka / (v * (ka - k)) * (exp(-k * time) - exp(-ka * time))
}

model <- nlme_formula(
  conc ~ one_compartment(dose, Time, ka, V, Cl), start = c(ka = 1, V = 20, Cl = 0.5),
  transform = "log", random = ka + V + Cl ~ 1 | Subject
)
methods <- list(saem = saem(), vem = vem())

truth <- fit_nlme(model, theo, seed = 1, progress = FALSE)
values <- stats::setNames(truth$parameters$natural, truth$parameters$name)
drawn <- stats::simulate(truth, nsim = n, seed = 2)

interval <- function(fit, ...) tryCatch(stats::confint(fit, ...), nlmers_error = function(error) NULL)

# One row a data set and parameter: whether the interval holds the truth, the matrix it is from, the status of the fit.
intervals <- function(i, method) {
  data <- drawn[drawn$sim == i, ]
  fit <- suppressWarnings(fit_nlme(model, data, method, seed = i, threads = 1, progress = FALSE))
  by <- "fit"
  bounds <- interval(fit)
  for (matrix in c("louis", "linear")) {
    if (!is.null(bounds)) break
    by <- matrix
    bounds <- suppressWarnings(interval(fit, vcov = matrix))
  }
  bounds <- bounds[names(values), , drop = FALSE]
  data.frame(
    parameter = names(values), estimate = fit$parameters$natural, lower = bounds[, 1L], upper = bounds[, 2L],
    holds = bounds[, 1L] <= values & values <= bounds[, 2L], by = by, status = fit$status$code, row.names = NULL
  )
}

study <- function(name) {
  started <- proc.time()[["elapsed"]]
  rows <- do.call(rbind, parallel::mclapply(seq_len(n), intervals, methods[[name]], mc.cores = cores))
  cat(sprintf(
    "%s: %.0f s, %.1f %% converged\n", name, proc.time()[["elapsed"]] - started,
    100 * mean(rows$status == "converged")
  ))
  cbind(method = name, rows)
}

rows <- do.call(rbind, lapply(names(methods), study))
if (length(arguments) > 1L) utils::write.csv(rows, arguments[2L], row.names = FALSE)

covered <- with(rows, tapply(holds, list(factor(parameter, names(values)), method), mean))
print(cbind(truth = signif(values, 4), round(100 * covered, 1)))
print(table(rows$method, matrix = factor(rows$by, c("fit", "louis", "linear"))) / length(values))

typical <- covered[c("ka", "V", "Cl"), ]
if (any(typical < 0.91 | typical > 0.98)) stop("An interval of a typical value covers outside 91 to 98 %.")
