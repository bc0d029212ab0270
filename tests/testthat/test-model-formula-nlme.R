# Calls as they stand in the help pages of nlme and in chapter 8 of Pinheiro and Bates (2000), with fit_nlme() for
# nlme(). The log-likelihood of nlme() is that of a model linearized in the effects.

quiet_fit <- function(...) suppressMessages(fit_nlme(..., seed = 1, progress = FALSE))
Dialyzer <- nlme::Dialyzer # nolint: object_name_linter. Names as in nlme.
Soybean <- nlme::Soybean # nolint: object_name_linter.

expect_near_nlme <- function(fit, reference, within) {
  expect_lt(abs(as.numeric(logLik(fit)) - as.numeric(logLik(reference))), within)
  coefficients <- nlme::fixef(reference)
  ours <- sub("[.][(]Intercept[)]$", "", names(coefficients))
  coded <- grepl(".", ours, fixed = TRUE)
  ours[coded] <- paste0("beta_", gsub("[.:]", "_", ours[coded]))
  expect_setequal(ours, names(fixef(fit)))
  expect_equal(unname(fixef(fit)[ours]), unname(coefficients), tolerance = 0.01)
}

test_that("Loblolly, with grouped data and a diagonal structure", {
  fit <- fit_nlme(
    height ~ SSasymp(age, Asym, R0, lrc), data = Loblolly, fixed = Asym + R0 + lrc ~ 1, random = Asym ~ 1,
    start = c(Asym = 103, R0 = -8.5, lrc = -3.3), seed = 1, progress = FALSE
  )
  theirs <- function(random) {
    nlme::nlme(
      height ~ SSasymp(age, Asym, R0, lrc), data = Loblolly, fixed = Asym + R0 + lrc ~ 1, random = random,
      start = c(Asym = 103, R0 = -8.5, lrc = -3.3)
    )
  }
  expect_near_nlme(fit, theirs(Asym ~ 1), 0.1)
  fit <- update(fit, random = pdDiag(Asym + lrc ~ 1))
  expect_equal(fit$model$described$effects, c("eta_Asym", "eta_lrc"))
  expect_near_nlme(fit, theirs(nlme::pdDiag(Asym + lrc ~ 1)), 0.1)
})

test_that("CO2, with values in the order of `fixed`", {
  fixed <- list(Asym ~ Type * Treatment, lrc + c0 ~ 1)
  start <- c(32.412, 0, 0, 0, -4.5603, 49.344)
  fit <- quiet_fit(uptake ~ SSasympOff(conc, Asym, lrc, c0), CO2, fixed = fixed, random = Asym + lrc ~ 1, start = start)
  reference <- nlme::nlme(
    uptake ~ SSasympOff(conc, Asym, lrc, c0), CO2, fixed = fixed, random = Asym + lrc ~ 1, start = start
  )
  expect_near_nlme(fit, reference, 0.1)
})

test_that("Soybean, with ordered groups and many coefficients", {
  fixed <- list(Asym ~ Variety * Year, xmid ~ Year + Variety, scal ~ Year)
  start <- c(17, 0, 0, 0, 0, 0, 52, 0, 0, 0, 7.5, 0, 0)
  fit <- quiet_fit(weight ~ SSlogis(Time, Asym, xmid, scal), Soybean, fixed = fixed, random = Asym ~ 1, start = start)
  reference <- nlme::nlme(
    weight ~ SSlogis(Time, Asym, xmid, scal), Soybean, fixed = fixed, random = Asym ~ 1, start = start
  )
  expect_lt(abs(as.numeric(logLik(fit)) - as.numeric(logLik(reference))), 0.2)
  expect_equal(length(fixef(fit)), 13L)
  expect_equal(unname(fixef(fit)["beta_Asym_VarietyP_Year1989"]), 5.94, tolerance = 0.02)
})

