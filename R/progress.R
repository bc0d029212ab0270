# Report the progress of a fit: a cli bar, and progressr's handlers when that
# package is loaded. The core calls `update` from the main thread.

# Call the core and tell the progress; bars live as long as this call.
reported_call <- function(request, columns, show, verbose, hooks) {
  core_call(request, columns, progress_reporter(show, verbose, environment()), hooks)
}

# A function of (iteration, total, phase, gain, objective), or NULL for silence. `total` is what was planned; a run that
# ends before it closes its bars when `frame` ends.
progress_reporter <- function(show, verbose = FALSE, frame = parent.frame()) {
  force(frame)
  reporters <- c(
    if (show) bar_reporter(frame),
    if (isTRUE(verbose)) line_reporter,
    if (isNamespaceLoaded("progressr")) progressr_reporter(frame)
  )
  if (length(reporters) == 0L) return(NULL)
  function(iteration, total, phase, gain, objective) {
    for (report in reporters) report(iteration, total, phase, gain, objective)
  }
}

bar_reporter <- function(frame) {
  force(frame)
  bar <- NULL
  function(iteration, total, phase, gain, objective) {
    if (is.null(bar)) {
      bar <<- cli::cli_progress_bar(
        total = total, .envir = frame, extra = list(),
        format = paste(
          "{cli::pb_extra$phase} {cli::pb_bar} {cli::pb_current}/{cli::pb_total}",
          "gain {cli::pb_extra$gain} obj {cli::pb_extra$objective} {cli::pb_eta_str}"
        )
      )
    }
    cli::cli_progress_update(
      set = iteration, id = bar, .envir = frame,
      extra = list(
        phase = phase, gain = format(gain, digits = 2),
        objective = format(objective, digits = 6)
      )
    )
  }
}

# One line an iteration that is reported.
line_reporter <- function(iteration, total, phase, gain, objective) {
  message(sprintf(
    "iteration %d of %d, %s, gain %s, objective %s", as.integer(iteration), as.integer(total), phase,
    format(gain, digits = 3), format(objective, digits = 8)
  ))
}

progressr_reporter <- function(frame) {
  force(frame)
  progressor <- NULL
  done <- 0
  function(iteration, total, phase, gain, objective) {
    if (is.null(progressor)) {
      progressor <<- progressr::progressor(steps = total, on_exit = TRUE, envir = frame)
    }
    # Some iterations are not reported; the step covers them.
    progressor(message = phase, amount = iteration - done)
    done <<- iteration
  }
}
