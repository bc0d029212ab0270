spec <- function(formula, start, random, transform = "identity", covariates = NULL,
                 error = quote(add(a = 1)), correlated = FALSE) {
  nlmers:::formula_spec(formula, start, list(
    transform = transform, random = random, covariates = covariates,
    error = rlang::as_quosure(error, globalenv()), correlated = correlated
  ))
}
names_of <- function(parts) vapply(parts, `[[`, "", "name")
texts_of <- function(parts) vapply(parts, `[[`, "", "text")

test_that("a formula becomes parameters, effects and statements", {
  made <- spec(
    y ~ ka * exp(-Cl * t), c(ka = 1.5, Cl = 2), ka + Cl ~ 1 | id,
    transform = c(ka = "log", Cl = "logit"), covariates = list(Cl ~ weight)
  )
  expect_equal(
    names_of(made$parameters),
    c("ka", "Cl", "beta_Cl_weight", "omega_sd_ka", "omega_sd_Cl", "a")
  )
  expect_equal(
    texts_of(made$statements),
    c(
      "ka <- exp(log(ka) + eta_ka)",
      "Cl <- plogis(qlogis(Cl) + beta_Cl_weight * weight + eta_Cl)",
      "y ~ normal(ka * exp(-Cl * t), add(a))"
    )
  )
  expect_equal(
    texts_of(made$random),
    c("eta_ka ~ normal(0, omega_sd_ka) | id", "eta_Cl ~ normal(0, omega_sd_Cl) | id")
  )
})

test_that("a parameter without random effect or covariate stays a symbol", {
  made <- spec(y ~ a0 + b0 * t, c(a0 = 1, b0 = 2), a0 ~ 1 | id)
  expect_equal(texts_of(made$statements)[1L], "a0 <- a0 + eta_a0")
  symbols <- nlmers:::tree_symbols(made$statements[[2L]]$dist)
  expect_setequal(symbols, c(".a0", "b0", "t", "a"))
})

test_that("start may name coefficients, SDs and residual parameters", {
  made <- spec(
    y ~ f, c(f = 1, omega_sd_f = 0.5, beta_f_x = 0.1, b = 3), f ~ 1 | id,
    covariates = f ~ x, error = quote(prop(0.2))
  )
  values <- stats::setNames(lapply(made$parameters, `[[`, "value"), names_of(made$parameters))
  expect_equal(values, list(f = 1, beta_f_x = 0.1, omega_sd_f = 0.5, b = 3))
})

test_that("a covariate may be an expression", {
  made <- spec(y ~ f, c(f = 1), f ~ 1 | id, covariates = f ~ log(wt / 70) + sex)
  expect_equal(names_of(made$parameters)[2:3], c("beta_f_log_wt_70", "beta_f_sex"))
})

test_that("wrong arguments name the user's own thing", {
  expect_equal(caught(spec(y ~ f, c(f = 1), g ~ 1 | id))$name, "g")
  expect_equal(caught(spec(y ~ f, c(f = 1, z = 2), f ~ 1 | id))$name, "z")
  expect_equal(caught(spec(y ~ f, c(1), f ~ 1 | id))$reason, "bad_start")
  expect_equal(caught(spec(y ~ f, c(f = 1), f ~ 1 | id, "lg"))$hint, "Did you mean `log`?")
  expect_equal(caught(spec(y ~ f, c(f = 1), f ~ x | id))$reason, "bad_random")
  expect_equal(caught(spec(log(y) ~ f, c(f = 1), f ~ 1 | id))$reason, "bad_outcome")
  expect_equal(
    caught(spec(y ~ f, c(f = 1), f ~ 1 | id, error = quote(addd(a = 1))))$reason, "bad_error"
  )
  expect_equal(
    caught(spec(y ~ f, c(f = 1), f ~ 1 | id, error = quote(add_prop(1))))$reason, "bad_error"
  )
})

