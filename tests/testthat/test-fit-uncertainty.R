fit <- fit_nlme(theo_formula(), theo, seed = 1, progress = FALSE)
without <- fit_orange(method = saem(smoothing = 0), seed = 1)

test_that("standard errors of theophylline are those of the observed information", {
  # From the Hessian of the log-likelihood by quadrature at its exact maximum.
  exact <- c(ka = 0.3027, V = 1.4707, Cl = 0.2347)
  found <- sqrt(diag(vcov(fit)))[names(exact)]
  expect_lt(max(abs(found / exact - 1)), 0.05)
})

# Minus the log-likelihood of random intercepts and slopes, by the logarithms of the
# SDs, Fisher's z of the correlation and the logarithm of the residual SD.
boys_minus_log_lik <- function(theta, boys) {
  sd <- exp(theta[3:4])
  omega <- tcrossprod(sd) * matrix(c(1, tanh(theta[5]), tanh(theta[5]), 1), 2)
  sum(vapply(split(boys, boys$Subject), function(boy) {
    design <- cbind(1, boy$age)
    covariance <- design %*% omega %*% t(design) + diag(exp(2 * theta[6]), nrow(boy))
    residual <- boy$height - design %*% theta[1:2]
    0.5 * (nrow(boy) * log(2 * pi) + as.numeric(determinant(covariance)$modulus) +
             sum(residual * solve(covariance, residual)))
  }, 0))
}

test_that("SDs and correlations of a linear model have the SEs of its exact likelihood", {
  boys <- as.data.frame(nlme::Oxboys)
  fit <- fit_nlme(
    height ~ base + slope * age, boys, start = c(base = 140, slope = 1),
    random = base + slope ~ 1 | Subject, correlated = TRUE, seed = 1, progress = FALSE
  )
  pairs <- cbind(2, 1)
  sd <- nlmers:::sd_table(fit)
  correlation <- nlmers:::correlation_table(fit, pairs)
  theta <- c(fixef(fit), log(sd$estimate), atanh(correlation$estimate), log(sigma(fit)))
  exact <- sqrt(diag(solve(optimHess(theta, boys_minus_log_lik, boys = boys))))
  found <- c(
    sqrt(diag(vcov(fit)))[c("base", "slope")], sd$se / sd$estimate,
    correlation$se / (1 - correlation$estimate^2), sqrt(vcov(fit)["a", "a"]) / sigma(fit)
  )
  expect_lt(max(abs(found / exact - 1)), 0.05)
  # Bounds on the scale of Fisher's z.
  reach <- atanh(correlation$upper) - atanh(correlation$lower)
  expect_equal(reach / 2, qnorm(0.975) * unname(exact[5]), tolerance = 0.05)
  # Elements of the covariance matrix: symmetric about the estimate.
  bounds <- confint(fit, "omega[2,1]")
  expect_equal(mean(bounds), attr(VarCorr(fit), "covariance")[2, 1])
  reach <- qnorm(0.975) * sqrt(vcov(fit)["omega[2,1]", "omega[2,1]"])
  expect_equal(unname(bounds[1, 2] - mean(bounds)), reach)
})

test_that("vcov has the names of the free parameters and its method", {
  expect_equal(rownames(vcov(fit)), fit$parameters$name)
  expect_equal(colnames(vcov(fit)), fit$parameters$name)
  expect_equal(attr(vcov(fit), "method"), "louis")
  estimate <- fit$parameters$natural
  expect_equal(c(vcov(fit)), c(vcov(fit, "transformed") * tcrossprod(estimate)))
  one <- fit_orange(
    method = short_saem(), seed = 1,
    fix = c(xmid = 700, scal = 350, omega_sd_Asym = 30, sigma = 8)
  )
  expect_equal(dimnames(vcov(one)), list("Asym", "Asym"))
  expect_equal(caught(vcov(fit, "log"))$name, "scale")
})

test_that("bounds are those of the transformed scale, mapped back", {
  bounds <- confint(fit)
  expect_equal(rownames(bounds), fit$parameters$name)
  expect_equal(colnames(bounds), c("2.5 %", "97.5 %"))
  expect_equal(attr(bounds, "method"), "wald")
  # 12 subjects less 3 random effects for the fixed effects.
  quantiles <- ifelse(fit$parameters$role == "fixed", qt(0.975, 9), qnorm(0.975))
  reach <- quantiles * sqrt(diag(vcov(fit, "transformed")))
  expect_equal(bounds[, 1], exp(log(fit$parameters$natural) - reach))
  expect_equal(bounds[, 2], exp(log(fit$parameters$natural) + reach))
  expect_equal(colnames(confint(fit, level = 0.9)), c("5 %", "95 %"))
  expect_equal(confint(fit, "V")[1, ], bounds["V", ])
  expect_equal(rownames(confint(fit, 2:3)), c("V", "Cl"))
})

