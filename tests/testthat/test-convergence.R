test_that("convergence says status, evidence and advice", {
  fit <- fit_orange(method = short_saem(), seed = 1)
  table <- convergence(fit)
  expect_named(table, c("status", "evidence", "advice"))
  expect_equal(converged(fit), table$status[1L] == "converged")
  expect_setequal(mstep_routes(fit)$parameter, fit$parameters$name)
})

test_that("every status has a sentence and advice", {
  for (code in c("converged", "max_iterations", "stalled", "not_finite", "interrupted")) {
    fit <- list(status = list(code = code), trace = list(value = matrix(0, 7, 1)))
    expect_match(nlmers:::status_sentence(fit), "after 7 iterations")
    expect_type(nlmers:::status_advice(list(status = list(code = code))), "character")
  }
})

test_that("a fit that did not converge warns by class", {
  fit <- list(
    status = list(code = "max_iterations", evidence = character()), warnings = "look here",
    trace = list(value = matrix(0, 7, 1))
  )
  caught <- character()
  withCallingHandlers(
    nlmers:::warn_of_fit(fit),
    nlmers_warning = function(warning) {
      caught <<- c(caught, class(warning)[1L])
      invokeRestart("muffleWarning")
    }
  )
  expect_equal(caught, c("nlmers_warning_max_iterations", "nlmers_warning_fit"))
})

test_that("one iteration is singular", {
  fit <- list(status = list(code = "interrupted"), trace = list(value = matrix(0, 1, 2)))
  expect_equal(nlmers:::status_sentence(fit), "Interrupted after 1 iteration")
})

test_that("the advice on a fit by vem() speaks of its own options", {
  fit <- as_if_by_vem(fit_orange(method = short_saem(), seed = 1))
  expect_equal(convergence(fit)$advice[1L], "None needed.")
  fit$status$code <- "max_iterations"
  expect_match(convergence(fit)$advice[1L], "in vem()", fixed = TRUE)
  fit$method <- vem(optimizer = adam())
  expect_match(convergence(fit)$advice[1L], "adam()", fixed = TRUE)
  for (code in c("stalled", "not_finite", "interrupted")) {
    fit$status$code <- code
    expect_false(grepl("saem[(]exploration|goes on", convergence(fit)$advice[1L]))
    expect_gt(nchar(convergence(fit)$advice[1L]), 20L)
  }
})
