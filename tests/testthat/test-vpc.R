vpc_line <- nlme_model(
  fixed(a = 10, b = -1, o = positive(2), s = positive(1)), random(e ~ normal(0, o) | id), {
    y ~ normal(a + e + b * time, s)
  }
)
vpc_design <- data.frame(id = rep(1:40, each = 4), time = rep(c(0, 1, 2, 4), 40), arm = rep(c("a", "b"), each = 80))

test_that("percentiles are those of quantile() in every bin", {
  data <- simulate(vpc_line, seed = 1, data = vpc_design)[-1]
  fit <- evaluate_nlme(vpc_line, data, seed = 1)
  check <- vpc(fit, nsim = 200, bins = "time", seed = 5)
  draws <- matrix(simulate(fit, nsim = 200, seed = 5)$y, 160)
  for (i in seq_len(nrow(check$summary))) {
    cell <- check$summary[i, ]
    rows <- data$time == cell$x
    each <- apply(draws[rows, ], 2, quantile, cell$quantile)
    expect_equal(cell$observed, quantile(data$y[rows], cell$quantile, names = FALSE))
    expect_equal(unlist(cell[c("lower", "median", "upper")]), quantile(each, c(0.05, 0.5, 0.95)), ignore_attr = TRUE)
  }
  # The corrected value of a row is its own times the bin's median prediction over its prediction, 10 - time.
  both <- vpc(fit, nsim = 100, bins = c(0, 1.5), pred_corr = TRUE, seed = 5)
  late <- data$time > 1.5
  expect_equal(both$data$value[late], data$y[late] * 7 / (10 - data$time[late]))
})

test_that("bands contain the percentiles of data drawn from the fit as often as they say", {
  made <- simulate(vpc_line, nsim = 100, seed = 2, data = vpc_design)
  inside <- vapply(1:100, function(i) {
    fit <- evaluate_nlme(vpc_line, made[made$sim == i, -1], seed = 1)
    found <- vpc(fit, nsim = 200, bins = "time", quantiles = 0.5, seed = i)$summary
    mean(found$observed >= found$lower & found$observed <= found$upper)
  }, 1)
  # 400 bins that correlate within a data set: at .9 their mean has an SD of at most .03.
  expect_gt(mean(inside), 0.82)
  expect_lt(mean(inside), 0.97)
})

test_that("plots are made, strata are panels, and what cannot be checked is refused", {
  data <- simulate(vpc_line, seed = 1, data = vpc_design)[-1]
  model <- nlme_model(
    fixed(a = 10, b = -1, o = positive(2), s = positive(1)), random(e ~ normal(0, o) | id), {
      y ~ normal(a + e + b * time + 0 * shift, s)
    }
  )
  fit <- evaluate_nlme(model, transform(data, shift = as.numeric(arm == "b")), seed = 1)
  check <- vpc(fit, nsim = 50, stratify = "shift", n_bins = 3, seed = 1)
  expect_equal(sum(check$summary$n[check$summary$quantile == 0.5]), 160L)
  built <- ggplot2::ggplot_build(plot(check))
  expect_equal(nrow(built$layout$layout), 2L)
  expect_equal(built$data[[4L]]$y, check$summary$observed[order(
    check$summary$shift, check$summary$quantile, check$summary$x
  )])
  low <- check
  low$summary$lower <- low$summary$lower - 20
  expect_silent(logged <- ggplot2::ggplot_build(plot(low, log_y = TRUE)))
  expect_true(all(is.finite(logged$data[[1L]]$ymin)))
  expect_match(logged$plot$labels$caption, "not above 0")
  expect_output(print(check), "percentiles are inside")
  expect_equal(caught(vpc(fit, stratify = "weight"))$reason, "unknown_column")
  expect_equal(caught(vpc(fit, bins = "time", n_bins = 3))$reason, "idle_option")
  expect_equal(caught(vpc(fit, bins = "jenkins"))$reason, "bad_option")
  limited <- evaluate_nlme(vpc_line, transform(data, CENS = as.numeric(y < 8), y = pmax(y, 8)), seed = 1)
  expect_equal(caught(vpc(limited))$reason, "censored_vpc")
  many <- fit_nlme(counts(), MASS::epil, short_saem(), seed = 1, progress = FALSE)
  expect_equal(caught(vpc(many))$reason, "no_simulated_residual")
})
