test_that("names are found inside branches, loops and blocks", {
  twice <- function(u) {
    for (i in 1:2) u <- u + dose
    u
  }
  environment(twice)$dose <- 1
  statements <- nlmers:::model_statements(quote({
    for (i in 1:3) if (x > i) k <- z
    y ~ normal(k, s)
  }), environment())
  expect_equal(unique(nlmers:::statement_targets(statements)), c("i", "k"))
  spec <- list(statements = statements)
  expect_equal(nlmers:::place_of("z", spec), "k <- z")
  expect_equal(nlmers:::place_of("x", spec), "if (x > i)")
  expect_null(nlmers:::place_of("nowhere", spec))
  block <- nlmers:::expression_tree(quote(twice(w)), nlmers:::new_scope(environment(), ""))
  expect_true("w" %in% nlmers:::tree_symbols(block))
})
