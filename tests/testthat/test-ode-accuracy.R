# Models written as differential equations reach the maximum of the likelihood that their closed forms have; the bars
# are those of test-accuracy.R. Where no closed form is known, the maxima were found by Newton's method on our own
# quadrature with 25 nodes per dimension.

test_that("theophylline, recognized as linear", {
  skip_on_cran()
  made <- fits(theo_ode(), theo)
  expect_near_maximum(made, -172.717417, 25)
  expect_identical(made[[1]]$equations$solver, "in closed form")
})

test_that("theophylline, integrated", {
  skip_on_cran()
  made <- fits(theo_ode(ode_control(linear = FALSE)), theo)
  expect_near_maximum(made, -172.717417, 25)
  expect_match(made[[1]]$equations$solver, "Tsitouras")
})

test_that("warfarin with constant and with combined error", {
  skip_on_cran()
  expect_near_maximum(fits(warfarin_ode(), warfarin()), -450.893878, 25)
  expect_near_maximum(fits(warfarin_ode("combined"), warfarin()), -443.150061, 25)
})

test_that("draws without a solution are rejected, counted and named", {
  skip_on_cran()
  hurried <- theo_ode(ode_control(linear = FALSE, solver = "explicit", max_steps = 150))
  made <- fit_nlme(hurried, theo, seed = 1, progress = FALSE)
  expect_identical(made$status$code, "converged")
  expect_identical(made$equations$failed$reason, "too many steps")
  expect_gt(made$equations$failed$count, 0)
  expect_match(capture.output(print(summary(made))), "draws rejected.*too many steps", all = FALSE)
})

test_that("a fit whose likelihood is cut by solutions that fail is not converged", {
  skip_on_cran()
  hurried <- theo_ode(ode_control(linear = FALSE, solver = "explicit", max_steps = 70))
  for (method in list(saem(), vem())) {
    made <- suppressWarnings(fit_nlme(hurried, theo, method, seed = 1, progress = FALSE))
    expect_false(made$status$code == "converged")
    expect_match(convergence(made)$advice[1L], "ode_control", fixed = TRUE)
  }
  made <- suppressWarnings(fit_nlme(hurried, theo, saem(), seed = 1, progress = FALSE))
  expect_match(convergence(made)$evidence, "no solution for about .* `Subject` 9", all = FALSE)
})
