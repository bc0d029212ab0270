# What R makes of dosing records. `described` stands for a model with equations.
described <- function(states = c("depot", "center"), outcomes = "conc") {
  list(described = list(states = states, outcomes = outcomes, columns = character()))
}

records <- data.frame(
  id = 1, time = c(0, 1, 2, 12, 13), conc = c(0, 3, 2, 0, 4),
  AMT = c(100, NA, NA, 50, 0), Cmt = c("center", ".", "cp", "depot", NA), dose = 7
)

test_that("event columns are found without case and by names of their own", {
  events <- nlmers:::event_columns(described(), records)
  expect_equal(events$names, c(AMT = "AMT", CMT = "Cmt"))
  expect_equal(events$columns, list(.amt = records$AMT, .cmt = c(2, 0, 0, 1, 0)))
  named <- nlmers:::event_columns(described(), records, c(amt = "dose", cmt = NA))
  expect_equal(named$names, c(AMT = "dose", CMT = NA))
  expect_equal(named$columns, list(.amt = records$dose))
  expect_equal(nlmers:::event_columns(described(), records["time"])$columns, list())
  expect_null(nlmers:::event_columns(described(NULL), records))
})

test_that("compartments may be numbers, texts of numbers and factors", {
  numbers <- function(cmt) nlmers:::event_columns(described(), transform(records, Cmt = cmt))$columns$.cmt
  expect_equal(numbers(c(2, 1, 9, NA, 1)), c(2, 1, 9, NA, 1))
  expect_equal(numbers(c("2", "1", "9", "1", NA)), c(2, 1, 9, 1, 0))
  expect_equal(numbers(factor(c("depot", "center", "x", "center", NA))), c(1, 2, 0, 2, 0))
})

test_that("doses and other records hold no outcome, unless a row without EVID has one beside an amount", {
  observed <- function(..., y = c(7, 7, 7, NA)) {
    kinds <- nlmers:::row_kinds(list(...), 4L)
    which(!nlmers:::unobserved_rows(kinds, list(y)))
  }
  expect_equal(observed(AMT = c(5, NA, 0, 3)), 1:3)
  expect_equal(observed(AMT = c(5, NA, 0, 3), y = c(0, 1, 2, NA)), 2:3)
  expect_equal(observed(AMT = c(5, NA, 0, 3), MDV = c(1, 0, 0, 0)), 2:3)
  expect_equal(observed(AMT = c(0, 0, 0, 3), SS = c(1, 1, 0, 0), RATE = c(2, 0, 0, 0)), 1:3)
  expect_equal(observed(EVID = c(0, 1, 2, NA), AMT = c(3, 0, 0, 0)), c(1L, 4L))
  expect_equal(observed(EVID = c(3, 4, 0, 0), MDV = c(0, 0, 1, NA)), 4L)
  expect_equal(observed(), 1:4)
  events <- nlmers:::event_columns(described(), records)
  unobserved <- nlmers:::unobserved_rows(events$kinds, records["conc"])
  emptied <- nlmers:::without_outcomes(records, unobserved, c("conc", "effect"))
  expect_equal(emptied$conc, c(NA, 3, 2, NA, 4))
})

test_that("a request carries the user's names", {
  fields <- nlmers:::event_fields(list(names = c(AMT = "dose", RATE = NA)))
  expect_equal(nlmers:::request_json(fields), "{\"AMT\":\"dose\"}")
  expect_equal(nlmers:::request_json(nlmers:::event_fields(NULL)), "{}")
})

test_that("names that say nothing are refused", {
  refused <- function(events, data = records, ...) {
    caught(nlmers:::event_columns(described(), data, events, ...))
  }
  expect_equal(refused("dose")$reason, "bad_option")
  expect_match(refused(c(amnt = "dose"))$hint, "AMT")
  expect_equal(refused(c(amt = "doze"))$reason, "missing_column")
  expect_match(refused(c(amt = "doze"))$hint, "dose")
  expect_equal(refused(NULL, transform(records, RATE = "fast"))$reason, "not_numeric")
  wrong <- refused(NULL, transform(records, Cmt = "dpot"))
  expect_equal(wrong[c("reason", "row", "value")], list(reason = "unknown_state", row = 1L, value = "dpot"))
  expect_match(wrong$hint, "depot")
  expect_equal(caught(nlmers:::event_columns(described(NULL), records, c(amt = "dose")))$reason, "bad_option")
})

