# Columns that say how doses are given, in words that are no items of dosing records: said, and read by the line said.

decay <- nlme_model(
  fixed(k = positive(0.3), s = positive(0.5)), random(eta ~ normal(0, 0.2) | ID),
  {
    d/dt(a) <- -k * exp(eta) * a
    DV ~ normal(a, s)
  }
)
course <- data.frame(ID = rep(1:2, each = 4), TIME = 0:3, AMT = c(10, 0, 0, 0), DV = c(NA, 7, 5, 4))

told <- function(data, model = decay, ...) {
  said <- character()
  withCallingHandlers(check_data(model, data, ...), nlmers_message_data = function(m) {
    said <<- c(said, conditionMessage(m))
    invokeRestart("muffleMessage")
  })
  said
}

test_that("a duration by any name is said, and read as it is said", {
  for (name in c("DUR", "dur", "DURATION", "TINF", "t_inf", "Infusion.Time")) {
    data <- course
    data[[name]] <- c(2, 0, 0, 0)
    said <- told(data)
    expect_match(said, sprintf("`%s` is not read; if it holds durations", name), fixed = TRUE)
    events <- eval(parse(text = regmatches(said, regexpr("c\\(dur = [^)]*\\)", said))))
    expect_length(told(data, events = events), 0L)
    # An infusion over 2 hours of the amount 10.
    infused <- function(t) 5 / 0.3 * (1 - exp(-0.3 * pmin(t, 2))) * exp(-0.3 * pmax(t - 2, 0))
    expect_equal(as.numeric(predict(decay, data, events = events))[1:4], infused(0:3), tolerance = 1e-5)
  }
  # Nothing is lost where all is a bolus, or where a rate says it.
  expect_length(told(transform(course, DURATION = 0)), 0L)
  expect_length(told(transform(course, TINF = c(2, 0, 0, 0), RATE = c(5, 0, 0, 0))), 0L)
})

test_that("a formula that reads an amount as a bolus says so beside a duration", {
  formula <- nlme_formula(
    conc ~ Dose / V * exp(-k * Time), start = c(V = 30, k = 0.1), random = V ~ 1 | Subject, transform = "log"
  )
  expect_match(told(transform(Theoph, duration = 1), formula), "linear_compartments(", fixed = TRUE)
  expect_length(told(Theoph, formula), 0L)
})

test_that("intervals and rates by other names are said", {
  data <- transform(course, tau = c(12, 0, 0, 0))
  expect_match(told(data), "events = c(ii = \"tau\")` beside a column `SS`", fixed = TRUE)
  data$SS <- as.numeric(!is.na(data$tau) & data$tau > 0)
  expect_length(told(data, events = c(ii = "tau")), 0L)
  steady <- 10 / (1 - exp(-0.3 * 12)) * exp(-0.3 * 0:3)
  expect_equal(as.numeric(predict(decay, data, events = c(ii = "tau")))[1:4], steady, tolerance = 1e-5)
  expect_match(told(transform(course, INF_RATE = c(5, 0, 0, 0))), "events = c(rate = \"INF_RATE\")", fixed = TRUE)
})

test_that("quinidine comes to its steady states, and the start is a sane one", {
  data <- transform(as.data.frame(nlme::Quinidine), amt = dose)
  formula <- conc ~ linear_compartments(cl = cl, v = v, ka = ka)
  data$ss <- as.numeric(!is.na(data$interval))
  start <- suggest_start(
    formula, data, transform = "log", random = cl + v ~ 1 | Subject, events = c(ii = "interval"), time = "time"
  )
  # Pinheiro and Bates (2000), section 8.2.2, without covariates: exp(5.38), exp(2.45), absorption faster.
  expect_equal(start$cl, exp(2.45), tolerance = 0.15)
  expect_equal(start$v, exp(5.38), tolerance = 0.15)
  expect_gt(start$ka, start$cl / start$v)
})
