fit <- fit_orange(method = short_saem(), seed = 1)

test_that("each type is a ggplot of its data", {
  for (type in c("fits", "observed", "trace", "convergence")) {
    drawn <- plot(fit, type = type)
    expect_s3_class(drawn, "ggplot")
    expect_silent(ggplot2::ggplot_build(drawn))
    expect_equal(drawn$data, plot_data(fit, type))
  }
  expect_equal(caught(plot(fit, type = "box"))$name, "type")
  expect_equal(caught(plot(fit, type = "trace", points = 9))$name, "points")
})

test_that("observed against predicted has both levels", {
  data <- plot_data(fit, "observed")
  expect_equal(nrow(data), 70L)
  expect_equal(data$predicted[data$level == "individual"], fitted(fit))
})

test_that("the trace has every parameter and iteration", {
  data <- plot_data(fit, "trace")
  expect_equal(levels(data$parameter), fit$trace$names)
  expect_equal(nrow(data), length(fit$trace$value))
})

test_that("the convergence has gain, objective and changes", {
  data <- plot_data(fit, "convergence")
  expect_equal(nlevels(data$quantity), 3L)
  parts <- split(data$value, data$quantity)
  expect_equal(parts[[1L]], fit$trace$gain)
  expect_equal(parts[[2L]], fit$trace$objective)
  # The first iteration has nothing to change from.
  expect_equal(10^parts[[3L]], notes(fit)$diagnostics$dtheta_rel[-1L])
})

test_that("the traces of a fit by vem() begin with its bound", {
  fit <- as_if_by_vem(fit_orange(method = short_saem(), seed = 1))
  data <- plot_data(fit, "trace")
  expect_equal(levels(data$parameter), c("ELBO", fit$trace$names))
  expect_equal(data$value[data$parameter == "ELBO"], fit$trace$objective)
  expect_equal(unique(data$phase), c("sweep", "newton"))
  expect_s3_class(plot(fit, "trace"), "ggplot")
  expect_equal(levels(plot_data(fit, "convergence")$quantity), c("ELBO", "Largest relative change (log10)"))
})
