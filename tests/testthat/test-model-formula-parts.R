blocks <- function(...) nlmers:::correlated_blocks(c("a", "b", "c"), ...)

test_that("correlated says which effects share a covariance", {
  expect_equal(blocks(FALSE), list("a", "b", "c"))
  expect_equal(blocks(TRUE), list(c("a", "b", "c")))
  pattern <- matrix(c(1, 0, 1, 0, 1, 0, 1, 0, 1), 3)
  expect_equal(blocks(pattern), list(c("a", "c"), "b"))
  dimnames(pattern) <- list(c("b", "a", "c"), c("b", "a", "c"))
  expect_equal(blocks(pattern), list("a", c("b", "c")))
})

test_that("a pattern that is not made of blocks is refused", {
  chain <- matrix(c(1, 1, 0, 1, 1, 1, 0, 1, 1), 3)
  expect_equal(caught(blocks(chain))$reason, "bad_pattern")
  expect_equal(caught(blocks(diag(2)))$reason, "bad_pattern")
  expect_equal(caught(blocks(matrix(1:9, 3)))$reason, "bad_pattern")
})

structure_of <- function(blocks, group = "id") {
  nlmers:::groupings_structure(list(list(group = group, names = unlist(blocks), blocks = blocks)))
}

test_that("one block is called omega, several by their members", {
  made <- structure_of(list(c("a", "b")))
  expect_equal(made$parameters[[1L]]$name, "omega")
  expect_equal(made$random[[1L]]$text, "c(eta_a, eta_b) ~ mvnormal(c(0, 0), omega) | id")
  made <- structure_of(list(c("a", "b"), c("c", "d")), NULL)
  expect_equal(vapply(made$parameters, `[[`, "", "name"), c("omega_a_b", "omega_c_d"))
  expect_null(made$random[[1L]]$group)
})
