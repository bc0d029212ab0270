# Likelihoods of times to events. A model function of saemix subtracts the cumulative hazard of the row
# before, `-H[event] + H[event - 1] + log(hazard[event])`; here that is the outcome `event(hazard)`, whose
# column is 1 at an event and 0 where there was none, its time `t`.

# The outcome of a likelihood that looks at the row before, as statements, a distribution and the column of
# the time; NULL for a likelihood of its own row.
event_outcome <- function(read, start) {
  lines <- lapply(read$statements, `[[`, "code")
  names(lines) <- vapply(read$statements, `[[`, "", "target")
  value <- written_out(read$value, lines)
  cumulative <- unique(lagged_parts(value))
  if (length(cumulative) == 0L) return(NULL)
  if (length(cumulative) > 1L) stop_no_event(read, "Several quantities of the row before are read.")
  cumulative <- cumulative[[1L]]
  time <- intersect(all.vars(cumulative), read$predictors)
  if (length(time) != 1L) {
    stop_no_event(read, sprintf(
      "What is read of the row before, `%s`, must depend on one predictor, the time.", code_text(cumulative)
    ))
  }
  rows <- event_rows(read, start, time)
  hazard <- hazard_of(read, lines, cumulative, rows, time)
  check_event_likelihood(read, value, cumulative, hazard$expanded, rows)
  event_statements(read, hazard$code, time)
}

# The statements that the hazard needs, its time written `t`.
event_statements <- function(read, hazard, time) {
  needed <- all.vars(hazard)
  kept <- list()
  for (statement in rev(read$statements)) {
    if (!statement$target %in% needed) next
    needed <- union(needed, all.vars(statement$code))
    kept <- c(list(statement), kept)
  }
  at <- stats::setNames(list(quote(t)), time)
  for (i in seq_along(kept)) kept[[i]]$code <- replaced(kept[[i]]$code, at)
  read$statements <- kept
  list(read = read, dist = call("event", replaced(hazard, at)), time = time)
}

# Code with the lines it uses put in their places, each as it was when the next was read.
written_out <- function(code, lines) {
  known <- list()
  for (i in seq_along(lines)) known[[names(lines)[i]]] <- call("(", replaced(lines[[i]], known))
  replaced(code, known)
}

replaced <- function(code, values) {
  if (is.symbol(code)) {
    value <- values[[as.character(code)]]
    return(if (is.null(value)) code else value)
  }
  if (!is.call(code)) return(code)
  code[-1L] <- lapply(as.list(code)[-1L], replaced, values = values)
  code
}

# What stands in .before().
lagged_parts <- function(code) parts_called(code, ".before")

parts_called <- function(code, name) {
  if (!is.call(code)) return(list())
  own <- if (is_call_to(code, name) && length(code) == 2L) list(code[[2L]])
  c(own, unlist(lapply(as.list(code)[-1L], parts_called, name = name), recursive = FALSE))
}

# The records, where the functions of the model find them, with parameters near their starts: whether two
# expressions are the same shows at several values.
event_rows <- function(read, start, time) {
  frame <- read$frame
  group <- group_text(frame[[read$group]])
  earlier <- stats::ave(seq_len(nrow(frame)), group, FUN = function(rows) c(NA, utils::head(rows, -1L)))
  list(
    frame = frame, time = time, before = ifelse(is.na(earlier), 0, frame[[time]][earlier]),
    starts = list(start, start * 1.1, start * 0.9), env = read$env
  )
}

at_rows <- function(code, rows, start, time = rows$frame[[rows$time]]) {
  values <- c(as.list(rows$frame), as.list(start))
  values[[rows$time]] <- time
  suppressWarnings(rep_len(eval(code, values, rows$env), nrow(rows$frame)))
}

