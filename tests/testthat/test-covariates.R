read <- function(call) nlmers:::covariate_declarations(call, globalenv())

growth <- data.frame(
  id = rep(1:6, each = 4), x = rep(1:4, 6), wt = rep(61:66, each = 4),
  sex = rep(c("F", "M", "M", "F", "M", "F"), each = 4)
)
growth$y <- with(growth, 2 + 0.5 * x + (sex == "M") + sin(7 * id) + 0.3 * cos(11 * x * id))

model <- function() {
  nlme_model(
    fixed(a = 2, b = 0.4, m = 0.5, omega = positive(1), sigma = positive(0.5)),
    covariates(sex = factor(c("F", "M")), wt = constant(on = id)),
    random(eta ~ normal(a + m * sex, omega) | id),
    y ~ normal(eta + b * x, sigma)
  )
}

test_that("each word says what it needs", {
  declared <- read(quote(covariates(
    wt = constant(on = id:occ), z = time_varying("akima"), v = vector(c("a", "b")),
    sex = factor(c("F", "M"), reference = "M"), dose = factor(c(1, 2.5))
  )))
  expect_equal(vapply(declared, `[[`, "", "kind"), c(
    "constant", "time_varying", "vector", "factor", "factor"
  ))
  expect_equal(declared[[1L]]$on, "id:occ")
  expect_equal(declared[[2L]]$interpolation, "akima")
  expect_equal(declared[[3L]]$columns, c("a", "b"))
  expect_equal(declared[[4L]][c("levels", "reference")], list(levels = c("F", "M"), reference = "M"))
  expect_equal(declared[[5L]]$levels, c("1", "2.5"))
})

test_that("bad declarations name the covariate", {
  expect_equal(caught(read(quote(covariates(constant(id)))))$reason, "unnamed_covariate")
  expect_equal(caught(read(quote(covariates(sex = fctor("a")))))$hint, "Did you mean `factor`?")
  expect_equal(caught(read(quote(covariates(z = time_varying("lin")))))$name, "z")
  expect_equal(caught(read(quote(covariates(v = vector(3)))))$reason, "bad_covariate")
})

test_that("a factor column becomes the positions of its levels", {
  bound <- nlmers:::bind_data(model(), growth)
  expect_equal(bound$columns$sex, as.double(match(growth$sex, c("F", "M"))))
  coded <- transform(growth, sex = factor(sex, levels = c("M", "F")))
  expect_equal(nlmers:::bind_data(model(), coded)$columns$sex, bound$columns$sex)
  wrong <- growth
  wrong$sex[3] <- "f"
  error <- caught(nlmers:::bind_data(model(), wrong))
  expect_equal(error[c("reason", "row", "value")], list(reason = "unknown_level", row = 3L, value = "f"))
})

test_that("a factor gives the fit of its indicator", {
  settings <- list(method = short_saem(), seed = 1, progress = FALSE)
  fit <- do.call(fit_nlme, c(list(model(), growth), settings))
  plain <- nlme_model(
    fixed(a = 2, b = 0.4, m = 0.5, omega = positive(1), sigma = positive(0.5)),
    random(eta ~ normal(a + m * male, omega) | id),
    y ~ normal(eta + b * x, sigma)
  )
  other <- do.call(fit_nlme, c(list(plain, transform(growth, male = as.numeric(sex == "M"))), settings))
  expect_equal(fit$parameters$natural, other$parameters$natural, tolerance = 1e-6)
  expect_equal(
    predict(fit, newdata = growth[5:8, ]),
    predict(other, newdata = transform(growth, male = as.numeric(sex == "M"))[5:8, ]),
    tolerance = 1e-6
  )
})

test_that("a constant is checked", {
  wrong <- growth
  wrong$wt[2] <- 99
  error <- caught(fit_nlme(model(), wrong, progress = FALSE))
  expect_s3_class(error, "nlmers_error_data")
  expect_equal(error$reason, "varying_covariate")
  expect_match(error$place, "constant(on = id)", fixed = TRUE)
})

test_that("a text in a comparison needs a declared factor", {
  error <- caught(nlme_model(
    fixed(a = 1, s = positive(1)), random(e ~ normal(0, s) | id), y ~ normal(a * (sex == "M") + e, s)
  ))
  expect_equal(error$reason, "text_comparison")
  expect_match(error$hint, "sex = factor(levels = c(\"M\"", fixed = TRUE)
})

test_that("a constant without a group is constant for a subject", {
  model <- nlme_model(
    fixed(b = 0.5, o = positive(0.4), s = positive(0.3)), covariates(age = constant()),
    random(e ~ normal(0, o) | id),
    {
      y ~ normal(b * age + e, s)
    }
  )
  data <- data.frame(id = rep(1:3, each = 2), age = c(1, 1, 2, 2, 3, 4), y = 1)
  error <- caught(fit_nlme(model, data))
  expect_equal(error$reason, "varying_covariate")
})