test_that("each scale has its inverse", {
  expect_equal(nlmers:::natural_of(qlogis(0.3), "logit"), 0.3)
  expect_equal(nlmers:::natural_of(qnorm(0.3), "probit"), 0.3)
  expect_equal(nlmers:::natural_of(-1, "identity"), -1)
  parameters <- list(
    list(name = "p", type = "real", scale = "logit"), list(name = "d", type = "diagonal_matrix"),
    list(name = "omega", type = "covariance_matrix")
  )
  made <- list(model = list(spec = list(parameters = parameters)))
  made$parameters$base <- c("p", "d", "d", "omega")
  expect_equal(nlmers:::element_scales(made), c("logit", "log", "log", NA))
})

test_that("variances give the same SDs as SDs do", {
  blocks <- fit_nlme(theo_blocks(), theo, seed = 1, progress = FALSE)
  expect_equal(nlmers:::sd_table(blocks)$se, nlmers:::sd_table(fit)$se, tolerance = 0.1)
})

test_that("fixed parameters have no interval", {
  fixed <- fit_orange(
    method = short_saem(), seed = 1, fix = c(scal = 340, omega_sd_Asym = 30)
  )
  expect_equal(rownames(confint(fixed)), c("Asym", "xmid", "sigma"))
  expect_equal(rownames(vcov(fixed, method = "linear")), c("Asym", "xmid", "sigma"))
  expect_equal(caught(confint(fixed, "scal"))$reason, "fixed_parameter")
  expect_true(is.na(nlmers:::estimate_table(fixed)["scal", "se"]))
  expect_true(is.na(nlmers:::sd_table(fixed)$se))
})

test_that("arguments of confint are checked", {
  expect_equal(caught(confint(fit, "v"))$hint, "Did you mean `V`?")
  expect_equal(caught(confint(fit, 8))$problem, "`parm` counts beyond the 7 free parameters.")
  expect_equal(caught(confint(fit, level = 95))$name, "level")
  error <- caught(confint(fit, method = "profile"))
  expect_s3_class(error, "nlmers_error_option")
  expect_equal(error$problem, "`method` must be \"wald\".")
})

test_that("standard errors need no smoothing", {
  expect_false(anyNA(vcov(without)))
})

test_that("a fit without a covariance matrix says why and what to do", {
  without$uncertainty <- NULL
  error <- caught(vcov(without))
  expect_s3_class(error, "nlmers_error_option")
  expect_equal(error$reason, "no_uncertainty")
  expect_equal(caught(confint(without))$reason, "no_uncertainty")
  hint <- function(smoothing = 100, n = 1, code = "converged", hooks = NULL) {
    method <- saem(smoothing = smoothing)
    method$options$hooks <- hooks
    made <- list(
      method = method,
      coordinates = list(free = rep(TRUE, n)), status = list(code = code)
    )
    caught(nlmers:::stop_no_uncertainty(made))$hint
  }
  expect_match(hint(hooks = "suffstats"), "start_from")
  expect_match(hint(n = 101), "`fix`")
  expect_match(hint(code = "interrupted"), "run to its end")
  expect_match(hint(smoothing = 0), "smoothing = 100")
  expect_match(hint(), "fix or drop a parameter")
})

test_that("a parameter declared without SE shows none", {
  model <- nlme_model(
    fixed(base = real(140, se = FALSE), slope = 1, omega = positive(c(8, 2)), a = positive(1)),
    random(c(b, s) ~ normal(c(base, slope), omega) | Subject),
    height ~ normal(b + s * age, a)
  )
  fit <- fit_nlme(model, as.data.frame(nlme::Oxboys), short_saem(), seed = 1, progress = FALSE)
  table <- tidy(fit, "fixed")
  expect_equal(is.na(table$std.error), table$term == "base")
})

test_that("which covariance matrix is asked for, and how", {
  expect_identical(vcov(fit, method = "louis"), vcov(fit))
  expect_equal(attr(confint(fit), "vcov"), "louis")
  expect_equal(caught(vcov(fit, method = "hessian"))$name, "method")
  expect_equal(caught(confint(fit, vcov = "hessian"))$name, "vcov")
  expect_equal(caught(vcov(fit, draws = 50))$name, "draws")
  expect_equal(caught(vcov(fit, method = "linear", seed = 5))$name, "seed")
  expect_equal(caught(confint(fit, vcov = "sandwich", draws = 1))$name, "draws")
  by_vem <- as_if_by_vem(fit, se = "none")
  by_vem$uncertainty <- NULL
  error <- caught(vcov(by_vem))
  expect_match(error$problem, "se = \"none\"", fixed = TRUE)
  expect_match(error$hint, "method = \"louis\"", fixed = TRUE)
})

