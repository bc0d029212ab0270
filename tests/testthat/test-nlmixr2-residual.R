# Residual errors on other scales: the maximum of the likelihood is that of densities written in R by the change of
# variables, with the slope of the transformation by differences.

curve_data <- function(y) data.frame(id = seq_along(y), time = rep(1:6, length.out = length(y)), DV = y)

maximum_of <- function(log_lik, start) {
  stats::optim(start, function(p) -log_lik(p), method = "BFGS", control = list(reltol = 1e-14, maxit = 1000))
}

# `h` of (y, parameters) is the transformation, `sd` and `density` of (prediction, parameters) the error on its scale.
expect_same_maximum <- function(model, data, h, sd, density = stats::dnorm, extra = 0.5) {
  fit <- suppressWarnings(fit_nlme(model, data, seed = 1))
  slope <- function(y, p) (h(y + 1e-5, p) - h(y - 1e-5, p)) / 2e-5
  log_lik <- function(p) {
    f <- p[1] * exp(-0.2 * data$time)
    s <- sd(f, exp(p[2]), p)
    if (any(!is.finite(s)) || any(s <= 0) || any(!is.finite(h(f, p)))) return(-1e10)
    sum(density((h(data$DV, p) - h(f, p)) / s, log = TRUE) - log(s) + log(slope(data$DV, p)))
  }
  best <- suppressWarnings(maximum_of(log_lik, c(a = 5, s = log(0.3), lambda = extra)))
  expect_equal(as.numeric(logLik(fit)), -best$value, tolerance = 1e-6)
  expect_equal(unname(fixef(fit)[["a"]]), best$par[["a"]], tolerance = 1e-3)
}

residual_model <- function(error, ini = quote(lambda <- fix(0.5))) {
  fn <- function() NULL
  body(fn) <- bquote({
    ini({
      a <- 5
      s <- 0.3
      .(ini)
    })
    model({
      f <- a * exp(-0.2 * time)
      g <- 2 + 0.1 * time
      .(call("~", quote(f), error))
    })
  })
  fn
}

set.seed(11)
f_true <- 5 * exp(-0.2 * rep(1:6, 10))
noise <- stats::rnorm(60)
held <- function(y, p) y

test_that("logitNorm() and probitNorm() have the density of a transformed normal", {
  logit <- function(y, p) stats::qlogis(y / 8)
  y <- 8 * stats::plogis(stats::qlogis(f_true / 8) + 0.3 * noise)
  expect_same_maximum(residual_model(quote(logitNorm(s, 0, 8))), curve_data(y), logit, function(f, s, p) s + 0 * f)
  expect_same_maximum(
    residual_model(quote(logitNorm(NA, 0, 8) + prop(s))), curve_data(y), logit, function(f, s, p) s * f
  )
  probit <- function(y, p) stats::qnorm((y + 1) / 9)
  expect_same_maximum(residual_model(quote(probitNorm(s, -1, 8))), curve_data(y), probit, function(f, s, p) s + 0 * f)
})

test_that("boxCox() and yeoJohnson() estimate their power", {
  y <- (sqrt(f_true) + 0.15 * noise)^2
  box <- function(y, p) (y^p[3] - 1) / p[3]
  free <- quote(lambda <- 0.4)
  expect_same_maximum(
    residual_model(quote(add(s) + boxCox(lambda)), free), curve_data(y), box, function(f, s, p) s + 0 * f
  )
  yeo <- function(y, p) {
    l <- p[3]
    ifelse(y >= 0, ((abs(y) + 1)^l - 1) / l, -((abs(y) + 1)^(2 - l) - 1) / (2 - l))
  }
  shifted <- f_true + 1.5 * noise
  expect_true(any(shifted < 0))
  expect_same_maximum(
    residual_model(quote(add(s) + yeoJohnson(lambda)), free), curve_data(shifted), yeo, function(f, s, p) s + 0 * f
  )
})

test_that("heavy tails stand on the transformed scale", {
  y <- exp(log(f_true) + 0.2 * noise)
  t4 <- function(x, log) stats::dt(x, 4, log = log)
  expect_same_maximum(
    residual_model(quote(lnorm(s) + dt(4))), curve_data(y), function(y, p) log(y), function(f, s, p) s + 0 * f, t4
  )
  expect_same_maximum(
    residual_model(quote(add(s) + dcauchy())), curve_data(y), held, function(f, s, p) s + 0 * f, stats::dcauchy
  )
})

test_that("outcomes with errors on another scale are drawn", {
  data <- data.frame(id = rep(1:4000, each = 2), time = rep(c(1, 6), 4000))
  # Quartiles go along with the transformation.
  quartiles <- function(error) {
    drawn <- simulate(as_nlme_model(residual_model(error)), seed = 1, data = data)
    expect_equal(names(drawn), c("sim", "id", "time", "DV"))
    tapply(drawn$DV, drawn$time, stats::quantile, c(0.25, 0.75))
  }
  f <- 5 * exp(-0.2 * c(1, 6))
  for (case in list(
    list(quote(logitNorm(s, 0, 8)), function(p, f) 8 * stats::plogis(stats::qlogis(f / 8) + 0.3 * stats::qnorm(p))),
    list(quote(probitNorm(s, -1, 8)), function(p, f) {
      9 * stats::pnorm(stats::qnorm((f + 1) / 9) + 0.3 * stats::qnorm(p)) - 1
    }),
    list(quote(lnorm(s) + dt(4)), function(p, f) f * exp(0.3 * stats::qt(p, 4)))
  )) {
    found <- quartiles(case[[1]])
    for (i in 1:2) expect_equal(unname(found[[i]]), case[[2]](c(0.25, 0.75), f[i]), tolerance = 0.02)
  }
})

