# Effects of any grouping beside differential equations: levels that have rows of several subjects.

plants <- local({
  set.seed(3)
  d <- expand.grid(time = c(0.5, 1, 3, 6), id = 1:24)
  d$site <- (d$id - 1) %/% 4 + 1
  d$assay <- sample(letters[1:5], nrow(d), TRUE)
  start <- 10 + stats::rnorm(24, 0, 1)[d$id] + stats::rnorm(6, 0, 0.8)[d$site]
  d$y <- start * exp(-0.2 * d$time) + stats::rnorm(5, 0, 0.6)[match(d$assay, letters)] + stats::rnorm(nrow(d), 0, 0.4)
  d
})

# Linear in its effects: those of `random` with SDs `w`, `v`, `u`.
linear_in <- function(random, initial, mean) {
  eval(bquote(nlme_model(
    fixed(a = 10, k = positive(0.2), w = positive(1), v = positive(0.7), u = positive(0.5), s = positive(0.4)),
    .(random),
    {
      d/dt(x) <- -k * x
      x(0) <- .(initial)
      y ~ normal(.(mean), s)
    }
  )))
}

exact_linear <- function(d, p) {
  course <- exp(-p$k * d$time)
  same <- function(column) outer(d[[column]], d[[column]], "==")
  sigma <- outer(course, course) * (p$w^2 * same("id") + p$v^2 * same("site")) + p$u^2 * same("assay") +
    diag(p$s^2, nrow(d))
  mvtnorm::dmvnorm(d$y, p$a * course, sigma, log = TRUE)
}

three <- linear_in(
  quote(random(eta ~ normal(0, w) | id, at ~ normal(0, v) | site, lab ~ normal(0, u) | assay)),
  quote(a + eta + at), quote(x + lab)
)

test_that("nested and crossed groupings have the likelihood of a normal distribution of all rows", {
  skip_if_not_installed("mvtnorm")
  p <- list(a = 9.5, k = 0.22, w = 0.9, v = 0.8, u = 0.5, s = 0.45)
  here <- function(model, data = plants, ...) {
    as.numeric(logLik(suppressWarnings(evaluate_nlme(model, data, start = p, ...))))
  }
  expect_equal(here(three), exact_linear(plants, p), tolerance = 2e-4)
  # The order of the lines and of the rows says nothing.
  turned <- linear_in(
    quote(random(lab ~ normal(0, u) | assay, at ~ normal(0, v) | site, eta ~ normal(0, w) | id)),
    quote(a + at + eta), quote(lab + x)
  )
  expect_equal(here(turned, plants[sample(nrow(plants)), ]), exact_linear(plants, p), tolerance = 2e-4)
  above <- linear_in(
    quote(random(eta ~ normal(0, w) | id, at ~ normal(0, v) | site)), quote(a + eta + at), quote(x)
  )
  without <- exact_linear(plants, utils::modifyList(p, list(u = 0)))
  expect_equal(here(above), without, tolerance = 2e-4)
  # Ids that are numbered anew in each site.
  anew <- transform(plants, id = (id - 1) %% 4 + 1)
  inside <- linear_in(
    quote(random(eta ~ normal(0, w) | site:id, at ~ normal(0, v) | site)), quote(a + eta + at), quote(x)
  )
  expect_equal(here(inside, anew), without, tolerance = 2e-4)
  expect_equal(here(inside, anew, id = "id"), without, tolerance = 2e-4)
})

test_that("a grouping above the subjects may be the only one", {
  skip_if_not_installed("mvtnorm")
  p <- list(a = 9.5, k = 0.22, w = 0, v = 0.8, u = 0, s = 0.45)
  alone <- linear_in(quote(random(at ~ normal(0, v) | site)), quote(a + at), quote(x))
  start <- p[c("a", "k", "v", "s")]
  values <- suppressMessages(suppressWarnings(evaluate_nlme(alone, plants, id = "id", start = start)))
  expect_equal(as.numeric(logLik(values)), exact_linear(plants, p), tolerance = 2e-4)
})

