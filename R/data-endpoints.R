# Several outcomes in one column DV: which outcome a record belongs to, by DVID or, as NONMEM and nlmixr2 do, by CMT.

# The data with a column for each outcome, where DV and a code hold them together.
outcomes_apart <- function(model, data, events = NULL, argument = "newdata") {
  outcomes_by_code(model, data, data_events(model, data, events, argument)$kinds$may, argument)
}

# An outcome without a column takes DV in the rows whose code is its name, without case where that is clear, or, when no
# outcome is named there, its number; elsewhere it is missing. `may`: rows that may hold an outcome. A code that is no
# outcome's is an error where a fit would lose its rows; in new data CMT may tell the states that are dosed alone.
outcomes_by_code <- function(model, data, may, argument) {
  outcomes <- unique(model$described$outcomes)
  value <- column_like(data, "DV")
  apart <- setdiff(outcomes, names(data))
  # Of a model to simulate from every row has all outcomes.
  if (is.null(value) || isTRUE(model$only_simulated)) return(data)
  if (length(apart) == 0L) return(data)
  key <- endpoint_key(data, length(outcomes))
  if (is.null(key)) return(data)
  check_joint_layout(model, apart, key, value, data)
  called <- if (is.null(model$endpoints)) outcomes else unname(model$endpoints[outcomes])
  codes <- group_text(data[[key]])
  numbers <- if (toupper(key) == "CMT") endpoint_numbers(called, model$described$states) else seq_along(called)
  found <- matched_codes(codes, called, numbers)
  values <- numeric_column(data[[value]], value, "data")
  lost <- may & !is.na(values) & is.na(found)
  if (any(lost) && argument == "newdata" && toupper(key) == "CMT") return(data)
  if (any(lost)) stop_unknown_code(key, codes, lost, called, numbers, data)
  for (name in apart) data[[name]] <- replace(values, is.na(found) | outcomes[found] != name, NA_real_)
  data
}

# The columns of the data, `given`, that hold several outcomes together in `read`: their values and their code; NULL
# where each has a column of its own.
coded_columns <- function(outcomes, given, read) {
  apart <- setdiff(outcomes, names(given))
  value <- column_like(given, "DV")
  key <- endpoint_key(given, length(outcomes))
  if (length(apart) == 0L || is.null(value) || is.null(key) || all(is.na(unlist(read[apart])))) return(NULL)
  intersect(c(value, key), names(read))
}

# DVID; else CMT, where there are several outcomes to tell apart.
endpoint_key <- function(data, n) {
  key <- column_like(data, "DVID")
  if (is.null(key) && n > 1L) column_like(data, "CMT") else key
}

# Numbers of outcomes as CMT counts them: that of the state of the same name; others follow the states.
endpoint_numbers <- function(called, states) {
  numbers <- match(called, states)
  numbers[is.na(numbers)] <- length(states) + seq_len(sum(is.na(numbers)))
  numbers
}

# The outcome of each code: by name, by name without case, or by number where no code is a name.
matched_codes <- function(codes, called, numbers) {
  found <- match(codes, called)
  lower <- tolower(called)
  clear <- !lower %in% lower[duplicated(lower)]
  loose <- match(tolower(codes), ifelse(clear, lower, NA), incomparables = NA)
  found <- ifelse(is.na(found), loose, found)
  if (all(is.na(found))) match(codes, as.character(numbers)) else found
}

stop_unknown_code <- function(key, codes, lost, called, numbers, data) {
  wrong <- table(codes[lost], useNA = "ifany")
  names(wrong)[is.na(names(wrong))] <- "missing"
  row <- which(lost)[1L]
  rows <- sprintf("%s (%s)", names(wrong), counted(as.vector(wrong), "row"))
  stop_data(
    "unknown_dvid",
    sprintf(
      "`%s` is %s, which is no outcome of the model. The outcomes are %s.", key, paste(rows, collapse = ", "),
      paste0("`", called, "` (", numbers, ")", collapse = ", ")
    ),
    sprintf("row %d", row), code_hint(key, codes, lost, called, numbers, data),
    list(column = key, row = row, value = codes[row])
  )
}

# How to name the outcomes: all of them, where there are as many codes as outcomes, or those of the wrong code. Rows are
# not to be dropped, doses might go with them.
code_hint <- function(key, codes, lost, called, numbers, data) {
  column <- data[[key]]
  quoted <- function(x) {
    if (!all(is.na(x)) && all(grepl("^-?[0-9.]+$", x))) x else dQuote(x, FALSE)
  }
  listed <- function(x) paste(quoted(x), collapse = ", ")
  wrong <- sort(unique(codes[lost]))
  if (length(called) > 1L && length(wrong) == length(called)) {
    return(sprintf(
      "Name them: `data$DVID <- c(%s)[match(data$%s, c(%s))]`, in the order that is yours.",
      listed(called), key, listed(wrong)
    ))
  }
  plain <- if (is.factor(column)) sprintf("as.character(data$%s)", key) else sprintf("data$%s", key)
  which <- if (length(wrong) > 1L) sprintf("c(%s)", listed(wrong)) else quoted(wrong)
  here <- if (length(wrong) == 0L) sprintf("is.na(data$%s)", key) else sprintf("data$%s %%in%% %s", key, which)
  # An outcome that no row names is likely the one that is meant.
  named <- matched_codes(codes, called, numbers)
  open <- setdiff(seq_along(called), named[!lost])[1L]
  if (is.na(open)) open <- length(called)
  by_number <- is.numeric(column) && !is.factor(column)
  sprintf(
    paste(
      "Write the outcome that is theirs, as in `data$%s <- replace(%s, %s, %s)`; where they hold no outcome, write",
      "%s."
    ),
    key, plain, here, if (by_number) numbers[open] else dQuote(called[open], FALSE),
    mdv_line(data, here)
  )
}

# The line by which rows hold no outcome, beside what MDV says already.
mdv_line <- function(data, here) {
  mdv <- column_like(data, "MDV")
  if (is.null(mdv)) return(sprintf("`data$MDV <- as.numeric(%s)`", here))
  sprintf("`data$%1$s <- as.numeric(data$%1$s %%in%% 1 | %2$s)`", mdv, here)
}

# One outcome takes all its records, whatever DVID and CMT say of them.
tell_of_mixed <- function(bound, data) {
  model <- bound$model
  outcome <- unique(model$described$outcomes)
  if (length(outcome) != 1L) return(invisible())
  fitted <- !nzchar(bound$rows$reason)
  for (key in c(column_like(data, "DVID"), column_like(data, "CMT"))) {
    kinds <- unique(stats::na.omit(group_text(data[[key]])[fitted]))
    # Where a code names the outcome the others are refused, and a model may read the code itself.
    if (length(kinds) < 2L || key %in% model$described$columns) next
    if (toupper(key) == "DVID" && !outcome %in% c(names(data), "DV")) next
    value <- if (outcome %in% names(data)) outcome else column_like(data, toupper(outcome))
    first <- if (is.numeric(data[[key]])) kinds[1L] else dQuote(kinds[1L], FALSE)
    warn_nlmers("data", sprintf(
      paste(
        "`%s` tells %d kinds of records apart (%s), and all are fitted as `%s`. For one kind alone write",
        "%s; for all write a model with an outcome for each."
      ),
      key, length(kinds), paste(kinds, collapse = ", "), value,
      mdv_line(data, sprintf("!data$%s %%in%% %s", key, first))
    ))
    return(invisible())
  }
}
