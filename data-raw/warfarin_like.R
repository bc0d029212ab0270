# Simulate inst/extdata/warfarin_like.csv, the data of vignettes/vem.Rmd: Rscript data-raw/warfarin_like.R
#
# Made up, with the design of a classical study of warfarin: one dose of 1.5 mg/kg in 32 subjects, of whom 13 were
# sampled from the first hour on and 19 only from the second day on, so that these tell nearly nothing of absorption.
# One compartment, first-order absorption; volume and clearance grow with weight; log-normal random effects; a residual
# error with a constant and a proportional part. The numbers are round ones in the range that textbooks give for the
# drug.

set.seed(3)
n <- 32
wt <- round(pmin(pmax(rlnorm(n, log(68), 0.2), 40), 105), 1)
dose <- 5 * round(1.5 * wt / 5)
ka <- 0.6 * exp(0.8 * rnorm(n))
v <- 8 * wt / 70 * exp(0.15 * rnorm(n))
cl <- 0.13 * (wt / 70)^0.75 * exp(0.25 * rnorm(n))

late <- c(24, 36, 48, 72, 96, 120)
early <- c(1, 2, 3, 6, 9, 12)
rich <- seq_len(n) %in% sample(n, 13)

rows <- lapply(seq_len(n), function(i) {
  time <- if (rich[i]) c(early, late) else late
  k <- cl[i] / v[i]
  mean <- dose[i] * ka[i] / (v[i] * (ka[i] - k)) * (exp(-k * time) - exp(-ka[i] * time))
  dv <- rnorm(length(time), mean, sqrt(0.2^2 + (0.1 * mean)^2))
  data.frame(id = i, wt = wt[i], dose = dose[i], time = time, dv = round(dv, 1))
})
data <- do.call(rbind, rows)
stopifnot(all(data$dv > 0))
write.csv(data, "inst/extdata/warfarin_like.csv", row.names = FALSE, quote = FALSE)
