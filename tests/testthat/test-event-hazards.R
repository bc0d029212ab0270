# Hazards of the time alone: shapes of the literature against their cumulative hazards, others against integrate().

# Rows of two subjects with repeated events, censored rows and a gap at `last`, the time of the event before.
gap_rows <- function(scale = 1) {
  data <- data.frame(
    id = rep(1:2, c(5, 3)), time = scale * c(0.4, 0.9, 2.5, 2.5 + 1e-3, 6, 0, 3, 11), ev = c(1, 0, 1, 1, 0, 0, 1, 0)
  )
  last <- function(d) c(0, head(cummax(ifelse(d$ev == 1, d$time, 0)), -1))
  data$last <- unlist(lapply(split(data, data$id), last))
  data$before <- unlist(lapply(split(data$time, data$id), function(t) c(0, head(t, -1))))
  data
}

# The log density of `event(hazard)` at frailties `e`; the parameters stand in the code as numbers.
event_density <- function(hazard, data, e = c(0, 0)) {
  model <- eval(bquote(nlme_model(
    fixed(unit = positive(1), o = positive(0.5)), random(e ~ normal(0, o) | id), {
      z <- unit * exp(e)
      ev ~ event(.(hazard))
    }
  )))
  got <- nlmers:::complete_log_density(model, data, random = list(matrix(e)), time = "time")
  got$total - sum(dnorm(e, 0, 0.5, log = TRUE))
}

# `h(t, d)` and the cumulative hazard `cumulative(t, d)` of the rows `d`.
exact_density <- function(data, h, cumulative, e = c(0, 0)) {
  z <- exp(e[data$id])
  rise <- z * (cumulative(data$time, data) - cumulative(data$before, data))
  sum(ifelse(data$ev == 1, log(z * h(data$time, data)), 0) - rise)
}

with_numbers <- function(code, values) eval(call("substitute", code, values))

expect_hazard <- function(code, h, cumulative, data, label, tolerance = 1e-8) {
  for (e in list(c(0, 0), c(0.7, -1.2))) {
    exact <- exact_density(data, h, cumulative, e)
    got <- event_density(call("*", quote(z), code), data, e)
    expect_lt(abs(got - exact) / max(1, abs(exact)), tolerance, label = label)
  }
}

test_that("Weibull hazards of all shapes are integrated, in time and in time since an event", {
  for (k in c(0.1, 0.3, 0.6, 0.9, 1, 1.5, 3)) {
    for (scale in c(1, 1000)) {
      data <- gap_rows(scale)
      s <- 2 * scale
      values <- list(k = k, s = s)
      h <- function(t, d) k / s * (t / s)^(k - 1)
      cumulative <- function(t, d) (t / s)^k
      label <- paste("shape", k, "scale", scale)
      expect_hazard(with_numbers(quote(k / s * (t / s)^(k - 1)), values), h, cumulative, data, label)
      logs <- with_numbers(quote(exp(log(k) - k * log(s) + (k - 1) * log(t))), values)
      expect_hazard(logs, h, cumulative, data, paste(label, "by logarithms"))
      gap <- with_numbers(quote(k / s * ((t - last) / s)^(k - 1)), values)
      own <- list(h = function(t, d) h(t - d$last, d), cumulative = function(t, d) cumulative(t - d$last, d))
      expect_hazard(gap, own$h, own$cumulative, data, paste(label, "since the event before"))
      # With a baseline, and with an effect that fades: no closed form.
      expect_hazard(
        with_numbers(quote(0.1 / s + k / s * ((t - last) / s)^(k - 1)), values),
        function(t, d) 0.1 / s + own$h(t, d), function(t, d) 0.1 * t / s + own$cumulative(t, d),
        data, paste(label, "and a baseline")
      )
      incomplete <- function(t) gamma(k) * pgamma(t / s, k)
      fading <- with_numbers(quote(((t - last) / s)^(k - 1) * exp(-(t - last) / s) / s), values)
      expect_hazard(
        fading, function(t, d) ((t - d$last) / s)^(k - 1) * exp(-(t - d$last) / s) / s,
        function(t, d) incomplete(t - d$last), data, paste(label, "fading")
      )
      # ln(1 + (t / s)^k)
      expect_hazard(
        with_numbers(quote((k / s) * (t / s)^(k - 1) / (1 + (t / s)^k)), values),
        function(t, d) h(t, d) / (1 + cumulative(t, d)), function(t, d) log1p(cumulative(t, d)),
        data, paste(label, "log-logistic")
      )
    }
  }
})

