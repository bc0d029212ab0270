# Parameters are recovered from data simulated at them.

test_that("estimates lie within 3 standard errors of the truth", {
  skip_on_cran()
  gallery <- Filter(function(case) case$recovers, whole_gallery())
  for (name in names(gallery)) {
    case <- gallery[[name]]
    data <- simulate(case$model, data = case$data, seed = 11)
    fit <- suppressWarnings(fit_nlme(case$model, data, seed = 1))
    table <- fit$parameters[c("name", "start", "natural")]
    error <- sqrt(diag(vcov(fit)))[table$name]
    free <- !is.na(error) & error > 0
    distance <- (abs(table$natural - table$start) / error)[free]
    expect_true(converged(fit), label = paste(name, "converged"))
    expect_lt(max(distance), 3, label = paste(name, table$name[free][which.max(distance)]))
  }
})
