test_that("options of the modes are passed on or refused", {
  options <- saem(
    ebe_optimizer = "lbfgs", ebe_optim_kwargs = list(maxiters = 50), ebe_grad_tol = 1e-3, ebe_multistart_n = 20,
    ebe_multistart_sampling = "random", ebe_rescue_max_rounds = 2, store_eb_modes = FALSE
  )$options
  expect_equal(options$ebe_maxiters, 50)
  # The rescue is after what the search was after.
  expect_equal(options[c("ebe_grad_tol", "ebe_rescue_grad_tol")], list(ebe_grad_tol = 1e-3, ebe_rescue_grad_tol = 1e-3))
  expect_equal(options$ebe_multistart_sampling, "random")
  expect_equal(caught(saem(ebe_rescue_on_high_grad = FALSE, ebe_rescue_max_rounds = 2))$reason, "idle_option")
  expect_equal(caught(saem(ebe_adtype = "finite"))$name, "ebe_adtype")
  expect_equal(caught(saem(ebe_optim_kwargs = list(g_tol = 1)))$name, "g_tol")
  for (bad in expression(
    saem(ebe_optimizer = "bfgs"), saem(ebe_grad_tol = "small"), saem(ebe_multistart_n = 0),
    saem(ebe_multistart_sampling = "sobol"), saem(store_eb_modes = 1)
  )) {
    expect_s3_class(caught(eval(bad)), "nlmers_error_option")
  }
})

test_that("both methods find modes by the same options", {
  modes <- grep("^ebe_|^store", names(saem()$options), value = TRUE)
  expect_equal(vem()$options[modes], saem()$options[modes])
  expect_equal(vem(ebe_optim_kwargs = list(maxiters = 7))$options$ebe_maxiters, 7)
})
