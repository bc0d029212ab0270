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

test_that("branches and loops of a helper become a block with its own variables", {
  power_sum <- function(u, n) {
    s <- 0
    for (i in 1:n) s <- s + u^i
    s
  }
  block <- tree(quote(power_sum(x, 3)), environment())
  expect_equal(block$value, list(sym = "power_sum$s"))
  expect_equal(vapply(block$block, `[[`, "", "kind"), c("assign", "for"))
  expect_equal(block$block[[2L]]$values$args[[2L]], list(num = 3))
  expect_equal(block$block[[1L]]$text, "line")
})

test_that("return() inside a branch ends the helper", {
  branch <- function(u) {
    if (u > 0) return(1)
    v <- u * 2
    v
  }
  read <- tree(quote(branch(x)), environment())
  expect_equal(read$call, "if")
  expect_equal(read$args[[2L]], list(num = 1))
  expect_equal(read$args[[3L]]$value, list(sym = "branch$v"))
})

test_that("an argument of a helper with a loop is computed once", {
  twice <- function(u) {
    for (i in 1:2) u <- u + u
    u
  }
  block <- tree(quote(twice(exp(x))), environment())
  expect_equal(block$block[[1L]][c("target", "value")], list(
    target = "twice$u", value = list(call = "exp", args = list(list(sym = "x")))
  ))
})

test_that("what cannot be read is an error that names the helper", {
  loops <- function(u) loops(u - 1)
  free <- function(u) u + nowhere
  dots <- function(...) sum(...)
  early <- function(u) {
    for (i in 1:2) return(u)
    2
  }
  assigns <- function(u) v <- u
  env <- environment()
  expect_equal(caught(tree(quote(loops(x)), env))$reason, "recursive_helper")
  expect_equal(caught(tree(quote(free(x)), env))$name, "nowhere")
  expect_equal(caught(tree(quote(dots(x)), env))$name, "dots")
  expect_equal(caught(tree(quote(early(x)), env))$reason, "helper_not_readable")
  expect_equal(caught(tree(quote(assigns(x)), env))$reason, "helper_not_readable")
  expect_equal(caught(tree(quote(free(x, y)), env))$reason, "helper_not_readable")
})
