# Beside lme() of nlme: a linear mixed model with the same covariates has the same maximum.

quiet_fit <- function(...) suppressMessages(fit_nlme(..., seed = 1, progress = FALSE))
orthodont <- as.data.frame(nlme::Orthodont)
orthodont$sex <- as.character(orthodont$Sex)
orthodont$girl <- orthodont$sex == "Female"

expect_same_maximum <- function(fit, reference, rename = identity) {
  expect_equal(as.numeric(logLik(fit)), as.numeric(logLik(reference)), tolerance = 1e-4)
  theirs <- nlme::fixef(reference)
  ours <- nlme::fixef(fit)[rename(names(theirs))]
  expect_equal(unname(ours), unname(theirs), tolerance = 1e-2)
}

test_that("a factor on intercept and slope: coefficients are named by level", {
  fit <- quiet_fit(
    distance ~ a + b * age, orthodont, random = a + b ~ 1 | Subject, covariates = a + b ~ Sex, correlated = TRUE
  )
  reference <- nlme::lme(distance ~ age * Sex, random = ~ age | Subject, orthodont, method = "ML")
  expect_same_maximum(fit, reference, function(names) c("a", "b", "beta_a_SexFemale", "beta_b_SexFemale"))
})

test_that("characters, logicals, interactions and poly() are those of model.matrix()", {
  # predict() of lme() wants a factor.
  as_factor <- transform(orthodont, sex = factor(sex))
  reference <- nlme::lme(distance ~ sex * poly(age, 2), random = ~ 1 | Subject, as_factor, method = "ML")
  fit <- quiet_fit(distance ~ a, orthodont, random = a ~ 1 | Subject, covariates = a ~ sex * poly(age, 2))
  expect_same_maximum(fit, reference, function(names) c("a", nlmers:::effect_name("a", names[-1L])))
  expect_true(all(c("beta_a_sexMale", "beta_a_sexMale_poly_age_2_1") %in% names(fixef(fit))))
  # New data are coded as those of the fit, with one of the levels and one row, too.
  new <- data.frame(age = c(9, 13), sex = "Female")
  expect_equal(
    predict(fit, new, level = 0), as.numeric(predict(reference, new, level = 0)), tolerance = 2e-3
  )
  expect_equal(predict(fit, new[2L, ], level = 0), predict(fit, new, level = 0)[2L])
  expect_equal(nrow(simulate(fit, 1, seed = 1, newdata = cbind(new, Subject = "M01"))), 2L)
  logical <- quiet_fit(distance ~ a, orthodont, random = a ~ 1 | Subject, covariates = a ~ girl + scale(age))
  expect_named(fixef(logical), c("a", "beta_a_girlTRUE", "beta_a_scale_age"))
  girls <- transform(new, girl = TRUE)
  expect_equal(
    diff(predict(logical, girls, level = 0)),
    4 / stats::sd(orthodont$age) * fixef(logical)[["beta_a_scale_age"]], tolerance = 1e-8
  )
})

test_that("contrasts of the fit are kept", {
  fit <- withr::with_options(
    list(contrasts = c("contr.sum", "contr.poly")),
    quiet_fit(distance ~ a + b * age, orthodont, random = a ~ 1 | Subject, covariates = a ~ Sex)
  )
  by_hand <- fixef(fit)[["a"]] + fixef(fit)[["b"]] * 10 + c(1, -1) * fixef(fit)[["beta_a_Sex1"]]
  expect_equal(predict(fit, data.frame(age = 10, Sex = c("Male", "Female")), level = 0), by_hand)
})

test_that("a level that was not in the data of the fit is named", {
  fit <- quiet_fit(distance ~ a + b * age, orthodont, random = a ~ 1 | Subject, covariates = a ~ Sex)
  error <- caught(predict(fit, data.frame(age = 9, Sex = "male"), level = 0))
  expect_equal(error[c("reason", "column", "row")], list(reason = "unknown_level", column = "Sex", row = 1L))
  expect_equal(error$hint, "Did you mean `Male`?")
  expect_equal(caught(predict(fit, data.frame(age = 9), level = 0))$reason, "missing_column")
})

test_that("a fit survives saving: its coding needs no environment", {
  local <- function() {
    half <- function(x) x / 2
    quiet_fit(distance ~ a, orthodont, random = a ~ 1 | Subject, covariates = a ~ Sex:half(age))
  }
  fit <- local()
  path <- withr::local_tempfile()
  saveRDS(fit, path)
  again <- readRDS(path)
  new <- orthodont[1:3, ]
  expect_equal(predict(again, new), predict(fit, new))
  expect_equal(predict(fit, orthodont), fitted(fit))
})

test_that("a model written without data learns at the fit what its covariates are", {
  model <- nlme_formula(
    distance ~ a + b * age, start = c(a = 17, b = 0.6), random = a ~ 1 | Subject, covariates = a ~ sex
  )
  fit <- quiet_fit(model, orthodont)
  expect_named(fixef(fit), c("a", "b", "beta_a_sexMale"))
  drawn <- simulate(model, 1, seed = 1, data = orthodont, start = c(beta_a_sexMale = 1000, omega_sd_a = 0.1))
  expect_gt(min(drawn$distance[orthodont$sex == "Male"]), max(drawn$distance[orthodont$sex == "Female"]))
})

test_that("numbers stay code of the model, as a product where they interact", {
  data <- data.frame(y = 1, wt = c(60, 70), age = 1:2, id = 1)
  model <- nlme_formula(y ~ f, c(f = 1), random = f ~ 1 | id, covariates = f ~ log(wt / 70) * age, data = data)
  expect_null(model$designs)
  expect_match(model$spec$statements[[1L]]$text, "beta_f_log_wt_70_age * (log(wt/70) * age)", fixed = TRUE)
})
