test_that("a model prints its statements, effects and parameters", {
  text <- paste(capture.output(print(theo_formula())), collapse = "\n")
  expect_match(text, "ka <- exp(log(ka) + eta_ka)", fixed = TRUE)
  expect_match(text, "eta_V ~ normal(0, omega_sd_V) | Subject", fixed = TRUE)
  expect_match(text, "data columns: ")
})

test_that("matrices are shown by their diagonal", {
  parameter <- nlmers:::fixed_parameter("M", quote(covariance_matrix(matrix(c(4, 1, 1, 9), 2))), baseenv())
  expect_equal(nlmers:::start_text(parameter), "diagonal 4, 9")
  expect_equal(nlmers:::scale_text(parameter), "covariance matrix")
})
