# Bind a model to a data frame: find the columns, check what R can check, and
# make the numeric columns and the subject codes the core works on.

# `argument` is where the user gave the data: in `newdata`, for predictions, the
# outcome may be absent. `env` is where the model was written, `events` names columns of
# dosing records. The model that comes back knows whether the data say what is censored,
# and how many doses a subject gets at most.
bind_data <- function(model, data, id = NULL, time = NULL, argument = "data", env = emptyenv(),
                      events = NULL) {
  check_frame(data, argument)
  # Other kinds of data frames have their own ideas of `[`.
  model <- nlmixr2_with_data(model, data, argument)
  data <- with_dose_occasions(model, data, id, time, argument, events)
  model <- with_occasions(model, data, id)
  read <- by_convention(model, as.data.frame(data), events)
  apart <- individuals_apart(read$model, read$data, id)
  groups <- c(id, grouping_columns(model))
  check_no_blanks(apart$data, c(groups, level_columns(model)), argument, groups)
  data <- nlmixr2_columns(model, apart$data)
  model <- with_clocks(read$model, data)
  records <- data_events(model, data, read$events, argument)
  events <- records$events
  data <- with_design(model, outcomes_by_code(model, data, records$kinds$may, argument), argument)
  groupings <- data_groupings(model, data, id, argument)
  time <- time_column(data, time, argument, in_time(model))
  data <- times_in_numbers(data, time, groupings$subjects$codes)
  data <- running_times(model, data, records$kinds, groupings$subjects$codes, time)
  data <- time_as_t(model, data, time)
  censoring <- censoring_columns(model, data)
  model$spec$censoring <- !is.null(censoring)
  outcomes <- unique(model$described$outcomes)
  used <- unique(c(outcomes, model$described$columns, time))
  needed <- if (argument == "newdata") setdiff(used, outcomes) else used
  for (column in needed) check_column(column, data, model, argument, env)
  model <- with_next_covariates(model, data, groupings$subjects$codes, time)
  # What an outcome holds that is no number is said before rows without an outcome are blanked out.
  for (column in intersect(outcomes, names(data))) column_numbers(data[[column]], column, argument, model$spec)
  data[setdiff(outcomes, names(data))] <- NA_real_
  rows <- row_account(model, data, records$kinds, censoring)
  data <- without_outcomes(data, rows$unobserved, outcomes)
  check_joint_rows(model, data, groupings$subjects, time)
  model$spec$n_doses <- most_doses(events$columns, groupings$subjects$codes)
  columns <- lapply(stats::setNames(used, used), function(column) {
    column_numbers(data[[column]], column, argument, model$spec)
  })
  columns <- c(columns, censoring$columns, events$columns)
  subjects <- groupings$subjects
  columns$.group <- subjects$codes
  for (i in seq_along(groupings$groups)) {
    columns[[paste0(".group", i)]] <- groupings$groups[[i]]$codes
  }
  # What is no column of the data gets one of its own, for plots and tables.
  if (length(subjects$columns) != 1L) data[[subjects$name]] <- subjects$labels[subjects$codes]
  read <- c(unlist(lapply(c(list(subjects), groupings$groups), `[[`, "columns")), design_sources(model))
  coded <- coded_columns(outcomes, apart$data, data)
  list(
    model = model,
    frame = data[unique(c(subjects$name, read, used, censoring$names, stats::na.omit(events$names), coded))],
    coded = coded,
    columns = columns,
    events = events$names,
    rows = rows,
    renamed = apart$renamed,
    groups = if (is.null(groupings$groups)) list(subjects) else groupings$groups,
    fields = list(
      group = subjects$name, labels = I(subjects$labels), time = time, n_rows = nrow(data),
      events = event_fields(events),
      from_first_record = !is.null(model$conventions) || !is.null(model$endpoints),
      groups = lapply(groupings$groups, function(part) {
        list(name = part$name, labels = I(part$labels))
      })
    )
  )
}

