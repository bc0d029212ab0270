# Simulate inst/extdata/warfarin_pkpd_like.csv, the data of vignettes/ode.Rmd: Rscript data-raw/warfarin_pkpd_like.R
#
# Made up, with the design of a classical study of warfarin: one dose of 1.5 mg/kg in 32 subjects; its concentration
# over five days, and over six days the activity of the prothrombin complex, whose making the drug holds up. Numbers are
# round ones in the range that textbooks give for the drug. The data are drawn from the model of the vignette by
# simulate().

library(nlmers)

set.seed(4)
n <- 32
wt <- round(pmin(pmax(rlnorm(n, log(68), 0.2), 40), 105), 1)
amt <- 5 * round(1.5 * wt / 5)
early <- c(0.5, 1, 2, 3, 6, 9, 12)
late <- c(24, 36, 48, 72, 96, 120)
rich <- seq_len(n) %in% sample(n, 13)

rows <- lapply(seq_len(n), function(i) {
  blood <- if (rich[i]) c(early, late) else late
  effect <- c(0, 24, 36, 48, 72, 96, 120, 144)
  rbind(
    data.frame(id = i, time = 0, amt = amt[i], evid = 1, dvid = "cp"),
    data.frame(id = i, time = blood, amt = 0, evid = 0, dvid = "cp"),
    data.frame(id = i, time = effect, amt = 0, evid = 0, dvid = "pca")
  )
})
data <- do.call(rbind, rows)
data$wt <- wt[data$id]
data <- data[order(data$id, data$time, -data$evid, data$dvid), ]

model <- nlme_model(
  fixed(
    ka = positive(1.2), cl = positive(0.135), v = positive(8), tlag = positive(0.8),
    ic50 = positive(1.2), kout = positive(0.05), base = positive(96),
    omega = positive(c(0.6, 0.28, 0.15, 0.4, 0.15, 0.08)),
    sd_add = positive(0.2), sd_prop = positive(0.08), sd_pca = positive(3.5)
  ),
  random(eta ~ mvnormal(rep(0, 6), diag(omega^2)) | id),
  {
    lag <- tlag
    c_l <- cl * (wt / 70)^0.75 * exp(eta[2])
    vol <- v * wt / 70 * exp(eta[3])
    k_out <- kout * exp(eta[5])
    r0 <- base * exp(eta[6])
    conc <- linear_compartments(c_l, vol, ka = ka * exp(eta[1]))
    alag(depot) <- lag
    d/dt(activity) <- k_out * (r0 * (1 - conc / (ic50 * exp(eta[4]) + conc)) - activity)
    activity(0) <- r0
    cp ~ normal(conc, add_prop(sd_add, sd_prop))
    pca ~ normal(activity, sd_pca)
  }
)
drawn <- simulate(model, nsim = 1, seed = 1, data = data)
value <- ifelse(data$dvid == "cp", drawn$cp, drawn$pca)
data$dv <- ifelse(data$evid == 1, NA, pmax(round(value, 1), 0))
data <- data[c("id", "time", "amt", "evid", "dvid", "dv", "wt")]
write.csv(data, "inst/extdata/warfarin_pkpd_like.csv", row.names = FALSE, quote = FALSE, na = "")
