fit <- fit_nlme(theo_formula(), theo, short_saem(), seed = 1, progress = FALSE)

test_that("a fit prints in at most 30 lines with its numbers", {
  lines <- capture.output(print(fit))
  expect_lte(length(lines), 30L)
  text <- paste(lines, collapse = "\n")
  expect_match(text, "120 observations of `conc` in 12 subjects (`Subject`)", fixed = TRUE)
  expect_match(text, "seed 1", fixed = TRUE)
  expect_match(text, formatC(as.numeric(logLik(fit)), format = "f", digits = 2), fixed = TRUE)
  expect_match(text, "Residual error: a = ", fixed = TRUE)
})

test_that("fixed effects have their SE, RSE and interval", {
  lines <- capture.output(print(fit))
  expect_true(any(grepl("estimate +SE +RSE % +95 % interval", lines)))
  row <- strsplit(trimws(lines[grep("^  V ", lines)[1L]]), " +")[[1L]]
  se <- sqrt(vcov(fit)["V", "V"])
  shown <- nlmers:::format_numbers(c(fixef(fit)["V"], se, confint(fit, "V")), 4)
  rse <- nlmers:::format_numbers(100 * se / fixef(fit)["V"], 3)
  expect_equal(row, c("V", shown[1:2], rse, sprintf("[%s,", shown[3]), sprintf("%s]", shown[4])))
  fit$uncertainty <- NULL
  expect_false(any(grepl("SE|interval", capture.output(print(fit)))))
})

test_that("a fixed parameter has its note and no SE, an estimate of 0 no RSE", {
  fixed <- fit_orange(method = short_saem(), seed = 1, fix = c(scal = 340))
  expect_match(capture.output(print(fixed)), "scal +340.0 +\\(fixed\\)$", all = FALSE)
  expect_equal(nlmers:::relative_se(data.frame(estimate = c(0, -2), se = 1)), c(NA, 50))
})

test_that("a fit by vem() says how, with its bound and the error of its likelihood", {
  lines <- capture.output(print(as_if_by_vem(fit)))
  expect_lte(length(lines), 30L)
  expect_equal(lines[1L], "Nonlinear mixed effects model fitted by VEM (full-rank Gaussian, polished)")
  expect_match(lines[3L], "^Converged after 200 iterations, 2 points of cubature, seed 1$")
  expect_match(lines, "^Log-likelihood -.*importance sampling, 1000 draws, Monte-Carlo error 0.012[)]$", all = FALSE)
  expect_match(lines, "^ELBO -[0-9.]+ [(]lower bound", all = FALSE)
  plain <- as_if_by_vem(fit, family = "mean_field", polish = FALSE)
  expect_match(capture.output(print(plain))[1L], "VEM (mean-field Gaussian)", fixed = TRUE)
  plain$log_lik <- NULL
  expect_match(capture.output(print(plain)), "^Log-likelihood not computed", all = FALSE)
})

test_that("the error of the likelihood is shown where it is seen, and what was sampled", {
  shown <- function(...) {
    known <- utils::modifyList(fit$log_lik, list(...))
    nlmers:::likelihood_method(structure(known$value, method = known$method, nodes = known$nodes, error = known$error,
                                         sampled = known$sampled))
  }
  expect_equal(shown(nodes = 15, error = 0.004), "quadrature, 15 nodes per dimension")
  expect_equal(shown(nodes = 15, error = 0.234), "quadrature, 15 nodes per dimension, error 0.23")
  expect_equal(
    shown(method = "quadrature+importance", nodes = 29, error = 0.02, sampled = 3),
    "quadrature, 29 nodes per dimension, 3 terms by importance sampling, error 0.02"
  )
})

# The fit as if every table were many times longer.
enlarged <- function(fit, n_warnings) {
  rows <- rep(1:3, 8)
  for (field in names(fit$parameters)) {
    fit$parameters[[field]] <- c(fit$parameters[[field]], fit$parameters[[field]][rows])
  }
  fit$parameters$name <- make.unique(fit$parameters$name)
  many <- rep(1:3, 4)
  fit$effects <- lapply(fit$effects, function(x) if (is.matrix(x)) x[, many] else x)
  fit$effects$name <- paste0("eta", seq_along(many))
  fit$covariance <- list(
    names = fit$effects$name, groups = rep("id", length(many)),
    value = diag(diag(fit$covariance$value)[many])
  )
  fit$warnings <- rep("a warning", n_warnings)
  fit
}

test_that("many parameters are cut to 30 lines", {
  for (n_warnings in c(0, 1, 3, 9)) {
    expect_lte(length(capture.output(print(as_if_by_vem(enlarged(fit, n_warnings))))), 30L)
    lines <- capture.output(print(enlarged(fit, n_warnings)))
    expect_lte(length(lines), 30L)
    expect_length(grep("more, see summary()", lines, fixed = TRUE), 2L + (n_warnings > 3))
    expect_equal(any(grepl("Warning: a warning", lines)), n_warnings > 0)
  }
})

test_that("labels and units are shown", {
  model <- nlme_model(
    fixed(
      Asym = real(170, label = "asymptote", unit = "mm"), xmid = 700, scal = 350,
      omega = positive(30), sigma = positive(8)
    ),
    random(eta ~ normal(0, omega) | Tree),
    {
      top <- Asym + eta
      circumference ~ normal(top / (1 + exp(-(age - xmid) / scal)), sigma)
    }
  )
  shown <- capture.output(print(fit_nlme(model, orange, short_saem(), seed = 1, progress = FALSE)))
  expect_true(any(grepl("asymptote (mm)", shown, fixed = TRUE)))
})

test_that("numbers have their significant digits, missing ones are blank", {
  expect_equal(
    nlmers:::format_numbers(c(a = 1.23456, NA, 12, 123), 3), c("1.23", "", "12.0", "123")
  )
})

test_that("a fit without a fixed effect is shown and lends its estimates", {
  data <- data.frame(id = rep(1:20, each = 3), n = rep(1:20 %% 5, each = 3) + rep(0:2, 20))
  model <- nlme_model(fixed(o = positive(1)), random(e ~ normal(0, o) | id), n ~ poisson(exp(e)))
  fit <- fit_nlme(model, data, short_saem(), seed = 1, progress = FALSE)
  expect_match(paste(capture.output(print(fit), print(summary(fit))), collapse = "\n"), "Random effects")
  expect_no_error(suppressMessages(fit_nlme(model, data, short_saem(), start_from = fit, progress = FALSE)))
})
