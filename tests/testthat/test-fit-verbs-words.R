# What can be asked of a fit can be asked of one with any word of the language. Linearization is refused by a sentence
# where outcomes are not normal.
expect_verbs <- function(fit, data) {
  failed <- failing_verbs(fit, data, FALSE)
  expect_identical(failed[!grepl("linear: A linearized model", failed)], character())
}

test_that("classes of subjects have all verbs", {
  model <- nlme_model(
    fixed(
      k1 = positive(0.1), p = probability(0.5), k2 = positive(0.3), v = positive(30), o = positive(0.2), s = positive(1)
    ),
    random(eta ~ normal(0, o) | ID), {
      k <- mix(k1, p, k2) * exp(eta)
      d/dt(central) <- -k * central
      DV ~ normal(central / v, s)
    }
  )
  data <- dosed()
  expect_verbs(quick_fit(model, data), data)
})

test_that("residuals and outcomes that correlate have them", {
  data <- dosed()
  serial <- nlme_model(
    fixed(k = positive(0.1), v = positive(30), o = positive(0.2), s = positive(1), r = probability(0.3)),
    random(eta ~ normal(0, o) | ID), {
      d/dt(central) <- -k * exp(eta) * central
      DV ~ ar1(normal(central / v, s), r, time = t)
    }
  )
  expect_verbs(quick_fit(serial, data), data)
  data <- data[data$EVID == 0, ]
  set.seed(1)
  data$second <- data$DV + stats::rnorm(nrow(data))
  joint <- nlme_model(
    fixed(a = 8, b = 8, k = positive(0.1), o = positive(0.2), S = covariance_matrix(diag(2))),
    random(eta ~ normal(0, o) | ID), {
      f <- exp(eta - k * t)
      c(DV, second) ~ mvnormal(c(a * f, b * f), S)
    }
  )
  expect_verbs(quick_fit(joint, data), data)
})

test_that("hazards of states have them", {
  data <- dosed()
  data$event <- ifelse(data$EVID == 0, as.numeric(data$TIME == max(data$TIME)), NA)
  model <- nlme_model(
    fixed(k = positive(0.1), v = positive(30), o = positive(0.2), s = positive(1), h = positive(0.01), b = 0.1),
    random(eta ~ normal(0, o) | ID), {
      d/dt(central) <- -k * exp(eta) * central
      DV ~ normal(central / v, s)
      event ~ event(h * exp(b * central / v))
    }
  )
  expect_verbs(quick_fit(model, data), data)
})

test_that("groupings beside equations and spreads that depend on covariates have them", {
  data <- dosed()
  data$site <- data$ID %% 2
  data$sex <- as.numeric(data$ID %% 3 == 0)
  model <- nlme_model(
    fixed(k = positive(0.1), v = positive(30), o = positive(0.2), u = positive(0.1), s = positive(1)),
    random(eta ~ normal(0, o) | ID, at ~ normal(0, u) | site), {
      d/dt(central) <- -k * exp(eta + at) * central
      DV ~ normal(central / v, s)
    }
  )
  expect_verbs(quick_fit(model, data), data)
  model <- nlme_model(
    fixed(k = positive(0.1), v = positive(30), o = positive(0.2), g = 0.1, s = positive(1)),
    random(eta ~ normal(0, o * exp(g * sex)) | ID), {
      d/dt(central) <- -k * exp(eta) * central
      DV ~ normal(central / v, s)
    }
  )
  expect_verbs(quick_fit(model, data), data)
})