# The argument of a log() that is the slope of the cumulative hazard, else that slope itself.
hazard_of <- function(read, lines, cumulative, rows, time) {
  slope <- tryCatch(stats::D(without_parentheses(cumulative), time), error = function(error) NULL)
  written <- unlist(lapply(c(lines, list(read$value)), parts_called, name = "log"), recursive = FALSE)
  for (code in written) {
    expanded <- written_out(code, lines)
    if (is_slope(expanded, cumulative, rows)) return(list(code = code, expanded = expanded))
  }
  if (is.null(slope) || !is_slope(slope, cumulative, rows)) {
    stop_no_event(read, sprintf(
      "No `log()` in it takes the hazard, which is the slope of `%s` in `%s`.", code_text(cumulative), time
    ))
  }
  list(code = slope, expanded = slope)
}

# D() knows no parentheses of ours that stand around single symbols, but others are fine.
without_parentheses <- function(code) {
  if (!is.call(code)) return(code)
  if (is_call_to(code, "(") && !is.call(code[[2L]])) return(code[[2L]])
  code[-1L] <- lapply(as.list(code)[-1L], without_parentheses)
  code
}

is_slope <- function(hazard, cumulative, rows) {
  time <- rows$frame[[rows$time]]
  time <- time[is.finite(time) & time > 0]
  if (length(time) == 0L) return(FALSE)
  shown <- rows
  shown$frame <- rows$frame[rep_len(1L, length(time)), , drop = FALSE]
  all(vapply(rows$starts, function(start) {
    step <- 1e-5 * time
    slope <- (at_rows(cumulative, shown, start, time + step) - at_rows(cumulative, shown, start, time - step)) /
      (2 * step)
    isTRUE(all.equal(at_rows(hazard, shown, start, time), slope, tolerance = 1e-5))
  }, logical(1L)))
}

# The function and event() must say the same of every record.
check_event_likelihood <- function(read, value, cumulative, hazard, rows) {
  event <- rows$frame[[read$response]]
  seen <- !is.na(event)
  if (!all(event[seen] %in% 0:1)) {
    stop_no_event(read, sprintf("`%s` must be 1 at an event and 0 where there was none.", read$response))
  }
  for (start in rows$starts) {
    before <- at_rows(cumulative, rows, start, rows$before)
    expected <- before - at_rows(cumulative, rows, start) + ifelse(event == 1, log(at_rows(hazard, rows, start)), 0)
    said <- at_rows(lags_taken(value, before), rows, start)
    wrong <- which(seen & (!is.finite(said) | abs(said - expected) > 1e-8 * pmax(1, abs(expected))))
    if (length(wrong) == 0L) next
    stop_no_event(read, sprintf(
      paste(
        "In row %d (`%s` = %s, `%s` = %s) the function gives %s where a time to an event gives %s. It has to",
        "subtract the cumulative hazard of the row before, which is 0 in a subject's first row, and to add the log",
        "of the hazard where `%s` is 1."
      ), wrong[1L], rows$time, format(rows$frame[[rows$time]][wrong[1L]]), read$response, format(event[wrong[1L]]),
      format(said[wrong[1L]], digits = 4), format(expected[wrong[1L]], digits = 4), read$response
    ), list(row = wrong[1L]))
  }
}

# .before(...) with its values.
lags_taken <- function(code, values) {
  if (!is.call(code)) return(code)
  if (is_call_to(code, ".before")) return(values)
  code[-1L] <- lapply(as.list(code)[-1L], lags_taken, values = values)
  code
}

stop_no_event <- function(state, problem, fields = list()) {
  stop_untranslated(
    paste("The likelihood looks at the row before, but it is not read as that of a time to an event.", problem),
    state, event_hint(state), fields
  )
}

event_hint <- function(state) {
  sprintf(
    paste(
      "A time to an event is the outcome `%s ~ event(hazard)` of nlme_model(): `%s` is 1 at an event and 0 where there",
      "was none, the hazard is a function of the time `t`, and fit_nlme() takes `time = \"%s\"`."
    ), state$response, state$response, state$predictors[1L]
  )
}