test_that("the hazards of the other lifetime distributions are integrated", {
  data <- gap_rows()
  cases <- list(
    gompertz = list(
      quote(0.2 * exp(0.3 * t)), function(t, d) 0.2 * exp(0.3 * t), function(t, d) 0.2 * expm1(0.3 * t) / 0.3
    ),
    makeham = list(
      quote(0.05 + 0.2 * exp(-0.3 * t)), function(t, d) 0.05 + 0.2 * exp(-0.3 * t),
      function(t, d) 0.05 * t - 0.2 * expm1(-0.3 * t) / 0.3
    ),
    lognormal = list(
      quote(exp(-0.5 * ((log(t + 1e-300) - 0.5) / 0.8)^2) / (sqrt(2 * pi) * 0.8 * (t + 1e-300) *
        pnorm(-(log(t + 1e-300) - 0.5) / 0.8))),
      function(t, d) dlnorm(t, 0.5, 0.8) / plnorm(t, 0.5, 0.8, lower.tail = FALSE),
      function(t, d) -plnorm(t, 0.5, 0.8, lower.tail = FALSE, log.p = TRUE)
    ),
    lomax = list(quote(0.7 / (0.05 + t)), function(t, d) 0.7 / (0.05 + t), function(t, d) 0.7 * log((0.05 + t) / 0.05)),
    bathtub = list(
      quote(0.3 * t^(-0.5) + 0.01 * t^2 + 0.1), function(t, d) 0.3 * t^(-0.5) + 0.01 * t^2 + 0.1,
      function(t, d) 0.6 * sqrt(t) + 0.01 * t^3 / 3 + 0.1 * t
    ),
    periodic = list(
      quote(0.3 * (1 + 0.8 * cos(2 * pi * t / 3))), function(t, d) 0.3 * (1 + 0.8 * cos(2 * pi * t / 3)),
      function(t, d) 0.3 * (t + 0.8 * 3 / (2 * pi) * sin(2 * pi * t / 3))
    )
  )
  data$ev[data$time == 0] <- 0
  for (name in names(cases)) {
    case <- cases[[name]]
    expect_hazard(with_numbers(case[[1L]], list(pi = pi)), case[[2L]], case[[3L]], data, name)
  }
})

test_that("hazards that change at given times are cut there", {
  data <- gap_rows()
  step <- function(t, at, low, high) ifelse(t < at, low, high)
  ramp <- function(t, at) pmax(t - at, 0)
  cases <- list(
    steps = list(
      quote(ifelse(t < 1, 0.2, ifelse(t < 5, 0.5, 0.1))),
      function(t, d) step(t, 1, 0.2, step(t, 5, 0.5, 0.1)),
      function(t, d) 0.2 * t + 0.3 * ramp(t, 1) - 0.4 * ramp(t, 5)
    ),
    entry = list(
      # Delayed entry: nobody is at risk before 0.3.
      quote(ifelse(t > 0.3, 0.4, 0)), function(t, d) ifelse(t > 0.3, 0.4, 0), function(t, d) 0.4 * ramp(t, 0.3)
    ),
    hinge = list(
      quote(0.2 * exp(0.3 * max(t - 2, 0))), function(t, d) 0.2 * exp(0.3 * ramp(t, 2)),
      function(t, d) 0.2 * (pmin(t, 2) + expm1(0.3 * ramp(t, 2)) / 0.3)
    ),
    window = list(
      quote(0.1 + 0.5 * (t > 0.7 & 2 * t <= 3)), function(t, d) 0.1 + 0.5 * (t > 0.7 & t <= 1.5),
      function(t, d) 0.1 * t + 0.5 * (pmin(t, 1.5) - pmin(t, 0.7))
    ),
    "since the event before" = list(
      quote(if (t - last < 0.5) 0.8 * (t - last)^(-0.4) else 0.3),
      function(t, d) ifelse(t - d$last < 0.5, 0.8 * (t - d$last)^(-0.4), 0.3),
      function(t, d) {
        u <- t - d$last
        0.8 / 0.6 * pmin(u, 0.5)^0.6 + 0.3 * ramp(u, 0.5)
      }
    ),
    "a power from a time on" = list(
      quote(ifelse(t < 2, 0.1, 0.1 + 0.3 * (t - 2)^(0.5))), function(t, d) 0.1 + 0.3 * ramp(t, 2)^0.5,
      function(t, d) 0.1 * t + 0.2 * ramp(t, 2)^1.5
    ),
    away = list(
      quote(0.1 + 0.2 * abs(t - 2.2)), function(t, d) 0.1 + 0.2 * abs(t - 2.2),
      function(t, d) 0.1 * t + 0.1 * (t - 2.2) * abs(t - 2.2) + 0.1 * 2.2^2
    )
  )
  for (name in names(cases)) {
    case <- cases[[name]]
    expect_hazard(case[[1L]], case[[2L]], case[[3L]], data, name)
  }
})

