# Times since doses.

since <- function(word, data, ...) {
  model <- eval(bquote(nlme_model(
    fixed(m = 0, o = positive(0.3), s = positive(0.5)), random(e ~ normal(m, o) | id), {
      y ~ normal(.(word) + 0 * e, s)
    }
  )))
  bound <- nlmers:::bind_data(model, data, argument = "newdata", ...)
  request <- nlmers:::core_request("predict", bound$model$spec, list(
    data = bound$fields, at = list(parameters = nlmers:::value_fields(nlmers:::start_values(model)))
  ))
  nlmers:::core_call(request, bound$columns)$value[, 1L]
}

given <- data.frame(
  id = 1, time = c(-1, 0, 0, 3, 5, 5, 9, 14, 21), amt = c(0, 0, 100, 0, 0, 50, 0, 0, 0),
  addl = c(0, 0, 0, 0, 0, 2, 0, 0, 0), ii = c(0, 0, 0, 0, 0, 7, 0, 0, 0), y = 1
)
# Doses at 0, 5, 12 and 19; a record before a dose of its time does not know it.
tad <- c(0, 0, 0, 3, 5, 0, 4, 2, 2)
tafd <- c(0, 0, 0, 3, 5, 5, 9, 14, 21)

test_that("a closed form reads them at its rows, as symbols and as functions", {
  expect_equal(since(quote(tad), given), tad)
  expect_equal(since(quote(tad()), given), tad)
  expect_equal(since(quote(tsld), given), tad)
  expect_equal(since(quote(tafd()), given), tafd)
})

test_that("rows may stand in any order, and subjects have their own doses", {
  two <- rbind(given, transform(given, id = 2, amt = ifelse(time == 5, 0, amt), addl = 0, ii = 0))
  known <- c(tad, ifelse(given$time < 0, 0, given$time))
  expect_equal(since(quote(tad), two), known)
  # Records of different times.
  turned <- c(9, 3, 7, 4, 18, 12, 16, 13)
  expect_equal(since(quote(tad), two[turned, ])[c(1, 3, 4)], c(21, 9, 3))
  expect_equal(since(quote(tafd), two[turned, ])[5:8], c(21, 0, 9, 3))
})

test_that("a column of the name is read instead", {
  expect_equal(since(quote(tad), transform(given, tad = 7)), rep(7, 9))
  expect_equal(since(quote(tad()), transform(given, tad = 7)), tad)
})

test_that("outcomes and equations agree on them, additional doses among them", {
  skip_if_not_installed("deSolve")
  # Absorption that slows with the time since the dose.
  model <- nlme_model(
    fixed(m = 0, o = positive(0.3), s = positive(0.5)), random(e ~ normal(m, o) | id),
    ode_control(rtol = 1e-10, atol = 1e-11), {
      d/dt(x) <- -0.4 * exp(e - 0.3 * tad) * x + 0.01 * tafd
      y ~ normal(x + 10 * tad, s)
    }
  )
  bound <- nlmers:::bind_data(model, given, argument = "newdata")
  request <- nlmers:::core_request("predict", bound$model$spec, list(
    data = bound$fields, at = list(parameters = nlmers:::value_fields(nlmers:::start_values(model)))
  ))
  found <- nlmers:::core_call(request, bound$columns)$value[, 1L]
  # From dose to dose, so that no step goes over a jump.
  x <- 0
  wanted <- c(`0` = 100)
  for (leg in list(c(0, 3, 5), c(5, 9, 12), c(12, 14, 19), c(19, 21))) {
    x <- x + switch(as.character(leg[1L]), `0` = 100, 50)
    inside <- function(t, x, p) list(-0.4 * exp(-0.3 * (t - leg[1L])) * x + 0.01 * t)
    known <- deSolve::ode(x, leg, inside, NULL, rtol = 1e-11, atol = 1e-11)
    wanted <- c(wanted, stats::setNames(known[-1L, 2L], leg[-1L]))
    x <- known[nrow(known), 2L]
  }
  seen <- c(4, 5, 7, 8, 9)
  expect_equal(found[seen] - 10 * tad[seen], unname(wanted[as.character(given$time[seen])]), tolerance = 1e-7)
})

test_that("doses into one state may be meant", {
  model <- nlme_model(
    fixed(m = 0, o = positive(0.3), s = positive(0.5)), random(e ~ normal(m, o) | id), {
      d/dt(a) <- -a
      d/dt(b) <- -b
      y ~ normal(tad(b) + 100 * tafd(a) + 0 * e * (a + b), s)
    }
  )
  data <- data.frame(id = 1, time = c(0, 1, 2, 4, 6), amt = c(10, 0, 10, 0, 0), cmt = c(1, 0, 2, 0, 0), y = 1)
  bound <- nlmers:::bind_data(model, data, argument = "newdata")
  request <- nlmers:::core_request("predict", bound$model$spec, list(
    data = bound$fields, at = list(parameters = nlmers:::value_fields(nlmers:::start_values(model)))
  ))
  found <- nlmers:::core_call(request, bound$columns)$value[, 1L]
  expect_equal(found, c(0, 0, 0, 2, 4) + 100 * data$time)
})

test_that("errors say what is missing", {
  expect_equal(caught(since(quote(tad), given[c("id", "time", "y")]))$reason, "no_dose")
  expect_equal(caught(since(quote(tad(depot)), given))$reason, "unknown_state")
  expect_equal(caught(since(quote(tad(1 + 2)), given))$reason, "argument_count")
})

test_that("draws and fits read them", {
  model <- nlme_model(
    fixed(b = 0.5, m = 10, o = positive(1), s = positive(0.5)), random(e ~ normal(m, o) | id),
    y ~ normal(e - b * tad, s)
  )
  design <- do.call(rbind, lapply(1:20, function(i) transform(given, id = i)))
  drawn <- simulate(model, data = design, seed = 1)
  made <- fit_nlme(model, drawn, seed = 1, progress = FALSE)
  known <- nlme::lme(y ~ tad, transform(drawn, tad = rep(tad, 20)), ~ 1 | id, method = "ML")
  expect_equal(as.numeric(logLik(made)), as.numeric(logLik(known)), tolerance = 1e-4)
  expect_equal(-fixef(made)[["b"]], nlme::fixef(known)[["tad"]], tolerance = 5e-3)
})

test_that("a model predicts with times since doses before any fit", {
  model <- nlme_model(
    fixed(k = positive(0.1), s = positive(1)), random(eta ~ normal(0, 0.1) | id),
    {
      d/dt(a) <- -k * exp(eta) * a
      y ~ normal(a * exp(-tad), s)
    }
  )
  data <- data.frame(id = 1, time = c(0, 1, 2, 4), amt = c(100, 0, 50, 0), y = NA)
  expected <- c(100, 100 * exp(-1.1), 100 * exp(-0.2) + 50, (100 * exp(-0.2) + 50) * exp(-0.2 - 2))
  expect_equal(as.numeric(predict(model, data)), expected, tolerance = 1e-5)
})
