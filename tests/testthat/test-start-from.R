# Starting where another fit stood.

# Long enough to be stopped twice: progress is told every 20 ms.
long_saem <- function(...) saem(exploration = 5000, smoothing = 100, ...)

# A fit stopped by its progress at the first report, some iterations after the start.
stopped <- function(code) {
  namespace <- asNamespace("nlmers")
  reporter <- namespace$progress_reporter
  set <- function(value) {
    unlockBinding("progress_reporter", namespace)
    assign("progress_reporter", value, namespace)
    lockBinding("progress_reporter", namespace)
  }
  on.exit(set(reporter))
  set(function(...) function(...) FALSE)
  fit <- suppressWarnings(code)
  expect_equal(fit$status$code, "interrupted")
  fit
}

# Everything that was estimated and drawn; the time it took and the call may differ.
results <- function(fit) {
  fit[c(
    "parameters", "coordinates", "covariance", "uncertainty", "log_lik", "trace", "status", "acceptance", "rejected",
    "fitted", "effects", "individual", "others", "chains", "seed", "warnings"
  )]
}

fit_theo <- function(model = theo_formula(), method = long_saem(), ..., seed = 4) {
  fit_nlme(model, theo, method, ..., seed = seed, progress = FALSE)
}

test_that("an interrupted fit goes on as if it had never stopped", {
  whole <- fit_theo(threads = 1)
  expect_null(whole$state)
  part <- stopped(fit_theo(threads = 1))
  expect_type(part$state, "raw")
  expect_lt(nrow(part$trace$value), 5100)
  expect_match(convergence(part)$advice, "start_from", fixed = TRUE)
  again <- stopped(fit_nlme(start_from = part, progress = FALSE))
  expect_gt(nrow(again$trace$value), nrow(part$trace$value))
  expect_identical(again$settings$seed, part$settings$seed)
  rest <- fit_nlme(theo_formula(), theo, start_from = again, threads = 2, progress = FALSE)
  expect_identical(results(rest), results(whole))
  expect_identical(rest$method, whole$method)
  expect_null(rest$state)
})

test_that("fixed and starting values of an interrupted fit need not be said again", {
  set <- function(...) fit_theo(start = c(ka = 2), fix = list("sigma_a", eta_V = c("3" = 0.1)), ...)
  model <- nlme_formula(
    conc ~ one_compartment(dose, Time, ka, V, Cl), start = c(ka = 1, V = 20, Cl = 0.5), transform = "log",
    random = ka + V + Cl ~ 1 | Subject, error = add(sigma_a = 0.8)
  )
  whole <- set(model)
  rest <- fit_nlme(start_from = stopped(set(model)), progress = FALSE)
  expect_identical(results(rest), results(whole))
  expect_identical(rest$settings[c("start", "fix", "levels")], whole$settings[c("start", "fix", "levels")])
})

test_that("a checkpoint is written while the fit runs and at an interrupt, and goes on", {
  path <- withr::local_tempfile(fileext = ".ckp")
  whole <- fit_theo(start = c(ka = 2), checkpoint = path, every = 2500)
  expect_identical(list.files(dirname(path), basename(path)), basename(path))
  expect_identical(results(whole), results(fit_theo(start = c(ka = 2))))
  # From iteration 5000 of 5100; seed and starting values are those of the file.
  rest <- fit_theo(start_from = path, seed = NULL)
  expect_identical(results(rest), results(whole))
  expect_equal(rest$settings$seed, 4)
  part <- stopped(fit_theo(start = c(ka = 2), checkpoint = path))
  expect_identical(readBin(path, "raw", file.size(path)), part$state)
  expect_identical(results(fit_theo(start_from = path, threads = 1)), results(whole))
})

test_that("several groupings go on too", {
  machines <- as.data.frame(nlme::Machines)
  model <- nlme_model(
    fixed(m = 60, oa = positive(3), ob = positive(3), s = positive(1)),
    random(a ~ normal(0, oa) | Worker, b ~ normal(0, ob) | Machine),
    score ~ normal(m + a + b, s)
  )
  run <- function(...) fit_nlme(model, machines, saem(exploration = 600), seed = 1, progress = FALSE, ...)
  whole <- suppressWarnings(run())
  rest <- suppressWarnings(fit_nlme(start_from = stopped(run()), progress = FALSE))
  expect_identical(results(rest), results(whole))
})

