test_that("an effect has the name and scale of the parameter it varies", {
  expect_equal(
    nlmers:::effect_terms(
      theo_blocks()$spec, c("eta[1]", "eta[2]", "eta[3]"), c("ka", "v", "cl")
    ),
    data.frame(effect = paste0("eta[", 1:3, "]"), term = c("ka", "v", "cl"), scale = "log")
  )
  expect_equal(
    nlmers:::effect_terms(theo_formula()$spec, "eta_V", c("ka", "V", "Cl")),
    data.frame(effect = "eta_V", term = "V", scale = "log")
  )
})

test_that("a variable that changes within a subject is no individual parameter", {
  model <- nlme_model(
    fixed(a = 1, s = positive(1), sigma = positive(1)), random(e ~ normal(a, s) | id),
    {
      mu <- e * time
      y ~ normal(mu, sigma)
    }
  )
  expect_equal(nlmers:::effect_terms(model$spec, "e", character())$term, "e")
})

test_that("an effect used by itself keeps its name", {
  model <- nlme_model(
    fixed(m = 5, s = positive(0.3), sigma = positive(1)),
    random(v ~ lognormal(m, s) | Tree),
    circumference ~ normal(v * age / 1000, sigma)
  )
  expect_equal(
    nlmers:::effect_terms(model$spec, "v", character()),
    data.frame(effect = "v", term = "v", scale = "log")
  )
})

test_that("a factor exp(eta) varies on the log scale", {
  terms <- nlmers:::effect_terms(counts()$spec, "eta", "rate")
  expect_equal(terms[c("term", "scale")], data.frame(term = "rate", scale = "log"))
})

test_that("an effect inside another function keeps its own name", {
  terms_of <- function(code) {
    model <- rlang::inject(nlme_model(
      fixed(hill = 2, base = 1, s = positive(1), sigma = positive(1)),
      random(ed ~ normal(0, s) | id), r <- !!code, y ~ normal(r + base + hill, sigma)
    ))
    unlist(nlmers:::effect_terms(model$spec, "ed", "r")[c("term", "scale")], use.names = FALSE)
  }
  own <- c("ed", "identity")
  expect_equal(terms_of(quote(exp(ed)^hill)), own)
  expect_equal(terms_of(quote(exp(log(base) + 2 * ed))), own)
  expect_equal(terms_of(quote(base * exp(ed) + ed)), own)
  expect_equal(terms_of(quote(base * exp(ed))), c("r", "log"))
  expect_equal(terms_of(quote(exp(log(base) - 1 + ed))), c("r", "log"))
  expect_equal(terms_of(quote(plogis(base + ed))), c("r", "logit"))
  expect_equal(terms_of(quote(base + ed)), c("r", "identity"))
})
