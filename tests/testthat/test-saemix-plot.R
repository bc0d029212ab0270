test_that("every plot of saemix is a ggplot that can be drawn", {
  fit <- theo_saemix_fit()
  for (word in setdiff(names(nlmers:::saemix_plots), "likelihood")) {
    drawn <- plot(fit, plot.type = word)
    expect_s3_class(drawn, "ggplot")
    expect_no_error(ggplot2::ggplot_build(drawn))
  }
  expect_s3_class(plot(fit), "ggplot")
  expect_s3_class(plot(fit, type = "trace"), "ggplot")
  set <- plot(fit, plot.type = "reduced")
  expect_named(set, c("data", "convergence", "observations.vs.predictions"))
  expect_equal(names(basic.gof(fit)), names(set)[-1])
  chosen <- saemix.plot.select(fit, data = TRUE, vpc = FALSE, random.effects = TRUE)
  expect_named(chosen, c("data", "random.effects"))
})

test_that("a plot shows what it is asked for", {
  fit <- theo_saemix_fit()
  two <- plot(fit, plot.type = "individual.fit", ilist = 1:2)$data
  expect_setequal(as.character(two$group), fit$data$labels[1:2])
  expect_setequal(as.character(two$series), c("observed", "individual"))
  expect_setequal(as.character(plot(fit, plot.type = "population.fit")$data$series), c("observed", "population"))
  seen <- plot(fit, plot.type = "observations.vs.predictions", level = 0)$data
  expect_setequal(as.character(seen$level), "population")
  effects <- plot(fit, plot.type = "random.effects")$data
  expect_equal(effects$value[effects$name == "ka"], unname(eta(fit)[, "ka"]))
  covariates <- plot(fit, plot.type = "parameters.vs.covariates")$data
  expect_equal(covariates$x[1:12], theo$Wt[match(fit$data$labels, theo$Subject)])
  expect_message(
    drawn <- plot(fit, plot.type = "data", main = "Title", xlab = "h", new = FALSE, ask = TRUE), "`new`", fixed = TRUE
  )
  expect_equal(drawn$labels[c("title", "x")], list(title = "Title", x = "h"))
  expect_equal(nrow(drawn$data), nrow(theo))
  expect_equal(caught(plot(fit, plot.type = "vpcs"))$reason, "bad_option")
})

test_that("the bands of a visual predictive check hold most observed quantiles of simulated data", {
  fit <- theo_saemix_fit()
  fit$data$frame$conc <- simulate(fit, seed = 8)$conc
  bands <- plot(fit, plot.type = "vpc")$data
  expect_gt(mean(bands$observed >= bands$lower & bands$observed <= bands$upper), 0.75)
})

test_that("data are plotted by subject", {
  drawn <- plot(theo_saemix_data(name.X = "Time"), xlab = "Time (h)")
  expect_equal(drawn$labels$x, "Time (h)")
  expect_equal(drawn$data$x, theo$Time)
})
