test_that("a formula prints as the model it is", {
  expect_snapshot(print(theo_formula(covariates = Cl ~ Wt)))
})

test_that("levels, several blocks, elements and what is updated how", {
  model <- nlme_model(
    fixed(
      base = 1, hill = positive(2), omega = positive(1), Sigma = covariance_matrix(diag(c(0.5, 0.1))),
      weights = real(1:6), sigma = positive(1)
    ),
    random(eta ~ normal(base, omega) | id, c(u, v) ~ mvnormal(c(0, 0), Sigma) | id),
    {
      scale <- hill * 2
      amp <- exp(u)
      f <- (eta + amp * time)^scale + sum(weights) + exp(v)
      y ~ normal(f, sigma)
      z ~ poisson(exp(eta))
    }
  )
  expect_snapshot(print(model))
})

test_that("several groupings are told apart", {
  model <- nlme_model(
    fixed(a = 5, k = positive(0.1), between = positive(1), within = positive(0.5), sigma = positive(1)),
    random(eta ~ normal(a, between) | id, kappa ~ normal(0, within) | id:occ),
    {
      amp <- eta + kappa
      base <- eta * 2
      y ~ normal(amp * exp(-k * time) + base, sigma)
    }
  )
  expect_snapshot(print(model))
})

test_that("a model of saemix prints natively, with what it holds fixed", {
  model <- saemix_model(
    model1cpt, psi_row(ka = 1, V = 20, CL = 0.5), transform.par = c(1, 1, 1), fixed.estim = c(1, 0, 1),
    description = "One compartment"
  )
  expect_snapshot(print(as_nlme_model(model, theo_saemix_data())))
})

test_that("ordinary models need at most 40 lines", {
  expect_lte(length(capture.output(print(theo_formula(covariates = list(Cl ~ Wt, V ~ Wt), correlated = TRUE)))), 40L)
})

test_that("matrices are shown by their diagonal and long vectors by their start", {
  parameter <- nlmers:::fixed_parameter("M", quote(covariance_matrix(matrix(c(4, 1, 1, 9), 2))), baseenv())
  expect_equal(nlmers:::start_text(parameter), "diagonal 4, 9")
  expect_equal(nlmers:::scale_text(parameter), "covariance matrix")
  expect_equal(nlmers:::number_text(1:6), "1, 2, 3, 4, ... (6)")
})

test_that("a variable that reads the time is shown with its level", {
  model <- nlme_model(
    fixed(a = 1, b = 1, omega = positive(1), sigma = positive(1)),
    random(eta ~ normal(a, omega) | id),
    {
      f <- eta * exp(-b * time)
      y ~ normal(f, sigma)
    }
  )
  expect_match(utils::capture.output(print(model))[2L], "f <- .*\\[row\\]")
})
