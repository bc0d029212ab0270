test_that("case 3: statistics move by the gain, element by element", {
  expect_identical(smooth_statistics(1, 5, 0.5), 3)
  expect_identical(smooth_statistics(1, 5, 0), 1)
  old <- list(a = 1, b = list(c = matrix(0, 2, 2), d = c(x = 1, y = 2)))
  new <- list(a = 3, b = list(c = matrix(1:4 + 0, 2), d = c(x = 3, y = 0)))
  expect_equal(
    smooth_statistics(old, new, 0.25),
    list(a = 1.5, b = list(c = matrix(1:4 / 4, 2), d = c(x = 1.5, y = 1.5)))
  )
  # The last bit of a step of 1 is that of the new value.
  expect_identical(smooth_statistics(0.1, 0.3, 1), 0.3)
  # The order of names is that of the first time.
  expect_identical(smooth_statistics(list(a = 0, b = 0), list(b = 2, a = 1), 1), list(a = 1, b = 2))
})

test_that("case 3: the first gain above 0 seeds, and nobody works on nothing before", {
  kept <- hook_statistics()
  expect_null(kept$current())
  kept$move(list(7), 0)
  expect_identical(kept$current(), 7)
  kept$move(list(8), 0)
  expect_identical(kept$current(), 7)
  kept$move(list(1), 0.25)
  expect_identical(kept$current(), 1)
  kept$move(list(5), 0.5)
  expect_identical(kept$current(), 3)
  kept$move(list(100), 0)
  expect_identical(kept$current(), 3)
})

test_that("the statistics of several chains are averaged", {
  kept <- hook_statistics()
  kept$move(list(list(s = c(1, 2)), list(s = c(3, 6)), list(s = c(5, 1))), 1)
  expect_equal(kept$current(), list(s = c(3, 3)))
})

# What the fit is told when statistics change from `old` to `new`.
told <- function(old, new) {
  kept <- hook_statistics()
  kept$move(list(old), 1)
  answer <- tryCatch(kept$move(list(new), 0), nlmers_hook = function(condition) condition$answer)
  paste(answer$message, answer$hint)
}

test_that("case 3: names and shapes that change are errors that name the statistic", {
  expect_match(told(list(a = 1, b = 2), list(a = 1)), "`suffstats` no longer returns a statistic `b`.", fixed = TRUE)
  expect_match(told(list(a = 1), list(a = 1, c = 2)), "`c`, which it did not before", fixed = TRUE)
  expect_match(
    told(list(m = list(s = 1:2)), list(m = list(s = 1:3))),
    "returns a statistic `m$s` of another shape than before. It was 2 numbers and is now 3 numbers.", fixed = TRUE
  )
  expect_match(told(matrix(0, 2, 2), 1:4), "an array of 2 x 2 and is now 4 numbers", fixed = TRUE)
  expect_match(told(list(a = 1), list(a = list(b = 1))), "`a` of another shape", fixed = TRUE)
  expect_match(told(list(a = 1), 1), "returns statistics of another shape", fixed = TRUE)
})

test_that("statistics that are no finite numbers are errors that name them", {
  expect_match(told(1, "a"), "`suffstats` returns statistics that is not a number. It is of class `character`.",
               fixed = TRUE)
  expect_match(told(1, NULL), "It is NULL", fixed = TRUE)
  expect_match(told(list(a = 1), list(a = NaN)), "a statistic `a` that is not finite", fixed = TRUE)
  expect_match(told(list(a = 1), list(1)), "every element of statistics a name", fixed = TRUE)
  expect_match(told(list(a = 1), list(a = list())), "every element of a statistic `a` a name", fixed = TRUE)
})
