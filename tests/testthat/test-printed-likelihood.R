# An effect whose variance is 0 at the maximum is absent from the model that is looked at there, and its density from
# the likelihood: taken out twice it left -1992 for -370.5.
test_that("the printed log-likelihood is that of the model, with variances of 0 too", {
  skip_on_cran()
  for (number in c(18L, 59L)) {
    design <- random_design(number)
    for (method in list(saem(), vem())) {
      fit <- fit_design(design, method, 1)
      again <- as.numeric(logLik(fit, method = "quadrature", nodes = 9))
      expect_true(converged(fit))
      expect_lt(attr(VarCorr(fit), "covariance")[1L, 1L], 1e-6)
      expect_lt(abs(as.numeric(logLik(fit)) - again), 0.01)
    }
  }
})

# Few values of many subjects: rules of 11 nodes, and then 8 million draws, took seconds and left an error of .58.
test_that("thousands of sparse subjects are integrated as well as twenty", {
  skip_on_cran()
  times <- c(0.5, 1.5, 3, 6, 12, 24)
  truth <- c(absorption = 1.5, volume = 32, clearance = 2.8)
  curve <- function(p) {
    k <- p[3] / p[2]
    320 * p[1] / (p[2] * (p[1] - k)) * (exp(-k * times) - exp(-p[1] * times))
  }
  set.seed(1)
  few <- do.call(rbind, lapply(1:20, function(i) {
    data.frame(id = i, t = times, y = curve(truth * exp(c(0.6, 0.15, 0.27) * rnorm(3))) * (1 + 0.15 * rnorm(6)))
  }))
  many <- do.call(rbind, lapply(0:99, function(k) transform(few, id = id + 20 * k)))
  model <- nlme_model(
    fixed(a = 0.15, lka = log(1.5), lv = log(32), lcl = log(2.8), s = positive(c(0.6, 0.15, 0.27))),
    random(c(e1, e2, e3) ~ mvnormal(c(0, 0, 0), diag(s^2)) | id),
    {
      ka <- exp(lka + e1)
      v <- exp(lv + e2)
      k <- exp(lcl + e3) / v
      f <- 320 * ka / (v * (ka - k)) * (exp(-k * t) - exp(-ka * t))
      y ~ normal(f, a * f)
    }
  )
  exact <- 100 * as.numeric(logLik(evaluate_nlme(model, few, seed = 1), method = "quadrature", nodes = 61))
  found <- logLik(evaluate_nlme(model, many, seed = 1))
  expect_lt(attr(found, "error"), 0.2)
  expect_lt(abs(as.numeric(found) - exact), max(0.02, attr(found, "error")))
})
