fit <- fit_orange(method = short_saem(), seed = 1)

test_that("the objective is the last of the trace", {
  expect_equal(objective(fit), fit$trace$objective[200L])
  expect_equal(caught(objective(3))$reason, "bad_fit")
})

test_that("notes say which closed forms were used", {
  made <- notes(fit)
  expect_true(made$closed_form_mstep_used)
  expect_equal(made$closed_form_mstep_mode, "hybrid")
  expect_equal(made$closed_form_mstep_sources, "builtin_stats")
  expect_equal(made$builtin_stats_mode_effective, "closed_form")
  table <- made$builtin_stats_closed_form_eligibility
  expect_equal(table$parameter[table$eligible], c("Asym", "omega_sd_Asym", "sigma"))
  expect_equal(is.na(table$reason), table$eligible)
  expect_equal(made$anneal_to_fixed, character())
})

test_that("the mode goes by the routes", {
  mode <- function(routes, hooks = character(), stats = "auto") {
    fit$parameters$route <- routes
    fit$method$options[c("hooks", "builtin_stats")] <- list(hooks, stats)
    made <- notes(fit)
    list(made$closed_form_mstep_mode, made$closed_form_mstep_sources)
  }
  closed <- "closed form"
  expect_equal(mode(rep("score", 5L)), list("numeric_only", character()))
  expect_equal(mode(c(closed, closed, "fixed", closed, closed)), list("closed_form_only", "builtin_stats"))
  expect_equal(mode(c("numeric", closed, closed, closed, closed)), list("hybrid", "builtin_stats"))
  expect_equal(mode(rep("score", 5L), "mstep_closed_form"), list("closed_form_only", "custom_mstep_closed_form"))
})

test_that("parameters of hidden chains are not eligible, with their reason", {
  model <- nlme_model(
    fixed(stay = probability(0.8), low = 0, high = 3, s = positive(1), omega = positive(0.5)),
    random(eta ~ normal(0, omega) | id),
    {
      p <- stay
      y ~ hmm(rbind(c(p, 1 - p), c(1 - p, p)), normal(c(low + eta, high), s), c(0.5, 0.5))
    }
  )
  reasons <- nlmers:::hidden_chain_reasons(model$spec)
  expect_equal(reasons[c("stay", "low", "s")], c(
    stay = "hmm_transition_mapping_not_supported_builtin", low = "hmm_emission_mapping_not_supported_builtin",
    s = "hmm_emission_mapping_not_supported_builtin"
  ))
  expect_false("omega" %in% names(reasons))
})

test_that("diagnostics have one row an iteration", {
  table <- notes(fit)$diagnostics
  expect_equal(table$gain, fit$trace$gain)
  expect_equal(table$phase, fit$trace$phase)
  theta <- cbind(fit$trace$value[, 1:3], log(fit$trace$value[, 4:5]))
  moved <- max(abs(theta[8L, ] - theta[7L, ]))
  expect_equal(table$dtheta_abs[8L], moved)
  expect_equal(table$dtheta_rel[8L], moved / max(1, abs(theta[7L, ])))
  expect_equal(table$dQ_abs[8L], abs(diff(fit$trace$objective[7:8])))
  expect_equal(table$dQ_rel[8L], abs(diff(fit$trace$objective[7:8])) / max(1, abs(fit$trace$objective[7L])))
  expect_true(is.na(table$dtheta_abs[1L]))
  expect_equal(unique(table$n_updated), 5)
  expect_equal(unique(table$n_chains_used), 10L)
  expect_false(any(table$anneal_active))
  # Half of the exploration.
  annealed <- fit_orange(method = short_saem(sa_anneal_schedule = "rate"), seed = 1)
  expect_equal(which(notes(annealed)$diagnostics$anneal_active), 1:50)
})

test_that("the iterations of the annealing follow the options", {
  annealed <- function(...) nlmers:::annealed_iterations(suppressWarnings(saem(...))$options)
  expect_equal(annealed(sa_anneal_schedule = "none"), 0)
  expect_equal(annealed(sa_anneal_iters = 7), 7)
  expect_equal(annealed(sa_anneal_schedule = "linear", sa_schedule = "power", maxiters = 200), 60)
  expect_equal(annealed(sa_schedule = "power", maxiters = 200), 0)
  expect_equal(annealed(sa_schedule = "power", maxiters = 200, sa_anneal_schedule = "rate"), 75)
  gains <- function(iter, opts) if (iter < 3) 0 else min(1, 8 / iter)
  expect_equal(annealed(sa_schedule = gains, maxiters = 20, sa_anneal_schedule = "rate"), 4)
})

test_that("batches that share levels are counted once, and those drawn for are", {
  data <- data.frame(id = rep(1:8, each = 2), site = rep(1:2, each = 8), t = 0:1)
  data$y <- withr::with_seed(1, stats::rnorm(16, data$t))
  model <- nlme_model(
    fixed(a = 0, b = 1, s = positive(1)), random(eta ~ normal(0, 1) | id, u ~ normal(0, 1) | site),
    y ~ normal(a + b * t + eta + u, s)
  )
  made <- function(...) {
    suppressWarnings(fit_nlme(model, data, saem(4, 2, log_lik = FALSE, ...), seed = 1, progress = FALSE))
  }
  both <- made(polish = FALSE)
  expect_equal(nlmers:::count_batches(both), 2)
  expect_equal(notes(both)$diagnostics$n_updated, rep(2, 6L))
  expect_equal(notes(made(update_schedule = 1, polish = FALSE))$diagnostics$n_updated, rep(1, 6L))
  # All of them take part in the way to the maximum.
  polished <- notes(made(update_schedule = 1))$diagnostics
  expect_gt(nrow(polished), 6L)
  expect_equal(polished$n_updated, ifelse(polished$phase == "polish", 2, 1))
})

test_that("what vem() does not have is missing in its notes", {
  fit <- as_if_by_vem(fit_orange(method = short_saem(), seed = 1))
  made <- notes(fit)
  expect_equal(made$builtin_stats_mode_requested, "auto")
  expect_length(made$anneal_to_fixed, 0L)
  expect_true(all(is.na(made$diagnostics$gain)))
  expect_true(all(is.na(made$diagnostics$n_chains_used)))
  expect_false(any(made$diagnostics$anneal_active))
  expect_equal(unique(made$diagnostics$n_updated), 5)
  fit$method <- vem(optimizer = adam(), batch_size = 2)
  expect_equal(unique(notes(fit)$diagnostics$n_updated), 2)
})