test_that("a late start of an exponential hazard is no number too large", {
  data <- transform(gap_rows(), time = time + 5000, last = last + 5000, before = before + ifelse(before > 0, 5000, 0))
  data$before[c(1, 6)] <- 4999
  one <- data[c(2, 3), ]
  one$id <- 1
  one <- rbind(transform(one, id = 1), transform(one, id = 2))
  # The hazard fades since `last`; up to the first row, where t is below it, it is cut off.
  hazard <- quote(ifelse(t > 5000, 0.3 * exp(-(t - 5000) / 0.5), 0))
  exact <- 2 * (log(0.3) - 5 - 0.3 * 0.5 * (1 - exp(-5)))
  expect_equal(event_density(hazard, transform(one, ev = ifelse(time > 5002, 1, 0))), exact, tolerance = 1e-8)
})

test_that("accelerated failure times are those of survival::survreg", {
  skip_if_not_installed("survival")
  for (k in c(0.4, 0.6, 1.8)) {
    set.seed(5)
    n <- 150
    x <- rep(0:1, length.out = n)
    time <- rweibull(n, k, exp(1 + 0.5 * x))
    data <- data.frame(id = seq_len(n), x = x, time = pmin(time, 6), ev = as.numeric(time < 6))
    reference <- survival::survreg(survival::Surv(time, ev) ~ x, data = data, dist = "weibull")
    model <- nlme_model(fixed(b0 = 1, b1 = 0, k = positive(1)), {
      s <- exp(b0 + b1 * x)
      ev ~ event(k / s * (t / s)^(k - 1))
    })
    fit <- fit_nlme(model, data, id = "id", time = "time", progress = FALSE)
    expect_equal(as.numeric(logLik(fit)), reference$loglik[2L], tolerance = 1e-6)
    expect_equal(unname(fixef(fit)), unname(c(coef(reference), 1 / reference$scale)), tolerance = 1e-3)
  }
})

test_that("a hazard that a rule does not follow is integrated by a finer one", {
  # 48 periods in one interval.
  data <- data.frame(id = 1:40, time = rep(c(12, 9.3), 20), ev = rep(0:1, 20))
  model <- function(waves) {
    eval(bquote(nlme_model(fixed(h0 = positive(0.1)), {
      ev ~ event(h0 * exp(0.9 * cos(.(waves) * t)))
    })))
  }
  fit <- function(waves, data) fit_nlme(model(waves), data, id = "id", time = "time", progress = FALSE)
  followed <- fit(25, data)
  expect_gt(followed$hazard$panels, 1)
  expect_length(followed$warnings, 0L)
  area <- function(to) integrate(function(t) exp(0.9 * cos(25 * t)), 0, to, subdivisions = 2000, rel.tol = 1e-10)$value
  total <- 20 * (area(12) + area(9.3))
  h <- 20 / total
  exact <- 20 * (log(h) + 0.9 * cos(25 * 9.3)) - h * total
  expect_lt(abs(as.numeric(logLik(followed)) - exact), 0.02)
  # What comes after the fit is computed as finely.
  expect_equal(predict(followed)[1L], 1 - exp(-h * area(12)), tolerance = 1e-3)
  # Too many waves for any rule: that is said.
  expect_warning(lost <- fit(3000, data), "The hazard is not integrated precisely enough")
  # With rows between the intervals are short enough.
  between <- data.frame(id = rep(1:40, each = 20), part = rep(1:20, 40))
  between$time <- data$time[between$id] * between$part / 20
  between$ev <- ifelse(between$part == 20, data$ev[between$id], 0)
  expect_equal(as.numeric(logLik(fit(25, between))), exact, tolerance = 1e-6)
})