test_that("standard errors by any method are those of the exact likelihood of a linear model", {
  boys <- as.data.frame(nlme::Oxboys)
  boys$Subject <- as.character(boys$Subject)
  fit <- fit_nlme(
    height ~ base + slope * age, boys, vem(se = "none"), start = c(base = 140, slope = 1),
    random = base + slope ~ 1 | Subject, correlated = TRUE, seed = 1, progress = FALSE
  )
  theta <- c(
    fixef(fit), log(VarCorr(fit)$sd), atanh(attr(VarCorr(fit), "correlation")[2, 1]), log(sigma(fit))
  )
  hessian <- optimHess(theta, boys_minus_log_lik, boys = boys)
  scores <- vapply(split(boys, boys$Subject), function(boy) {
    vapply(seq_along(theta), function(k) {
      step <- 1e-5 * (seq_along(theta) == k)
      (boys_minus_log_lik(theta - step, boy) - boys_minus_log_lik(theta + step, boy)) / 2e-5
    }, 0)
  }, theta)
  exact <- list(
    louis = solve(hessian), linear = solve(hessian), sandwich = solve(hessian, tcrossprod(scores)) %*% solve(hessian)
  )
  for (method in names(exact)) {
    found <- sqrt(diag(vcov(fit, method = method, draws = if (method != "linear") 4000)))[c("base", "slope", "a")]
    found[3L] <- found[3L] / sigma(fit)
    wanted <- sqrt(diag(exact[[method]]))[c(1, 2, 6)]
    expect_lt(max(abs(found / wanted - 1)), 0.03)
    expect_equal(attr(confint(fit, vcov = method), "vcov"), method)
  }
  # The sandwich is no inverse information.
  expect_gt(abs(exact$sandwich[6, 6] / exact$louis[6, 6] - 1), 0.02)
})

test_that("a fit by saem() has the same standard errors by draws as by its smoothing", {
  held <- sqrt(diag(vcov(fit)))
  drawn <- sqrt(diag(vcov(fit, method = "louis", draws = 2000, seed = 2)))
  expect_lt(max(abs(drawn / held - 1)), 0.05)
  again <- sqrt(diag(vcov(fit, method = "louis", draws = 2000, seed = 2)))
  expect_identical(again, drawn)
  expect_equal(confint(fit, vcov = "sandwich")["V", 1], unname(exp(
    log(fixef(fit)[["V"]]) - qt(0.975, 9) * sqrt(vcov(fit, "transformed", method = "sandwich")["V", "V"])
  )))
})

test_that("what the data do not tell apart has no standard errors, the rest has them, by every way to ask", {
  data <- withr::with_seed(1, {
    data <- data.frame(id = rep(1:12, each = 5), x = 0:4)
    data$y <- 3 + data$x + rep(stats::rnorm(12), each = 5) + 0.3 * stats::rnorm(60)
    data
  })
  model <- nlme_model(
    fixed(a = 1, b = 2, slope = 1, omega = positive(1), none = positive(1), s = positive(0.5)),
    random(e ~ normal(0, omega) | id, u ~ normal(0, none) | id), y ~ normal(a + b + slope * x + e + u * 1e-4, s)
  )
  fit <- suppressWarnings(fit_nlme(model, data, short_saem(), seed = 1, progress = FALSE))
  expect_equal(fit$status$code, "stalled")
  for (covariance in list(vcov(fit), vcov(fit, method = "louis", seed = 2), vcov(fit, method = "sandwich"))) {
    se <- sqrt(diag(covariance))
    expect_true(all(is.na(se[c("a", "b")])))
    expect_false(anyNA(se[c("slope", "omega", "s")]))
    expect_equal(se[["slope"]], 0.3 / sqrt(12 * 10), tolerance = 0.3)
  }
})

test_that("variances of 0 are left out, also when standard errors are asked for later", {
  data <- withr::with_seed(2, data.frame(id = rep(1:10, each = 6), y = 2 + stats::rnorm(60)))
  data$y <- data$y - stats::ave(data$y, data$id) + 2
  fit <- fit_nlme(
    y ~ a, data, short_saem(), start = c(a = 1), random = a ~ 1 | id, error = add(s = 1), seed = 1, progress = FALSE
  )
  expect_true(converged(fit))
  expect_match(fit$status$evidence, "`omega_sd_a` is 0 at the maximum", all = FALSE)
  for (covariance in list(vcov(fit), vcov(fit, method = "louis", seed = 2))) {
    expect_true(is.na(covariance["omega_sd_a", "omega_sd_a"]))
    expect_equal(sqrt(covariance["a", "a"]), unname(sigma(fit)) / sqrt(60), tolerance = 1e-3)
  }
})
