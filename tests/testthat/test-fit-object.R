fit <- fit_orange(method = short_saem(), seed = 1)

test_that("a fit survives being saved and read", {
  file <- withr::local_tempfile()
  saveRDS(fit, file)
  back <- readRDS(file)
  expect_identical(back, fit)
  expect_identical(predict(back, orange[1:3, ], level = 1), predict(fit, orange[1:3, ], level = 1))
  expect_lt(file.size(file), 1e5)
})

test_that("a fit holds no environment and no pointer", {
  holds <- function(x) {
    if (is.environment(x) || is.function(x) || typeof(x) == "externalptr") return(TRUE)
    kept <- setdiff(names(attributes(x)), c("names", "class", "row.names", "levels", "dim", "dimnames"))
    inside <- c(if (is.recursive(x) && !is.language(x)) as.list(x), attributes(x)[kept])
    any(vapply(inside, holds, NA))
  }
  expect_false(holds(unclass(fit)))
  expect_equal(fit$format_version, 1L)
  expect_type(fit$uncertainty, "list")
})

test_that("update() fits again with changes", {
  model <- theo_formula()
  first <- fit_nlme(model, theo, short_saem(), seed = 1, progress = FALSE)
  again <- update(first, seed = 2)
  expect_equal(again$settings$seed, 2)
  expect_equal(names(fixef(again)), names(fixef(first)))
  expect_equal(update(again, seed = 1)$parameters, first$parameters)
})

test_that("data given by value are not kept in the call", {
  made <- do.call(fit_nlme, list(theo_formula(), theo, short_saem(), seed = 1, progress = FALSE))
  expect_equal(made$call$data, quote(data))
  expect_equal(made$call$model, quote(model))
})
