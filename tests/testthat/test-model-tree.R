scope <- function(env = globalenv()) nlmers:::new_scope(env, "y <- code")
tree <- function(code, env = globalenv()) nlmers:::expression_tree(code, scope(env))

test_that("code becomes a typed tree", {
  expect_equal(tree(quote(1.5)), list(num = 1.5))
  expect_equal(tree(quote(ka)), list(sym = "ka"))
  expect_equal(tree(TRUE), list(sym = "TRUE"))
  expect_equal(tree(quote(pi)), list(num = pi))
  expect_equal(
    tree(quote(exp(tka + eta[1]))),
    list(call = "exp", args = list(list(call = "+", args = list(
      list(sym = "tka"), list(call = "[", args = list(list(sym = "eta"), list(num = 1)))
    ))))
  )
})

test_that("parentheses and unary plus leave no trace, minus does", {
  expect_equal(tree(quote((a))), list(sym = "a"))
  expect_equal(tree(quote(+a)), list(sym = "a"))
  expect_equal(tree(quote(-a)), list(call = "-", args = list(list(sym = "a"))))
})

test_that("names of arguments are kept when given", {
  expect_equal(tree(quote(pnorm(x, sd = 2)))$names, c("", "sd"))
  expect_null(tree(quote(pnorm(x)))$names)
})

test_that("spellings of the same operation are one word", {
  expect_equal(tree(quote(a && b))$call, "&")
  expect_equal(tree(quote(eta[[2]])), tree(quote(eta[2])))
  expect_equal(tree(quote(stats::plogis(x))), tree(quote(plogis(x))))
  expect_equal(tree(quote(if (a > 0) b else c))$call, "if")
  expect_equal(tree(str2lang("{ b }")), list(sym = "b"))
})

test_that("values put in become constants", {
  expect_equal(tree(c(1, 2)), list(call = "c", args = list(list(num = 1), list(num = 2))))
  expect_equal(caught(tree(NaN))$reason, "non_finite_constant")
})

test_that("unknown functions are named with the nearest word", {
  error <- caught(tree(quote(expp(x))))
  expect_s3_class(error, "nlmers_error_model")
  expect_equal(error$reason, "unknown_function")
  expect_match(error$hint, "`exp`")
  expect_equal(error$place, "y <- code")
  expect_equal(caught(tree(quote(student_t(3, 0, 1))))$reason, "unknown_function")
})

test_that("code without a value is refused", {
  expect_equal(caught(tree(quote(if (a) b)))$reason, "missing_else")
  expect_equal(caught(tree(str2lang("{ a; b }")))$reason, "masked_assignment")
  expect_equal(caught(tree(quote(sum(x, ))))$reason, "empty_argument")
  expect_equal(tree(quote(x[, 1]))$args[[2L]], list(sym = ""))
})

test_that("an unknown function lists those of the language, or a near one of the user", {
  decay <- function(x) exp(-x)
  tree <- function(code) nlmers:::expression_tree(code, nlmers:::new_scope(environment(decay), "y ~ ..."))
  expect_equal(caught(tree(quote(dcay(t))))$hint, "Did you mean `decay`?")
  hint <- caught(tree(quote(besselJ(t))))$hint
  expect_match(hint, "Functions: `ifelse`, `exp`", fixed = TRUE)
  expect_match(hint, "`softplus`", fixed = TRUE)
  expect_no_match(hint, "`+`", fixed = TRUE)
})
