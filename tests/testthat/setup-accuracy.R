# Ten seeds beside the exact maximum of the likelihood.

fits <- function(model, data) {
  lapply(1:10, function(seed) fit_nlme(model, data, seed = seed, progress = FALSE))
}

expect_near_maximum <- function(fits, maximum, nodes, mean = 0.03, worst = 0.10) {
  values <- vapply(fits, function(fit) as.numeric(logLik(fit, nodes = nodes)), 0)
  excess <- -2 * (values - maximum)
  cat(sprintf("\nexcess of -2LL: mean %.4f, worst %.4f\n", base::mean(excess), max(excess)))
  expect_lte(base::mean(excess), mean)
  expect_lte(max(excess), worst)
}
