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
  if (length(apart) == 0L) {
    warn_of_mixed(outcomes, value, data, may)
    return(data)
  }
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
  if (any(lost)) stop_unknown_code(key, codes, lost, called, numbers)
  for (name in apart) data[[name]] <- replace(values, is.na(found) | outcomes[found] != name, NA_real_)
  data
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

stop_unknown_code <- function(key, codes, lost, called, numbers) {
  wrong <- table(codes[lost], useNA = "ifany")
  names(wrong)[is.na(names(wrong))] <- "missing"
  row <- which(lost)[1L]
  rows <- sprintf("%s (%d row%s)", names(wrong), wrong, ifelse(wrong == 1L, "", "s"))
  stop_data(
    "unknown_dvid",
    sprintf(
      "`%s` is %s, which is no outcome of the model. The outcomes are %s.", key, paste(rows, collapse = ", "),
      paste0("`", called, "` (", numbers, ")", collapse = ", ")
    ),
    sprintf("row %d", row), code_hint(key, codes, lost, called),
    list(column = key, row = row, value = codes[row])
  )
}

# How to name the outcomes, where there are as many codes as outcomes, or to leave rows out.
code_hint <- function(key, codes, lost, called) {
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
  kept <- sort(unique(codes[!lost]))
  if (length(kept) == 0L) return("Write names or numbers of the outcomes there.")
  sprintf(
    "Write names or numbers of the outcomes there, or leave these rows out: `subset(data, %s %%in%% c(%s))`.",
    key, listed(kept)
  )
}

# One outcome that is DV itself takes all its records, whatever DVID says of them.
warn_of_mixed <- function(outcomes, value, data, may) {
  key <- column_like(data, "DVID")
  if (is.null(key) || !identical(outcomes, value)) return(invisible())
  kinds <- unique(stats::na.omit(group_text(data[[key]])[may & !is.na(data[[value]])]))
  if (length(kinds) < 2L) return(invisible())
  warn_nlmers("data", sprintf(
    paste(
      "`%s` tells %d kinds of records apart (%s), and all are fitted as `%s`.",
      "For one kind alone write `subset(data, %s == %s)`."
    ),
    key, length(kinds), paste(kinds, collapse = ", "), value, key,
    if (is.numeric(data[[key]])) kinds[1L] else dQuote(kinds[1L], FALSE)
  ))
}
