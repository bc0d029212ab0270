fit <- as_if_by_vem(fit_nlme(theo_formula(), theo, short_saem(), seed = 1, progress = FALSE))

status_of <- function(fit) {
  table <- health(fit)
  stats::setNames(table$status, table$check)
}

test_that("a sound fit has nothing to note", {
  table <- health(fit)
  expect_s3_class(table, c("nlme_health", "data.frame"), exact = TRUE)
  expect_named(table, c("check", "value", "detail", "status", "advice"))
  expect_equal(unique(table$advice[table$status == "ok"]), "")
  well <- c(
    "convergence", "bound gap", "Pareto k", "effective sample size", "Monte-Carlo error", "modes", "small SD", "bounds",
    "standard errors", "residual error"
  )
  expect_equal(unique(table$status[table$check %in% well]), "ok")
  expect_true(all(well %in% table$check))
  lines <- capture.output(print(table))
  expect_match(lines[1L], "^convergence +ok +Converged after")
  expect_true(all(nchar(lines) <= 100L))
  expect_match(capture.output(print(table[2:3, c("check", "status")]))[1L], "^ +check status$")
  expect_length(capture.output(print(table[table$status == "problem", ])), 0L)
})

test_that("numbers of each subject are at hand", {
  batches <- health(fit, by = "subject")
  expect_named(batches, c("batch", "log_lik", "mc_error", "ess", "khat", "elbo", "gap"))
  expect_setequal(batches$batch, levels(theo$Subject))
  expect_equal(batches$gap, rep(0.01, 12))
  expect_equal(caught(health(fit, by = "id"))$name, "by")
})

test_that("what the importance weights show is told", {
  sick <- fit
  sick$importance$khat[3] <- 0.8
  expect_equal(status_of(sick)[["Pareto k"]], "note")
  sick$importance$khat[4:5] <- 0.75
  expect_equal(status_of(sick)[["Pareto k"]], "problem")
  sick$importance$khat <- rep(NaN, 12)
  expect_equal(status_of(sick)[["Pareto k"]], "note")
  sick$importance$ess[7] <- 80
  expect_equal(status_of(sick)[["effective sample size"]], "note")
  sick$importance$ess[7] <- 8
  table <- health(sick)
  expect_equal(table$status[table$check == "effective sample size"], "problem")
  expect_match(table$detail[table$check == "effective sample size"], sick$effects$labels[7])
  sick$importance$mc_error[1] <- 0.5
  expect_equal(status_of(sick)[["Monte-Carlo error"]], "note")
})

test_that("a wide gap is worse where the estimates depend on it", {
  wide <- fit
  wide$elbo$subjects <- wide$importance$log_lik - 1
  expect_equal(status_of(wide)[["bound gap"]], "note")
  wide$method <- vem(polish = FALSE)
  table <- health(wide)
  expect_equal(table$status[table$check == "bound gap"], "problem")
  expect_match(table$advice[table$check == "bound gap"], "polish = TRUE", fixed = TRUE)
  expect_match(capture.output(print(table)), "bound gap +1([.]00)? +PROBLEM", all = FALSE)
})

test_that("a likelihood below its bound, or far from another way to compute it, is told", {
  sick <- fit
  sick$elbo$subjects[2] <- sick$importance$log_lik[2] + 0.5
  table <- health(sick)
  row <- table[table$check == "lower bound", ]
  expect_equal(row$value, 1)
  expect_equal(row$status, "problem")
  expect_match(row$detail, sick$effects$labels[2])
  expect_equal(status_of(fit)[["lower bound"]], "ok")
  expect_false("likelihood" %in% names(status_of(fit)))
  by_nodes <- fit
  by_nodes$log_lik$method <- "quadrature"
  expect_equal(status_of(by_nodes)[["likelihood"]], "ok")
  by_nodes$log_lik$value <- by_nodes$log_lik$value + 0.5
  expect_equal(status_of(by_nodes)[["likelihood"]], "note")
  by_nodes$log_lik$value <- by_nodes$log_lik$value + 2
  expect_equal(status_of(by_nodes)[["likelihood"]], "problem")
  by_nodes$log_lik$error <- 1
  expect_equal(status_of(by_nodes)[["likelihood"]], "ok")
})

