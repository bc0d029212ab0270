# What becomes of every row: nothing is lost in silence.

line <- nlme_model(
  fixed(a = 2, b = 0.5, sigma = positive(1)), random(eta ~ normal(0, 1) | id), y ~ normal(a + b * x + eta, sigma)
)
rows <- data.frame(id = rep(1:4, each = 3), x = 1:3, y = c(1, NA, 3:12))

bolus <- nlme_model(
  fixed(k = positive(0.3), s = positive(0.5)), random(eta ~ normal(0, 0.2) | id),
  {
    d/dt(a) <- -k * exp(eta) * a
    conc ~ normal(a, s)
  }
)

two <- nlme_model(
  fixed(k = positive(0.3), s = positive(0.5)), random(eta ~ normal(0, 0.2) | id),
  {
    d/dt(a) <- -k * exp(eta) * a
    cp ~ normal(a, s)
    effect ~ normal(100 - a, s)
  }
)

test_that("every row that is not fitted is listed with its reason, before and after the fit", {
  report <- check_data(line, rows)
  expect_equal(as.data.frame(report), data.frame(row = 2L, id = 1L, reason = "missing outcome"))
  marked <- transform(rows, MDV = rep(c(0, 0, 1), 4))
  fit <- fit_nlme(line, marked, seed = 1)
  expect_equal(fit$n_obs, 7)
  expect_equal(data_report(fit)$reason, c("missing outcome", rep("MDV = 1", 4)))
  expect_match(capture.output(print(fit))[3], "Rows not fitted: 4 with MDV = 1, 1 missing outcome", fixed = TRUE)
  # The fit is that of the rows which are left.
  left <- fit_nlme(line, marked[marked$MDV == 0, ], seed = 1)
  expect_equal(as.numeric(logLik(fit)), as.numeric(logLik(left)), tolerance = 1e-6)
})

test_that("EVID is read in models without equations, unless the model reads it itself", {
  report <- check_data(line, transform(rows, EVID = rep(c(0, 2, 0), 4)))
  expect_equal(report$reason, rep("EVID = 2", 4))
  reads <- nlme_model(
    fixed(a = 2, b = 0.5, sigma = positive(1)), random(eta ~ normal(0, 1) | id), y ~ normal(a + b * EVID + eta, sigma)
  )
  expect_equal(nrow(check_data(reads, transform(rows, EVID = rep(c(0, 2, 0), 4), y = 1:12))), 0L)
})

test_that("a row with an amount and an outcome is both, unless EVID or MDV says otherwise or zeros fill gaps", {
  doses <- data.frame(
    id = rep(1:2, each = 4), time = 0:3, amt = c(10, 0, 0, 0), conc = c(10.2, 7, 5.5, 4, 9.7, 7.3, 5.6, 4.1)
  )
  expect_equal(attr(check_data(bolus, doses), "n_fitted"), 8L)
  # The observation is taken after the dose: 10 at time 0.
  at_means <- nlmers:::complete_log_density(bolus, doses)
  known <- dnorm(doses$conc, 10 * exp(-0.3 * doses$time), 0.5, log = TRUE)
  expect_equal(sum(at_means$value), sum(known), tolerance = 1e-6)
  not_read <- rep("dose, its outcome not read", 2)
  expect_equal(check_data(bolus, transform(doses, evid = as.numeric(amt > 0)))$reason, not_read)
  expect_equal(check_data(bolus, transform(doses, mdv = as.numeric(amt > 0)))$reason, not_read)
  expect_equal(check_data(bolus, transform(doses, conc = ifelse(amt > 0, 0, conc)))$reason, rep("dose", 2))
})

