two_groups <- function(site = quote(normal(0, 0.8)), subject = quote(normal(0, tau))) {
  rlang::inject(nlme_model(
    fixed(a = 0.5, b = 0.2, sigma = positive(0.3), tau = positive(1), omega = covariance_matrix(diag(2))),
    random(
      eta_id ~ !!subject | id, eta_site ~ !!site | site, c(u, v) ~ mvnormal(c(0, 0), omega) | id,
      w ~ lognormal(0, 0.1) | id
    ),
    {
      mu <- a + b * time + eta_id + eta_site + u * time + v + w
      y ~ normal(mu, sigma)
    }
  ))
}
adapted <- function(..., fix = NULL) nlmers:::adapt_method(saem(...), two_groups(), fix)$method$options

test_that("names of parameters are looked up in the model", {
  for (bad in expression(
    adapted(resid_var_param = "sgma"), adapted(re_mean_params = list(eta_id = "aa")), adapted(lb = c(sigm = 0)),
    adapted(sa_anneal_targets = c(ta = 0.9)), adapted(ub = list(omga = 3))
  )) {
    error <- caught(eval(bad))
    expect_equal(error$reason, "unknown_parameter")
    expect_type(error$hint, "character")
  }
  expect_equal(caught(adapted(resid_var_param = "sgma"))$hint, "Did you mean `sigma`?")
})

test_that("maps name outcomes and effects, and parameters of theirs", {
  expect_equal(caught(adapted(resid_var_param = c(z = "sigma")))$reason, "unknown_owner")
  expect_equal(caught(adapted(re_cov_params = c(eta_i = "tau")))$hint, "Did you mean `eta_id`?")
  expect_equal(caught(adapted(re_cov_params = c(eta_site = "tau")))$reason, "wrong_owner")
  options <- adapted(
    resid_var_param = list(y = list(mu = "a", sigma = "sigma")), re_cov_params = c(eta_id = "tau", u = "omega"),
    re_mean_params = "b"
  )
  expect_equal(options$resid_var_param, I(c("a", "sigma")))
  expect_equal(options$re_cov_params, I(c("tau", "omega")))
  expect_equal(options$re_mean_params, I("b"))
})

test_that("a method without such names is as it was", {
  options <- setdiff(names(saem()$options), "anneal_to_fixed")
  expect_equal(adapted()[options], saem()$options[options], ignore_attr = TRUE)
  expect_length(adapted()$anneal_to_fixed, 0L)
})
