# Occasions that doses begin: `| id:occasion_of(doses)` and `occasion_of(doses)` in the code are a column that is
# counted from the dosing records.

dose_occasions <- "occasion_of(doses)"

# The name of the column for a call of the word.
dose_occasion_word <- function(call, text) {
  if (length(call) == 2L && identical(call[[2L]], quote(doses))) return(dose_occasions)
  stop_model(
    "bad_argument", sprintf("`occasion_of()` counts doses: `%s` is not known.", code_text(call)), text,
    "Write `occasion_of(doses)`; occasions that are a column of the data need no word, as in `| id:occ`."
  )
}

counts_doses <- function(model) {
  dose_occasions %in% c(model$described$columns, unlist(strsplit(occasion_groups(model), ":", fixed = TRUE)))
}

# The groups as the user wrote them.
occasion_groups <- function(model) {
  spec <- if (is.null(model$by_occasion)) model$spec else model$by_occasion
  as.character(unlist(lapply(spec$random, `[[`, "group")))
}

# The data with the column, where the model needs one that is not there.
with_dose_occasions <- function(model, data, id = NULL, time = NULL, argument = "data", events = NULL) {
  if (dose_occasions %in% names(data) || !counts_doses(model)) return(data)
  data <- as.data.frame(data)
  read <- by_convention(model, nlmixr2_columns(model, data), events)
  kinds <- dosing_kinds(read, argument)
  codes <- occasion_subjects(model, read$data, id, argument)
  time <- time_column(read$data, time, argument)
  # What is said of times is said when the data are bound.
  own <- suppressMessages(times_in_numbers(read$data, time, codes))
  own <- suppressMessages(running_times(read$model, own, kinds, codes, time))
  times <- if (is.null(time)) seq_along(codes) else as.double(own[[time]])
  data[[dose_occasions]] <- count_occasions(codes, times, kinds$dose & !kinds$empty)
  data
}

dosing_kinds <- function(read, argument) {
  names <- event_names(read$data, read$events, argument)
  names <- names[names(names) %in% c("AMT", "EVID", "SS", "RATE") & !is.na(names)]
  if (!any(c("AMT", "EVID") %in% names(names))) {
    stop_data(
      "no_dose", sprintf("`%s` counts doses, but no column of `%s` holds their amounts.", dose_occasions, argument),
      hint = "Name it, as in `events = c(amt = \"dose\")`."
    )
  }
  items <- lapply(names, function(column) numeric_column(read$data[[column]], column, argument))
  if (!"AMT" %in% names(names)) items$AMT <- as.double(items$EVID %in% c(1, 4))
  row_kinds(items, nrow(read$data))
}

# The subjects whose doses are counted: what stands before the word in a group, else those of the rows.
occasion_subjects <- function(model, data, id, argument) {
  groups <- occasion_groups(model)
  own <- groups[endsWith(groups, paste0(":", dose_occasions))]
  if (length(own) == 0L) return(data_groupings(model, data, id, argument)$subjects$codes)
  grouping(substr(own[1L], 1L, nchar(own[1L]) - nchar(dose_occasions) - 1L), data, argument)$codes
}

# For each row the number of its occasion. Rows before the first dose belong to its occasion; doses of one time begin
# one.
count_occasions <- function(codes, times, dose) {
  counted <- double(length(codes))
  for (rows in split(seq_along(codes), codes)) {
    rows <- rows[order(times[rows])]
    given <- dose[rows]
    begins <- given
    begins[given] <- !duplicated(times[rows][given])
    counted[rows] <- pmax(cumsum(begins), 1)
  }
  counted
}
