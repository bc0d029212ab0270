# What is judged is the likelihood at the estimates, computed anew, against the maximum that something else found.

judged_log_lik <- function(fit) {
  tryCatch(as.numeric(logLik(fit, method = "quadrature")), nlmers_error = function(error) {
    as.numeric(logLik(fit, method = "importance", draws = 10000))
  })
}

expect_right <- function(name, method) {
  case <- hard_case(name)
  arguments <- list(case$model, case$data, method, start = case$start, time = case$time, seed = 1, progress = FALSE)
  fit <- do.call(fit_nlme, arguments)
  expect_true(converged(fit), label = paste(name, "converges"))
  if (!is.null(case$max)) {
    expect_lte(2 * (case$max - judged_log_lik(fit)), 0.1, label = paste("excess of", name))
  }
  if (!is.null(case$se)) {
    ratio <- sqrt(diag(vcov(fit)))[names(case$se)] / case$se
    expect_true(all(abs(ratio - 1) < 0.1), label = paste("standard errors of", name, toString(signif(ratio, 3))))
  }
}

test_that("saem() reaches the maximum where fits used to go wrong", {
  skip_on_cran()
  for (name in names(hard_cases)) expect_right(name, saem())
})

test_that("vem() reaches the maximum where fits used to go wrong", {
  skip_on_cran()
  for (name in names(hard_cases)) expect_right(name, vem())
})

test_that("the unit of the response does not matter, whatever error a fit starts from", {
  for (method in list(saem(), vem())) {
    for (unit in c(1e-6, 1e-4, 1e4, 1e6)) {
      fit <- fit_nlme(
        y ~ A * exp(-k * t), unit_case(unit), method, seed = 1, start = c(A = 8 * unit, k = 0.2), transform = "log",
        random = A ~ 1 | id, error = add(a = 1), progress = FALSE
      )
      expect_equal(fixef(fit)[["k"]], 0.2993, tolerance = 0.01)
      expect_true(converged(fit))
    }
  }
})
