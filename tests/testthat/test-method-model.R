model_of_rates <- function() {
  nlme_model(
    fixed(a = 0.5, sigma = positive(0.3), tau = positive(1)),
    random(eta ~ normal(0, tau) | id),
    y ~ normal(a + eta, sigma)
  )
}

test_that("each method is adapted to the model", {
  saem <- nlmers:::adapt_method(saem(resid_var_param = "sigma"), model_of_rates())
  expect_equal(saem$method$options$resid_var_param, I("sigma"))
  vem <- nlmers:::adapt_method(vem(penalty = c(a = 2)), model_of_rates())
  expect_equal(vem$method$options$penalty, list(list("a", 2)))
  # What belongs to SAEM is not sent with VEM.
  expect_setequal(names(vem$method$options), names(vem()$options))
})

test_that("what names a parameter that is held is told", {
  expect_setequal(nlmers:::held_names(list(a = 1, "tau")), c("a", "", "tau"))
  expect_message(
    adapted <- nlmers:::adapt_method(vem(penalty = c(a = 2, tau = 1)), model_of_rates(), c(a = 1)),
    "vem(): `penalty` of `a` is not used", fixed = TRUE
  )
  expect_equal(adapted$method$options$penalty, list(list("tau", 1)))
})

test_that("a penalty names parameters of the model", {
  error <- caught(nlmers:::adapt_method(vem(penalty = c(sigm = 2)), model_of_rates()))
  expect_equal(error[c("reason", "hint")], list(reason = "unknown_parameter", hint = "Did you mean `sigma`?"))
  none <- nlmers:::adapt_method(vem(), model_of_rates())$method$options$penalty
  expect_equal(nlmers:::request_json(none), "[]")
})