test_that("a parameter with the name of the residual parameter gets a way out", {
  error <- caught(nlme_formula(y ~ a + x, c(a = 1), random = a ~ 1 | id, error = add(a = 1)))
  expect_equal(error[c("reason", "name")], list(reason = "name_used_twice", name = "a"))
  expect_match(error$hint, "error = add(sigma = 1)", fixed = TRUE)
  error <- caught(nlme_formula(
    y ~ b + sigma_prop, c(b = 1, sigma_prop = 1), random = b ~ 1 | id, error = add_prop(1, 0.1)
  ))
  expect_match(error$hint, "error = add_prop(a = 1, sigma_prop_1 = 0.1)", fixed = TRUE)
})

test_that("covariates are read as R reads a formula", {
  coefficients <- function(covariates) {
    made <- spec(y ~ f, c(f = 1), f ~ 1 | id, covariates = covariates)
    setdiff(names_of(made$parameters), c("f", "omega_sd_f", "a"))
  }
  for (covariates in list(f ~ wt + 0, f ~ wt - 1, f ~ -wt, f ~ (wt - 70))) {
    expect_equal(caught(coefficients(covariates))$reason, "bad_covariates")
  }
  expect_snapshot(error = TRUE, {
    nlme_formula(y ~ f, c(f = 1), random = f ~ 1 | id, covariates = f ~ wt + 2)
    nlme_formula(y ~ f, c(f = 1), random = f ~ 1 | id, covariates = f ~ wt - age)
    nlme_formula(y ~ f, c(f = 1), random = f ~ 1 | id, covariates = f ~ wt - 1)
  })
  expect_equal(coefficients(f ~ 1), character())
  expect_equal(coefficients(f ~ 1 + wt), "beta_f_wt")
  expect_equal(coefficients(f ~ wt * age), c("beta_f_wt", "beta_f_age", "beta_f_wt_age"))
  expect_equal(coefficients(f ~ wt * age - wt), c("beta_f_age", "beta_f_wt_age"))
  expect_equal(coefficients(f ~ I(wt - 70)), "beta_f_wt_70")
  expect_equal(coefficients(f ~ (wt + age) + wt), c("beta_f_wt", "beta_f_age"))
  expect_equal(coefficients(f ~ log(wt / 70) + log(wt * 70)), c("beta_f_log_wt_70", "beta_f_log_wt_70_1"))
  made <- spec(y ~ f, c(f = 1), f ~ 1 | id, covariates = f ~ I(wt - 70))
  expect_equal(texts_of(made$statements)[1L], "f <- f + beta_f_wt_70 * (wt - 70) + eta_f")
})

test_that("a start of several numbers for a varying parameter is refused by its name", {
  error <- caught(nlme_formula(y ~ A * exp(-t), list(A = c(1, 2)), random = A ~ 1 | id))
  expect_equal(error[c("reason", "name")], list(reason = "wrong_length", name = "A"))
  expect_false(grepl(".A", conditionMessage(error), fixed = TRUE))
})

test_that("`!!` puts a value into the formula", {
  k0 <- 0.3
  made <- nlme_formula(y ~ A * exp(-!!k0 * t), c(A = 1), random = A ~ 1 | id)
  expect_equal(made$spec$statements[[2L]]$text, "y ~ normal(A * exp(-0.3 * t), add(a))")
})

test_that("a message of the core about a varying parameter shows its name as written", {
  error <- caught(nlme_formula(y ~ A * t + b, list(A = 1, b = 1:2), random = A ~ 1 | id))
  expect_match(conditionMessage(error), "`A * t + b` is a vector of length 2", fixed = TRUE)
})

test_that("the residual error can be handed on with braces", {
  wrapped <- function(error) nlme_formula(y ~ f, c(f = 1), random = f ~ 1 | id, error = {{ error }})
  spread <- 4
  expect_equal(wrapped(prop(s = spread))$spec$parameters[[3L]][c("name", "value")], list(name = "s", value = 4))
})
