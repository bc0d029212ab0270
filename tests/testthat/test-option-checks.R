test_that("checks return the value or name the option", {
  expect_equal(nlmers:::check_count(3L, "n", 1), 3)
  expect_equal(nlmers:::check_fraction(0.5, "f"), 0.5)
  expect_true(nlmers:::check_flag(TRUE, "b"))
  expect_equal(nlmers:::check_word(c("a", "b"), "w", c("a", "b")), "a")
  expect_equal(caught(nlmers:::check_count(2.5, "n", 1))$name, "n")
  expect_equal(caught(nlmers:::check_count(0, "n", 1))$value, "0")
  expect_equal(caught(nlmers:::refuse_dots(se = 1))$name, "se")
  expect_silent(nlmers:::refuse_dots())
  expect_equal(caught(nlmers:::check_fraction(NA, "f"))$name, "f")
  expect_equal(caught(nlmers:::check_flag(1, "b"))$name, "b")
  expect_equal(caught(nlmers:::check_word("c", "w", c("a", "b")))$problem, "`w` must be one of \"a\", \"b\".")
  expect_equal(caught(nlmers:::check_word("c", "w", "a"))$problem, "`w` must be \"a\".")
})

test_that("numbers have their ranges", {
  expect_equal(nlmers:::check_positive(2L, "n"), 2)
  for (bad in list(0, -1, Inf, NA, "a", c(1, 2))) expect_equal(caught(nlmers:::check_positive(bad, "n"))$name, "n")
  expect_equal(nlmers:::check_tolerance(Inf, "n"), Inf)
  expect_equal(nlmers:::check_tolerance(0, "n"), 0)
  for (bad in list(-1, NaN, "a", c(1, 2), NULL)) expect_equal(caught(nlmers:::check_tolerance(bad, "n"))$name, "n")
  expect_null(nlmers:::check_function(NULL, "f"))
  expect_equal(caught(nlmers:::check_function(3, "f"))$name, "f")
})

test_that("an option without effect is refused by name", {
  expect_silent(nlmers:::refuse_idle(c("a", "b"), "c", "it rains"))
  error <- caught(nlmers:::refuse_idle(c("a", "b"), c("c", "b"), "it rains"))
  expect_equal(error$problem, "`b` has no effect here: it rains.")
  expect_equal(error$name, "b")
})

test_that("a long value is cut", {
  expect_lt(nchar(caught(nlmers:::check_flag(seq(0.5, 200), "b"))$value), 110L)
})

test_that("an argument that lands in the dots is named, with the one meant", {
  takes <- function(object, level = 1, ...) nlmers:::refuse_dots(...)
  error <- caught(takes(1, levl = 2))
  expect_equal(error$problem, "There is no argument `levl` here.")
  expect_equal(error$hint, "Did you mean `level`?")
  expect_equal(caught(takes(1, 2, 3))$problem, "There is one argument too many.")
})
