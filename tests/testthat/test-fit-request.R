fit <- fit_orange(method = short_saem(), seed = 1)

test_that("a request carries the fit, and what is asked for in its place", {
  bound <- nlmers:::rebind_data(fit)
  sent <- nlmers:::mode_fields(fit, bound)
  expect_equal(sent$seed, 1)
  expect_equal(as.numeric(sent$coordinates), fit$coordinates$value)
  expect_length(sent$random[[1L]], 5L)
  expect_equal(
    nlmers:::ask_of_fit(fit, "log_likelihood", list(nodes = 11))$value, as.numeric(logLik(fit, nodes = 11))
  )
})

test_that("draws are those of the fit unless the user says", {
  expect_equal(nlmers:::draw_fields(fit, NULL, NULL), list(draws = 1000, seed = 1))
  expect_equal(nlmers:::draw_fields(as_if_by_vem(fit, draws = 300), NULL, NULL)$draws, 300)
  expect_equal(nlmers:::draw_fields(fit, 50L, 7), list(draws = 50, seed = 7))
  expect_equal(caught(nlmers:::draw_fields(fit, 1, NULL))$name, "draws")
  expect_equal(caught(nlmers:::draw_fields(fit, NULL, -1))$name, "seed")
})
