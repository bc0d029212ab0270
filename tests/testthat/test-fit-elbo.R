fit <- fit_orange(method = short_saem(), seed = 1)
approximated <- as_if_by_vem(fit)

test_that("the bound is a number with its parts", {
  bound <- elbo(approximated)
  expect_s3_class(bound, "nlme_elbo")
  expect_equal(as.numeric(bound), sum(attr(bound, "batches")))
  expect_setequal(names(attr(bound, "batches")), levels(orange$Tree))
  expect_equal(attr(bound, "mc_error"), 0.004)
  expect_equal(attr(bound, "family"), "full_rank")
  expect_output(print(bound), "ELBO .*bound of the log-likelihood.*full-rank Gaussian, 2 points of cubature\nMonte")
  expect_lt(bound, logLik(approximated))
  expect_equal(objective(approximated), as.numeric(bound))
})

test_that("a fit without a bound says the way out", {
  error <- caught(elbo(fit))
  expect_equal(error$reason, "no_bound")
  expect_match(error$problem, "saem()", fixed = TRUE)
  expect_match(error$hint, "vem(), start_from = fit", fixed = TRUE)
  approximated$elbo <- NULL
  expect_match(caught(elbo(approximated))$problem, "stopped before")
  expect_equal(caught(elbo(3))$reason, "bad_fit")
})

test_that("the bound of a linear model is its log-likelihood", {
  boys <- as.data.frame(nlme::Oxboys)
  fit <- fit_nlme(
    height ~ base + slope * age, boys, vem(log_lik = "quadrature"), start = c(base = 140, slope = 1),
    random = base + slope ~ 1 | Subject, correlated = TRUE, seed = 1, progress = FALSE
  )
  expect_equal(as.numeric(elbo(fit)), as.numeric(logLik(fit)), tolerance = 1e-8)
  batches <- health(fit, by = "subject")
  expect_lt(abs(sum(batches$gap)), 4 * sqrt(sum(batches$mc_error^2)))
})

test_that("the bound of a nonlinear model is below its log-likelihood, of every rule and family", {
  for (method in list(vem(polish = FALSE), vem(family = "mean_field"), vem(rule = "qmc"))) {
    fit <- fit_nlme(theo_formula(), theo, method, seed = 1, progress = FALSE)
    expect_lt(elbo(fit), as.numeric(logLik(fit, nodes = 7)) + 4 * attr(elbo(fit), "mc_error"))
    # A mean-field bound lies furthest below, at the estimates of the polish further still.
    expect_gt(elbo(fit), logLik(fit) - 6)
  }
})
