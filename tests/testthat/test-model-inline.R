tree <- function(code, env) nlmers:::expression_tree(code, nlmers:::new_scope(env, "line"))

test_that("a helper is read in place of its call", {
  ratio <- function(a, b = a) {
    top <- a + 1
    return(top / b)
  }
  env <- environment()
  plain <- tree(quote((x + 1) / y), env)
  expect_equal(tree(quote(ratio(x, y)), env), plain)
  expect_equal(tree(quote(ratio(b = y, a = x)), env), plain)
  expect_equal(tree(quote(ratio(x)), env), tree(quote((x + 1) / x), env))
})

test_that("helpers may call helpers and use numbers of their environment", {
  half <- 0.5
  halve <- function(u) half * u
  quarter <- function(u) halve(halve(u))
  expect_equal(
    tree(quote(quarter(x)), environment()), tree(quote(0.5 * (0.5 * x)), environment())
  )
})

test_that("a local variable does not reach the caller's name", {
  shift <- function(u) {
    x <- u + 1
    x * 2
  }
  expect_equal(
    tree(quote(shift(x)), environment()), tree(quote((x + 1) * 2), environment())
  )
})

test_that("a user's own definition wins over the word of that name", {
  softplus <- function(u) log1p(exp(u))
  expect_equal(tree(quote(softplus(x)), environment())$call, "log1p")
  expect_equal(tree(quote(softplus(x)), globalenv())$call, "softplus")
})

test_that("what cannot be read is an error that names the helper", {
  loops <- function(u) loops(u - 1)
  free <- function(u) u + nowhere
  dots <- function(...) sum(...)
  branch <- function(u) {
    if (u > 0) return(1)
    2
  }
  env <- environment()
  expect_equal(caught(tree(quote(loops(x)), env))$reason, "recursive_helper")
  expect_equal(caught(tree(quote(free(x)), env))$name, "nowhere")
  expect_equal(caught(tree(quote(dots(x)), env))$name, "dots")
  expect_equal(caught(tree(quote(branch(x)), env))$reason, "helper_not_readable")
  expect_equal(caught(tree(quote(free(x, y)), env))$reason, "helper_not_readable")
})
