test_that("without a reader there is no reporter", {
  skip_if(isNamespaceLoaded("progressr"))
  expect_null(nlmers:::progress_reporter(FALSE))
})

test_that("the bar takes every report", {
  withr::local_options(cli.progress_show_after = 0, cli.dynamic = FALSE)
  report <- function() {
    reporter <- nlmers:::bar_reporter(environment())
    for (k in 1:3) reporter(k, 3, "exploration", 1, -100.5)
    TRUE
  }
  expect_true(suppressMessages(report()))
})

test_that("verbose says one line a report", {
  report <- nlmers:::progress_reporter(FALSE, TRUE)
  expect_message(report(3, 10, "exploration", 1, -100.5), "iteration 3 of 10, exploration, gain 1, objective -100.5")
  expect_message(
    suppressWarnings(fit_orange(method = saem(3, 1, verbose = TRUE), seed = 1)), "iteration 4 of 4, smoothing"
  )
})

test_that("progressr is told of every step", {
  skip_if_not_installed("progressr")
  withr::local_options(progressr.enable = TRUE)
  steps <- 0
  withCallingHandlers(
    {
      reporter <- nlmers:::progressr_reporter()
      for (k in c(1, 4, 10)) reporter(k, 10, "exploration", 1, -100)
    },
    progression = function(step) {
      if (step$type == "update") steps <<- steps + step$amount
    }
  )
  expect_equal(steps, 10)
})

test_that("nothing is printed without a bar", {
  expect_silent(fit_orange(method = short_saem(), seed = 1))
})

test_that("handlers around a fit hear of its progress", {
  skip_if_not_installed("progressr")
  withr::local_options(progressr.enable = TRUE)
  loadNamespace("progressr")
  steps <- 0
  withCallingHandlers(
    fit_orange(method = short_saem(), seed = 1),
    progression = function(step) steps <<- steps + 1
  )
  expect_gt(steps, 0)
})
