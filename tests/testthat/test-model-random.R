read <- function(call) nlmers:::random_blocks(call, globalenv())

test_that("names, distribution and group are told apart", {
  block <- read(quote(random(eta ~ normal(0, omega) | id)))[[1L]]
  expect_equal(block$names, "eta")
  expect_equal(block$group, "id")
  expect_equal(block$dist, list(call = "normal", args = list(list(num = 0), list(sym = "omega"))))
  expect_equal(block$text, "eta ~ normal(0, omega) | id")
  several <- read(quote(random(c(a, b) ~ mvnormal(c(0, 0), Omega))))[[1L]]
  expect_equal(several$names, c("a", "b"))
  expect_null(several$group)
})

test_that("what is not a random effect is refused", {
  expect_equal(caught(read(quote(random())))$reason, "empty_random")
  expect_equal(caught(read(quote(random(eta))))$reason, "bad_random")
  expect_equal(caught(read(quote(random(eta + 1 ~ normal(0, 1)))))$reason, "bad_random")
  expect_equal(caught(read(quote(random(eta ~ weibull(1, 1) | id))))$reason, "unknown_distribution")
  expect_equal(caught(read(quote(random(eta ~ normal(0, 1) | id / occ))))$reason, "nested_group")
  expect_equal(caught(read(quote(random(eta ~ normal(0, 1) | f(id)))))$reason, "bad_group")
})

test_that("groups are named in the order of their first lines", {
  blocks <- read(quote(random(
    a ~ normal(0, 1) | id, b ~ normal(0, 1) | id:occ, c ~ normal(0, 1) | id
  )))
  expect_equal(nlmers:::model_groups(blocks), c("id", "id:occ"))
})