test_that("both estimators reach the exact maximum", {
  skip_if_not_installed("mvtnorm")
  at <- function(x) {
    list(a = x[1], k = exp(x[2]), w = exp(x[3]), v = exp(x[4]), u = exp(x[5]), s = exp(x[6]))
  }
  best <- stats::optim(c(10, log(c(0.2, 1, 0.7, 0.5, 0.4))), function(x) -exact_linear(plants, at(x)),
    method = "BFGS", control = list(reltol = 1e-13), hessian = TRUE
  )
  scale <- c(1, exp(best$par[-1]))
  for (method in list(saem(), vem())) {
    fit <- fit_nlme(three, plants, method, seed = 1)
    expect_true(converged(fit))
    expect_equal(as.numeric(logLik(fit)), -best$value, tolerance = 0.03 / abs(best$value))
    expect_equal(unname(sqrt(diag(vcov(fit)))), sqrt(diag(solve(best$hessian))) * scale, tolerance = 0.15)
    expect_named(ranef(fit), c("id", "site", "assay"))
    expect_equal(predict(fit, newdata = plants), predict(fit), tolerance = 1e-6)
  }
})

test_that("an effect that multiplies the outcome has the likelihood of a sum over a fine grid", {
  set.seed(11)
  d <- do.call(rbind, lapply(1:8, function(i) {
    data.frame(id = i, time = c(0, 1, 3, 8), amt = c(100, 0, 0, 0), evid = c(1, 0, 0, 0))
  }))
  d$assay <- ifelse(d$id %% 2 == 0 & d$time > 2, "p", "q")
  curve <- function(t, cl) 12 / (1.2 - cl / 10) * (exp(-cl / 10 * t) - exp(-1.2 * t))
  d$y <- curve(d$time, 2 * exp(stats::rnorm(8, 0, 0.3)[d$id])) * exp(c(p = 0.2, q = -0.1)[d$assay]) +
    stats::rnorm(nrow(d), 0, 0.3)
  d$y[d$evid == 1] <- NA
  model <- nlme_model(
    fixed(a = 0.7, w = positive(0.28), u = positive(0.15), s = positive(0.35)),
    random(eta ~ normal(a, w) | id, lab ~ normal(0, u) | assay),
    {
      d/dt(depot) <- -1.2 * depot
      d/dt(central) <- 1.2 * depot - exp(eta) / 10 * central
      y ~ normal(central / 10 * exp(lab), s)
    }
  )
  z <- seq(-6, 6, length.out = 161)
  weight <- stats::dnorm(z) / sum(stats::dnorm(z))
  seen <- d[d$evid == 0, ]
  by_labs <- lapply(split(seen, seen$id), function(own) {
    at <- function(level) {
      rows <- own[own$assay == level, ]
      outer(z, z, Vectorize(function(eta, lab) {
        prod(stats::dnorm(rows$y, curve(rows$time, exp(0.7 + 0.28 * eta)) * exp(0.15 * lab), 0.35))
      }))
    }
    log(crossprod(at("q") * weight, at("p")))
  })
  total <- Reduce(`+`, by_labs)
  exact <- max(total) + log(sum(outer(weight, weight) * exp(total - max(total))))
  here <- logLik(evaluate_nlme(model, d), method = "importance", draws = 20000)
  expect_equal(as.numeric(here), exact, tolerance = 0.006 / abs(exact))
})

test_that("equations refuse an effect that varies within a subject otherwise than by its occasions", {
  varying <- linear_in(
    quote(random(eta ~ normal(0, w) | id, lab ~ normal(0, u) | assay)), quote(a + eta + lab), quote(x)
  )
  error <- expect_error(suppressWarnings(evaluate_nlme(varying, plants)), class = "nlmers_error_model")
  expect_identical(error$reason, "equation_grouping")
  expect_match(conditionMessage(error), "read `lab`, an effect of `assay`, which varies within `id`")
  expect_match(conditionMessage(error), "lab ~ normal(0, omega) | id:assay", fixed = TRUE)
})
