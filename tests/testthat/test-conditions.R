logistic <- function(data = orange, start = NULL, ...) {
  fit_nlme(
    circumference ~ Asym / (1 + exp(-(age - xmid) / scal)), data,
    start = c(Asym = 170, xmid = 700, scal = 350, start), random = Asym ~ 1 | Tree,
    error = add(sigma = 8), method = short_saem(), seed = 1, progress = FALSE, ...
  )
}

expect_refused <- function(code, class, reason) {
  error <- caught(code)
  expect_s3_class(error, paste0("nlmers_error_", class))
  expect_equal(error$reason, reason)
  expect_snapshot(cat(conditionMessage(error)))
  invisible(error)
}

test_that("missing column", {
  error <- expect_refused(
    logistic(stats::setNames(orange, c("Tree", "age", "circumfrence"))),
    "data", "missing_column"
  )
  expect_equal(error$column, "circumference")
})

test_that("missing value in a covariate", {
  bad <- orange
  bad$age[10] <- NA
  error <- expect_refused(logistic(bad), "data", "missing_covariate")
  expect_equal(error$row, 10L)
  expect_equal(error$subject, "2")
  expect_equal(error$column, "age")
})

test_that("infinite response", {
  bad <- orange
  bad$circumference[17] <- Inf
  error <- expect_refused(logistic(bad), "data", "infinite_outcome")
  expect_equal(error$row, 17L)
  expect_equal(error$subject, "3")
})

test_that("unknown symbol", {
  model <- nlme_model(
    fixed(a = 1, omega = positive(1), sigma = positive(1)),
    random(eta ~ normal(0, omega) | Tree),
    circumference ~ normal(a + eta * age, sigam)
  )
  error <- expect_refused(fit_nlme(model, orange, seed = 1), "data", "unknown_symbol")
  expect_equal(error$name, "sigam")
})

test_that("name used twice", {
  expect_refused(
    nlme_model(
      fixed(eta = 1, omega = positive(1)), random(eta ~ normal(0, omega) | id),
      y ~ normal(eta, 1)
    ),
    "model", "name_used_twice"
  )
})

test_that("random effect of the wrong length", {
  expect_refused(
    nlme_model(
      fixed(a = 1, omega = positive(c(1, 1))),
      random(eta ~ mvnormal(c(0, 0), diag(omega)) | id),
      y ~ normal(a + eta[3], 1)
    ),
    "model", "index_out_of_range"
  )
})

test_that("zero free parameters", {
  expect_refused(
    nlme_model(fixed(), random(eta ~ normal(0, 1) | id), y ~ normal(eta, 1)),
    "model", "no_free_parameter"
  )
  expect_refused(
    logistic(fix = c(Asym = 170, xmid = 700, scal = 350, omega_sd_Asym = 1, sigma = 8)),
    "start", "no_free_parameter"
  )
})

test_that("a start outside the bounds", {
  expect_refused(
    nlme_model(
      fixed(a = real(3, lower = 0, upper = 2), omega = positive(1)),
      random(eta ~ normal(0, omega) | id), y ~ normal(a + eta, 1)
    ),
    "start", "start_outside_bounds"
  )
  expect_refused(logistic(start = c(sigma = -8)), "start", "start_outside_bounds")
})

test_that("one subject only", {
  expect_refused(logistic(orange[orange$Tree == "1", ]), "data", "one_subject")
})

test_that("no response at all", {
  expect_refused(logistic(transform(orange, circumference = NA_real_)), "data", "all_missing")
})

test_that("an error of the core keeps its fields", {
  error <- caught(nlmers:::stop_core_error(list(
    class = "data", reason = "not_finite", problem = "p.", place = "y ~ f", hint = "h.",
    fields = list(row = "3", subject = "a")
  )))
  expect_s3_class(error, c("nlmers_error_data", "nlmers_error", "error"), exact = FALSE)
  expect_identical(error$row, 3L)
  expect_equal(conditionMessage(error), "p.\nIn: y ~ f\nh.")
})
