# Several groupings beside lmer() of lme4.

quiet_fit <- function(...) suppressMessages(fit_nlme(..., seed = 1, progress = FALSE))

expect_lmer <- function(fit, reference) {
  expect_equal(as.numeric(logLik(fit)), as.numeric(logLik(reference)), tolerance = 1e-4)
  expect_equal(unname(fixef(fit)), unname(lme4::fixef(reference)), tolerance = 1e-2)
}

test_that("`Dog/Side` is Dog and Side within Dog", {
  skip_if_not_installed("lme4")
  data <- as.data.frame(nlme::Pixel)
  fit <- quiet_fit(pixel ~ a + b * day + c2 * day^2, data, random = a ~ 1 | Dog/Side)
  reference <- lme4::lmer(pixel ~ day + I(day^2) + (1 | Dog/Side), data, REML = FALSE)
  expect_lmer(fit, reference)
  expect_equal(fit$model$groups, c("Dog", "Dog:Side"))
  sds <- as.data.frame(lme4::VarCorr(reference))
  expect_equal(VarCorr(fit)$sd, sds$sdcor[match(c("Dog", "Side:Dog"), sds$grp)], tolerance = 0.02)
})

test_that("a list names the parameters of each grouping", {
  skip_if_not_installed("lme4")
  data <- as.data.frame(nlme::Pixel)
  fit <- quiet_fit(
    pixel ~ a + b * day + c2 * day^2, data, random = list(a + b ~ 1 | Dog, a ~ 1 | Dog:Side), correlated = TRUE
  )
  expect_lmer(fit, lme4::lmer(pixel ~ day + I(day^2) + (day | Dog) + (1 | Dog:Side), data, REML = FALSE))
})

effects_of <- function(random, start = c(a = 1, b = 2), ...) {
  model <- nlme_formula(y ~ a + b * t, start, random = random, ...)
  vapply(model$spec$random, `[[`, "", "text")
}

test_that("effects of one parameter in several groupings are named by these", {
  expect_equal(effects_of(list(a ~ 1 | id, b ~ 1 | id:occ)), c(
    "eta_a ~ normal(0, omega_sd_a) | id", "eta_b ~ normal(0, omega_sd_b) | id:occ"
  ))
  expect_equal(effects_of(list(a + b ~ 1 | id, b ~ 1 | id:occ)), c(
    "eta_a ~ normal(0, omega_sd_a) | id", "eta_b_id ~ normal(0, omega_sd_b_id) | id",
    "eta_b_id_occ ~ normal(0, omega_sd_b_id_occ) | id:occ"
  ))
  expect_equal(effects_of(a + b ~ 1 | id/occ, correlated = TRUE), c(
    "c(eta_a_id, eta_b_id) ~ mvnormal(c(0, 0), omega_id) | id",
    "c(eta_a_id_occ, eta_b_id_occ) ~ mvnormal(c(0, 0), omega_id_occ) | id:occ"
  ))
})

test_that("structures of nlme become blocks", {
  expect_equal(effects_of(nlme::pdDiag(a + b ~ 1), groups = ~id), effects_of(a + b ~ 1 | id))
  expect_equal(effects_of(nlme::pdSymm(a + b ~ 1), groups = ~id), effects_of(a + b ~ 1 | id, correlated = TRUE))
  expect_equal(effects_of(list(site = a ~ 1, id = nlme::pdDiag(a ~ 1))), effects_of(a ~ 1 | site/id))
  expect_equal(effects_of(nlme::pdIdent(list(a ~ 1, b ~ 1)), groups = ~id), c(
    "eta_a ~ normal(0, omega_sd_a_b) | id", "eta_b ~ normal(0, omega_sd_a_b) | id"
  ))
  blocked <- nlme::pdBlocked(list(nlme::pdSymm(a + b ~ 1), nlme::pdDiag(d ~ 1)))
  model <- nlme_formula(y ~ a + b * t + d, c(a = 1, b = 1, d = 1), random = blocked, groups = ~id)
  expect_equal(lengths(lapply(model$spec$random, `[[`, "names")), c(2L, 1L))
})
