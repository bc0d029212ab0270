test_that("conditional weighted residuals are those of the model linearized at the modes", {
  fit <- fit_nlme(theo_formula(error = add_prop(a = 0.5, b = 0.1)), theo, seed = 1, progress = FALSE)
  omega <- diag(VarCorr(fit)$variance)
  modes <- as.matrix(ranef(fit))[as.character(theo$Subject), ]
  curve <- function(dose, time, eta) {
    theta <- fixef(fit)[c("ka", "V", "Cl")] * exp(eta)
    k <- theta[3] / theta[2]
    as.numeric(dose * theta[1] / (theta[2] * (theta[1] - k)) * (exp(-k * time) - exp(-theta[1] * time)))
  }
  expected <- double(nrow(theo))
  for (rows in split(seq_len(nrow(theo)), as.character(theo$Subject))) {
    eta <- modes[rows[1L], ]
    f <- curve(theo$dose[rows], theo$Time[rows], eta)
    # Complex steps have no error of difference.
    slope <- sapply(1:3, function(k) {
      step <- complex(real = 0, imaginary = 1e-20 * (1:3 == k))
      theta <- fixef(fit)[c("ka", "V", "Cl")] * exp(eta + step)
      ke <- theta[3] / theta[2]
      dose <- theo$dose[rows]
      time <- theo$Time[rows]
      Im(dose * theta[1] / (theta[2] * (theta[1] - ke)) * (exp(-ke * time) - exp(-theta[1] * time))) / 1e-20
    })
    spread <- fit$fitted$sd[rows]
    covariance <- slope %*% omega %*% t(slope) + diag(spread^2)
    parts <- eigen(covariance)
    root <- parts$vectors %*% diag(sqrt(parts$values)) %*% t(parts$vectors)
    expected[rows] <- solve(root, theo$conc[rows] - f + slope %*% eta)
  }
  expect_equal(residuals(fit, "cwres"), expected, tolerance = 1e-6)
})

test_that("of a linear model they are the exact weighted residuals, which simulations approach", {
  model <- nlme_model(
    fixed(a = 10, o = positive(2), s = positive(1)), random(e ~ normal(a, o) | id), {
      y ~ normal(e, s)
    }
  )
  data <- data.frame(id = rep(1:5, each = 3), y = c(9, 10, 12, 14, 13, 13, 7, NA, 6, 11, 10, 8, 9, 12, 10))
  fit <- evaluate_nlme(model, data, seed = 1)
  exact <- rep(NA_real_, 15)
  for (rows in split(1:15, data$id)) {
    rows <- rows[!is.na(data$y[rows])]
    parts <- eigen(4 + diag(length(rows)))
    exact[rows] <- parts$vectors %*% (crossprod(parts$vectors, data$y[rows] - 10) / sqrt(parts$values))
  }
  expect_equal(residuals(fit, "cwres"), exact, tolerance = 1e-6)
  simulated <- residuals(fit, "pwres", nsim = 20000, seed = 1)
  expect_equal(which(is.na(simulated)), 8L)
  expect_lt(max(abs(simulated - exact), na.rm = TRUE), 0.08)
})

test_that("what cannot be linearized is refused with the way out", {
  many <- fit_nlme(counts(), MASS::epil, short_saem(), seed = 1, progress = FALSE)
  expect_equal(caught(residuals(many, "cwres"))$reason, "no_conditional_residual")
  # Quantile residuals of counts are spread over their ties.
  expect_true(all(is.finite(residuals(many, "quantile", nsim = 200, seed = 1))))
  fit <- fit_orange(method = short_saem(), seed = 1)
  expect_equal(caught(residuals(fit, "cwres", nsim = 300))$reason, "idle_option")
  expect_equal(caught(residuals(fit, "npd", level = 0))$reason, "idle_option")
})
