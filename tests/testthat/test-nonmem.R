# Data as NONMEM, rxode2 and hospitals have them.

decay <- nlme_model(
  fixed(k = 0.1, s = positive(1)), random(eta ~ normal(0, 0.1) | id),
  {
    d/dt(a) <- -k * exp(eta) * w * a
    y ~ normal(a, s)
  }
)
course <- data.frame(
  id = rep(1:2, each = 4), time = c(0, 1, 3, 6), amt = c(100, 0, 0, 0), w = c(1, 2, 2, 5), y = c(NA, 90, 70, 50)
)

# Log densities of the outcomes of the first subject with the effects at 0.
densities <- function(model, data, events = NULL, n = 4L) {
  bound <- nlmers:::bind_data(model, data, events = events)
  request <- nlmers:::core_request("log_density", bound$model$spec, list(
    data = bound$fields, at = list(parameters = nlmers:::value_fields(list()))
  ))
  nlmers:::core_call(request, bound$columns)$value[seq_len(n)]
}

test_that("the record that ends an interval governs it in NONMEM, the one that begins it here", {
  at <- function(w) dnorm(c(90, 70, 50), 100 * exp(-0.1 * cumsum(w * c(1, 2, 3))), 1, log = TRUE)
  # Two jumps: 1, 2, 2, 5 at the records; hand-derived exposures of the intervals.
  expect_equal(densities(decay, course)[-1L], at(c(1, 2, 2)), tolerance = 1e-4)
  expect_equal(densities(decay, course, nonmem())[-1L], at(c(2, 2, 5)), tolerance = 1e-4)
  declared <- nlme_model(
    fixed(k = 0.1, s = positive(1)), covariates(w = time_varying("next")), random(eta ~ normal(0, 0.1) | id),
    {
      d/dt(a) <- -k * exp(eta) * w * a
      y ~ normal(a, s)
    }
  )
  expect_equal(densities(declared, course)[-1L], at(c(2, 2, 5)), tolerance = 1e-4)
})

test_that("a dose attribute and a steady state read the covariate of their own record", {
  model <- nlme_model(
    fixed(k = 0.1, s = positive(1)), random(eta ~ normal(0, 0.1) | id),
    {
      d/dt(a) <- -k * exp(eta) * w * a
      f(a) <- w
      y ~ normal(a, s)
    }
  )
  data <- transform(course, w = c(0.5, 1, 1, 2), ss = c(1, 0, 0, 0), ii = c(12, 0, 0, 0))
  # At rest with the rate 0.05 and half the dose, then rates of 0.1, 0.1, 0.2.
  peak <- 50 / (1 - exp(-0.05 * 12))
  expected <- dnorm(c(90, 70, 50), peak * exp(-cumsum(c(0.1, 0.2, 0.6))), 1, log = TRUE)
  expect_equal(densities(model, data, nonmem())[-1L], expected, tolerance = 1e-4)
})

test_that("states begin at the first record of a subject where NONMEM's conventions are asked for", {
  model <- nlme_model(
    fixed(k = 0.1, s = positive(1)), random(eta ~ normal(0, 0.1) | id),
    {
      d/dt(a) <- -k * exp(eta) * a
      a(0) <- 100
      y ~ normal(a, s)
    }
  )
  data <- data.frame(id = rep(1:2, each = 2), time = c(5, 7), y = c(99, 80))
  after <- function(t) dnorm(c(99, 80), 100 * exp(-0.1 * t), 1, log = TRUE)
  expect_equal(densities(model, data, n = 2L), after(c(5, 7)), tolerance = 1e-4)
  expect_equal(densities(model, data, nonmem(), n = 2L), after(c(0, 2)), tolerance = 1e-4)
})

test_that("times may begin anew at a reset, and \".\" is missing", {
  twice <- rbind(course[1:4, ], course[1:4, ])
  twice <- rbind(twice, transform(twice, id = 2))
  twice$evid <- rep(c(1, 0, 0, 0, 4, 0, 0, 0), 2)
  expect_error(check_data(decay, twice), class = "nlmers_error_data")
  expect_message(again <- densities(decay, twice, nonmem(), n = 8L), "begins anew at 2 resets")
  expect_equal(again[6:8], again[2:4], tolerance = 1e-6)
  dotted <- transform(course, amt = ifelse(amt > 0, "100", "."))
  expect_equal(densities(decay, dotted, nonmem()), densities(decay, course, nonmem()))
  expect_error(check_data(decay, dotted), class = "nlmers_error_data")
})

test_that("a fit keeps the conventions of its data", {
  data <- transform(course, amt = ifelse(amt > 0, "100", "."))
  fit <- suppressWarnings(fit_nlme(decay, data, events = nonmem(), seed = 1))
  plain <- predict(fit)
  expect_equal(predict(fit, newdata = data), plain, tolerance = 1e-8)
  expect_equal(predict(fit, newdata = getData(fit)), plain, tolerance = 1e-8)
})