test_that("codes of outcomes are matched by name without case, by number, or refused", {
  d <- data.frame(
    id = rep(1:2, each = 5), time = c(0, 1, 1, 2, 2), amt = c(10, 0, 0, 0, 0), evid = c(1, 0, 0, 0, 0),
    dv = c(NA, 7, 92, 5, 95), dvid = c(NA, "CP", "Effect", "cp", "EFFECT")
  )
  expect_equal(attr(check_data(two, d), "n_fitted"), 8L)
  expect_equal(attr(check_data(two, transform(d, dvid = c(0, 1, 2, 1, 2))), "n_fitted"), 8L)
  lost <- tryCatch(check_data(two, transform(d, dvid = c(0, 1, 3, 1, 3))), error = identity)
  expect_equal(lost$reason, "unknown_dvid")
  said <- "`dvid` is 3 (4 rows), which is no outcome of the model. The outcomes are `cp` (1)"
  expect_match(conditionMessage(lost), said, fixed = TRUE)
  # The line of the hint keeps the doses and fits the rows.
  data <- transform(d, dvid = c(0, 1, 3, 1, 3))
  eval(parse(text = regmatches(lost$hint, regexpr("data\\$dvid <- replace\\([^`]*", lost$hint))))
  expect_equal(attr(check_data(two, data), "n_fitted"), 8L)
  expect_equal(sum(check_data(two, data)$reason == "dose"), 2L)
  by_cmt <- transform(d, dvid = NULL, cmt = c(1, 2, 3, 2, 3))
  expect_equal(attr(check_data(two, by_cmt), "n_fitted"), 8L)
  wrong <- tryCatch(check_data(two, transform(by_cmt, cmt = c(1, 7, 8, 7, 8))), error = identity)
  expect_match(wrong$hint, "data$DVID <- c(\"cp\", \"effect\")[match(data$cmt, c(7, 8))]", fixed = TRUE)
})

test_that("kinds of records that are mixed in one outcome are spoken of", {
  one <- nlme_model(fixed(a = 1, s = positive(1)), random(e ~ normal(0, 1) | id), dv ~ normal(a + e, s))
  d <- data.frame(id = rep(1:3, 4), dv = 1:12, dvid = rep(c("cp", "pca"), 6))
  expect_warning(check_data(one, d), "data$MDV <- as.numeric(!data$dvid %in% \"cp\")", fixed = TRUE)
  expect_warning(check_data(one, transform(d, dvid = NULL, cmt = rep(1:2, 6))), "`cmt` tells 2 kinds", fixed = TRUE)
  data <- d
  data$MDV <- as.numeric(!data$dvid %in% "cp")
  expect_silent(kept <- check_data(one, data))
  expect_equal(attr(kept, "n_fitted"), 6L)
})

test_that("censored rows are counted, and what CENS cannot mean is said", {
  below <- transform(rows, y = pmax(y, 4), CENS = as.numeric(y < 4))
  below$CENS[2] <- 0
  report <- check_data(line, below)
  expect_equal(report$reason, c("below 4", "missing outcome", "below 4"))
  fit <- fit_nlme(line, below, seed = 1)
  expect_match(capture.output(print(fit))[2], "11 observations of `y` (2 below 4) in 4 subjects", fixed = TRUE)
  stated <- nlme_model(
    fixed(a = 2, sigma = positive(1)), random(eta ~ normal(0, 1) | id),
    y ~ censored(normal(a + eta, sigma), lower = 4, upper = 12)
  )
  expect_equal(check_data(stated, rows)$reason, c("below 4", "missing outcome", "below 4", "below 4", "above 12"))
  counts <- nlme_model(fixed(a = 1), random(e ~ normal(0, 1) | id), y ~ poisson(exp(a + e)))
  expect_warning(check_data(counts, below), "2 values of `y`", fixed = TRUE)
})

test_that("`id` beside another grouping keeps the model's groups, and says what it is used for", {
  d <- transform(rows, site = rep(1:2, each = 6), y = c(1:6, 3:8))
  by_site <- nlme_model(
    fixed(a = 2, sigma = positive(1)), random(eta ~ normal(0, 1) | site), y ~ normal(a + eta, sigma)
  )
  said <- "those of `site`, as the model says; `id = \"id\"` is not used"
  expect_message(fit <- fit_nlme(by_site, d, id = "id", seed = 1), said, fixed = TRUE)
  expect_equal(nrow(ranef(fit)), 2L)
})

test_that("a report shows counts and the first rows", {
  shown <- capture.output(print(check_data(line, transform(rows, MDV = 1 * (x > 1))), n = 3))
  expect_equal(shown[1:2], c("4 of 12 rows hold an outcome that is fitted.", "Rows not fitted: 8 with MDV = 1"))
  expect_equal(length(shown), 7L)
})

