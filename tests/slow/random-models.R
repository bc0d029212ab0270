# Does a fit reach the maximum, and does it know? tests/slow/random-models.R [DESIGNS] [SEEDS] [OUTPUT.csv] [options]
#
# Designs of all families are drawn from a seed each (tests/testthat/helper-random-*.R) and fitted from distant starts
# by saem(), with SEEDS seeds, and by vem(). A fit is judged against the best of all fits of its design, those that
# start at the truth among them: `excess` is twice what its log-likelihood misses. This is computed anew by importance
# sampling and by quadrature with many nodes; what is more precise counts.
#
# Options: `only=17` runs that design alone, `coverage=40` is the number of data sets a family for the coverage of 95 %
# intervals (0 for none), `limit=60` the seconds a fit may take. Results are written as they come. Each design has a
# process of its own, so that a crash or a fit that hangs is a line of the table. The status is 1 when a bar at the end
# of this file is missed.

library(nlmers)
options(nlmers.threads = 1)

all_arguments <- commandArgs(FALSE)
script <- sub("--file=", "", grep("^--file=", all_arguments, value = TRUE)[1L])
helpers <- Sys.glob(file.path(dirname(script), "..", "testthat", "helper-random-*.R"))
for (helper in helpers) source(helper)

read_arguments <- function(given) {
  named <- grepl("^[a-z]+=", given)
  options <- list(only = NA, coverage = 40, limit = 60, child = NA)
  for (option in strsplit(given[named], "=")) options[[option[1L]]] <- type.convert(option[2L], as.is = TRUE)
  place <- given[!named]
  options$designs <- if (length(place) > 0L) as.integer(place[1L]) else 60L
  options$seeds <- if (length(place) > 1L) as.integer(place[2L]) else 3L
  options$output <- if (length(place) > 2L) place[3L] else tempfile(fileext = ".csv")
  options
}

# A fit, or why there is none.
limited <- function(code, seconds) {
  setTimeLimit(elapsed = seconds, transient = TRUE)
  on.exit(setTimeLimit())
  tryCatch(code, error = function(error) {
    message <- conditionMessage(error)
    if (grepl("time limit", message)) "cut" else paste("error:", sub("\n.*", "", message))
  })
}

# Log-likelihoods by rules that are each as fine as time allows, with an error each: that of importance sampling, and
# what twice as many nodes change.
judged <- function(fit, effects) {
  rows <- fit$n_obs
  value <- error <- c(importance = NA_real_, quadrature = NA_real_)
  try({
    for (draws in c(1e4, 1e5)) {
      if (draws > 1e4 && (isTRUE(error[[1L]] < 0.005) || rows * draws > 3e8)) break
      found <- logLik(fit, method = "importance", draws = draws, seed = 1)
      value[1L] <- as.numeric(found)
      error[1L] <- attr(found, "mc_error")
    }
  }, silent = TRUE)
  nodes <- list(c(25, 50), c(15, 25), c(9, 13), c(7, 9))[[effects]]
  try({
    found <- vapply(nodes, function(n) as.numeric(logLik(fit, method = "quadrature", nodes = n)), 0)
    value[2L] <- found[2L]
    error[2L] <- abs(diff(found))
  }, silent = TRUE)
  error[!is.finite(value) | !is.finite(error)] <- Inf
  better <- which.min(error)
  data.frame(
    log_lik = value[[better]], judge = names(value)[better], judge_error = error[[better]],
    disagree = diff(value)[[1L]], both_precise = all(error < 0.02)
  )
}

one_fit <- function(design, method, seed, from, limit) {
  started <- proc.time()[["elapsed"]]
  fit <- limited(fit_design(design, if (method == "saem") saem() else vem(), seed, from), limit)
  row <- data.frame(
    design = design$seed, family = design$kind$family, curve = design$kind$curve, subjects = design$size$subjects,
    rows = nrow(design$data), effects = length(random_terms(design)),
    zero = any(vapply(random_terms(design), `[[`, 0, "sd") == 0), method = method, from = from, seed = seed,
    seconds = round(proc.time()[["elapsed"]] - started, 2)
  )
  if (is.character(fit)) {
    none <- data.frame(
      log_lik = NA, judge = NA, judge_error = NA, disagree = NA, both_precise = NA, code = fit, converged = FALSE,
      printed = NA
    )
    return(cbind(row, none))
  }
  code <- if (fit$status$code == "interrupted") "cut" else fit$status$code
  printed <- tryCatch(as.numeric(logLik(fit)), error = function(error) NA_real_)
  cbind(row, judged(fit, row$effects), code = code, converged = isTRUE(converged(fit)), printed = printed)
}