test_that("DUR is the time over which an amount comes in, whatever part of it is available", {
  model <- nlme_model(
    fixed(k = 0.1, s = positive(1)), random(eta ~ normal(0, 0.1) | id),
    {
      d/dt(a) <- -k * exp(eta) * a
      f(a) <- 0.5
      y ~ normal(a, s)
    }
  )
  data <- transform(course, w = NULL, dur = c(2, 0, 0, 0))
  infused <- function(t) 25 / 0.1 * (1 - exp(-0.1 * pmin(t, 2))) * exp(-0.1 * pmax(t - 2, 0))
  expected <- dnorm(c(90, 70, 50), infused(c(1, 3, 6)), 1, log = TRUE)
  expect_equal(densities(model, data, c(dur = "dur"))[-1L], expected, tolerance = 1e-4)
  at_once <- densities(model, data)
  expect_equal(at_once[-1L], dnorm(c(90, 70, 50), 50 * exp(-0.1 * c(1, 3, 6)), 1, log = TRUE), tolerance = 1e-4)
  both <- transform(data, rate = c(10, 0, 0, 0))
  expect_error(check_data(model, both, events = c(dur = "dur")), "one of them says how fast")
})

test_that("clock times, dates and differences become hours since the first record", {
  hours <- function(...) {
    data <- transform(course, ...)
    expect_message(bound <- nlmers:::bind_data(decay, data), "is read as hours")
    bound$columns$time[1:4]
  }
  expect_equal(hours(time = c("8:00", "9:30", "23:30", "2:30")), c(0, 1.5, 15.5, 18.5))
  expect_equal(hours(time = c("08:00:00", "08:00:36", "09:00:00", "10:00:00")), c(0, 0.01, 1, 2))
  days <- c("1/1/2020", "1/1/2020", "1/2/2020", "3/1/2020")
  expect_equal(hours(time = "8:00", DATE = days), c(0, 0, 24, 60 * 24))
  expect_equal(hours(time = "8:00", DATE = c(1, 1, 2, 4)), c(0, 0, 24, 72))
  expect_equal(hours(time = as.POSIXct("2020-03-01 10:00", tz = "UTC") + 3600 * time), course$time[1:4])
  expect_equal(hours(time = as.Date("2020-03-01") + c(0, 1, 2, 3)), 24 * 0:3)
  expect_equal(hours(time = as.difftime(60 * time, units = "mins")), course$time[1:4])
  expect_error(check_data(decay, transform(course, time = "8:00", DATE = "long ago")), "not understood")
  expect_error(check_data(decay, transform(course, time = c("8:00", "25:70", "9:00", "9:00"))), "no time of the clock")
  texts <- c("2024-03-04 08:00", "2024-03-04 09:30", "2024-03-05T08:00", "2024-03-06 08:00")
  expect_equal(hours(time = texts), c(0, 1.5, 24, 48))
  # NONMEM's other items for dates, and a date that is the 14th in one order only.
  expect_equal(hours(time = "8:00", DAT1 = c("4/3/2024", "4/3/2024", "5/3/2024", "6/3/2024")), c(0, 0, 24, 48))
  expect_equal(hours(time = "8:00", DATE = c("14/3/2024", "14/3/2024", "15/3/2024", "16/3/2024")), c(0, 0, 24, 48))
  both <- transform(course, time = "8:00", DATE = c("4/3/2024", "4/3/2024", "5/3/2024", "6/3/2024"))
  expect_message(check_data(decay, both), "as m-d-Y; for another order call it DAT1", fixed = TRUE)
})

test_that("clock times may have AM and PM", {
  hours <- function(...) {
    data <- transform(course, ...)
    suppressMessages(nlmers:::bind_data(decay, data))$columns$time[1:4]
  }
  expect_equal(hours(time = c("08:00 AM", "09:30 AM", "12:00 PM", "11:15 pm")), c(0, 1.5, 4, 15.25))
  expect_equal(hours(time = c("11:00 p.m.", "12:30 a.m.", "1:00 a.m.", "2:00:36 A.M.")), c(0, 1.5, 2, 3.01))
  expect_error(hours(time = c("13:00 PM", "1:00 AM", "2:00 AM", "3:00 AM")), "no time of the clock")
})

test_that("times as text are quoted, with a line after which they are read", {
  cases <- list(
    list(c("0", "0,5", "1", "2"), "0,5", c(0, 0.5, 1, 2)), list(c("0", "1", "2", "4"), "0", c(0, 1, 2, 4)),
    list(c("0h", "1h", "2.5h", "4h"), "0h", c(0, 1, 2.5, 4)),
    list(c("8.30", "9.00", "9.30", "10.00"), "8.30", c(8.3, 9, 9.3, 10)),
    list(factor(c("0", "0,5", "1", "2")), "0,5", c(0, 0.5, 1, 2)),
    list(paste("04/03/2024", c("8:00", "9:30", "10:00", "12:00")), "04/03/2024 8:00", c(0, 1.5, 2, 4))
  )
  for (case in cases) {
    data <- transform(course, time = case[[1L]])
    error <- tryCatch(check_data(decay, data), nlmers_error = identity)
    expect_match(error$problem, sprintf("`time` is \"%s\"", case[[2L]]), fixed = TRUE)
    line <- regmatches(error$hint, regexpr("data\\$time <- [^`]*", error$hint))
    eval(parse(text = line))
    expect_equal(suppressMessages(nlmers:::bind_data(decay, data))$columns$time[1:4], case[[3L]])
  }
  clocked <- transform(course, time = sub(".", ":", cases[[4L]][[1L]], fixed = TRUE))
  expect_equal(suppressMessages(nlmers:::bind_data(decay, clocked))$columns$time[1:4], c(0, 0.5, 1, 1.5))
  # A model that knows no time does not ask for one.
  plain <- nlme_model(fixed(a = 1, s = positive(1)), random(e ~ normal(0, 1) | id), y ~ normal(a + e, s))
  expect_silent(check_data(plain, transform(course, time = "0,5")))
})
