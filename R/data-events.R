# Dosing records: find the event columns of a data frame for a model with differential
# equations, and make the numbers the core reads. The core says what they mean and checks
# them; here is what only R can know: texts and names.

event_items <- c("AMT", "EVID", "CMT", "RATE", "II", "ADDL", "SS", "MDV", "DUR")

# The names of the columns by item, c(AMT = "dose", RATE = NA), their numbers as `.amt`, ...,
# and which rows hold no outcome; NULL for a model without states. `given` is what the user
# says of names, or what a fit has found in its own data.
event_columns <- function(model, data, given = NULL, argument = "data") {
  states <- model$described$states
  clocks <- isTRUE(model$described$dose_times)
  if (length(states) == 0L && !clocks) {
    if (!is.null(given) && !counts_doses(model)) stop_no_states()
    return(NULL)
  }
  names <- event_names(data, given, argument)
  names <- without_durations(names, model, given, data)
  if (clocks && !"AMT" %in% names(names)[!is.na(names)]) stop_no_amounts(argument)
  # A closed form has no compartments, and its outcomes may stand in any row.
  if (length(states) == 0L) names <- names[!names(names) %in% c("CMT", "MDV")]
  known <- names[!is.na(names)]
  for (column in known) check_event_column(column, data, argument)
  numeric <- setdiff(names(known), "CMT")
  columns <- lapply(stats::setNames(known[numeric], numeric), function(column) {
    numeric_column(data[[column]], column, argument)
  })
  others <- if (length(states) == 0L) outcome_items(model, data, argument)["MDV"]
  kinds <- row_kinds(c(columns, others), nrow(data))
  if ("CMT" %in% names(known)) {
    columns$CMT <- state_numbers(data[[known[["CMT"]]]], known[["CMT"]], states, kinds$dose)
  }
  if (length(columns) > 0L) names(columns) <- paste0(".", tolower(names(columns)))
  list(names = names, columns = columns, kinds = kinds)
}

# A column DUR may mean anything: it is read where the user names it, or where the data are those of NONMEM or nlmixr2.
without_durations <- function(names, model, given, data) {
  if (!"DUR" %in% names(names) || "DUR" %in% toupper(names(given))) return(names)
  column <- names[["DUR"]]
  if (column %in% model$described$columns) return(names[names(names) != "DUR"])
  if (!is.null(model$conventions) || !is.null(model$endpoints)) return(names)
  names[names(names) != "DUR"]
}

stop_no_amounts <- function(argument) {
  stop_data(
    "no_dose", sprintf("The model reads the time since doses, but no column of `%s` holds their amounts.", argument),
    hint = "Name it, as in `events = c(amt = \"dose\")`."
  )
}

stop_no_states <- function() {
  stop_option(
    "bad_option", "`events` names columns of dosing records, but the model has no differential equations.",
    hint = "Leave it out; a closed form reads doses as columns of the data."
  )
}

# Columns by item: those the user names, else those called so without case. `NA` says that
# there is none.
event_names <- function(data, given, argument) {
  found <- Filter(Negate(is.null), lapply(stats::setNames(nm = event_items), column_like, data = data))
  given <- given_events(given)
  # In other data than those of the fit the less usual items may be absent, and are 0; doses may not.
  if (argument == "newdata") {
    absent <- !is.na(given) & !given %in% names(data)
    for (item in intersect(names(given)[absent], c("AMT", "EVID"))) stop_no_doses(item, given[[item]])
    given <- given[!absent]
  }
  for (item in names(given)) {
    column <- given[[item]]
    if (!is.na(column) && !column %in% names(data)) stop_missing_column(column, data, item, argument)
    found[[item]] <- column
  }
  unlist(found)
}

# `events` as a character vector named by items.
given_events <- function(given) {
  if (is.null(given)) return(character())
  named <- all(nzchar(rlang::names2(given)))
  if (!(is.character(given) || all(is.na(given))) || !named) {
    stop_option(
      "bad_option", "`events` must be names of columns, named by what they hold.",
      hint = "Write it as in `events = c(amt = \"dose\", ii = \"interval\")`."
    )
  }
  items <- toupper(names(given))
  for (unknown in names(given)[!items %in% event_items]) {
    stop_option(
      "bad_option", sprintf("`events` names `%s`, which dosing records do not have.", unknown),
      hint = nearest_hint(toupper(unknown), event_items, "Items"), fields = list(name = unknown)
    )
  }
  stats::setNames(as.character(given), items)
}

stop_no_doses <- function(item, column) {
  stop_data(
    "missing_column",
    sprintf("The new data lack the column `%s`, which holds %s of dosing records.", column, item),
    hint = sprintf("Give the dosing records together with the other rows, or `%s = 0` for no dose.", column),
    fields = list(column = column)
  )
}

check_event_column <- function(column, data, argument) {
  if (sum(names(data) == column) > 1L) {
    stop_data(
      "column_twice", sprintf("`%s` has several columns `%s`.", argument, column),
      hint = "Give each column its own name.", fields = list(column = column)
    )
  }
}

# Compartments by number, or by the name of their state. What CMT says at rows without a
# dose is not read.
state_numbers <- function(values, column, states, doses) {
  if (is.numeric(values) && !is.factor(values)) return(numeric_column(values, column, "data"))
  text <- trimws(as.character(values))
  numbers <- match(text, states)
  written <- suppressWarnings(as.double(text))
  numbers <- ifelse(is.na(numbers), written, numbers)
  unknown <- which(doses & is.na(numbers) & !is.na(text) & !text %in% c("", "."))[1L]
  if (!is.na(unknown)) {
    stop_data(
      "unknown_state",
      sprintf("`%s` is \"%s\" in row %d, which is no state of the model.", column, text[unknown], unknown),
      hint = nearest_hint(text[unknown], states, "States"),
      fields = list(column = column, row = unknown, value = text[unknown])
    )
  }
  ifelse(is.na(numbers), 0, as.double(numbers))
}

# The user's names of the columns, as a request carries them.
event_fields <- function(events) {
  names <- events$names[!is.na(events$names)]
  if (length(names) == 0L) return(structure(list(), names = character()))
  as.list(names)
}

# The most doses that one subject gets, additional ones among them.
most_doses <- function(columns, codes) {
  if (is.null(columns$.amt)) return(0L)
  more <- if (is.null(columns$.addl)) 0 else columns$.addl
  doses <- ifelse(columns$.amt > 0, 1 + more, 0)
  # What no number of doses is, the core refuses.
  doses[!is.finite(doses) | doses < 0] <- 0
  as.integer(max(rowsum(doses, codes)))
}
