# Blank cells are missing values in every door, not levels.

set.seed(1)
d <- data.frame(id = rep(1:6, each = 3), x = 1:3, sex = rep(c("F", "M", "F", "M", "", "F"), each = 3))
d$y <- 2 + 0.5 * d$x + rnorm(18)
d <- transform(d, DV = y, TIME = x)

doors <- list(
  formula = function(data) {
    fit_nlme(y ~ a + b * x, data, start = c(a = 1, b = 0.5), random = a ~ 1 | id, covariates = a ~ sex, seed = 1)
  },
  "formula without data" = function(data) {
    fit_nlme(nlme_formula(y ~ a + b * x, c(a = 1, b = 0.5), random = a ~ 1 | id, covariates = a ~ sex), data, seed = 1)
  },
  "formula without start" = function(data) {
    fit_nlme(y ~ a + b * x, data, random = a ~ 1 | id, covariates = a ~ sex, seed = 1)
  },
  blocks = function(data) {
    model <- nlme_model(
      fixed(a = 1, b = 0.5, g = 0, s = positive(1)), covariates(sex = factor(c("F", "M"))),
      random(e ~ normal(0, 1) | id), y ~ normal(a + e + b * x + g * (sex == "M"), s)
    )
    fit_nlme(model, data, seed = 1)
  },
  nlmixr2 = function(data) {
    model <- function() {
      ini({
        a <- 1
        b <- 0.5
        g <- 0
        e ~ 1
        s <- 1
      })
      model({
        cp <- a + e + b * TIME + g * (sex == "M")
        cp ~ add(s)
      })
    }
    fit_nlme(model, data, seed = 1)
  },
  saemix = function(data) {
    saemix_data(
      data, name.group = "id", name.predictors = "x", name.response = "y", name.covariates = "sex", verbose = FALSE
    )
  }
)

test_that("every door refuses a blank level by its rows", {
  blanks <- list(d, transform(d, sex = factor(sex)), transform(d, sex = ifelse(sex == "", "  ", sex)))
  for (door in doors) {
    for (data in blanks) {
      error <- caught(door(data))
      expect_equal(error[c("reason", "column", "row")], list(reason = "blank_level", column = "sex", row = 13L))
    }
    # After the line of the hint it is a level of its own.
    data <- transform(d, sex = factor(sex))
    lines <- regmatches(error$hint, gregexpr("`data[^`]*`", error$hint))[[1]]
    for (line in lines) eval(parse(text = gsub("`", "", line)))
    expect_true("unknown" %in% data$sex)
  }
  expect_s3_class(suppressMessages(suppressWarnings(doors$formula(data))), "nlme_fit")
})

test_that("a blank identifier belongs to nobody, and a level that a model declares is one", {
  nobody <- transform(d, id = ifelse(id == 5, "", id))
  expect_equal(caught(doors$formula(nobody))[c("reason", "column")], list(reason = "blank_level", column = "id"))
  declared <- nlme_model(
    fixed(a = 1, b = 0.5, g = 0, s = positive(1)), covariates(sex = factor(c("F", "M", ""))),
    random(e ~ normal(0, 1) | id), y ~ normal(a + e + b * x + g * (sex == "M"), s)
  )
  expect_silent(check_data(declared, d))
})

test_that("new data with a missing or blank factor raise our errors and nothing of R's", {
  whole <- transform(d, sex = ifelse(sex == "", "M", sex))
  models <- list(
    suppressMessages(suppressWarnings(doors$formula(whole))), suppressMessages(suppressWarnings(doors$blocks(whole)))
  )
  wrong <- list(
    transform(whole, sex = replace(sex, 4, NA)), transform(whole, sex = factor(replace(sex, 4, NA))),
    transform(whole, sex = NA), transform(whole, sex = ""), transform(whole, sex = 1), transform(whole, sex = TRUE)
  )
  for (fit in models) {
    for (data in wrong) {
      expect_no_warning(error <- caught(predict(fit, newdata = data)))
      expect_s3_class(error, "nlmers_error_data")
      expect_no_warning(error <- caught(simulate(fit, newdata = data, seed = 1)))
      expect_s3_class(error, "nlmers_error_data")
    }
  }
})

test_that("rows that saemix_data() leaves out are said", {
  gap <- transform(d, x = replace(x, c(2, 5), NA))
  expect_message(
    saemix_data(gap, name.group = "id", name.predictors = "x", name.response = "y"),
    "2 rows are left out for want of a value of `x`, first row 2", fixed = TRUE
  )
})
