test_that("options with a counterpart are passed on", {
  control <- saemix_control(
    nbiter.saemix = c(150, 50), nb.chains = 3, seed = 632545, nbiter.mcmc = c(2, 1, 3, 4), proba.mcmc = 0.3,
    alpha.sa = 0.9, ll.gq = TRUE, nnodes.gq = 7
  )
  options <- control$method$options
  counts <- list(exploration = 150, smoothing = 50, n_chains = 3)
  expect_equal(options[names(counts)], counts)
  expect_equal(options$sampler, list(
    kind = "independence", independence = 4, prior = 2, random_walk = 1, block = 3, target_accept = 0.3
  ))
  expect_equal(options[c("sa_anneal_schedule", "sa_anneal_alpha", "nodes")], list(
    sa_anneal_schedule = "rate", sa_anneal_alpha = 0.9, nodes = 7
  ))
  expect_equal(control$seed, 632545)
  expect_null(saemix_control(fix.seed = FALSE)$seed)
  expect_false(saemix_control(ll.is = FALSE)$method$options$log_lik)
  expect_equal(saemix_control(nbiter.sa = 0, alpha.sa = 0.9)$method$options$sa_anneal_schedule, "none")
  expect_equal(saemix_control(nbiter.sa = 40)$method$options$sa_anneal_iters, 40)
})

test_that("options without meaning are named once, in one message", {
  expect_silent(saemix_control(seed = 1, save = FALSE, save.graphs = FALSE, map = TRUE, print.is = FALSE))
  expect_snapshot(made <- saemix_control(nu.is = 5, directory = "here", save = TRUE, rw.init = 0.2, nnodes.gq = 3))
})

test_that("no option, NA and options that stand twice are what saemix makes of them", {
  expect_equal(saemix_control()$seed, 23456)
  expect_equal(nlmers:::control_of_list(list())$method, saemix_control()$method)
  expect_equal(saemix_control(nbiter.sa = NA)$method, saemix_control()$method)
  twice <- list(seed = 3, save = FALSE, nb.chains = 2, seed = 4)
  expect_silent(control <- nlmers:::control_of_list(twice))
  expect_equal(control$seed, 3)
  expect_equal(control$method$options$n_chains, 2)
})

test_that("the options of older versions are named, not refused", {
  expect_message(made <- nlmers:::control_of_list(list(algorithms = c(1, 1, 1), seed = 2)), "`algorithms`: write `map`")
  expect_equal(made$seed, 2)
  expect_message(nlmers:::control_of_list(list(algorithm = c(1, 0, 0))), "`algorithm`", fixed = TRUE)
})

test_that("every option is either passed on or said to have no meaning", {
  passed <- c(
    "ll.is", "ll.gq", "nbiter.saemix", "nbiter.sa", "nb.chains", "fix.seed", "seed", "displayProgress", "nbiter.mcmc",
    "proba.mcmc", "alpha.sa", "nnodes.gq", "nb.simpred", "print", "..."
  )
  expect_setequal(setdiff(names(formals(saemix_control)), names(nlmers:::saemix_reasons)), passed)
})

test_that("wrong options are refused with the nearest name", {
  expect_equal(caught(saemix_control(nb.chain.s = 2))$hint, "Did you mean `nb.chains`?")
  expect_equal(caught(saemix_control(nbiter.saemix = 5))$reason, "bad_option")
  expect_equal(caught(saemix_control(nbiter.mcmc = "a"))$reason, "bad_option")
})

test_that("options print", {
  expect_snapshot(print(saemix_control(seed = 5)))
})