append_rows <- function(rows, file) {
  new <- !file.exists(file)
  utils::write.table(rows, file, sep = ",", row.names = FALSE, col.names = new, append = !new, qmethod = "double")
}

run_design <- function(k, arguments) {
  design <- random_design(k)
  plan <- rbind(
    data.frame(method = "saem", seed = seq_len(arguments$seeds), from = "start"),
    data.frame(method = c("vem", "saem", "vem"), seed = 1, from = c("start", "truth", "truth"))
  )
  rows <- do.call(rbind, Map(function(method, seed, from) {
    one_fit(design, method, seed, from, arguments$limit)
  }, plan$method, plan$seed, plan$from))
  rows$excess <- with_best(rows)
  append_rows(rows, arguments$output)
}

# A fit that was cut may hold solutions that are not precise, whose likelihood is another's: it is no judge.
with_best <- function(rows) {
  whole <- rows[rows$code != "cut", ]
  best <- suppressWarnings(max(if (nrow(whole) > 0L) whole$log_lik else rows$log_lik, na.rm = TRUE))
  round(2 * (best - rows$log_lik), 4)
}

# The line of a design: the excess of each fit from a distant start with its status.
print_design <- function(rows, k) {
  if (nrow(rows) == 0L) {
    cat(sprintf("%3d no result\n", k))
    return(invisible())
  }
  own <- rows[rows$from == "start", ]
  short <- c(converged = "", stalled = " st", max_iterations = " mi", not_finite = " nf", cut = " cut")
  codes <- ifelse(own$code %in% names(short), short[own$code], paste0(" ", substr(own$code, 1, 60)))
  text <- paste0(own$method, " ", sprintf("%.3f", own$excess), codes)
  cat(sprintf(
    "%3d %-10s %-13s n %3d rows %4d effects %d%s | %s | %.1f s%s\n", k, own$family[1L], own$curve[1L], own$subjects[1L],
    own$rows[1L], own$effects[1L], if (own$zero[1L]) " (an SD is 0)" else "", paste(text, collapse = ", "),
    sum(rows$seconds), disagreement(rows)
  ))
}

# Two precise judges that differ, and a printed likelihood that is off, are faults of their own.
disagreement <- function(rows) {
  judges <- which(rows$both_precise & abs(rows$disagree) > 0.1)
  printed <- which(rows$code == "converged" & abs(2 * (rows$printed - rows$log_lik)) > 0.2)
  paste(c(
    "", if (length(judges)) sprintf("[judges differ by %.2f]", max(abs(rows$disagree[judges]))),
    if (length(printed)) sprintf("[printed off by %.2f]", max(abs(rows$printed - rows$log_lik)[printed]))
  ), collapse = " ")
}

coverage_kinds <- function() {
  kinds <- design_kinds()
  kinds <- kinds[!kinds$curve %in% c("gompertz", "biexponential", "hill", "saturable_ode", "michaelis"), ]
  kinds[kinds$family != "event_once" & paste(kinds$family, kinds$curve) != "lognormal oral", ]
}

# A moderate design, its data drawn anew for every fit. One row a parameter: whether the interval holds the truth.
run_coverage <- function(k, arguments) {
  kind <- coverage_kinds()[k, ]
  scarce <- kind$family %in% c("bernoulli", "ordered", "event")
  errors <- c("constant", "proportional", "combined")
  design <- random_design(
    1000L + k, kind, subjects = if (scarce) 120 else 50, rows = 8, effects = if (scarce) 1L else 2L, covariates = 1L,
    zero = FALSE, full = FALSE, error = errors[1 + k %% 3]
  )
  table <- design$parameters
  truth <- in_units(design, stats::setNames(table$truth, table$name))
  for (i in seq_len(arguments$coverage)) {
    design$seed <- 10000L * k + i
    design$data <- seeded(design$seed, drawn_data(design))
    for (method in c("saem", "vem")) {
      fit <- limited(fit_design(design, if (method == "saem") saem() else vem(), i), arguments$limit)
      bounds <- if (is.list(fit)) tryCatch(stats::confint(fit), nlmers_error = function(error) NULL)
      bounds <- if (is.null(bounds)) matrix(NA, nrow(table), 2L) else bounds[table$name, , drop = FALSE]
      append_rows(data.frame(
        family = kind$family, curve = kind$curve, data_set = i, method = method, parameter = table$name,
        role = table$role, truth = truth, lower = bounds[, 1L], upper = bounds[, 2L],
        code = if (is.list(fit)) fit$status$code else fit
      ), coverage_file(arguments$output))
    }
  }
}

