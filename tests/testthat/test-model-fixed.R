read <- function(call, env = parent.frame()) nlmers:::fixed_parameters(call, env)

test_that("each word sets type and scale", {
  parameters <- read(quote(fixed(
    a = 1, b = positive(2), p = probability(0.3), v = positive(c(1, 2)),
    M = covariance_matrix(diag(2)), D = diagonal_matrix(c(1, 4)),
    r = real(1, scale = "probit", lower = 0, label = "r", unit = "L")
  )))
  names(parameters) <- vapply(parameters, `[[`, "", "name")
  expect_equal(parameters$a$scale, "identity")
  expect_equal(parameters$b$scale, "log")
  expect_equal(parameters$p$scale, "logit")
  expect_equal(parameters$v$value, c(1, 2))
  expect_equal(parameters$M[c("type", "dim", "value")], list(
    type = "covariance_matrix", dim = 2L, value = c(1, 0, 0, 1)
  ))
  expect_equal(parameters$D$dim, 2L)
  expect_equal(parameters$r[c("lower", "unit")], list(lower = 0, unit = "L"))
})

test_that("probabilities and rates are read row by row", {
  P <- rbind(c(0.9, 0.1), c(0.2, 0.8)) # nolint: object_name_linter.
  parameters <- read(quote(fixed(
    p = simplex(c(0.2, 0.8)), P = transition_matrix(P),
    Q = rate_matrix(rbind(c(-1, 1), c(2, -2)))
  )))
  expect_equal(parameters[[1L]]$value, c(0.2, 0.8))
  expect_equal(parameters[[2L]][c("value", "dim")], list(value = c(0.9, 0.1, 0.2, 0.8), dim = 2L))
  expect_equal(parameters[[3L]]$value, c(-1, 1, 2, -2))
  expect_match(caught(read(quote(fixed(P = transition_matrix(1)))))$hint, "transition_matrix(rbind(", fixed = TRUE)
})

test_that("a prior is kept as text, and a method without a use for it says so once", {
  parameters <- read(quote(fixed(a = real(1, prior = normal(0, 1)), b = positive(2))))
  expect_equal(parameters[[1L]]$prior, "normal(0, 1)")
  expect_null(parameters[[2L]]$prior)
  model <- list(spec = list(parameters = parameters))
  expect_message(nlmers:::inform_of_priors(model, saem()), "SAEM maximizes the likelihood: the prior of `a` is ignored")
  expect_silent(nlmers:::inform_of_priors(list(spec = list(parameters = parameters[2L])), saem()))
})

test_that("values are evaluated where the model is written", {
  start <- 3
  expect_equal(read(quote(fixed(a = positive(start / 2))))[[1L]]$value, 1.5)
})

test_that("bad declarations name the parameter", {
  expect_equal(caught(read(quote(fixed(1))))$reason, "unnamed_parameter")
  expect_equal(caught(read(quote(fixed(a = positive(1, lowr = 0)))))$name, "a")
  expect_equal(caught(read(quote(fixed(a = "x"))))$reason, "bad_value")
  expect_equal(caught(read(quote(fixed(a = real(NA)))))$reason, "bad_value")
  expect_equal(caught(read(quote(fixed(a = real(1, scale = "lg")))))$hint, "Did you mean `log`?")
  expect_equal(caught(read(quote(fixed(M = covariance_matrix(matrix(1:4, 2))))))$reason, "bad_value")
  expect_equal(caught(read(quote(fixed(f = nework(2, 3)))))$hint, "Did you mean `network`?")
})
