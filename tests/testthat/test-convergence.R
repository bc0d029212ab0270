# What a fit says of its status with.
made_fit <- function(code, ...) {
  status <- list(code = code, evidence = character())
  made <- list(model = list(spec = list(random = list(list()))), status = status, ...)
  structure(made, class = "nlme_fit")
}

test_that("convergence says status, evidence and advice", {
  fit <- fit_orange(method = short_saem(), seed = 1)
  table <- convergence(fit)
  expect_named(table, c("status", "evidence", "advice"))
  expect_equal(converged(fit), table$status[1L] == "converged")
  expect_setequal(mstep_routes(fit)$parameter, fit$parameters$name)
})

test_that("every status has a sentence and advice", {
  for (code in c("converged", "max_iterations", "stalled", "not_finite", "interrupted")) {
    fit <- made_fit(code, trace = list(value = matrix(0, 7, 1)))
    expect_match(nlmers:::status_sentence(fit), "after 7 iterations")
    expect_type(nlmers:::status_advice(made_fit(code)), "character")
  }
})

test_that("a fit that did not converge warns by class", {
  fit <- made_fit("max_iterations", warnings = "look here", trace = list(value = matrix(0, 7, 1)))
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
  fit <- made_fit("interrupted", trace = list(value = matrix(0, 1, 2)))
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

test_that("a log-likelihood that could not be computed is a warning, and the status that of the estimates", {
  # The modes lie at the border of the domain of sqrt(): densities are finite there, curvatures are not.
  withr::local_seed(1)
  data <- data.frame(id = rep(1:8, each = 4), site = rep(1:4, 8), y = -0.5 + 0.2 * stats::rnorm(32))
  model <- nlme_model(
    fixed(s = positive(0.3)), random(e ~ normal(0.5, 1) | id, g ~ normal(0, 0.1) | site),
    y ~ normal(0.1 + sqrt(e) + g, s)
  )
  fit <- suppressWarnings(fit_nlme(model, data, short_saem(), seed = 1, progress = FALSE))
  # A constant describes these outcomes better, so that they have not converged to anything that is of use.
  expect_equal(fit$status$code, "stalled")
  expect_match(fit$status$evidence, "A constant describes the outcomes better", all = FALSE)
  expect_false(any(grepl("log-likelihood is not finite", fit$status$evidence)))
  expect_match(fit$warnings, "log-likelihood could not be computed", all = FALSE)
  expect_null(fit$log_lik)
  expect_false(anyNA(vcov(fit)))
})

test_that("a likelihood without bound ends soon, its residual error at the floor", {
  # Lines of slope -1 fit exactly.
  data <- data.frame(id = c("a", "b", "b", "c", "c", "c", "c"), x = c(0, 0:1, 0:3), y = c(5, 6:5, 4:1))
  fit <- suppressWarnings(fit_nlme(
    y ~ a + b * x, data, saem(exploration = 5, smoothing = 5), start = c(a = 3, b = 0.1), random = a ~ 1 | id,
    error = add(sigma = 1), seed = 1, progress = FALSE
  ))
  expect_equal(fit$status$code, "stalled")
  expect_match(fit$status$evidence, "`sigma` has fallen to its floor", all = FALSE)
  expect_lt(sum(fit$timing$seconds), 30)
})
