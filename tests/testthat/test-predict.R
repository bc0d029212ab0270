fit <- fit_orange(method = short_saem(), seed = 1)

test_that("predictions for the data are the fitted values", {
  expect_equal(predict(fit), fitted(fit))
  expect_equal(predict(fit, orange, level = 1), fitted(fit), tolerance = 1e-10)
  expect_equal(predict(fit, orange, level = 0), fitted(fit, level = 0), tolerance = 1e-10)
  rows <- c(30, 3, 12)
  expect_equal(predict(fit, orange[rows, ]), fitted(fit)[rows], tolerance = 1e-10)
})

test_that("the typical curve is the formula at the population parameters", {
  p <- as.list(fixef(fit))
  age <- c(200, 900)
  expect_equal(
    predict(fit, data.frame(age = age), level = 0),
    with(p, Asym / (1 + exp(-(age - xmid) / scal))),
    tolerance = 1e-10
  )
})

test_that("an unknown subject is typical at level 0 and an error at level 1", {
  new <- data.frame(age = 500, Tree = "oak")
  expect_equal(predict(fit, new, level = 0), predict(fit, data.frame(age = 500), level = 0))
  error <- caught(predict(fit, new, level = 1))
  expect_equal(error$reason, "unknown_level")
  expect_equal(error$subject, "oak")
})

test_that("levels and data are checked", {
  expect_equal(caught(predict(fit, level = 2))$name, "level")
  expect_equal(caught(predict(fit, se.fit = TRUE))$name, "se.fit")
  expect_equal(caught(predict(fit, data.frame(ag = 1), level = 0))$name, "age")
  expect_equal(caught(predict(fit, list(age = 1)))$reason, "no_data_frame")
})

test_that("an error about `newdata` calls it so", {
  expect_match(conditionMessage(caught(predict(fit, list(age = 1)))), "`newdata` must be", fixed = TRUE)
  expect_match(conditionMessage(caught(predict(fit, orange[0, ]))), "`newdata` has no rows", fixed = TRUE)
  error <- caught(predict(fit, data.frame(weight = 1), level = 0))
  expect_match(error$problem, "neither a column of `newdata`", fixed = TRUE)
  expect_equal(error$hint, "Columns: `weight`, `Tree`.")
  expect_match(
    caught(predict(fit, data.frame(age = 1)))$problem, "grouping column `Tree` is not in `newdata`", fixed = TRUE
  )
  expect_match(
    caught(predict(fit, data.frame(age = "a", Tree = 1)))$hint, "newdata$age", fixed = TRUE
  )
})
