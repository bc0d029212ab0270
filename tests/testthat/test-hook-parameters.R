specification <- nlme_model(
  fixed(
    a = 1.5, v = positive(c(1, 2)), o = covariance_matrix(rbind(c(2, 0.5), c(0.5, 1))),
    p = transition_matrix(rbind(c(0.9, 0.1), c(0.2, 0.8)))
  ),
  random(eta ~ mvnormal(c(0, 0), o) | id),
  {
    m <- a + eta[1] + v[1] + v[2] * eta[2] + p[1, 2]
    y ~ normal(m, 1)
  }
)$spec$parameters
natural <- c(1.5, 1, 2, 2, 0.5, 1, 0.9, 0.1, 0.2, 0.8)

test_that("parameters go to the user in their own shape and come back", {
  values <- natural_values(natural, specification)
  expect_equal(values, list(
    a = 1.5, v = c(1, 2), o = rbind(c(2, 0.5), c(0.5, 1)), p = rbind(c(0.9, 0.1), c(0.2, 0.8))
  ))
  expect_equal(natural_elements(values, specification), natural)
  expect_equal(natural_elements(rev(values), specification), natural)
})

test_that("a matrix of one row is still a matrix", {
  one <- list(list(name = "o", type = "covariance_matrix", dim = 1L, value = 4))
  expect_equal(natural_values(3, one), list(o = matrix(3)))
  expect_equal(natural_elements(list(o = matrix(3)), one), 3)
})

test_that("what `mstep_closed_form` returns is checked by name and length", {
  refused <- function(values) {
    tryCatch(natural_elements(values, specification), nlmers_hook = function(condition) condition$answer$message)
  }
  values <- natural_values(natural, specification)
  expect_equal(refused(values[-1]), "`mstep_closed_form` does not return `a`.")
  expect_equal(refused(c(values, b = 1)), "`mstep_closed_form` returns `b`, which is not a parameter.")
  expect_equal(refused(c(values, a = 1)), "`mstep_closed_form` returns `a` twice.")
  expect_equal(refused(c(values, 1)), "`mstep_closed_form` returns a value without a name.")
  expect_equal(refused("a"), "`mstep_closed_form` must return the parameters as a named list or vector.")
  expect_equal(refused(replace(values, "v", list(1:3))), "`mstep_closed_form` gives `v` 3 values; it has 2.")
  expect_match(refused(replace(values, "a", NA_real_)), "gives `a` a value that is not a finite number", fixed = TRUE)
  expect_match(refused(replace(values, "o", list(diag(3)))), "must give `o` a symmetric 2 x 2 matrix", fixed = TRUE)
})
