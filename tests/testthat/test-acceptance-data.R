# Acceptance case 34: what is wrong with a model or its data is said before any
# iteration, in the user's own names.

brief <- function(model, data = records, ...) {
  fit_nlme(model, data, saem(exploration = 5, smoothing = 5), seed = 1, progress = FALSE, ...)
}
quiet <- function(code) suppressWarnings(code, classes = "nlmers_warning")

# Effects of two groupings, the first with a covariate in its mean.
two_groupings <- function(declared) {
  nlme_model(
    fixed(a = 3, b = 0.1, omega = positive(1), tau = positive(0.5), sigma = positive(1)),
    covariates(w = !!declared),
    random(eta ~ normal(b * w, omega) | id, u ~ normal(0, tau) | site),
    y ~ normal(a + eta + u, sigma)
  )
}
sites <- transform(records, site = rep(c("s", "t"), 6), w = wt / 70)

expect_refusal <- function(code, class, reason, ...) {
  error <- caught(code)
  expect_s3_class(error, paste0("nlmers_error_", class))
  expect_equal(error$reason, reason)
  for (part in c(...)) expect_match(conditionMessage(error), part, fixed = TRUE)
  invisible(error)
}

test_that("case 34: a missing id is refused with its row", {
  error <- expect_refusal(brief(decay(), changed("id", 3, NA)), "data", "missing_group", "`id`")
  expect_equal(error$row, 3L)
  expect_refusal(
    brief(two_groupings(quote(constant(on = id))), transform(sites, site = replace(site, 5, NA))),
    "data", "missing_group", "`site`", "row 5"
  )
})

test_that("case 34: a constant covariate that varies within its group is refused with both rows", {
  varying <- transform(sites, w = replace(w, 6, 9))
  error <- expect_refusal(
    brief(two_groupings(quote(constant(on = id))), varying), "data", "varying_covariate",
    "`w` is declared constant on `id`, but varies within id b", "constant(on = id)", "row 5", "row 6"
  )
  expect_equal(error[c("column", "subject", "row")], list(column = "w", subject = "b", row = 6L))
  # It is constant on `id`, not on `site`.
  expect_refusal(
    brief(two_groupings(quote(constant(on = site))), sites), "data", "varying_covariate",
    "constant on `site`", "within site s"
  )
})

test_that("case 34: a covariate that varies in the distribution of a random effect is refused", {
  model <- decay(random = quote(random(eta ~ normal(a * time, omega) | id)))
  error <- expect_refusal(
    brief(model), "data", "varying_covariate", "`time` varies within `id` a", "distribution of a random effect",
    "eta ~ normal(a * time, omega) | id"
  )
  expect_equal(error$column, "time")
  # Declaring how it varies does not help.
  model <- nlme_model(
    fixed(a = 1, omega = positive(1), sigma = positive(1)), covariates(n = time_varying("linear")),
    random(eta ~ normal(a * n, omega) | id), y ~ normal(eta, sigma)
  )
  expect_refusal(brief(model), "data", "varying_covariate", "`n`")
})

test_that("case 34: a symbol that is nothing is refused with the nearest name", {
  error <- expect_refusal(
    brief(decay(code = quote(y ~ normal((a + eta) * wgt, sigma)))), "data", "unknown_symbol", "`wgt`", "`wt`"
  )
  expect_equal(error$name, "wgt")
  expect_refusal(
    brief(decay(random = quote(random(eta ~ normal(0, omgea) | id)))), "data", "unknown_symbol", "`omgea`", "`omega`"
  )
})

test_that("case 34: a name in two blocks is refused, whichever the blocks", {
  with <- function(...) decay(...)
  refused <- function(code, name) {
    error <- expect_refusal(code, "model", "name_used_twice", sprintf("`%s`", name))
    expect_true(nzchar(error$place))
  }
  refused(with(random = quote(random(a ~ normal(0, omega) | id))), "a")
  refused(with(code = quote({
    k <- a + eta
    y ~ normal(k, sigma)
  })), "k")
  refused(with(code = quote({
    eta <- a
    y ~ normal(eta, sigma)
  })), "eta")
  refused(with(code = quote(a ~ normal(k + eta, sigma))), "a")
  refused(nlme_model(
    fixed(a = 1, w = 1), covariates(w = constant(on = id)), random(e ~ normal(0, 1) | id), y ~ normal(a + e * w, 1)
  ), "w")
})

test_that("case 34: with two groupings a constant without its group is constant on the subject, and held to it", {
  fit <- quiet(brief(two_groupings(quote(constant())), sites))
  said <- quiet(brief(two_groupings(quote(constant(on = id))), sites))
  expect_identical(fit$parameters$natural, said$parameters$natural)
  expect_refusal(
    brief(two_groupings(quote(constant())), transform(sites, w = as.numeric(site == "s"))),
    "data", "varying_covariate", "constant on `id`"
  )
  expect_refusal(
    brief(two_groupings(quote(constant(on = sex))), sites), "data", "unknown_group", "`sex`", "groups no random effect"
  )
})

test_that("case 34: an interpolation never has too few points, one record being its value", {
  course <- function(kind) {
    nlme_model(
      fixed(a = 3, b = 0.1, omega = positive(1), sigma = positive(1)), covariates(w = time_varying(!!kind)),
      random(eta ~ normal(0, omega) | id), y ~ normal(a + b * w + eta, sigma)
    )
  }
  # One record of a, two of b, four of c.
  few <- transform(records, w = n)[c(1, 5:6, 9:12), ]
  fits <- lapply(c("constant", "linear", "cubic_spline", "akima"), function(kind) quiet(brief(course(kind), few)))
  for (fit in fits) expect_equal(fit$parameters$natural, fits[[1L]]$parameters$natural)
  # A record without the covariate is not a point left out of the course.
  few$w[3] <- NA
  error <- expect_refusal(brief(course("linear"), few), "data", "missing_covariate", "`w` is missing", "id b, row 3")
  expect_match(error$hint, "leave the whole subject out", fixed = TRUE)
  expect_refusal(course("quadratic"), "model", "bad_covariate", "`interpolation` is one of", "akima")
})

test_that("case 34: unsorted times are put in order, to the same bits", {
  set.seed(3)
  order <- sample(nrow(records))
  sorted <- quiet(brief(decay()))
  mixed <- quiet(brief(decay(), records[order, ]))
  expect_identical(mixed$parameters$natural, sorted$parameters$natural)
  expect_identical(fitted(mixed), fitted(sorted)[order])
})

test_that("case 34: an infinite observation is refused, a missing one is skipped", {
  for (value in c(Inf, -Inf)) {
    error <- expect_refusal(brief(decay(), changed("y", 7, value)), "data", "infinite_outcome", "`y`", "row 7")
    expect_equal(error$row, 7L)
  }
  expect_refusal(brief(decay(), changed("time", 6, Inf)), "data", "infinite_covariate", "`time`", "row 6")
  for (value in c(NA, NaN)) {
    fit <- quiet(brief(decay(), changed("y", 7, value)))
    expect_equal(fit$n_obs, 11L)
    expect_true(is.finite(fitted(fit)[7]))
  }
})
