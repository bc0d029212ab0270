# Oral doses at steady state: an independence kernel can settle a level in a far mode while the estimates still travel,
# and nothing brings it back. Fits by saem() ended 42 to 234 above those by vem().

test_that("no level is trapped in a far mode", {
  skip_on_cran()
  model <- nlme_model(
    fixed(lcl = 1.4, lv = 4.2, lka = 0, b = positive(0.2), om = positive(c(0.3, 0.3, 0.3))),
    random(e ~ mvnormal(c(0, 0, 0), diag(om^2)) | id),
    {
      cp <- linear_compartments(exp(lcl + e[1]), exp(lv + e[2]), ka = exp(lka + e[3]))
      y ~ normal(cp, prop(b))
    }
  )
  sampled <- c(exp(seq(log(0.25), log(24), length.out = 18)), 36, 48, 71)
  sampled <- c(sampled, 216 + sampled)
  one <- rbind(
    data.frame(time = c(0, 216), amt = 6e4, ii = c(0, 24), ss = c(0, 1), evid = 1),
    data.frame(time = sampled, amt = 0, ii = 0, ss = 0, evid = 0)
  )
  one <- one[order(one$time, -one$evid), ]
  for (seed in 1:2) {
    data <- merge(data.frame(id = 1:120), one, by = NULL)
    data <- data[order(data$id), ]
    data$y <- 1
    data$y <- simulate(model, seed = seed, data = data, start = list(b = 0.1))$y
    fits <- lapply(list(saem(), vem()), function(method) fit_nlme(model, data, method, seed = 1, progress = FALSE))
    expect_true(all(vapply(fits, converged, NA)))
    values <- vapply(fits, function(fit) as.numeric(logLik(fit, method = "importance", draws = 2000, seed = 1)), 0)
    expect_lt(2 * abs(diff(values)), 0.1)
  }
})

# Few effects, a start at twice the absorption rate: the chains of some seeds find the flip-flop solution, ka = cl / v,
# whose likelihood has a maximum of its own 9.9 above in -2 log L.
test_that("a run that has gone far from its start looks for a better maximum", {
  skip_on_cran()
  design <- random_design(34L)
  best <- as.numeric(logLik(fit_design(design, vem(), 1)))
  for (seed in 2:3) {
    fit <- fit_design(design, saem(), seed)
    expect_true(converged(fit))
    expect_gt(as.numeric(logLik(fit)), best - 0.05)
  }
})
