# Distributions of endpoints: the maximum of the likelihood is that of R's densities.

count_model <- function(ini, lines) {
  fn <- function() NULL
  body(fn) <- bquote({
    ini(.(ini))
    model(.(lines))
  })
  fn
}

expect_maximum <- function(model, data, log_lik, start) {
  fit <- suppressWarnings(fit_nlme(model, data, seed = 1))
  best <- stats::optim(start, function(p) -log_lik(p), method = "BFGS", control = list(reltol = 1e-14))
  expect_equal(as.numeric(logLik(fit)), -best$value, tolerance = 1e-7)
  expect_equal(unname(fixef(fit)), unname(best$par), tolerance = 1e-3)
}

test_that("distributions are those of R", {
  set.seed(3)
  x <- rep(seq(-1, 1, length.out = 20), 5)
  families <- list(
    list(quote(bern(expit(m))), stats::rbinom(100, 1, 0.4), function(y, m) stats::dbinom(y, 1, stats::plogis(m), TRUE)),
    list(quote(dgeom(expit(m))), stats::rgeom(100, 0.3), function(y, m) stats::dgeom(y, stats::plogis(m), TRUE)),
    list(quote(chisq(exp(m))), stats::rchisq(100, 3), function(y, m) stats::dchisq(y, exp(m), log = TRUE)),
    list(quote(dnbinom(3, expit(m))), stats::rnbinom(100, 3, 0.4), function(y, m) {
      stats::dnbinom(y, 3, stats::plogis(m), log = TRUE)
    }),
    list(quote(dgamma(2, exp(m))), stats::rgamma(100, 2, 3), function(y, m) stats::dgamma(y, 2, exp(m), log = TRUE))
  )
  for (family in families) {
    model <- count_model(quote({
      b0 <- 0
      b1 <- 0
    }), bquote({
      m <- b0 + b1 * x
      y ~ .(family[[1]])
    }))
    data <- data.frame(ID = 1:100, x = x, DV = family[[2]])
    expect_maximum(model, data, function(p) sum(family[[3]](data$DV, p[1] + p[2] * x)), c(0, 0))
  }
})

test_that("log densities of rxode2 are those of R", {
  y <- 2.5
  value <- function(word, ...) eval(do.call(nlmers:::nlmixr2_densities[[word]], list(y, ...)), asNamespace("stats"))
  expect_equal(value("llikNorm", 1, 2), stats::dnorm(y, 1, 2, TRUE))
  expect_equal(value("llikT", 4, 1, 2), stats::dt((y - 1) / 2, 4, log = TRUE) - log(2))
  expect_equal(value("llikCauchy", 1, 2), stats::dcauchy(y, 1, 2, TRUE))
  expect_equal(value("llikExp", 0.4), stats::dexp(y, 0.4, TRUE))
  expect_equal(value("llikGamma", 2, 0.4), stats::dgamma(y, 2, 0.4, log = TRUE))
  expect_equal(value("llikChisq", 3), stats::dchisq(y, 3, log = TRUE))
  expect_equal(value("llikWeibull", 2, 3), stats::dweibull(y, 2, 3, TRUE))
  expect_equal(value("llikUnif", 1, 4), stats::dunif(y, 1, 4, TRUE))
  y <- 0.3
  expect_equal(value("llikBeta", 2, 3), stats::dbeta(y, 2, 3, log = TRUE))
  y <- 3
  expect_equal(value("llikPois", 2.2), stats::dpois(y, 2.2, TRUE))
  expect_equal(value("llikBinom", 7, 0.3), stats::dbinom(y, 7, 0.3, TRUE))
  expect_equal(value("llikNbinom", 2, 0.3), stats::dnbinom(y, 2, 0.3, log = TRUE))
  expect_equal(value("llikNbinomMu", 2, 1.7), stats::dnbinom(y, 2, mu = 1.7, log = TRUE))
  expect_equal(value("llikGeom", 0.3), stats::dgeom(y, 0.3, TRUE))
})

test_that("functions of rxode2 are those of R", {
  x <- 0.3
  value <- function(word, ...) eval(do.call(nlmers:::nlmixr2_words[[word]], list(...)), asNamespace("stats"))
  for (word in c("sinh", "cosh", "asin", "acos", "sign", "factorial", "lfactorial")) {
    expect_equal(value(word, x), match.fun(word)(x))
    if (word != "factorial") expect_equal(value(word, 0.9), match.fun(word)(0.9))
  }
  expect_equal(value("sign", -2), -1)
  expect_equal(value("choose", 7, 3), 35)
  expect_equal(value("lchoose", 7, 3), log(35))
  expect_equal(value("beta", 2, 3), beta(2, 3))
  # erf(0.5) of tables
  expect_equal(value("erf", 0.5), 0.5204998778, tolerance = 1e-9)
  expect_equal(value("erfc", 0.5), 1 - 0.5204998778, tolerance = 1e-9)
})

test_that("ll() is the log density of the outcome", {
  set.seed(5)
  data <- data.frame(id = 1:80, time = rep(1:4, 20), DV = stats::rpois(80, 3))
  model <- count_model(quote({
    b <- 0.5
  }), quote({
    lam <- exp(b)
    ll(cnt) ~ llikPois(DV, lam)
  }))
  expect_maximum(model, data, function(p) sum(stats::dpois(data$DV, exp(p), TRUE)), 0.5)
  # Of several endpoints each has its own.
  two <- as_nlme_model(count_model(quote({
    b <- 0.5
    s <- 1
  }), quote({
    lam <- exp(b)
    lam ~ add(s)
    ll(cnt) ~ DV * b - lam
  })))
  expect_equal(vapply(two$spec$statements, `[[`, "", "text")[3], "DV_cnt ~ custom(DV_cnt * b - lam)")
})

test_that("categories have the values that the model names", {
  set.seed(6)
  model <- count_model(quote({
    a1 <- -1
    a2 <- 0.5
  }), quote({
    p0 <- expit(a1)
    p1 <- (1 - p0) * expit(a2)
    Level ~ c(p0 = 0, p1 = 0.5, 2)
  }))
  y <- rep(c(0, 0.5, 2), c(30, 45, 25))
  data <- data.frame(ID = 1:100, DV = y)
  fit <- suppressWarnings(fit_nlme(model, data, seed = 1))
  shares <- c(0.3, 0.45, 0.25)
  # The shares of the data are the maximum.
  expect_equal(as.numeric(logLik(fit)), 100 * sum(shares * log(shares)), tolerance = 1e-8)
  expect_equal(unname(fixef(fit)), stats::qlogis(c(0.3, 0.45 / 0.7)), tolerance = 1e-4)
  drawn <- simulate(fit, nsim = 30, seed = 1, newdata = data["ID"])
  expect_setequal(drawn$DV, c(0, 0.5, 2))
  expect_null(drawn$DV_category)
  expect_equal(as.numeric(table(drawn$DV)) / 3000, shares, tolerance = 0.05)
  expect_equal(as.numeric(logLik(suppressWarnings(fit_nlme(model, data, seed = 2)))), as.numeric(logLik(fit)))
  error <- caught(fit_nlme(model, transform(data, DV = DV + 1)))
  expect_equal(error$reason, "unknown_level")
  plain <- as_nlme_model(count_model(quote({
    a1 <- -1
  }), quote({
    p0 <- expit(a1)
    y ~ c(p0)
  })))
  expect_equal(vapply(plain$spec$statements, `[[`, "", "text")[2], "DV ~ categorical(c(p0, 1 - p0))")
})
