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

test_that("branches and loops are read with what is inside them", {
  statements <- read(quote({
    x <- numeric(2)
    for (i in 1:2) {
      x[i] <- i
      if (wt > 2) y <- 1 else y <- 2
    }
  }))
  loop <- statements[[2L]]
  expect_equal(loop[c("kind", "variable", "text")], list(
    kind = "for", variable = "i", text = "for (i in 1:2)"
  ))
  expect_equal(loop$body[[1L]]$index, list(list(sym = "i")))
  branch <- loop$body[[2L]]
  expect_equal(branch$text, "if (wt > 2)")
  expect_equal(branch$yes[[1L]]$value, list(num = 1))
  expect_equal(branch$no[[1L]]$value, list(num = 2))
  expect_equal(read(quote(if (a) k <- 1))[[1L]]$no, list())
})

test_that("rows, columns and truth values are indices", {
  part <- read(quote(m[1, ] <- TRUE))[[1L]]
  expect_equal(part$index, list(list(num = 1), list(sym = "")))
  expect_equal(part$value, list(sym = "TRUE"))
  expect_equal(caught(read(quote(m[1, , drop = FALSE] <- 1)))$reason, "unsupported_index")
})

test_that("a branch with several steps assigns in each branch", {
  statement <- read(quote(z <- if (a > 1) { # nolint: brace_linter. The other branch has no braces.
    b <- 2
    b * 3
  } else 4))[[1L]]
  expect_equal(statement$kind, "if")
  expect_equal(statement$text, "z <- if (a > 1)")
  expect_equal(vapply(statement$yes, `[[`, "", "target"), c("b", "z"))
  expect_equal(statement$no[[1L]]$value, list(num = 4))
})

test_that("loops without a fixed range are refused", {
  expect_equal(caught(read(quote(while (x > 1) x <- x / 2)))$reason, "unsupported_loop")
})

test_that("a line that does nothing is refused", {
  expect_equal(caught(read(quote(a + b)))$reason, "no_statement")
  expect_equal(caught(read(quote(log(y) ~ normal(m, s))))$reason, "bad_outcome")
  expect_equal(caught(read(quote(y ~ norml(m, s))))$hint, "Did you mean `normal`?")
  expect_equal(caught(read(quote(y ~ cauchy(m, s))))$reason, "unknown_distribution")
})

test_that("the distribution inside censored() is read as one", {
  tree <- function(code) nlmers:::distribution_tree(code, nlmers:::new_scope(globalenv(), "text"))
  made <- tree(quote(censored(lower = 0.1, normal(f, s))))
  expect_equal(made$call, "censored")
  expect_equal(made$names, c("lower", ""))
  expect_equal(made$args[[2L]]$call, "normal")
  expect_equal(caught(tree(quote(censored(lower = 1))))$reason, "argument_count")
  expect_equal(caught(tree(quote(censored(censored(normal(f, s), 1), 2))))$reason, "unknown_distribution")
})

test_that("a helper may have the name of a distribution", {
  logistic <- function(x) 1 / (1 + exp(-x))
  made <- nlme_model(
    fixed(m = 1, s = positive(0.5), o = positive(0.5)),
    random(e ~ normal(m, o) | id), y ~ normal(logistic(e), s)
  )
  expect_equal(made$described$families, "normal")
  error <- caught(nlme_model(fixed(m = 1), random(e ~ normal(m, 1) | id), {
    f <- poisson(e)
    y ~ normal(f, 1)
  }))
  expect_match(conditionMessage(error), "`poisson` is a distribution", fixed = TRUE)
})
