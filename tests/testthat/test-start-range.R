# Data and predictions that are worlds apart, and covariates that say nothing.

off_by <- function(factor) transform(records, y = y * factor)

test_that("a start a hundred times from the data is said, with both ranges", {
  for (factor in c(1e6, 1e-4)) {
    said <- NULL
    suppressWarnings(withCallingHandlers(fit_decay(off_by(factor)), nlmers_message_range = function(message) {
      said <<- c(said, conditionMessage(message))
      invokeRestart("muffleMessage")
    }))
    expect_length(said, 1L)
    expect_match(said, sprintf("%s and %s", format(factor), format(6 * factor)), fixed = TRUE)
    expect_match(said, "between 2.74 and 5.00", fixed = TRUE)
  }
})

test_that("a start in reach is not talked about", {
  expect_no_message(suppressWarnings(fit_decay(off_by(10))), class = "nlmers_message_range")
  words <- nlmers:::range_words
  # A residual SD may be all there is.
  expect_null(words("y", c(-2, 3), c(0.01, 0.01), 1))
  expect_null(words("y", c(-2, 3), c(0, 0), 0.1))
  expect_match(words("y", c(1, 3e4), c(1, 100), 1), "a factor of 300")
})

test_that("covariates that say nothing, or what others say, are named where a fit cannot tell parameters apart", {
  fit_with <- function(data, covariates) {
    suppressWarnings(fit_nlme(
      y ~ amp * exp(-k * time), data, start = c(amp = 5, k = 0.2), random = amp ~ 1 | id, covariates = covariates,
      seed = 1, progress = FALSE
    ))
  }
  constant <- fit_with(transform(records, wt = 70), amp ~ wt)
  expect_match(constant$status$evidence, "`wt` is 70 in all rows", all = FALSE)
  twice <- fit_with(transform(records, kg = 2 * wt + 1), amp ~ wt + kg)
  expect_match(twice$status$evidence, "`kg` is a linear function of `wt`", all = FALSE)
  idle <- nlmers:::idle_covariates(data.frame(a = 1:4, b = c(2, 1, 5, 3), c = c(5, 4, 13, 10)), c("a", "b", "c"))
  expect_equal(idle, paste(
    "`c` is a linear function of `a` and `b`: their effects cannot be told apart.",
    "Leave one of them out of the model."
  ))
  expect_length(nlmers:::idle_covariates(records, c("wt", "time", "sex")), 0L)
})