test_that("another fit cannot go on from a state", {
  path <- withr::local_tempfile()
  part <- stopped(fit_theo(checkpoint = path))
  refused <- function(...) caught(fit_theo(..., start_from = path))
  error <- refused(theo_formula(correlated = TRUE))
  expect_s3_class(error, "nlmers_error_option")
  expect_equal(error$reason, "other_fit")
  expect_match(error$problem, basename(path), fixed = TRUE)
  expect_match(error$problem, "another model", fixed = TRUE)
  expect_match(refused(start = c(ka = 3))$problem, "other starting values", fixed = TRUE)
  expect_match(refused(fix = "ka")$problem, "other fixed values", fixed = TRUE)
  expect_equal(refused(seed = 5)$reason, "other_seed")
  error <- caught(fit_nlme(theo_formula(), theo[-1, ], start_from = part))
  expect_match(error$problem, "interrupted fit .* other data")
  error <- caught(fit_nlme(theo_formula(), theo, short_saem(), start_from = part))
  expect_match(error$problem, "other options of the method", fixed = TRUE)
  # Without its state it is a fit like any other.
  part$state <- NULL
  expect_message(fit_nlme(
    theo_formula(), theo, short_saem(), start_from = part, seed = 1, progress = FALSE
  ), "estimates of the earlier fit")
})

test_that("a damaged file and a file of something else are told apart", {
  path <- withr::local_tempfile()
  bytes <- stopped(fit_theo())$state
  bytes[200] <- xor(bytes[200], as.raw(1))
  writeBin(bytes, path)
  expect_equal(caught(fit_theo(start_from = path))$reason, "damaged_checkpoint")
  writeLines("not a checkpoint at all", path)
  expect_equal(caught(fit_theo(start_from = path))$reason, "no_checkpoint")
})

test_that("arguments about where to start and what to keep are checked", {
  error <- caught(fit_theo(start_from = 3))
  expect_equal(error$reason, "bad_option")
  expect_match(error$problem, "`start_from` must be a fit or the path", fixed = TRUE)
  error <- caught(fit_theo(start_from = "no/such/file"))
  expect_equal(error$reason, "no_checkpoint")
  expect_match(error$problem, "no/such/file", fixed = TRUE)
  error <- caught(fit_theo(checkpoint = "no/such/folder/fit.ckp"))
  expect_equal(error$reason, "no_folder")
  expect_match(error$problem, "no/such/folder/fit.ckp", fixed = TRUE)
  expect_equal(caught(fit_theo(checkpoint = tempdir()))$reason, "bad_path")
  expect_equal(caught(fit_theo(checkpoint = 3))$reason, "bad_option")
  expect_equal(caught(fit_theo(checkpoint = tempfile(), every = 0))$name, "every")
  expect_equal(caught(fit_theo(every = 10))$reason, "unused_option")
})

test_that("a checkpoint that cannot be written is a warning of the fit", {
  skip_on_os("windows")
  folder <- withr::local_tempdir()
  path <- file.path(folder, "fit.ckp")
  dir.create(file.path(folder, paste0("fit.ckp.", Sys.getpid(), ".part")))
  expect_warning(fit <- fit_theo(checkpoint = path, every = 100), "could not be written")
  expect_true(converged(fit))
  expect_false(file.exists(path))
})

test_that("from a finished fit a few iterations reach the optimum", {
  first <- fit_theo()
  brief <- saem(exploration = 10, smoothing = 50)
  expect_message(
    second <- fit_nlme(theo_formula(), theo, brief, start_from = first, seed = 2, progress = FALSE),
    "`ka`, `V`, `Cl`, `omega_sd_ka`.*12 of 12 levels of `Subject`"
  )
  expect_lt(abs(2 * (as.numeric(logLik(second)) - as.numeric(logLik(first)))), 0.2)
  expect_equal(second$parameters$start, first$parameters$natural)
})