test_that("random effects that collapse, coincide or hide are told", {
  sick <- fit
  sick$covariance$value[2, 2] <- 1e-8
  expect_equal(status_of(sick)[["small SD"]], "problem")
  sick$covariance$value[2, 2] <- 25e-6
  expect_equal(status_of(sick)[["small SD"]], "note")
  twins <- fit
  sd <- sqrt(diag(twins$covariance$value))
  twins$covariance$value[1, 2] <- twins$covariance$value[2, 1] <- 0.97 * sd[1] * sd[2]
  expect_equal(status_of(twins)[c("correlation", "condition of Omega")], c(
    correlation = "note", `condition of Omega` = "ok"
  ))
  twins$covariance$value[1, 2] <- twins$covariance$value[2, 1] <- -0.9999 * sd[1] * sd[2]
  expect_equal(status_of(twins)[["correlation"]], "problem")
  expect_equal(status_of(twins)[["condition of Omega"]], "problem")
  hidden <- fit
  hidden$effects$modes <- hidden$effects$typical + 0.3 * (hidden$effects$modes - hidden$effects$typical)
  expect_equal(status_of(hidden)[["shrinkage"]], "note")
  hidden$effects$mode_converged[2] <- FALSE
  expect_equal(status_of(hidden)[["modes"]], "note")
})

test_that("parameters at a bound, or that the data do not tell, are told", {
  sick <- fit
  sick$method <- vem(lb = c(ka = log(fixef(fit)[["ka"]])))
  sick$method$options$lb <- list(list("ka", I(log(fixef(fit)[["ka"]]))))
  table <- health(sick)
  expect_equal(table$detail[table$check == "bounds"], "`ka`")
  expect_equal(table$status[table$check == "bounds"], "note")
  bounded <- fit
  bounded$model$spec$parameters[[2L]]$upper <- fixef(fit)[["V"]]
  expect_equal(health(bounded)$detail[table$check == "bounds"], "`V`")
  sick$uncertainty$natural <- 100 * sick$uncertainty$natural
  expect_equal(status_of(sick)[["RSE"]], "note")
  sick$uncertainty <- NULL
  expect_equal(status_of(sick)[c("standard errors", "RSE")], c(`standard errors` = "note", RSE = "ok"))
  sick$parameters$natural[sick$parameters$role == "residual"] <- 1e-5
  expect_equal(status_of(sick)[["residual error"]], "problem")
})

test_that("a fit that did not converge says so first", {
  short <- suppressWarnings(fit_orange(method = saem(exploration = 3, smoothing = 2, polish = FALSE), seed = 1))
  table <- health(as_if_by_vem(short))
  expect_equal(table$status[1L], "problem")
  expect_match(table$detail[1L], "Not converged after 5 iterations")
})

test_that("a fit by saem() has its health by importance draws at its estimates", {
  by_saem <- fit_nlme(theo_formula(), theo, short_saem(), seed = 1, progress = FALSE)
  table <- health(by_saem)
  expect_false("bound gap" %in% table$check)
  expect_equal(unique(table$status), "ok")
  batches <- health(by_saem, by = "subject", draws = 500, seed = 2)
  expect_named(batches, c("batch", "log_lik", "mc_error", "ess", "khat"))
  total <- logLik(by_saem, method = "importance", draws = 500, seed = 2)
  expect_equal(sum(batches$log_lik), as.numeric(total))
  expect_true(all(batches$ess <= 500 & batches$ess > 50))
  by_vem <- fit_nlme(theo_formula(), theo, vem(polish = FALSE), seed = 1, progress = FALSE)
  expect_equal(health(by_vem, by = "subject")$log_lik, by_vem$importance$log_lik)
  expect_false(identical(health(by_vem, by = "subject", seed = 9)$log_lik, by_vem$importance$log_lik))
})

test_that("levels that share rows are one batch", {
  model <- nlme_model(
    fixed(a = 0.5, sigma = positive(0.3), omega = positive(c(0.5, 0.5))),
    random(eta_id ~ normal(0, omega[1]) | id), random(eta_site ~ normal(0, omega[2]) | site),
    y ~ normal(a + eta_id + eta_site, sigma)
  )
  data <- expand.grid(t = 1:3, id = 1:12)
  data$site <- rep(1:4, each = 9)
  data$y <- withr::with_seed(1, stats::rnorm(36, 0.5 + stats::rnorm(12, 0, 0.5)[data$id], 0.3))
  fit <- suppressWarnings(fit_nlme(model, data, vem(), id = "id", seed = 1, progress = FALSE))
  batches <- health(fit, by = "subject")
  expect_equal(batches$batch, as.character(1:4))
  expect_equal(sum(batches$elbo), as.numeric(elbo(fit)))
  expect_match(capture.output(print(health(fit))), "batch [1-4] lowest", all = FALSE)
})
