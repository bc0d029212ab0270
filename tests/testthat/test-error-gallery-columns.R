# Columns that hold no numbers, verbs asked for what is not there: the messages, and that the lines in them work.

weighted <- function() {
  nlme_model(
    fixed(a = 5, k = 0.2, b = 0.1, omega = positive(1), sigma = positive(1)), random(eta ~ normal(0, omega) | id), {
      y ~ normal((a + eta + b * wt) * exp(-k * time), sigma)
    }
  )
}
column <- function(name, values) {
  data <- records
  data[[name]] <- values
  fit_nlme(weighted(), data, seed = 1, progress = FALSE)
}
amounts <- c("100", ".", ".", ".")

gallery <- list(
  "a list of numbers" = quote(column("wt", as.list(records$wt))),
  "a list of lists" = quote(column("wt", c(list(1:2), as.list(records$wt[-1])))),
  "a column of scale()" = quote(column("wt", scale(records$wt))),
  "a matrix" = quote(column("wt", cbind(records$wt, 1))),
  "an outcome that is a list" = quote(column("y", as.list(records$y))),
  "amounts with points for nothing" = quote(fit_dosed(amt = amounts)),
  "amounts as a factor with points for nothing" = quote(fit_dosed(amt = factor(amounts))),
  "outcomes with two marks for nothing" = quote(column("y", c(".", "NA", records$y[-(1:2)]))),
  "decimal commas" = quote(column("wt", sub(".", ",", format(records$wt + 0.5), fixed = TRUE))),
  "values below a limit" = quote(column("y", ifelse(records$y < 2, "<2", records$y))),
  "a word among numbers" = quote(column("wt", c("heavy", records$wt[-1]))),
  "three categories" = quote(column("wt", rep(c("low", "high", "none"), each = 4))),
  "two categories" = quote(column("wt", rep(c("low", "high", "low"), each = 4))),
  "times as dates in text" = quote(column("time", format(as.Date("2024-01-01") + records$time))),
  "standard errors of given values" = quote(vcov(evaluate_nlme(decay(), records, seed = 1))),
  "a trace of given values" = quote(plot(evaluate_nlme(decay(), records, seed = 1), "trace")),
  "values of what is no fit" = quote(evaluate_nlme(decay(), records, start_from = "fit.rds")),
  "curves without data" = quote(predict(decay())),
  "draws from a density" = quote(simulate(
    decay(code = quote({
      y ~ custom(-(y - a - eta)^2 / sigma)
    }), fixed = quote(fixed(a = 1, omega = positive(1), sigma = positive(1)))), data = records
  )),
  "a comparison with what is no fit" = quote(stats::anova(evaluate_nlme(decay(), records, seed = 1), 3)),
  "a comparison of fits of different data" = quote(stats::anova(
    evaluate_nlme(decay(), records, seed = 1), evaluate_nlme(decay(), records[-1, ], seed = 1)
  ))
)

test_that("each message says what is wrong and how to put it right", {
  shown <- vapply(names(gallery), function(name) {
    error <- caught(eval(gallery[[name]]))
    expect_s3_class(error, "nlmers_error")
    class <- sub("nlmers_error_", "", class(error)[1L])
    sprintf("## %s [%s, %s]\n%s\n", name, class, error$reason, conditionMessage(error))
  }, "")
  expect_snapshot(cat(shown, sep = "\n"))
})

# The line in a hint, run on `data`.
followed <- function(data, hint) {
  lines <- regmatches(hint, gregexpr("`data[^`]*<-[^`]*`", hint))[[1L]]
  for (line in lines) eval(parse(text = gsub("`", "", line)))
  data
}

test_that("the lines in hints keep the numbers", {
  hint <- nlmers:::number_hint(amounts, "data$amt")
  expect_match(hint, "na.strings = c(\"NA\", \".\")", fixed = TRUE)
  expect_identical(followed(data.frame(amt = amounts), hint)$amt, c(100, NA, NA, NA))
  cases <- list(
    list(factor(amounts), c(100, NA, NA, NA)), list(c("1,5", "2"), c(1.5, 2)), list(c("0.5", "<0.1"), c(0.5, 0.1)),
    list(factor(c(10, 20)), c(10, 20)), list(list(3, 4), c(3, 4)), list(scale(c(1, 3)), c(-1, 1) / sqrt(2)),
    list(c("01:30", "14:00"), c(1.5, 14)), list(as.Date("2024-01-01") + 0:1, c(0, 1)),
    list(as.POSIXct("2024-01-01", tz = "UTC") + c(0, 5400), c(0, 1.5)), list(c("f", "m"), c(0, 1)),
    list(as.difftime(c(30, 60), units = "mins"), c(0.5, 1)), list(c("3", "x"), c(3, NA)),
    list(c("100mg", ".", "50mg"), c(100, NA, 50)), list(factor(c("2 h", "4 h")), c(2, 4))
  )
  for (case in cases) {
    data <- list(x = case[[1L]])
    expect_equal(followed(data, nlmers:::number_hint(case[[1L]], "data$x"))$x, case[[2L]])
  }
  limits <- followed(list(y = c("0.5", "<0.1", ">9")), nlmers:::number_hint(c("0.5", "<0.1", ">9"), "data$y"))
  expect_equal(limits$y, c(0.5, 0.1, 9))
  # More levels than two do not become one number.
  three <- c("a", "b", "c")
  expect_identical(followed(list(x = three), nlmers:::number_hint(three, "data$x"))$x, three)
})