test_that("Theoph and Dialyzer", {
  fit <- quiet_fit(
    conc ~ SSfol(Dose, Time, lKe, lKa, lCl), Theoph, fixed = lKe + lKa + lCl ~ 1, random = pdDiag(lKa + lCl ~ 1),
    start = c(-2.4, 0.5, -3.2)
  )
  reference <- nlme::nlme(
    conc ~ SSfol(Dose, Time, lKe, lKa, lCl), Theoph, fixed = lKe + lKa + lCl ~ 1,
    random = nlme::pdDiag(lKa + lCl ~ 1), start = c(-2.4, 0.5, -3.2)
  )
  expect_lt(abs(as.numeric(logLik(fit)) - as.numeric(logLik(reference))), 1)
  expect_equal(unname(fixef(fit)), unname(nlme::fixef(reference)), tolerance = 0.02)
  fixed <- list(Asym + lrc ~ QB, c0 ~ 1)
  start <- c(44, 17, 0.75, -0.5, 0.22)
  fit <- quiet_fit(
    rate ~ SSasympOff(pressure, Asym, lrc, c0), Dialyzer, fixed = fixed, random = Asym + lrc ~ 1, groups = ~Subject,
    start = start
  )
  reference <- nlme::nlme(
    rate ~ SSasympOff(pressure, Asym, lrc, c0), Dialyzer, fixed = fixed, random = Asym + lrc ~ 1, groups = ~Subject,
    start = start
  )
  expect_near_nlme(fit, reference, 0.5)
})

test_that("a model of nlsList() becomes one with effects on all parameters", {
  lists <- nlme::nlsList(density ~ SSlogis(log(conc), Asym, xmid, scal), DNase)
  fit <- quiet_fit(lists, random = pdDiag(Asym + xmid ~ 1))
  reference <- nlme::nlme(lists, random = nlme::pdDiag(Asym + xmid ~ 1))
  expect_near_nlme(fit, reference, 0.5)
})

test_that("starts are read by name, by place and in a list", {
  start_of <- function(start, fixed = list(a ~ wt, b ~ 1)) {
    model <- nlme_formula(y ~ a + b * t, start, fixed = fixed, random = a ~ 1, groups = ~id)
    values <- lapply(model$spec$parameters, `[[`, "value")
    names(values) <- vapply(model$spec$parameters, `[[`, "", "name")
    unlist(values[c("a", "b", "beta_a_wt")])
  }
  expected <- c(a = 1, b = 3, beta_a_wt = 2)
  expect_equal(start_of(c(1, 2, 3)), expected)
  expect_equal(start_of(list(fixed = c(1, 2, 3))), expected)
  expect_equal(start_of(c(fixed = c(1, 2, 3))), expected)
  expect_equal(start_of(c(b = 3, a = 1, beta_a_wt = 2)), expected)
  expect_equal(start_of(c("a.(Intercept)" = 1, a.wt = 2, b = 3)), expected)
  expect_equal(start_of(list(fixed = list(a = c(1, 2), b = 3))), expected)
})

test_that("with `fixed` random effects correlate, and are all there is where `random` is left out", {
  blocks <- function(...) {
    model <- nlme_formula(y ~ a + b * t, c(a = 1, b = 1), ..., groups = ~id)
    vapply(model$spec$random, `[[`, "", "text")
  }
  joint <- "c(eta_a, eta_b) ~ mvnormal(c(0, 0), omega) | id"
  expect_equal(blocks(fixed = a + b ~ 1, random = a + b ~ 1), joint)
  expect_equal(blocks(fixed = a + b ~ 1), joint)
  expect_length(blocks(fixed = a + b ~ 1, random = a + b ~ 1, correlated = FALSE), 2L)
  expect_length(blocks(random = a + b ~ 1), 2L)
})

test_that("variance functions with a name here are translated", {
  error_of <- function(...) {
    model <- nlme_formula(y ~ f, c(f = 1), random = f ~ 1 | id, ...)
    model$spec$statements[[2L]]$dist$args[[2L]]$call
  }
  expect_equal(error_of(weights = varPower(fixed = 1)), "prop")
  expect_equal(error_of(weights = varPower()), "pow")
  expect_equal(error_of(weights = varConstPower()), "add_pow_sd")
  expect_equal(error_of(weights = varConstPower(fixed = list(power = 1))), "add_prop_sd")
  expect_equal(caught(error_of(weights = varPower(form = ~ t | g)))$reason, "bad_error")
})

test_that("the residual error may stand in a variable", {
  error_of <- function(error) {
    model <- nlme_formula(y ~ f, c(f = 1), random = f ~ 1 | id, error = error)
    model$spec$statements[[2L]]$text
  }
  kept <- quote(prop(cv = 0.2))
  expect_equal(error_of(kept), "y ~ normal(f, prop(cv))")
  expect_equal(error_of(~ add_prop(s = 1, p = 0.2)), "y ~ normal(f, add_prop(s, p))")
  expect_equal(error_of("add_prop_sd"), "y ~ normal(f, add_prop_sd(a, b))")
  expect_equal(caught(error_of("additive"))$reason, "bad_error")
})