test_that("doses of nothing are said, and rows that are dose and outcome at once are counted", {
  doses <- data.frame(
    id = rep(1:2, each = 3), time = 0:2, amt = c(NA, 0, 0, 10, 0, 0), evid = c(1, 0, 0), conc = c(NA, 7, 5)
  )
  expect_warning(report <- check_data(bolus, doses), "1 dose record has no amount, the first in row 1", fixed = TRUE)
  expect_equal(report$reason, c("dose without an amount", "dose"))
  carried <- data.frame(id = rep(1:2, each = 3), time = 0:2, amt = 10, conc = c(NA, 7, 5))
  expect_match(capture.output(print(check_data(bolus, carried)))[3L], "Rows that are a dose and an outcome at once: 4")
})

test_that("CENS may be logical", {
  below <- transform(rows, y = pmax(y, 4), CENS = !is.na(y) & y < 4)
  expect_equal(check_data(line, below)$reason, c("below 4", "missing outcome", "below 4"))
})

test_that("new data whose group differs in case alone are those of their subjects", {
  d <- data.frame(id = rep(1:3, each = 3), time = 0:2, amt = c(10, 0, 0), conc = c(NA, 7, 5))
  upper <- d
  names(upper)[1L] <- "ID"
  expect_equal(predict(bolus, upper), predict(bolus, d))
  expect_equal(as.numeric(predict(bolus, upper))[2:3], 10 * exp(-0.3 * 1:2), tolerance = 1e-6)
})

test_that("a code that is missing or names no outcome is answered without dropping rows or warnings of R", {
  d <- data.frame(
    id = rep(1:2, each = 5), time = c(0, 1, 1, 2, 2), amt = c(10, 0, 0, 0, 0), evid = c(1, 0, 0, 0, 0),
    dv = c(NA, 7, 92, 5, 95)
  )
  coded <- function(...) transform(d, ...)
  cases <- list(
    coded(dvid = c(NA, 1, 2, NA, 2)), coded(dvid = c(NA, "cp", "PD", "cp", "PD")),
    coded(dvid = factor(c(NA, "cp", "PD", "cp", "PD"))), coded(cmt = c(1, 2, 3, 2, 4)),
    coded(dvid = c(1, 1, 2, 1, 7), MDV = c(1, 0, 0, 0, 0))
  )
  for (data in cases) {
    lost <- NULL
    expect_no_warning(lost <- tryCatch(check_data(two, data), nlmers_error = identity))
    expect_equal(lost$reason, "unknown_dvid")
    expect_no_match(lost$hint, "subset", fixed = TRUE)
    lines <- regmatches(lost$hint, gregexpr("`[^`]*`", lost$hint))[[1]]
    expect_length(lines, 2L)
    as_told <- function(line) {
      eval(parse(text = gsub("`", "", line)))
      check_data(two, data)
    }
    expect_equal(attr(as_told(lines[1]), "n_fitted"), 8L)
    # Without any row of an outcome there is nothing to fit.
    if (all(data$dvid %in% c(NA, "cp", "PD")) && is.null(data$cmt)) next
    left <- as_told(lines[2])
    expect_equal(sum(left$reason == "dose"), 2L)
    expect_lt(attr(left, "n_fitted"), 8L)
  }
})

test_that("censored rows stand apart from those that are not fitted, with both ends of intervals", {
  below <- transform(rows, y = pmax(y, 4), CENS = as.numeric(!is.na(y) & y < 4), LIMIT = ifelse(x == 1, 0, NA))
  below$MDV <- rep(c(0, 0, 1, 0), each = 3)
  report <- check_data(line, below)
  expect_equal(report$reason, c("between 0 and 4", "missing outcome", "below 4", rep("MDV = 1", 3)))
  shown <- capture.output(print(report))
  expect_equal(shown[1:3], c(
    "8 of 12 rows hold an outcome that is fitted.", "Censored: 1 below 4, 1 between 0 and 4",
    "Rows not fitted: 3 with MDV = 1, 1 missing outcome"
  ))
  apart <- which(shown == "Censored rows, which are fitted:")
  expect_false(any(grepl("below|between", shown[4:(apart - 1)])))
  expect_equal(sum(grepl("below 4|between 0 and 4", shown[apart:length(shown)])), 2L)
  many <- capture.output(print(report, n = 1))
  expect_true("... 3 more rows; see as.data.frame()" %in% many)
  expect_true("... 1 more row; see as.data.frame()" %in% many)
})
