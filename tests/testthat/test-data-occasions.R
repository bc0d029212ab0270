# Occasions that are counted from dosing records.

by_doses <- function(group, extra = quote(0)) {
  eval(bquote(nlme_model(
    fixed(a = log(2), w = positive(0.3), v = positive(0.2), s = positive(0.3)),
    random(eta ~ normal(0, w) | id, kappa ~ normal(0, v) | .(group)),
    {
      cl <- exp(a + eta + kappa + .(extra))
      d/dt(depot) <- -1.2 * depot
      d/dt(central) <- 1.2 * depot - cl / 10 * central
      y ~ normal(central / 10, s)
    }
  )))
}

# `occ` is what the word shall count: a record before the first dose, a trough before and a sample behind a dose of the
# same time, two doses at once, additional doses, one subject with three occasions and one with a single one.
courses <- local({
  one <- function(id, time, amt, occ, cmt = 1, addl = 0, ii = 0, evid = as.numeric(amt > 0)) {
    data.frame(id, time, amt, evid, cmt, addl, ii, occ)
  }
  d <- rbind(
    one(1, -1, 0, 1), one(1, 0, 100, 1), one(1, 3, 0, 1), one(1, 24, 0, 1), one(1, 24, 80, 2), one(1, 24, 0, 2),
    one(1, 30, 0, 2), one(1, 48, 90, 3, evid = 4), one(1, 50, 0, 3),
    one(2, 0, 50, 1, 1), one(2, 0, 50, 1, 2), one(2, 5, 0, 1), one(2, 24, 50, 2, 1, addl = 2, ii = 12),
    one(2, 60, 0, 2),
    one(3, 0, 100, 1), one(3, 4, 0, 1), one(3, 9, 0, 1)
  )
  set.seed(6)
  d$y <- ifelse(d$amt > 0, NA, stats::rnorm(nrow(d), 3, 1))
  d
})

test_that("each dosing record begins an occasion, those of one time one together", {
  without <- courses[names(courses) != "occ"]
  at <- function(model, data, ...) {
    set.seed(1)
    as.numeric(logLik(suppressMessages(evaluate_nlme(model, data, seed = 1, ...)), method = "laplace"))
  }
  expected <- at(by_doses(quote(id:occ)), courses)
  counted <- by_doses(quote(id:occasion_of(doses)))
  expect_true(is.finite(expected))
  expect_equal(at(counted, without), expected)
  # Rows of other subjects between them, other names, and times of day.
  mixed <- without[order(without$time, -without$id), ]
  expect_equal(at(counted, mixed), expected)
  named <- stats::setNames(without, sub("amt", "dose", sub("time", "hours", names(without))))
  expect_equal(at(counted, named, time = "hours", events = c(amt = "dose")), expected)
  clock <- transform(without, time = as.POSIXct("2024-03-01", tz = "UTC") + 3600 * time)
  expect_equal(at(counted, clock), at(by_doses(quote(id:occ)), transform(courses, time = clock$time)))
})

test_that("the word stands in code as well, and without EVID amounts are doses", {
  without <- courses[!names(courses) %in% c("occ", "evid")]
  without <- without[without$id != 1 | without$time < 48, ]
  word <- by_doses(quote(id:occasion_of(doses)), quote(0.3 * (occasion_of(doses) > 1)))
  column <- by_doses(quote(id:occ), quote(0.3 * (occ > 1)))
  rows <- courses[courses$id != 1 | courses$time < 48, names(courses) != "evid"]
  at <- function(model, data) as.numeric(logLik(evaluate_nlme(model, data), method = "laplace"))
  expect_equal(at(word, without), at(column, rows))
})

test_that("a fit with counted occasions is that with a column of them, everywhere", {
  design <- do.call(rbind, lapply(1:15, function(i) {
    times <- 24 * (seq_len(1 + i %% 3) - 1)
    do.call(rbind, lapply(seq_along(times), function(k) {
      data.frame(id = i, time = times[k] + c(0, 1, 3, 8), amt = c(100, 0, 0, 0), evid = c(1, 0, 0, 0), occ = k)
    }))
  }))
  design$y <- simulate(by_doses(quote(id:occ)), data = design, seed = 2)$y
  design$y[design$evid == 1] <- NA
  without <- design[names(design) != "occ"]
  fit <- fit_nlme(by_doses(quote(id:occasion_of(doses))), without, saem(), seed = 1)
  with <- fit_nlme(by_doses(quote(id:occ)), design, saem(), seed = 1)
  expect_equal(nlme::fixef(fit), nlme::fixef(with))
  expect_equal(nlme::ranef(fit), nlme::ranef(with))
  expect_equal(predict(fit, newdata = without), predict(with, newdata = design))
  expect_equal(simulate(fit, seed = 3)$y, simulate(with, seed = 3)$y)
  expect_equal(predict(fit), predict(fit, newdata = without))
  expect_equal(residuals(fit), residuals(with))
})

test_that("a model without equations counts doses too", {
  d <- data.frame(id = rep(1:8, each = 4), time = 0:3, dose = c(1, 0, 2, 0), occ = c(1, 1, 2, 2))
  set.seed(8)
  d$y <- stats::rnorm(8)[d$id] + stats::rnorm(16)[interaction(d$id, d$occ)] + stats::rnorm(32, 0, 0.5)
  model <- function(group) {
    eval(bquote(nlme_model(
      fixed(a = 0, w = positive(1), v = positive(1), s = positive(0.5)),
      random(eta ~ normal(a, w) | id, kappa ~ normal(0, v) | .(group)), y ~ normal(eta + kappa, s)
    )))
  }
  counted <- evaluate_nlme(model(quote(id:occasion_of(doses))), d[names(d) != "occ"], events = c(amt = "dose"))
  by_column <- evaluate_nlme(model(quote(id:occ)), d)
  expect_true(is.finite(logLik(counted)))
  expect_equal(as.numeric(logLik(counted)), as.numeric(logLik(by_column)), tolerance = 1e-3)
})

test_that("what cannot be counted is refused by a sentence", {
  expect_error(by_doses(quote(id:occasion_of(visits))), "Write `occasion_of(doses)`", fixed = TRUE)
  expect_error(by_doses(quote(occasion_of(doses))), "Write `... | id:occasion_of(doses)`", fixed = TRUE)
  bare <- courses[c("id", "time", "y")]
  error <- expect_error(evaluate_nlme(by_doses(quote(id:occasion_of(doses))), bare), class = "nlmers_error_data")
  expect_identical(error$reason, "no_dose")
  expect_match(conditionMessage(error), "events = c(amt = \"dose\")", fixed = TRUE)
})
