read <- function(code) nlmers:::model_statements(code, globalenv())

test_that("assignments and outcomes are read in order", {
  statements <- read(quote({
    k <- Cl / V
    y ~ normal(k, add(a))
  }))
  expect_equal(vapply(statements, `[[`, "", "kind"), c("assign", "outcome"))
  expect_equal(statements[[1L]]$target, "k")
  expect_equal(statements[[2L]]$column, "y")
  expect_equal(statements[[2L]]$dist$args[[2L]], list(call = "add", args = list(list(sym = "a"))))
  expect_equal(statements[[2L]]$text, "y ~ normal(k, add(a))")
})

test_that("statements of a later release say so", {
  reasons <- vapply(
    list(
      quote(d / dt(x) <- -k * x), quote(x(0) <- dose), quote(x[1] <- 2),
      quote(for (i in 1:3) k <- i), quote(if (a) k <- 1)
    ),
    function(code) caught(read(code))$reason, ""
  )
  expect_equal(unique(reasons), "later_release")
})

test_that("a line that does nothing is refused", {
  expect_equal(caught(read(quote(a + b)))$reason, "no_statement")
  expect_equal(caught(read(quote(log(y) ~ normal(m, s))))$reason, "bad_outcome")
  expect_equal(caught(read(quote(y ~ norml(m, s))))$hint, "Did you mean `normal`?")
  expect_equal(caught(read(quote(y ~ weibull(m, s))))$reason, "unknown_distribution")
})
