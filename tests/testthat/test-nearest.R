test_that("the nearest name is found without regard to case", {
  expect_equal(nlmers:::nearest_name("time", c("Dose", "Time")), "Time")
  expect_equal(nlmers:::nearest_name("sigm", c("omega", "sigma")), "sigma")
  expect_null(nlmers:::nearest_name("weight", c("age", "sex")))
  expect_null(nlmers:::nearest_name("x", character()))
})

test_that("the hint lists what there is when nothing is near", {
  expect_equal(nlmers:::nearest_hint("weight", c("age", "sex"), "Columns"), "Columns: `age`, `sex`.")
  expect_match(nlmers:::nearest_hint("weight", letters, "Columns"), "...", fixed = TRUE)
  expect_null(nlmers:::nearest_hint("x", character(), "Columns"))
})

test_that("a name of one letter is near to no other", {
  expect_null(nlmers:::nearest_name("k", c("t", "x")))
  expect_null(nlmers:::nearest_name("f", c("c", "+")))
  expect_equal(nlmers:::nearest_name("k", c("t", "K")), "K")
})
