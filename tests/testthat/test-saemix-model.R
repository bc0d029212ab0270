line <- function(psi, id, xidep) psi[id, 1] + psi[id, 2] * xidep[, 1]

test_that("a model of saemix prints", {
  expect_snapshot(print(saemix_model(
    line, c(base = 140, slope = 1), description = "Growth", transform.par = c(1, 0), fixed.estim = c(1, 0),
    covariance.model = diag(c(1, 0))
  )))
})

test_that("arguments without meaning are said, once", {
  expect_message(
    saemix_model(line, c(base = 140, slope = 1), simulate.function = line), "`simulate.function`", fixed = TRUE
  )
  expect_silent(saemix_model(line, c(base = 140, slope = 1)))
})

test_that("names of the parameters", {
  expect_equal(colnames(saemix_model(line, c(1, 2))$psi0), c("theta1", "theta2"))
  expect_equal(colnames(saemix_model(line, matrix(1:2, 1), name.modpar = c("a", "b"))$psi0), c("a", "b"))
})

test_that("wrong arguments are refused by their names", {
  expect_snapshot(error = TRUE, {
    saemix_model("line", c(base = 140, slope = 1))
    saemix_model(line)
    saemix_model(line, c(base = NA, slope = 1))
    saemix_model(line, c(base = 1, base = 1))
    saemix_model(line, c(base = 140, slope = 1), modeltype = "structral")
    saemix_model(line, c(base = 140, slope = 1), error.model = "add")
    saemix_model(line, c(base = 140, slope = 1), error.model = c("constant", "combined"))
    saemix_model(line, c(base = 140, slope = 1), transform.par = 1)
    saemix_model(line, c(base = 140, slope = 1), transform.par = c(1, 4))
    saemix_model(line, c(base = 140, slope = 1), covariate.model = c(1, 0, 1))
    saemix_model(line, c(base = 140, slope = 1), covariance.model = diag(3))
    saemix_model(line, c(base = 140, slope = 1), covariance.model = matrix(0, 2, 2))
    saemix_model(line, c(base = 140, slope = 1), covariance.model = matrix(c(1, 1, 1, 0), 2))
    saemix_model(line, c(base = 140, slope = 1), omega.init = diag(c(1, 0)))
  })
})
