test_that("optimizers have the fields the core reads", {
  fields <- function(...) saem(...)$options$optimizer
  expect_equal(fields(), list(kind = "score"))
  expect_equal(fields(optimizer = lbfgs()), list(
    kind = "lbfgs", maxiters = 10, g_tol = 1e-4, memory = 10, adtype = "reverse"
  ))
  expect_equal(fields(optimizer = nelder_mead()), list(kind = "nelder_mead", maxiters = 200, f_tol = 1e-6))
  expect_equal(fields(optimizer = adam(0.1)), list(kind = "adam", rate = 0.1, maxiters = 50, adtype = "reverse"))
})

test_that("what an optimizer cannot do is refused", {
  for (bad in expression(
    lbfgs(maxiters = 0), lbfgs(g_tol = 0), lbfgs(memory = 0.5), lbfgs(adtype = "forward"), nelder_mead(f_tol = -1),
    nelder_mead(maxiters = "a"), adam(rate = 0), adam(maxiters = 0), adam(adtype = 3)
  )) {
    expect_s3_class(caught(eval(bad)), "nlmers_error_option")
  }
})

test_that("how long an optimizer runs is left to the method unless it is said", {
  expect_null(lbfgs()$maxiters)
  expect_null(adam()$maxiters)
  expect_equal(saem(optimizer = lbfgs(maxiters = 3))$options$optimizer$maxiters, 3)
  expect_equal(saem(optimizer = adam(maxiters = 3))$options$optimizer$maxiters, 3)
})

test_that("an optimizer prints as the call that makes it", {
  expect_output(print(score()), "Optimizer score()", fixed = TRUE)
  expect_output(print(adam(adtype = "finite")), "adtype = \"finite\")", fixed = TRUE)
})