test_that("new data without the doses of the fit are refused, without the rest they are not", {
  stored <- c(AMT = "AMT", II = "interval", RATE = NA)
  error <- caught(nlmers:::event_columns(described(), records["time"], stored, "newdata"))
  expect_equal(error[c("reason", "column")], list(reason = "missing_column", column = "AMT"))
  rows <- transform(records["time"], AMT = 0, RATE = 3)
  expect_equal(nlmers:::event_columns(described(), rows, stored, "newdata")$names, c(AMT = "AMT", RATE = NA))
})

# With the whole way to the core.
oral <- function() {
  nlme_model(
    fixed(tka = 0.45, tcl = -3.2, tv = -0.8, omega = positive(c(0.6, 0.3, 0.2)), sigma = positive(0.7)),
    random(eta ~ mvnormal(c(tka, tcl, tv), diag(omega)) | id),
    {
      ka <- exp(eta[1])
      cl <- exp(eta[2])
      v <- exp(eta[3])
      d/dt(depot) <- -ka * depot
      d/dt(center) <- ka * depot - cl / v * center
      conc ~ normal(center / v, sigma)
    }
  )
}

# Theophylline with its doses as rows.
dosed_theo <- function() {
  theo <- as.data.frame(datasets::Theoph)
  rows <- data.frame(id = theo$Subject, time = theo$Time, conc = theo$conc, amt = 0)
  first <- !duplicated(theo$Subject)
  doses <- data.frame(id = theo$Subject, time = 0, conc = 0, amt = theo$Dose)[first, ]
  data <- rbind(doses, rows)
  data <- data[order(data$id, data$time), ]
  data$id <- as.character(data$id)
  data
}

test_that("rows of doses are no observations of a fit", {
  data <- dosed_theo()
  fit <- fit_nlme(oral(), data, saem(exploration = 20, smoothing = 10), seed = 1) |> suppressWarnings()
  expect_equal(nobs(fit), 132L)
  expect_equal(sum(!is.na(residuals(fit))), 132L)
  expect_equal(is.na(getData(fit)$conc), data$amt > 0)
  expect_equal(sum(plot_data(fit, "fits")$series == "observed"), 132L)
  renamed <- stats::setNames(data, c("id", "time", "conc", "dose"))
  again <- fit_nlme(oral(), renamed, saem(exploration = 20, smoothing = 10), seed = 1, events = c(amt = "dose")) |>
    suppressWarnings()
  expect_equal(again$parameters$natural, fit$parameters$natural)
  expect_equal(fitted(again), predict(again, renamed), tolerance = 1e-6)
  expect_equal(caught(predict(again, data[c("id", "time")]))$column, "dose")
})

test_that("simulations leave doses without an outcome, and twice the dose gives twice the curve", {
  data <- dosed_theo()
  draws <- simulate(oral(), seed = 1, data = data[-3], start = list(sigma = 1e-9, omega = rep(1e-9, 3)))
  expect_equal(is.na(draws$conc), data$amt > 0)
  twice <- simulate(
    oral(), seed = 1, data = transform(data[-3], amt = 2 * amt), start = list(sigma = 1e-9, omega = rep(1e-9, 3))
  )
  expect_equal(twice$conc, 2 * draws$conc, tolerance = 1e-5)
})

test_that("the core names what is wrong with a record by the user's columns", {
  data <- transform(dosed_theo(), CMT = ifelse(amt > 0, 3, 0))
  error <- caught(fit_nlme(oral(), data, seed = 1))
  expect_equal(error[c("reason", "column", "row")], list(reason = "unknown_state", column = "CMT", row = 1L))
  expect_match(error$hint, "1 `depot`, 2 `center`", fixed = TRUE)
})
