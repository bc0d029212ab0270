# nolint start: object_name_linter. Names as in the documentation of saemix.

test_that("individual parameters are those of the model function's arguments", {
  fit <- theo_saemix_fit()
  individual <- psi(fit)
  expect_equal(dimnames(individual), list(fit$data$labels, c("ka", "V", "CL")))
  expect_equal(individual[, "ka"], setNames(coef(fit)$ka, rownames(coef(fit))))
  expect_equal(individual[, "CL"], setNames(coef(fit)$CL, rownames(coef(fit))))
  # A parameter without a random effect is that of the population.
  expect_equal(unname(individual[, "V"]), rep(fixef(fit)[["V"]], 12))
  expect_equal(phi(fit), log(individual))
  weight <- theo$Wt[match(fit$data$labels, theo$Subject)]
  expect_equal(
    unname(phi(fit)[, "CL"]),
    log(fixef(fit)[["CL"]]) + fixef(fit)[["beta_CL_Wt"]] * weight + ranef(fit)$eta_CL
  )
  expect_equal(unname(eta(fit)[, "ka"]), ranef(fit)$eta_ka)
  expect_equal(unname(eta(fit, "mean")[, "CL"]), ranef(fit, type = "mean")$eta_CL)
  expect_equal(unname(eta(fit)[, "V"]), rep(0, 12))
  # What the model function makes of them are the fitted values.
  frame <- fit$data$frame
  id <- match(frame$Subject, rownames(individual))
  expect_equal(
    unname(model1cpt(individual, id, as.matrix(frame[c("dose", "Time")]))), unname(fitted(fit)), tolerance = 1e-6
  )
})

test_that("every scale of transform.par is gone there and back", {
  values <- cbind(a = c(-1, 2), b = c(0.5, 3), c = c(0.1, 0.9), d = c(0.2, 0.7))
  scales <- c("identity", "log", "probit", "logit")
  there <- nlmers:::on_scale(values, scales, "to")
  expect_equal(there[, "c"], qnorm(values[, "c"]))
  expect_equal(there[, "d"], log(values[, "d"] / (1 - values[, "d"])))
  expect_equal(nlmers:::on_scale(there, scales, "from"), values)
})

test_that("draws of the individual parameters have the conditional means", {
  fit <- conddist.saemix(theo_saemix_fit(), nsamp = 200)
  draws <- fit["results"]["phi.samp"]
  expect_equal(dim(draws), c(12L, 3L, 200L))
  expect_equal(dimnames(draws)[[2]], c("ka", "V", "CL"))
  spread <- sqrt(fit["results"]["cond.var.phi"][, "CL"] / 200)
  off <- (apply(draws[, "CL", ], 1, mean) - phi(fit, "mean")[, "CL"]) / spread
  expect_lt(max(abs(off)), 5)
  expect_equal(fit["results"]["psi.samp"][, "ka", ], exp(draws[, "ka", ]))
  expect_equal(caught(theo_saemix_fit()["results"]["phi.samp"])$reason, "not_computed")
  expect_message(conddist.saemix(theo_saemix_fit(), nsamp = 200, max.iter = 5), "`max.iter`", fixed = TRUE)
})

test_that("a fit of another door is told what to write", {
  fit <- suppressWarnings(fit_nlme(
    circumference ~ top / (1 + exp(-(age - 700) / 350)), Orange, start = c(top = 170), random = top ~ 1 | Tree,
    method = saem(20, 10), seed = 1, progress = FALSE
  ))
  expect_match(caught(psi(fit))$hint, "coef(fit)", fixed = TRUE)
  expect_match(caught(eta(fit))$hint, "ranef(fit)", fixed = TRUE)
  expect_match(caught(conddist.saemix(fit))$hint, "conditional_samples(fit)", fixed = TRUE)
  expect_equal(caught(psi(1))$reason, "bad_fit")
})

test_that("a fit holds no function and comes back from a file", {
  fit <- theo_saemix_fit()
  path <- withr::local_tempfile(fileext = ".rds")
  saveRDS(fit, path)
  expect_equal(readRDS(path), fit)
  expect_lt(file.size(path), 2e5)
  expect_false(any(rapply(unclass(fit$saemix), is.function, how = "unlist")))
  expect_equal(psi(readRDS(path)), psi(fit))
})

# nolint end
