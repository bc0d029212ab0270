level_model <- function(outcome) {
  code <- bquote(nlme_model(
    fixed(m = 1, s = positive(0.5), o = positive(0.5)),
    random(e ~ normal(m, o) | id), .(outcome)
  ))
  eval(code)
}

long <- data.frame(
  id = rep(1:3, each = 4), TIME = rep(1:4, 3), dv = 1:12 / 4, DVID = rep(1:2, 6)
)

test_that("outcomes in one column are told apart by DVID", {
  model <- level_model(quote({
    conc ~ normal(e, s)
    effect ~ normal(e * 2, s)
  }))
  by_number <- nlmers:::bind_data(model, long)$columns
  odd <- long$DVID == 1
  expect_equal(by_number$conc, ifelse(odd, long$dv, NA))
  expect_equal(by_number$effect, ifelse(odd, NA, long$dv))
  names <- transform(long, DVID = ifelse(odd, "effect", "conc"))
  by_name <- nlmers:::bind_data(model, names)$columns
  expect_equal(by_name$effect, by_number$conc)
  expect_equal(by_name$conc, by_number$effect)
  # A column of that name is meant where there is one.
  own <- nlmers:::bind_data(model, transform(long, conc = 1, effect = 2))$columns
  expect_equal(unique(own$effect), 2)
  expect_equal(caught(nlmers:::bind_data(model, long[-4]))$column, "conc")
})

test_that("`t` is the time, unless a column has that name", {
  model <- level_model(quote(y ~ event(exp(e + s * t))))
  data <- transform(long, y = 0)
  expect_equal(nlmers:::bind_data(model, data)$columns$t, long$TIME)
  expect_equal(nlmers:::bind_data(model, transform(data, t = 7))$columns$t, rep(7, 12))
  names(data)[2] <- "week"
  expect_equal(nlmers:::bind_data(model, data, time = "week")$columns$t, long$TIME)
  error <- caught(nlmers:::bind_data(model, data))
  expect_equal(error$reason, "no_time")
  expect_match(error$place, "event(", fixed = TRUE)
})

test_that("CENS and LIMIT are taken where the model has a use for them", {
  model <- level_model(quote(y ~ normal(e, s)))
  data <- transform(long, y = dv, cens = 0, Limit = NA_real_)
  bound <- nlmers:::bind_data(model, data)
  expect_true(bound$model$spec$censoring)
  expect_equal(bound$columns$.cens, rep(0, 12))
  expect_equal(is.na(bound$columns$.limit), rep(TRUE, 12))
  expect_true(all(c("cens", "Limit") %in% names(bound$frame)))
  expect_null(nlmers:::bind_data(model, long |> transform(y = dv))$columns$.cens)
  counted <- level_model(quote(y ~ poisson(exp(e) * s)))
  expect_false(nlmers:::bind_data(counted, transform(data, y = 1))$model$spec$censoring)
  read <- level_model(quote(y ~ normal(e + cens, s)))
  expect_false(nlmers:::bind_data(read, data)$model$spec$censoring)
})

test_that("a censored fit is that of the bounds, and predicts without CENS", {
  set.seed(11)
  data <- data.frame(id = rep(1:40, each = 5), time = rep(1:5, 40))
  data$y <- 1 + rep(rnorm(40, sd = 0.5), each = 5) + rnorm(200, sd = 0.5)
  data$CENS <- as.numeric(data$y < 0.7)
  data$y <- pmax(data$y, 0.7)
  by_data <- fit_nlme(
    level_model(quote(y ~ normal(e, s))), data, short_saem(), seed = 1, progress = FALSE
  )
  by_bound <- fit_nlme(
    level_model(quote(y ~ censored(normal(e, s), lower = 0.7))), data, short_saem(),
    seed = 1, progress = FALSE
  )
  expect_equal(fixef(by_data), fixef(by_bound), tolerance = 1e-6)
  expect_equal(logLik(by_data)[1], logLik(by_bound)[1], tolerance = 1e-8)
  expect_equal(logLik(by_data, nodes = 9)[1], logLik(by_bound, nodes = 9)[1], tolerance = 1e-8)
  # Ignoring the censoring would put the mean higher and the spread lower.
  ignored <- fit_nlme(
    level_model(quote(y ~ normal(e, s))), data[names(data) != "CENS"], short_saem(),
    seed = 1, progress = FALSE
  )
  expect_gt(fixef(ignored)[["m"]] - fixef(by_data)[["m"]], 0.03)
  expect_equal(fixef(by_data)[["m"]], 1, tolerance = 0.2)
  expect_length(predict(by_data, data[1:3, c("id", "time")]), 3L)
})

test_that("in differential equations the time has one name", {
  model <- nlme_model(
    fixed(a = 1, o = positive(1), s = positive(1)), random(e ~ normal(a, o) | id), {
      d/dt(x) <- -exp(e) * x + t
      y ~ normal(x, s)
    }
  )
  data <- data.frame(id = 1, time = 1:3, t = 3:1, y = 1)
  error <- caught(nlmers:::bind_data(model, data))
  expect_equal(error$reason, "two_times")
  expect_equal(error$place, "d/dt(x) <- -exp(e) * x + t")
  expect_equal(nlmers:::bind_data(model, data, time = "t")$columns$t, c(3, 2, 1))
})
