# Find the maximum of the likelihood for vignettes/vem.Rmd: Rscript data-raw/warfarin_like_maximum.R
#
# Minus twice the log-likelihood by adaptive quadrature with 25 nodes a dimension, minimized in all parameters on the
# transformed scale by a quasi-Newton method with differences, from the estimates of VEM. Some minutes. Writes
# vignettes/vem-maximum.csv.

library(nlmers)

data <- utils::read.csv("inst/extdata/warfarin_like.csv")
one_compartment <- function(dose, time, ka, v, cl) {
  k <- cl / v
  dose * ka / (v * (ka - k)) * (exp(-k * time) - exp(-ka * time))
}
model <- nlme_formula(
  dv ~ one_compartment(dose, time, ka, V * wt / 70, Cl * (wt / 70)^0.75),
  start = c(ka = 1, V = 10, Cl = 0.1), transform = "log", random = ka + V + Cl ~ 1 | id,
  error = add_prop(a = 1, b = 0.1)
)
fit <- fit_nlme(model, data, vem(), seed = 1, progress = FALSE)

# All parameters are positive.
minus2ll <- function(logarithms) {
  fit$parameters$natural <- exp(logarithms)
  # Without coordinates the natural values count.
  fit$coordinates$value <- NA_real_
  -2 * as.numeric(logLik(fit, nodes = 25))
}

started <- proc.time()[["elapsed"]]
found <- log(fit$parameters$natural)
for (step in c(1e-4, 1e-5)) {
  found <- stats::optim(
    found, minus2ll, method = "BFGS", control = list(reltol = 1e-13, ndeps = rep(step, length(found)))
  )$par
}
seconds <- proc.time()[["elapsed"]] - started
table <- data.frame(
  quantity = c(fit$parameters$name, "minus2ll", "seconds"),
  value = format(c(exp(found), minus2ll(found), seconds), digits = 10, trim = TRUE)
)
utils::write.csv(table, "vignettes/vem-maximum.csv", row.names = FALSE, quote = FALSE)