check_frame <- function(data, argument) {
  if (!is.data.frame(data)) {
    stop_data(
      "no_data_frame",
      sprintf("`%s` must be a data frame, not an object of class `%s`.", argument, class(data)[1L]),
      hint = "One row a record; see `as.data.frame()`."
    )
  }
  if (nrow(data) == 0L) {
    stop_data("no_rows", sprintf("`%s` has no rows.", argument), hint = "Give one row a record.")
  }
}

check_column_name <- function(name, argument) {
  if (!is.character(name) || length(name) != 1L || is.na(name)) {
    stop_bad_option(argument, name, "the name of one column")
  }
}

stop_missing_column <- function(column, data, role, argument, place = NULL) {
  stop_data(
    "missing_column", sprintf("The %s column `%s` is not in `%s`.", role, column, argument),
    place, header_hint(column, data), list(column = column)
  )
}

# What became of a name when its file was read: another separator, a byte order mark, a comment sign; else the nearest.
header_hint <- function(column, data) {
  names <- names(data)
  if (length(names) == 1L && grepl("[.;\t|].*[.;\t|]", names) && grepl(column, names, ignore.case = TRUE)) {
    return(sprintf(
      "All stands in one column, `%s`: read the file with its separator, as in `read.csv(file, sep = \";\")`.", names
    ))
  }
  plain <- sub("^(X\\.U\\.FEFF\\.|\ufeff|\u00ef\\.\\.|\u00ef\u00bb\u00bf)", "", names)
  marked <- names[plain != names & tolower(plain) == tolower(column)]
  if (length(marked) > 0L) {
    return(sprintf(
      "`%s` has a byte order mark before it: read the file with `read.csv(file, fileEncoding = \"UTF-8-BOM\")`.",
      marked[1L]
    ))
  }
  commented <- names[sub("^(X[._]+|#\\s*)", "", names) == column & names != column]
  if (length(commented) > 0L) {
    return(sprintf(
      "Did you mean `%1$s`? Then write `names(data)[names(data) == \"%1$s\"] <- \"%2$s\"`.", commented[1L], column
    ))
  }
  nearest_hint(column, names, "Columns")
}

# A name of the model that must be a column of the data, and hold numbers.
check_column <- function(column, data, model, argument, env) {
  if (sum(names(data) == column) > 1L) {
    stop_data(
      "column_twice", sprintf("`%s` has several columns `%s`.", argument, column), place_of(column, model$spec),
      "Give each column its own name.", list(column = column)
    )
  }
  if (column %in% names(data)) return(invisible())
  place <- place_of(column, model$spec)
  if (column %in% model$described$outcomes) {
    stop_missing_column(column, data, "outcome", argument, place)
  }
  known <- c(model_names(model$spec), model$described$states)
  stop_data(
    "unknown_symbol",
    sprintf("`%s` is neither a column of `%s` nor a name of the model.", column, argument),
    place,
    if (length(get0(column, envir = env, mode = "numeric")) == 1L) {
      sprintf("It is a number outside the data: write `!!%s` to put its value in.", column)
    } else {
      nearest_hint(column, c(names(data), known), "Columns", names(data))
    },
    list(name = column, column = column)
  )
}

numeric_column <- function(values, column, argument) {
  if (is.logical(values)) return(as.double(values))
  if (is.numeric(values) && !is.factor(values) && is.null(dim(values))) {
    return(as.double(values))
  }
  stop_data(
    "not_numeric",
    sprintf("The column `%s` is used as a number but is of class `%s`.", column, class(values)[1L]),
    hint = number_hint(values, paste0(argument, "$", column)),
    fields = list(column = column)
  )
}

# Every name the model itself gives a meaning.
model_names <- function(spec) {
  targets <- statement_targets(spec$statements)
  c(
    vapply(spec$parameters, `[[`, character(1L), "name"),
    unlist(lapply(spec$random, `[[`, "names")),
    sub("^[.]", "", targets),
    equation_states(spec$statements)
  )
}
