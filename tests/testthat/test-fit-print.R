fit <- fit_nlme(theo_formula(), theo, short_saem(), seed = 1, progress = FALSE)

test_that("a fit prints in at most 30 lines with its numbers", {
  lines <- capture.output(print(fit))
  expect_lte(length(lines), 30L)
  text <- paste(lines, collapse = "\n")
  expect_match(text, "120 observations of `conc` in 12 subjects (`Subject`)", fixed = TRUE)
  expect_match(text, "seed 1", fixed = TRUE)
  expect_match(text, formatC(as.numeric(logLik(fit)), format = "f", digits = 2), fixed = TRUE)
  expect_match(text, "Residual error: a = ", fixed = TRUE)
})

test_that("many parameters are cut to 30 lines", {
  large <- fit
  rows <- rep(1:3, 8)
  for (field in names(large$parameters)) {
    large$parameters[[field]] <- c(fit$parameters[[field]], fit$parameters[[field]][rows])
  }
  large$parameters$name <- make.unique(large$parameters$name)
  large$warnings <- rep("a warning", 9)
  lines <- capture.output(print(large))
  expect_lte(length(lines), 30L)
  expect_true(any(grepl("more, see summary()", lines, fixed = TRUE)))
})

test_that("labels and units are shown", {
  model <- nlme_model(
    fixed(
      Asym = real(170, label = "asymptote", unit = "mm"), xmid = 700, scal = 350,
      omega = positive(30), sigma = positive(8)
    ),
    random(eta ~ normal(0, omega) | Tree),
    {
      top <- Asym + eta
      circumference ~ normal(top / (1 + exp(-(age - xmid) / scal)), sigma)
    }
  )
  shown <- capture.output(print(fit_nlme(model, orange, short_saem(), seed = 1, progress = FALSE)))
  expect_true(any(grepl("asymptote (mm)", shown, fixed = TRUE)))
})

test_that("numbers have their significant digits, missing ones are blank", {
  expect_equal(
    nlmers:::format_numbers(c(a = 1.23456, NA, 12, 123), 3), c("1.23", "", "12.0", "123")
  )
})