test_that("an error is proportional to what it says", {
  y <- f_true * (1 + 0.1 * noise)
  data <- curve_data(y)
  g <- 2 + 0.1 * data$time
  expect_same_maximum(residual_model(quote(propF(s, g))), data, held, function(f, s, p) s * g)
  expect_same_maximum(residual_model(quote(powF(s, 0.5, g))), data, held, function(f, s, p) s * sqrt(g))
  expect_same_maximum(residual_model(quote(propT(s))), data, held, function(f, s, p) s * abs(f))
  log_scale <- function(y, p) log(y)
  expect_same_maximum(
    residual_model(quote(lnorm(0.05) + prop(s))), data, log_scale, function(f, s, p) sqrt(0.05^2 + (s * f)^2)
  )
  expect_same_maximum(
    residual_model(quote(lnorm(NA) + powT(s, 0.5))), data, log_scale, function(f, s, p) s * sqrt(abs(log(f)))
  )
})

test_that("an error that is held at 0 is none", {
  model <- as_nlme_model(residual_model(quote(add(b) + prop(s)), quote(b <- fix(0))))
  texts <- vapply(model$spec$statements, `[[`, "", "text")
  expect_equal(texts[3], "DV ~ normal(f, prop(s))")
  expect_equal(model$fix, list(b = 0))
})

test_that("an endpoint in both branches of `if` has an SD that the condition chooses", {
  data <- transform(curve_data(f_true + rep(c(0.2, 0.6), 30) * noise), site = rep(1:2, 30))
  model <- function() {
    ini({
      a <- 5
      s1 <- 0.3
      s2 <- 0.3
    })
    model({
      f <- a * exp(-0.2 * time)
      if (site == 1) {
        f ~ add(s1)
      } else {
        f ~ prop(s2)
      }
    })
  }
  fit <- suppressWarnings(fit_nlme(model, data, seed = 1))
  log_lik <- function(p) {
    f <- p[1] * exp(-0.2 * data$time)
    sum(stats::dnorm(data$DV, f, ifelse(data$site == 1, exp(p[2]), exp(p[3]) * abs(f)), log = TRUE))
  }
  best <- maximum_of(log_lik, c(5, -1, -1))
  expect_equal(as.numeric(logLik(fit)), -best$value, tolerance = 1e-7)
  expect_equal(unname(fixef(fit)), best$par[1], tolerance = 1e-4)
})

test_that("errors that do not go together are refused by their words", {
  refused <- function(error) caught(as_nlme_model(residual_model(error)))$problem
  expect_match(refused(quote(lnorm(s) + ar(0.3))), "`ar()`", fixed = TRUE)
  expect_match(refused(quote(prop(s) + propT(s))), "`prop()` and `propT()`", fixed = TRUE)
  expect_match(refused(quote(lnorm(s) + boxCox(lambda))), "`lnorm()`", fixed = TRUE)
  expect_match(refused(quote(logitNorm(s, low, 3))), "bounds of `logitNorm()`", fixed = TRUE)
  expect_match(refused(quote(t(4))), "no residual error")
})

test_that("an endpoint whose only error is held at 0 is simulated and predicted, and no fit begins", {
  one <- function(endpoint) {
    fn <- function() NULL
    body(fn) <- bquote({
      ini({
        tcl <- 1
        tv <- 3
        eta.cl ~ fix(0)
        sd <- fixed(0)
      })
      model({
        cl <- exp(tcl + eta.cl)
        v <- exp(tv)
        cp <- linCmt()
        .(endpoint)
      })
    })
    fn
  }
  data <- data.frame(id = 1, time = c(0, 1, 4, 8), amt = c(100, 0, 0, 0), evid = c(1, 0, 0, 0), DV = c(NA, 4, 3, 2))
  known <- 100 / exp(3) * exp(-exp(1 - 3) * data$time)
  for (endpoint in list(quote(cp ~ add(sd)), quote(cp ~ prop(sd)), quote(cp ~ lnorm(sd)))) {
    model <- as_nlme_model(one(endpoint))
    expect_equal(simulate(model, seed = 1, data = data)$DV[-1], known[-1], tolerance = 1e-6)
    expect_equal(as.numeric(predict(model, data))[-1], known[-1], tolerance = 1e-6)
    error <- caught(fit_nlme(one(endpoint), data, progress = FALSE))
    expect_equal(error$reason, "no_residual_error")
    expect_match(error$problem, "`sd` is held at 0", fixed = TRUE)
  }
})
