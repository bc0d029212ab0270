read <- function(call, env = parent.frame()) {
  parameters <- nlmers:::fixed_parameters(call, env)
  stats::setNames(parameters, vapply(parameters, `[[`, "", "name"))
}

test_that("functions have as many weights as their definitions say, from the seed alone", {
  parameters <- read(quote(fixed(
    f = network(1, 4), g = network(2, c(3, 2), 2, bias = FALSE, seed = 5), tree = soft_tree(1, 2, seed = 3),
    s = spline(c(0, 0, 0, 0, 5, 10, 10, 10, 10)), clamped = spline(c(0, 5, 10), clamp = TRUE),
    flow = planar_flow(2, 3)
  )))
  expect_equal(lengths(lapply(parameters, `[[`, "value")), c(f = 13, g = 16, tree = 10, s = 5, clamped = 5, flow = 15))
  expect_equal(parameters$s$learned$knots, parameters$clamped$learned$knots)
  # Glorot: within sqrt(6 / (1 + 4)), biases 0.
  expect_lte(max(abs(parameters$f$value)), sqrt(6 / 5))
  expect_equal(parameters$f$value[c(5:8, 13)], numeric(5))
  expect_equal(parameters$tree$value[4:6], numeric(3))
  set.seed(1, kind = "Wichmann-Hill")
  before <- .Random.seed
  again <- read(quote(fixed(f = network(1, 4), tree = soft_tree(1, 2, seed = 3))))
  expect_identical(.Random.seed, before)
  RNGkind("default")
  expect_identical(again$f$value, parameters$f$value)
  expect_identical(again$tree$value, parameters$tree$value)
  expect_false(identical(read(quote(fixed(f = network(1, 4, seed = 2))))$f$value, parameters$f$value))
})

test_that("weights may be given, and the last layer may start at 0", {
  given <- read(quote(fixed(f = network(1, 2, weights = 1:7), g = network(1, 3, zero_last = TRUE, seed = 1))))
  expect_equal(given$f$value, 1:7)
  expect_equal(given$g$value[7:10], numeric(4))
  expect_true(all(given$g$value[1:3] != 0))
  expect_false(given$f$se)
})

test_that("a model that starts where the mechanistic one is predicts what that predicts", {
  plain <- nlme_model(fixed(k = 0.3, s = 1), random(e ~ normal(0, 1) | id), y ~ normal(exp(-(k + e) * x), s))
  more <- nlme_model(
    fixed(k = 0.3, s = 1, f = network(1, c(4, 3), zero_last = TRUE)), random(e ~ normal(0, 1) | id),
    y ~ normal(exp(-(k + e) * x) + f(x), s)
  )
  rows <- data.frame(x = c(0, 0.5, 2))
  expect_equal(predict(more, rows), predict(plain, rows), tolerance = 1e-14)
})

test_that("what is wrong is said with the name of the function", {
  cases <- list(
    list(quote(fixed(f = network(0, 4))), "`inputs` must be a whole number"),
    list(quote(fixed(f = network(1, 2.5))), "`hidden` must be a whole number"),
    list(quote(fixed(f = network(1, 2, activation = "tahn"))), "`activation` must be one of"),
    list(quote(fixed(f = network(1, 2, weights = 1:3))), "holds 3 values, it has 7 weights"),
    list(quote(fixed(f = spline(c(3, 1, 2)))), "`knots` must ascend"),
    list(quote(fixed(f = spline(c(1, 2), 3))), "needs 5 knots at least"),
    list(quote(fixed(f = soft_tree(1, 40))), "`depth` must be a whole number from 1 to 12"),
    list(quote(fixed(f = network(1, 2, hiden = 3))), "has no argument `hiden`")
  )
  for (case in cases) expect_match(caught(read(case[[1L]]))$message, case[[2L]], fixed = TRUE)
  model <- function(...) {
    caught(nlme_model(fixed(f = network(2, 3), g = planar_flow(), s = 1), random(e ~ normal(0, s) | id), ...))
  }
  expect_match(model(y ~ normal(f(x) + e, s))$message, "`f()` takes 2 inputs, 1 is given", fixed = TRUE)
  expect_match(model(y ~ normal(g(x) + e, s))$message, "planar flow `g` is called", fixed = TRUE)
  expect_match(model(y ~ normal(network(x) + e, s))$hint, "Declare it in fixed()", fixed = TRUE)
  expect_match(model(y ~ normal(h(x) + e, s))$message, "no function `h`", fixed = TRUE)
  expect_match(
    caught(nlme_model(fixed(s = 1), random(e ~ planar_flow(s) | id), y ~ normal(e, s)))$message, "no planar flow"
  )
})

test_that("a function of the user around the model does not hide a learned one", {
  f <- function(x) x + 100
  model <- nlme_model(
    fixed(f = network(1, 2, weights = c(0, 0, 0, 0, 0, 0, 7)), s = 1), random(e ~ normal(0, s) | id),
    y ~ normal(f(x) + e, s)
  )
  expect_equal(predict(model, data.frame(x = 1)), 7)
})

test_that("a spline read outside of its knots has no value, and the start is refused by the row", {
  model <- nlme_model(
    fixed(f = spline(c(0, 1, 2), 1, clamp = TRUE), s = 1), random(e ~ normal(0, s) | id), y ~ normal(f(x) + e, s)
  )
  expect_equal(is.na(predict(model, data.frame(x = c(-0.1, 0, 1.3, 2, 2.1)))), c(TRUE, FALSE, FALSE, FALSE, TRUE))
  data <- data.frame(id = rep(1:3, each = 3), x = rep(c(0, 1, 3), 3), y = 1)
  expect_match(caught(fit_nlme(model, data, seed = 1))$message, "row 3|`id` 1")
})
