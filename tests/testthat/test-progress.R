test_that("without a reader there is no reporter", {
  skip_if(isNamespaceLoaded("progressr"))
  expect_null(nlmers:::progress_reporter(FALSE))
})

test_that("the bar takes every report", {
  withr::local_options(cli.progress_show_after = 0, cli.dynamic = FALSE)
  report <- function() {
    reporter <- nlmers:::bar_reporter(environment())
    for (k in 1:3) reporter(k, 3, "exploration", 1, -100.5)
    TRUE
  }
  expect_true(suppressMessages(report()))
})

test_that("verbose says one line a report", {
  report <- nlmers:::progress_reporter(FALSE, TRUE)
  expect_message(report(3, 10, "exploration", 1, -100.5), "iteration 3 of 10, exploration, gain 1, objective -100.5")
  expect_message(
    suppressWarnings(fit_orange(method = saem(3, 1, verbose = TRUE, polish = FALSE), seed = 1)),
    "iteration 4 of 4, smoothing"
  )
})

test_that("progressr is told of every step", {
  skip_if_not_installed("progressr")
  withr::local_options(progressr.enable = TRUE)
  steps <- 0
  withCallingHandlers(
    {
      reporter <- nlmers:::progressr_reporter(environment())
      for (k in c(1, 4, 10)) reporter(k, 10, "exploration", 1, -100)
    },
    progression = function(step) {
      if (step$type == "update") steps <<- steps + step$amount
    }
  )
  expect_equal(steps, 10)
})

test_that("nothing is printed without a bar", {
  expect_silent(fit_orange(method = short_saem(), seed = 1))
})

test_that("handlers around a fit hear of its progress", {
  skip_if_not_installed("progressr")
  withr::local_options(progressr.enable = TRUE)
  loadNamespace("progressr")
  steps <- 0
  withCallingHandlers(
    fit_orange(method = short_saem(), seed = 1),
    progression = function(step) steps <<- steps + 1
  )
  expect_gt(steps, 0)
})

# Runs in its own R process: SIGINT arrives while R tells the progress, then while it lays out the fit.
interrupted_reports <- function() {
  local <- function(name, value) utils::assignInNamespace(name, value, "nlmers")
  told <- 0
  interrupt_here <- function() {
    tools::pskill(Sys.getpid(), tools::SIGINT)
    # Enough for R to look for interrupts, were they not suspended.
    for (i in 1:20000) identity(i)
  }
  local("line_reporter", function(...) {
    interrupt_here()
    told <<- told + 1
  })
  fit <- function(...) {
    suppressWarnings(nlmers::fit_nlme(
      circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
      data = datasets::Orange, start = c(Asym = 170, xmid = 700, scal = 350),
      random = Asym ~ 1 | Tree, seed = 1, progress = FALSE, ...
    ))
  }
  long <- nlmers::saem(exploration = 1e8, verbose = TRUE, log_lik = FALSE)
  codes <- vapply(1:5, function(k) fit(method = long)$status$code, "")
  lay_out <- utils::getFromNamespace("new_nlme_fit", "nlmers")
  local("new_nlme_fit", function(...) {
    interrupt_here()
    lay_out(...)
  })
  done <- fit(method = nlmers::saem(exploration = 200, smoothing = 100))$status$code
  cat("codes", codes, done, "told", told, "\n")
}

test_that("an interrupt while R tells the progress or lays out the fit waits its turn", {
  output <- output_of_own_process("interrupted_reports")
  line <- grep("^codes", output, value = TRUE)
  expect_match(line, "^codes (interrupted ){5}converged told ([5-9]|1[0-9])")
})

test_that("a run that ends early closes what shows its progress", {
  skip_if_not_installed("progressr")
  withr::local_options(progressr.enable = TRUE)
  loadNamespace("progressr")
  types <- character()
  wide <- saem_page_defaults(
    t0 = 2, maxiters = 1e5, mcmc_steps = 2, rtol_theta = Inf, atol_theta = Inf, rtol_Q = Inf, atol_Q = Inf,
    consecutive_params = 1e4
  )
  withCallingHandlers(
    suppressWarnings(fit_orange(method = wide, seed = 1)),
    progression = function(step) types <<- c(types, step$type)
  )
  expect_true("update" %in% types)
  expect_true(utils::tail(types, 1L) %in% c("finish", "shutdown"))
})
