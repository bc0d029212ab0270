# Self-starting models of stats and a user's own, beside what R computes of them.

values_in_r <- function(call, data) as.numeric(eval(call, data))
no_effects <- function(formula, start, data) {
  model <- nlme_formula(formula, start)
  # Four rows say nothing of whether the values are good ones.
  fit <- suppressWarnings(fit_nlme(model, data, fix = names(start), seed = 1, progress = FALSE))
  predict(fit, data, level = 0)
}

cases <- list(
  list(y ~ SSlogis(x, Asym, xmid, scal), c(Asym = 5, xmid = 2, scal = 0.7)),
  list(y ~ SSasymp(x, Asym, R0, lrc), c(Asym = 5, R0 = 1, lrc = -0.5)),
  list(y ~ SSasympOff(x, Asym, lrc, c0), c(Asym = 5, lrc = -0.5, c0 = 0.3)),
  list(y ~ SSasympOrig(x, Asym, lrc), c(Asym = 5, lrc = -0.5)),
  list(y ~ SSbiexp(x, A1, lrc1, A2, lrc2), c(A1 = 5, lrc1 = 0.5, A2 = 1, lrc2 = -1)),
  list(y ~ SSfol(dose, x, lKe, lKa, lCl), c(lKe = -2, lKa = 0.5, lCl = -3)),
  list(y ~ SSfpl(x, A, B, xmid, scal), c(A = 1, B = 5, xmid = 2, scal = 0.7)),
  list(y ~ SSgompertz(x, Asym, b2, b3), c(Asym = 5, b2 = 2, b3 = 0.4)),
  list(y ~ SSmicmen(x, Vm, K), c(Vm = 5, K = 1.3)),
  list(y ~ SSweibull(x, Asym, Drop, lrc, pwr), c(Asym = 5, Drop = 4, lrc = -0.7, pwr = 1.4)),
  list(y ~ stats::SSmicmen(log(x + 1), Vm = K, K = Vm), c(Vm = 5, K = 1.3))
)

test_that("each has the value that stats gives it", {
  data <- data.frame(x = c(0.5, 1, 2, 4), dose = 4, y = 1:4)
  for (case in cases) {
    expected <- values_in_r(case[[1L]][[3L]], c(as.list(data), as.list(case[[2L]])))
    expect_equal(no_effects(case[[1L]], case[[2L]], data), expected, tolerance = 1e-10, info = deparse(case[[1L]]))
  }
})

test_that("a user's own self-starting model is read, and starts itself", {
  rise <- selfStart(
    ~ top * (1 - exp(-rate * x)), function(mCall, data, LHS, ...) { # nolint: object_name_linter. As stats calls it.
      xy <- sortedXyData(mCall[["x"]], LHS, data)
      stats::setNames(c(max(xy$y), 1 / mean(xy$x)), mCall[c("top", "rate")])
    }, c("top", "rate")
  )
  data <- data.frame(t1 = 1:6, y = 3 * (1 - exp(-0.4 * (1:6))))
  start <- suggest_start(y ~ rise(t1, upper, speed), data)
  expect_equal(start[c("upper", "speed")], list(upper = max(data$y), speed = 1 / 3.5))
  expect_equal(no_effects(y ~ rise(t1, upper, speed), c(upper = 3, speed = 0.4), data), data$y)
})