coverage_file <- function(output) sub("(\\.csv)?$", "-coverage.csv", output)

# A process of its own for a design (`child=design`) or a family (`child=coverage`).
run_apart <- function(what, k, arguments, seconds) {
  system2(file.path(R.home("bin"), "Rscript"), c(
    shQuote(script), arguments$designs, arguments$seeds, shQuote(arguments$output), paste0("child=", what),
    paste0("only=", k), paste0("limit=", arguments$limit), paste0("coverage=", arguments$coverage)
  ), timeout = seconds, stdout = "")
}

read_rows <- function(file) if (file.exists(file)) utils::read.csv(file) else data.frame()

share <- function(hits) sprintf("%d of %d (%.1f %%)", sum(hits), length(hits), 100 * mean(hits))

# Prints what a method reached; returns the bars it misses.
verdicts <- function(rows, method, lost) {
  own <- rows[rows$method == method & rows$from == "start", ]
  excess <- ifelse(is.na(own$excess), Inf, own$excess)
  silent <- own$converged & excess > 0.5
  doubted <- !own$converged & excess < 0.05
  near <- c(excess <= 0.1, rep(FALSE, lost))
  cat(sprintf(
    "%s: within .1 %s; converged though excess > .5 %s; not converged though excess < .05 %s; cut %d, errors %d\n",
    method, share(near), share(silent), share(doubted), sum(own$code == "cut"), sum(grepl("^error", own$code))
  ))
  c(
    if (method == "saem" && mean(near) < 0.97) sprintf("%s: within .1 in less than 97 %%", method),
    if (mean(silent | doubted) > 0.02) sprintf("%s: wrong verdicts in more than 2 %%", method)
  )
}

covered <- function(rows) {
  rows$holds <- rows$lower <= rows$truth & rows$truth <= rows$upper
  missed <- character()
  for (method in unique(rows$method)) for (role in unique(rows$role)) {
    own <- rows[rows$method == method & rows$role == role, ]
    rate <- 100 * mean(own$holds, na.rm = TRUE)
    cat(sprintf(
      "%s %-9s coverage %.1f %% of %d intervals, %d missing\n", method, role, rate, sum(!is.na(own$holds)),
      sum(is.na(own$holds))
    ))
    # Of fewer the rate itself is too uncertain.
    enough <- sum(!is.na(own$holds)) >= 200
    if (enough && (rate < 91 || rate > 98)) {
      missed <- c(missed, sprintf("%s: coverage of %s outside 91 to 98 %%", method, role))
    }
  }
  print(round(100 * with(rows, tapply(holds, list(paste(family, curve), paste(method, role)), mean, na.rm = TRUE))))
  missed
}

run_all <- function(arguments) {
  designs <- if (is.na(arguments$only)) seq_len(arguments$designs) else arguments$only
  unlink(c(arguments$output, coverage_file(arguments$output)))
  for (k in designs) {
    status <- run_apart("design", k, arguments, (arguments$seeds + 3) * (arguments$limit + 60))
    if (status != 0L) cat(sprintf("%3d ended with status %d (124: cut)\n", k, status))
    rows <- read_rows(arguments$output)
    print_design(rows[rows$design == k, ], k)
  }
  missed <- character()
  if (nrow(rows) > 0L) {
    lost <- length(setdiff(designs, rows$design))
    for (method in c("saem", "vem")) missed <- c(missed, verdicts(rows, method, lost))
  }
  if (arguments$coverage > 0 && is.na(arguments$only)) {
    for (k in seq_len(nrow(coverage_kinds()))) run_apart("coverage", k, arguments, 20 * arguments$coverage)
    missed <- c(missed, covered(read_rows(coverage_file(arguments$output))))
  }
  if (length(missed) > 0L) {
    cat("Missed:", missed, sep = "\n  ")
    quit(status = 1L)
  }
}

arguments <- read_arguments(commandArgs(TRUE))
switch(if (is.na(arguments$child)) "all" else arguments$child,
  all = run_all(arguments),
  design = run_design(arguments$only, arguments),
  coverage = run_coverage(arguments$only, arguments)
)
