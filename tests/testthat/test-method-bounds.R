test_that("bounds are named numbers in order", {
  expect_equal(caught(saem(lb = 3))$reason, "unnamed_value")
  expect_equal(caught(saem(lb = c(a = 1), ub = c(a = 1)))$reason, "bad_bounds")
  expect_equal(caught(saem(ub = list(a = "x")))$name, "ub[\"a\"]")
  expect_equal(caught(saem(lb = c(a = Inf)))$name, "lb[\"a\"]")
  expect_equal(caught(saem(lb = c(a = NA)))$name, "lb[\"a\"]")
  expect_silent(saem(lb = c(a = -Inf, b = 0), ub = list(a = 3, v = c(1, Inf))))
})

model_of_bounds <- function() {
  nlme_model(
    fixed(a = 0.5, sigma = positive(0.3), omega = covariance_matrix(diag(2))),
    random(c(u, v) ~ mvnormal(c(0, 0), omega) | id),
    y ~ normal(a + u * time + v, sigma)
  )
}

bounded <- function(..., fix = NULL) nlmers:::adapt_method(saem(...), model_of_bounds(), fix)$method$options

test_that("bounds have one number a coordinate", {
  options <- bounded(lb = list(sigma = -3, omega = -9), ub = list(omega = c(1, 2, Inf)))
  expect_equal(options$lb, list(list("sigma", I(-3)), list("omega", I(rep(-9, 3)))))
  expect_match(nlmers:::request_json(options$ub), "[[\"omega\",[1,2,null]]]", fixed = TRUE)
  expect_equal(caught(bounded(lb = list(omega = 1:2)))$reason, "bound_length")
  expect_message(options <- bounded(lb = c(sigma = -3, a = 0), fix = list("sigma")), "`lb` of `sigma` is not used")
  expect_equal(options$lb, list(list("a", I(0))))
})

test_that("the bounds of vem() are those of saem()", {
  bounds <- list(lb = list(sigma = -3, omega = -9), ub = c(a = 2))
  of <- function(method) nlmers:::adapt_method(method, model_of_bounds())$method$options[c("lb", "ub")]
  expect_equal(of(do.call(vem, bounds)), of(do.call(saem, bounds)))
  expect_equal(caught(vem(lb = 3))$reason, "unnamed_value")
  expect_message(
    nlmers:::adapt_method(vem(lb = c(a = 1)), model_of_bounds(), list(a = 1)), "vem(): `lb` of `a`", fixed = TRUE
  )
})
