test_that("an effect has the name and scale of the parameter it varies", {
  expect_equal(
    nlmers:::effect_terms(theo_blocks(), c("eta[1]", "eta[2]", "eta[3]")),
    data.frame(effect = paste0("eta[", 1:3, "]"), term = c("ka", "v", "cl"), scale = "log")
  )
  expect_equal(
    nlmers:::effect_terms(theo_formula(), "eta_V"),
    data.frame(effect = "eta_V", term = "V", scale = "log")
  )
})

test_that("an effect used by itself keeps its name", {
  model <- nlme_model(
    fixed(m = 5, s = positive(0.3), sigma = positive(1)),
    random(v ~ lognormal(m, s) | Tree),
    circumference ~ normal(v * age / 1000, sigma)
  )
  expect_equal(
    nlmers:::effect_terms(model, "v"),
    data.frame(effect = "v", term = "v", scale = "log")
  )
})

test_that("a factor exp(eta) varies on the log scale", {
  expect_equal(nlmers:::effect_terms(counts(), "eta")[c("term", "scale")], data.frame(term = "rate", scale = "log"))
})