test_that("other models and other data take what they can use", {
  first <- fit_theo()
  half <- theo[theo$Subject %in% c("1", "2", "3"), ]
  model <- theo_formula(covariates = Cl ~ Wt, correlated = TRUE)
  said <- capture_messages(
    fit <- fit_nlme(model, half, short_saem(), start = c(V = 30), start_from = first, seed = 1, progress = FALSE) |>
      suppressWarnings()
  )
  start <- stats::setNames(fit$parameters$start, fit$parameters$name)
  expect_equal(start[["ka"]], fixef(first)[["ka"]])
  expect_equal(start[["V"]], 30)
  expect_equal(start[["beta_Cl_Wt"]], 0)
  expect_match(said, "not of the same kind: `beta_Cl_Wt`, `omega`", fixed = TRUE, all = FALSE)
  expect_match(said, "3 of 3 levels of `Subject`", fixed = TRUE, all = FALSE)
  expect_no_match(said, "`V`", fixed = TRUE)
})

test_that("a value a parameter cannot have is not taken", {
  parameter <- function(...) {
    utils::modifyList(list(type = "real", scale = "identity", value = 1, lower = NULL, upper = NULL), list(...))
  }
  can_start <- function(values, parameter) nlmers:::can_start(values, parameter, parameter)
  expect_true(can_start(-2, parameter()))
  expect_false(can_start(-2, parameter(scale = "log")))
  expect_false(can_start(2, parameter(scale = "logit")))
  expect_true(can_start(2, parameter(scale = "logit", lower = 0, upper = 3)))
  expect_false(can_start(-2, parameter(lower = -1)))
  expect_false(can_start(c(1, 2), parameter()))
  expect_false(can_start(NaN, parameter()))
})

test_that("a formula takes its start from the fit, also by update()", {
  first <- fit_nlme(
    circumference ~ Asym / (1 + exp(-(age - xmid) / scal)), orange, short_saem(),
    start = c(Asym = 170, xmid = 700, scal = 350), random = Asym ~ 1 | Tree, error = add(sigma = 8),
    seed = 3, progress = FALSE
  )
  said <- capture_messages(
    fit <- stats::update(first, start = NULL, start_from = first)
  )
  expect_match(said, "`Asym`, `xmid`, `scal`", fixed = TRUE, all = FALSE)
  expect_equal(fit$parameters$start, first$parameters$natural)
  said <- capture_messages(fit <- stats::update(first, start_from = first))
  expect_equal(fit$parameters$start[1:3], c(170, 700, 350))
  expect_match(said, "fit: `omega_sd_Asym`, `sigma`.", fixed = TRUE, all = FALSE)
})

test_that("a model of saemix starts from a fit too", {
  line <- function(psi, id, xidep) psi[id, 1] + psi[id, 2] * xidep[, 1]
  model <- saemix_model(line, c(base = 140, slope = 1), covariance.model = matrix(1, 2, 2))
  data <- saemix_data(
    as.data.frame(nlme::Oxboys), name.group = "Subject", name.predictors = "age", name.response = "height"
  )
  path <- withr::local_tempfile()
  whole <- fit_nlme(model, data, long_saem(), seed = 1, progress = FALSE)
  part <- stopped(fit_nlme(model, data, long_saem(), seed = 1, checkpoint = path, progress = FALSE))
  rest <- fit_nlme(model, data, start_from = part, progress = FALSE)
  expect_identical(results(rest), results(whole))
  expect_identical(results(fit_nlme(model, data, long_saem(), start_from = path, progress = FALSE)), results(whole))
})

test_that("a fit with functions of the user leaves no state and takes none", {
  turns <- function(n, iter, rng) seq_len(n)
  method <- long_saem(update_schedule = turns)
  run <- function(...) fit_nlme(theo_formula(), theo, method, seed = 1, progress = FALSE, ...)
  path <- withr::local_tempfile()
  error <- caught(run(checkpoint = path))
  expect_equal(error$reason, "checkpoint_hooks")
  expect_match(error$problem, "`update_schedule`", fixed = TRUE)
  expect_false(file.exists(path))
  expect_null(stopped(run())$state)
})

test_that("between the methods it is conditional means that are lent", {
  fit <- fit_nlme(theo_formula(), theo, short_saem(), seed = 1, progress = FALSE)
  bound <- nlmers:::rebind_data(fit)
  lent <- function(from, method) {
    suppressMessages(nlmers:::lent_by(from, fit$model, bound, character(), method))$first[[1L]]$values
  }
  expect_equal(as.numeric(lent(fit, saem())), fit$effects$modes[, 1L])
  expect_equal(as.numeric(lent(fit, vem())), fit$effects$cond_mean[, 1L])
  expect_equal(as.numeric(lent(as_if_by_vem(fit), saem())), fit$effects$cond_mean[, 1L])
  expect_message(
    nlmers:::lent_by(fit, fit$model, bound, character(), vem()), "The approximations of 12 of 12 levels of `Subject`"
  )
})

