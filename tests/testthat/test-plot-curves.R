fit <- fit_orange(method = short_saem(), seed = 1)

test_that("curves run on a grid along the covariate that varies", {
  expect_equal(nlmers:::curve_axis(fit), "age")
  data <- plot_data(fit, "fits", subjects = c("1", "2"), points = 20)
  expect_equal(levels(data$group), c("1", "2"))
  expect_equal(sum(data$series == "observed"), 14L)
  curve <- data[data$series == "individual" & data$group == "1", ]
  expect_equal(range(curve$x), range(orange$age))
  expect_equal(
    curve$value, predict(fit, data.frame(age = curve$x, Tree = "1")),
    tolerance = 1e-10
  )
})

test_that("the records of the data are on the curves", {
  data <- plot_data(fit, "fits", subjects = "3")
  curve <- data[data$series == "individual", ]
  rows <- orange$Tree == "3"
  expect_equal(curve$value[match(orange$age[rows], curve$x)], fitted(fit)[rows], tolerance = 1e-10)
})

test_that("other columns keep their last value", {
  frame <- data.frame(id = "a", time = c(0, 10, 20), dose = c(1, 2, 3))
  grid <- nlmers:::curve_grid(frame, "time", "id", 5)
  expect_equal(grid$time, c(0, 5, 10, 15, 20))
  expect_equal(grid$dose, c(1, 1, 2, 2, 3))
})

test_that("without an axis the records are numbered", {
  made <- fit_nlme(counts(), MASS::epil, short_saem(), seed = 1, progress = FALSE)
  data <- plot_data(made, "fits")
  expect_equal(nlevels(data$group), 16L)
  expect_equal(sort(unique(data$x)), 1:4)
})

test_that("unknown subjects are named", {
  error <- caught(plot_data(fit, "fits", subjects = "9"))
  expect_equal(error$reason, "unknown_level")
})

test_that("the panels of a subject stay together", {
  data <- expand.grid(group = factor(1:5), outcome = c("u", "v", "w"), x = 1:2)
  data$value <- seq_len(nrow(data))
  drawn <- ggplot2::ggplot(data, ggplot2::aes(x, value)) + ggplot2::geom_point() + nlmers:::subject_panels(data)
  layout <- ggplot2::ggplot_build(drawn)$layout$layout
  expect_equal(max(layout$COL), 3L)
  expect_true(all(tapply(layout$ROW, layout$group, function(row) length(unique(row))) == 1L))
})

test_that("a caption says when not all subjects are shown", {
  expect_null(plot(fit)$labels$caption)
  expect_equal(plot(fit, subjects = c("1", "2"))$labels$caption, "2 of 5 subjects; see `subjects =`")
})

test_that("a model that reads the time as `t` has curves between its records", {
  model <- nlme_model(
    fixed(a = positive(6), k = positive(0.2), o = positive(0.2), s = positive(0.5)), random(e ~ normal(0, o) | id), {
      y ~ normal(a * exp(e - k * t), s)
    }
  )
  known <- evaluate_nlme(model, records, seed = 1)
  curves <- plot_data(known, "fits", subjects = "a", points = 13)
  population <- curves[curves$series == "population", ]
  expect_gte(nrow(population), 13L)
  expect_equal(population$value, 6 * exp(-0.2 * population$x), tolerance = 1e-10)
})
