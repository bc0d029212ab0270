# Target-mediated disposition with full binding, default options: the truth in a minute of one core.
# tests/slow/binding.R

library(nlmers)

binding <- function(start) {
  nlme_model(
    fixed(
      lcl = log(!!start[1]), lv = log(!!start[2]), lksyn = log(!!start[3]), lkdeg = log(!!start[4]), lq = log(0.4),
      lvp = log(2.5), lkint = log(0.1), lkon = log(2), lkoff = log(0.02), omega = positive(rep(0.25, 4)),
      drug_error = positive(0.12), target_error = positive(0.12)
    ),
    random(eta ~ mvnormal(c(lcl, lv, lksyn, lkdeg), diag(omega^2)) | id),
    {
      cl <- exp(eta[1])
      v <- exp(eta[2])
      ksyn <- exp(eta[3])
      kdeg <- exp(eta[4])
      q <- exp(lq)
      bind <- exp(lkon) * drug / v * target - exp(lkoff) * complex
      d/dt(drug) <- -(cl + q) / v * drug + q / exp(lvp) * peripheral - v * bind
      d/dt(peripheral) <- q / v * drug - q / exp(lvp) * peripheral
      d/dt(target) <- ksyn - kdeg * target - bind
      d/dt(complex) <- bind - exp(lkint) * complex
      target(0) <- ksyn / kdeg
      concentration ~ normal(drug / v, prop(drug_error))
      all_target ~ normal(target + complex, prop(target_error))
    }
  )
}

truth <- c(0.2, 3, 1, 0.3)
design <- expand.grid(t = c(0, 0.04, 0.25, 1, 2, 4, 7, 10, 14, 21, 28, 35, 42, 56), id = 1:12)
design$amt <- ifelse(design$t == 0, rep(30 * c(0.1, 0.3, 1, 3, 10, 3), each = 2)[design$id], 0)
data <- simulate(binding(truth), seed = 5, data = design)
data$concentration[data$t == 0 | data$concentration < 1e-3] <- NA

fits <- lapply(list(saem(), vem()), function(method) {
  time <- system.time({
    fit <- fit_nlme(binding(c(0.15, 4, 1.5, 0.4)), data, method, seed = 1, threads = 1, progress = FALSE)
  })
  print(summary(fit))
  print(time)
  stopifnot(fit$status$code == "converged", time[["user.self"]] < 60)
  distance <- (fixef(fit)[1:4] - log(truth)) / sqrt(diag(vcov(fit)))[names(fixef(fit))[1:4]]
  print(distance)
  stopifnot(abs(distance) < 3.5)
  fit
})
stopifnot(abs(diff(vapply(fits, logLik, 0))) < 0.1)
