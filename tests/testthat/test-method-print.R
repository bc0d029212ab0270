test_that("a method prints its options, without those that nothing reads", {
  shown <- capture.output(print(saem()))
  expect_match(shown, "exploration = 300", all = FALSE, fixed = TRUE)
  expect_match(shown, "sampler = independence(sweeps = 2", all = FALSE, fixed = TRUE)
  expect_false(any(grepl("t0|sa_phase1_iters|anneal_min_sd|rtol_theta|max_store", shown)))
  expect_lt(length(shown), 25L)
  expect_true(all(nchar(shown) <= 120L))
  for (part in c("adaptive = TRUE", "polish = TRUE, polish_draws = 256, polish_rounds = 5", "draws = NULL")) {
    expect_match(shown, part, all = FALSE, fixed = TRUE)
  }
  expect_false(any(grepl("polish_", capture.output(print(saem(polish = FALSE))))))
  expect_false(any(grepl("adaptive", capture.output(print(saem(sa_schedule = "power"))))))
  page <- paste(capture.output(print(saem_page_defaults(lb = c(a = -1)))), collapse = " ")
  for (part in c("t0 = 150", "rtol_theta = 5e-05", "optimizer = lbfgs(maxiters = 10", "lb = c(a = -1)")) {
    expect_match(page, part, fixed = TRUE)
  }
})

test_that("every option belongs to a group of the printout", {
  expect_setequal(c("name", unlist(nlmers:::saem_groups)), names(saem()$options))
  expect_setequal(c("name", unlist(nlmers:::vem_groups)), names(vem()$options))
})

test_that("vem() prints its options as saem() does", {
  shown <- function(...) paste(capture.output(print(vem(...))), collapse = " ")
  expect_match(shown(), "^VEM +Family +family = \"full_rank\", rule = \"cubature\"")
  expect_match(shown(), "optimizer = \"auto\"", fixed = TRUE)
  for (idle in c("points", "flows", "batch_size", "penalty", "nodes")) {
    expect_false(grepl(idle, shown(), fixed = TRUE))
  }
  expect_match(shown(optimizer = lbfgs(memory = 5)), "optimizer = lbfgs(maxiters = 200, memory = 5)", fixed = TRUE)
  expect_match(shown(optimizer = adam(0.1, 900), batch_size = 4), "adam(rate = 0.1, maxiters = 900)", fixed = TRUE)
  expect_match(shown(penalty = c(a = 2)), "penalty = c(a = 2)", fixed = TRUE)
  plain <- shown(polish = FALSE, log_lik = "laplace", se = "linear")
  expect_false(grepl("polish_|draws", plain))
  expect_lt(max(nchar(capture.output(print(vem())))), 121L)
})

test_that("only what is not the default counts as changed", {
  lines <- function(...) nlmers:::changed_option_lines(saem(...))
  expect_length(lines(), 0L)
  expect_equal(lines(sa_anneal_targets = c(omega = 0.8)), c(
    "sa_anneal_schedule = \"exponential\"", "sa_anneal_targets = c(omega = 0.8)"
  ))
  gains <- lines(sa_schedule = function(iter, opts) 1 / iter, maxiters = 9)
  expect_true("gains = c(1, 0.5, 0.333333, 0.25, ... (9))" %in% gains)
  expect_equal(nlmers:::changed_option_lines(vem(se = "linear")), "se = \"linear\"")
  expect_length(nlmers:::changed_option_lines(vem()), 0L)
  expect_true("re_cov_params = c(eta = \"omega\")" %in% lines(re_cov_params = c(eta = "omega")))
})
