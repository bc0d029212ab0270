# Judges: the multivariate normal density written out, and nlme.

normal_log_lik <- function(y, mean, v) {
  ok <- !is.na(y)
  if (!any(ok)) return(0)
  r <- (y - mean)[ok]
  chol <- chol(v[ok, ok, drop = FALSE])
  -sum(log(diag(chol))) - sum(backsolve(chol, r, transpose = TRUE)^2) / 2 - length(r) * log(2 * pi) / 2
}

test_that("outcomes that correlate have their joint density, or the marginal one where others are missing", {
  set.seed(3)
  for (d in 2:6) {
    root <- matrix(rnorm(d * d), d)
    v <- crossprod(root) + diag(d)
    y <- matrix(rnorm(8 * d), 8) %*% chol(v)
    y[cbind(1:8, rep_len(seq_len(d), 8))] <- NA
    y[3, ] <- NA
    data <- data.frame(id = rep(1:4, each = 2), y)
    names(data)[-1] <- paste0("y", seq_len(d))
    left <- as.call(c(quote(c), lapply(names(data)[-1], as.symbol)))
    line <- bquote(.(left) ~ mvnormal(rep(m, .(d)) + 0.5, S))
    model <- eval(bquote(nlme_model(fixed(m = 0, S = covariance_matrix(.(v))), {
      .(line)
    })))
    expected <- sum(apply(y, 1, normal_log_lik, mean = rep(0.5, d), v = v))
    expect_equal(as.numeric(logLik(evaluate_nlme(model, data, id = "id", seed = 1))), expected, tolerance = 1e-9)
  }
})

test_that("values of one time on several rows are refused, with the line that reshapes them", {
  model <- nlme_model(fixed(m = 0, S = covariance_matrix(diag(2))), random(e ~ normal(0, 1) | id), {
    c(y1, y2) ~ mvnormal(c(m + e, m), S)
  })
  long <- data.frame(id = rep(1:3, each = 4), time = rep(c(0, 0, 1, 1), 3), DVID = 1:2, DV = rnorm(12))
  error <- caught(evaluate_nlme(model, long))
  expect_equal(error$reason, "joint_layout")
  expect_match(conditionMessage(error), "reshape")
  halves <- data.frame(id = rep(1:3, each = 2), time = 0, y1 = c(1, NA), y2 = c(NA, 2))
  expect_equal(caught(evaluate_nlme(model, halves))$reason, "joint_layout")
})

test_that("autoregressive residuals beside equations have their density, and missing values are passed over", {
  set.seed(4)
  time <- c(0.5, 1, 2, 4, 7)
  data <- data.frame(id = rep(1:4, each = 5), time = time, dose = 10)
  data$y <- 10 * exp(-0.3 * data$time) + rnorm(20)
  data$y[c(3, 7)] <- NA
  by <- list(order = quote(ar1(normal(x, add_prop(a, b)), r)))
  by$time <- quote(ar1(normal(x, add_prop(a, b)), r, time = t))
  by$alike <- quote(exchangeable(normal(x, add_prop(a, b)), r))
  for (kind in names(by)) {
    model <- eval(bquote(nlme_model(fixed(k = 0.3, a = positive(0.5), b = positive(0.2), r = 0.6), {
      d / dt(x) <- -k * x
      x(0) <- dose
      y ~ .(by[[kind]])
    })))
    expected <- sum(vapply(split(data, data$id), function(own) {
      own <- own[!is.na(own$y), ]
      n <- nrow(own)
      at <- if (kind == "time") own$time else seq_len(n)
      lag <- abs(outer(at, at, "-"))
      correlation <- if (kind == "alike") 0.6 + diag(0.4, n) else 0.6^lag
      f <- 10 * exp(-0.3 * own$time)
      sd <- sqrt(0.25 + 0.04 * f^2)
      normal_log_lik(own$y, f, correlation * outer(sd, sd))
    }, 0))
    expect_equal(as.numeric(logLik(evaluate_nlme(model, data, id = "id", seed = 1))), expected, tolerance = 1e-4)
  }
})

test_that("draws correlate as the model says", {
  design <- data.frame(id = rep(1:2000, each = 3), time = rep(c(0, 1, 3), 2000))
  serial <- nlme_model(fixed(m = 5, s = positive(2), r = probability(0.7)), {
    y ~ ar1(normal(m, s), r, time = t)
  })
  y <- matrix(simulate(serial, seed = 1, data = design, id = "id")$y, 3)
  expect_equal(unname(cor(t(y))), 0.7^abs(outer(c(0, 1, 3), c(0, 1, 3), "-")), tolerance = 0.06)
  expect_equal(sd(y), 2, tolerance = 0.04)
  joint <- nlme_model(fixed(m = 5, S = covariance_matrix(matrix(c(4, -1, -1, 1), 2))), {
    c(y1, y2) ~ mvnormal(c(m, 0), S)
  })
  drawn <- simulate(joint, seed = 1, data = design, id = "id")
  expect_equal(unname(cov(drawn[c("y1", "y2")])), matrix(c(4, -1, -1, 1), 2), tolerance = 0.06)
})

test_that("correlations and variances of nlme have the likelihood that gls() has", {
  data <- as.data.frame(nlme::Orthodont)
  data$y <- data$distance
  fit <- function(...) {
    as.numeric(logLik(fit_nlme(y ~ m + s * age, data, start = c(m = 17, s = 0.6), id = "Subject", ...)))
  }
  ref <- function(...) as.numeric(logLik(nlme::gls(distance ~ age, nlme::Orthodont, method = "ML", ...)))
  same <- function(here, there) expect_equal(here, there, tolerance = 1e-6)
  alike <- nlme::corCompSymm(form = ~ 1 | Subject)
  same(fit(correlation = alike), ref(correlation = alike))
  in_time <- nlme::corCAR1(form = ~ age | Subject)
  same(fit(correlation = in_time), ref(correlation = in_time))
  same(fit(weights = nlme::varIdent(form = ~ 1 | Sex)), ref(weights = nlme::varIdent(form = ~ 1 | Sex)))
  same(fit(weights = nlme::varExp(form = ~age)), ref(weights = nlme::varExp(form = ~age)))
})

test_that("ar() of nlmixr2 goes by time", {
  model <- as_nlme_model(function() {
    ini({
      m <- 1
      add.sd <- 0.5
      rho <- 0.4
      eta.m ~ 0.1
    })
    model({
      cp <- m + eta.m
      cp ~ add(add.sd) + ar(rho)
    })
  })
  data <- data.frame(id = rep(1:3, each = 3), time = c(0, 1, 3), DV = c(1, 2, 1.5, 0, 1, 2, 1, 1, 0))
  v <- 0.25 * 0.4^abs(outer(c(0, 1, 3), c(0, 1, 3), "-")) + 0.1
  expected <- sum(apply(matrix(data$DV, 3), 2, normal_log_lik, mean = rep(1, 3), v = v))
  expect_equal(as.numeric(logLik(evaluate_nlme(model, data, seed = 1))), expected, tolerance = 1e-6)
})
