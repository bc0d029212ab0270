# Censored outcomes: what is known of them counts, no more and no less.

censored_model <- function() {
  nlme_model(
    fixed(lk = log(0.4), a = 5, o = positive(0.3), s = positive(0.3)),
    random(eta ~ normal(0, o) | id), {
      conc ~ normal(a * exp(-exp(lk + eta) * time), s)
    }
  )
}

test_that("estimates with 30 % below the limit are those of the data without it", {
  model <- censored_model()
  design <- expand.grid(time = c(0.5, 1, 2, 3, 5, 8), id = 1:150)
  full <- simulate(model, data = design, seed = 5)
  limit <- unname(stats::quantile(full$conc, 0.3))
  below <- full$conc < limit
  cut <- transform(full, conc = pmax(conc, limit), cens = as.integer(below))
  whole <- fit_nlme(model, full, seed = 1)
  censored <- fit_nlme(model, cut, seed = 1)
  dropped <- fit_nlme(model, full[!below, ], seed = 1)
  error <- sqrt(diag(vcov(whole)))
  distance <- function(fit) abs(fit$parameters$natural - whole$parameters$natural) / error
  expect_true(all(distance(censored) < 1))
  expect_gt(max(distance(dropped)), 2.5)
  # The distribution written as censored() is the same model.
  written <- nlme_model(
    fixed(lk = log(0.4), a = 5, o = positive(0.3), s = positive(0.3)),
    random(eta ~ normal(0, o) | id), {
      conc ~ censored(normal(a * exp(-exp(lk + eta) * time), s), lower = !!limit)
    }
  )
  again <- fit_nlme(written, cut[names(cut) != "cens"], seed = 1)
  expect_equal(again$parameters$natural, censored$parameters$natural, tolerance = 1e-6)
})
