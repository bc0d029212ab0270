stats_of <- function(...) list(s = 1)
q_of <- function(...) 0
mstep_of <- function(...) list(a = 1)

test_that("functions of the user come together", {
  for (bad in expression(
    saem(suffstats = stats_of), saem(q_from_stats = q_of), saem(mstep_closed_form = mstep_of),
    saem(q_from_stats = q_of, mstep_closed_form = mstep_of)
  )) {
    error <- caught(eval(bad))
    expect_equal(error[c("reason", "name")], list(reason = "missing_function", name = "suffstats"))
  }
  method <- saem(suffstats = stats_of, q_from_stats = q_of, mstep_closed_form = mstep_of)
  expect_named(method$hooks, c("suffstats", "q_from_stats", "mstep_closed_form"))
  expect_equal(as.character(method$options$hooks), names(method$hooks))
  expect_identical(method$hooks$suffstats, stats_of)
  expect_length(saem()$hooks, 0L)
  expect_equal(caught(saem(suffstats = 3))$name, "suffstats")
})

test_that("a function of the user is maximized without exact derivatives", {
  maximizes <- function(...) saem(suffstats = stats_of, q_from_stats = q_of, ...)$options$optimizer
  expect_equal(maximizes()[c("kind", "adtype")], list(kind = "lbfgs", adtype = "finite"))
  expect_equal(maximizes(optimizer = adam())$adtype, "finite")
  expect_equal(maximizes(optimizer = nelder_mead())$kind, "nelder_mead")
  expect_equal(maximizes(mstep_closed_form = mstep_of)$kind, "score")
  expect_equal(caught(maximizes(optimizer = score()))$reason, "bad_optimizer")
  expect_equal(caught(maximizes(optimizer = lbfgs(adtype = "reverse")))$reason, "bad_adtype")
  expect_equal(caught(maximizes(adtype = "reverse"))$reason, "bad_adtype")
})

test_that("arguments of the optimizer can be given beside it", {
  method <- saem(optimizer = lbfgs(memory = 5), optim_kwargs = list(maxiters = 120), adtype = "finite")
  expect_equal(
    method$options$optimizer, list(kind = "lbfgs", maxiters = 120, g_tol = 1e-4, memory = 5, adtype = "finite")
  )
  expect_equal(saem(optimizer = adam())$options$optimizer$adtype, "reverse")
  expect_equal(caught(saem(optimizer = adam(), optim_kwargs = list(maxiter = 3)))$hint, "Did you mean `maxiters`?")
  expect_equal(caught(saem(optim_kwargs = list(maxiters = 3)))$name, "maxiters")
  expect_match(caught(saem(adtype = "finite"))$problem, "`adtype` is nothing to score()", fixed = TRUE)
  expect_equal(caught(saem(optimizer = lbfgs(), adtype = "forward"))$name, "adtype")
  expect_equal(caught(saem(optimizer = "lbfgs"))$reason, "bad_optimizer")
})

test_that("what score() does not read is refused", {
  expect_equal(caught(saem(mstep_sa_on_params = TRUE))$reason, "idle_option")
  expect_equal(caught(saem(max_store = 10))$reason, "idle_option")
  expect_true(saem(optimizer = lbfgs(), mstep_sa_on_params = TRUE)$options$mstep_sa_on_params)
  expect_equal(saem(optimizer = lbfgs(), max_store = 3)$options$max_store, 3)
})

test_that("closed forms are all, those named, or none", {
  expect_equal(saem(builtin_stats = "gaussian_re", resid_var_param = "sigma")$options$builtin_stats, "closed_form")
  expect_equal(caught(saem(builtin_stats = "none", resid_var_param = "sigma"))$reason, "idle_option")
  expect_equal(caught(saem(builtin_stats = "some"))$name, "builtin_stats")
  expect_equal(caught(saem(re_cov_params = 3))$name, "re_cov_params")
  expect_message(saem(builtin_stats = "closed_form"), "without a target")
  expect_message(
    made <- saem(builtin_mean = "glm", suffstats = stats_of, mstep_closed_form = mstep_of), "glm\"` is skipped"
  )
  expect_equal(made$options$builtin_mean, "none")
})