test_that("each method starts where the other stood", {
  by_vem <- fit_nlme(theo_formula(), theo, vem(), seed = 1, progress = FALSE)
  by_saem <- suppressMessages(fit_nlme(theo_formula(), theo, short_saem(), start_from = by_vem, seed = 1))
  expect_true(converged(by_saem))
  again <- suppressMessages(fit_nlme(theo_formula(), theo, vem(), start_from = by_saem, seed = 1))
  # It starts beside the maximum.
  expect_lt(abs(again$trace$objective[1L] - again$elbo$fitted), 0.5)
  expect_gt(abs(by_vem$trace$objective[1L] - by_vem$elbo$fitted), 5)
  expect_equal(fixef(again), fixef(by_vem), tolerance = 1e-3)
})

test_that("vem() has no state to go on with", {
  error <- caught(fit_nlme(theo_formula(), theo, vem(), checkpoint = tempfile()))
  expect_equal(error[c("reason", "name")], list(reason = "no_state", name = "checkpoint"))
  path <- withr::local_tempfile(lines = "x")
  expect_equal(caught(fit_nlme(theo_formula(), theo, vem(), start_from = path))$name, "start_from")
})

test_that("vem() goes on where saem() ended, and saem() where vem() ended", {
  start_from <- function(fit, method) {
    suppressMessages(fit_nlme(theo_formula(), theo, method, start_from = fit, seed = 2, progress = FALSE))
  }
  by_saem <- fit_theo(method = saem())
  by_vem <- fit_theo(method = vem())
  vem_again <- start_from(by_saem, vem())
  expect_equal(vem_again$parameters$start, by_saem$parameters$natural)
  # The first sweep is at the top already; from the starting values of the model it is 50 below.
  expect_gt(vem_again$trace$objective[1L], max(by_vem$trace$objective[by_vem$trace$phase != "polish"]) - 0.05)
  expect_lt(by_vem$trace$objective[1L], vem_again$trace$objective[1L] - 20)
  expect_lt(abs(2 * as.numeric(logLik(vem_again, nodes = 11) - logLik(by_vem, nodes = 11))), 0.01)
  # Too few iterations to get there from the starting values of the model.
  brief <- saem(exploration = 5, smoothing = 20)
  saem_again <- start_from(by_vem, brief)
  expect_equal(saem_again$parameters$start, by_vem$parameters$natural)
  expect_lt(abs(2 * as.numeric(logLik(saem_again, nodes = 11) - logLik(by_vem, nodes = 11))), 0.1)
  expect_true(converged(saem_again))
})

test_that("the approximations of vem() start at the conditional means that are lent", {
  model <- nlme_model(
    fixed(m = 2, omega_sd = positive(0.5), sigma = positive(0.1)),
    random(eta ~ normal(0, omega_sd) | id),
    y ~ normal((m + eta)^2, sigma)
  )
  data <- data.frame(id = rep(1:6, each = 4))
  data$y <- withr::with_seed(1, (2 + 0.5 * stats::rnorm(6)[data$id])^2 + 0.1 * stats::rnorm(24))
  run <- function(method, ...) {
    suppressMessages(fit_nlme(model, data, method, seed = 1, fix = c("m", "omega_sd"), progress = FALSE, ...))
  }
  # The square hides the sign: every subject has a second mode at -(m + eta).
  lender <- run(saem(log_lik = FALSE))
  lender$effects$cond_mean <- -4 - lender$effects$cond_mean
  one_sweep <- vem(sweeps = 1, maxiters = 1, polish = FALSE, se = "none", log_lik = "none")
  led <- suppressWarnings(run(one_sweep, start_from = lender))
  free <- suppressWarnings(run(one_sweep))
  # The mirrored modes lie lower, and the run leaves them when it starts its approximations again.
  expect_lt(led$trace$objective[1L], free$trace$objective[1L] - 1)
  expect_gt(min(led$q$mean[seq_len(6)]), -2)
})
