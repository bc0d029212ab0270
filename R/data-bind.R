# Bind a model to a data frame: find the columns, check what R can check, and
# make the numeric columns and the subject codes the core works on.

# `need_outcome = FALSE` is for predictions, where the outcome may be absent.
bind_data <- function(model, data, id = NULL, time = NULL, need_outcome = TRUE) {
  check_frame(data)
  # Other kinds of data frames have their own ideas of `[`.
  data <- as.data.frame(data)
  group <- group_column(model, data, id)
  time <- time_column(data, time)
  outcomes <- unique(model$described$outcomes)
  if (!need_outcome) {
    data[setdiff(outcomes, names(data))] <- NA_real_
  }
  used <- unique(c(outcomes, model$described$columns, time))
  for (column in used) check_column(column, data, model)
  columns <- lapply(stats::setNames(used, used), function(column) {
    numeric_column(data[[column]], column)
  })
  labels <- group_labels(data[[group]])
  columns$.group <- as.double(match(group_text(data[[group]]), labels))
  list(
    frame = data[unique(c(group, used))],
    columns = columns,
    fields = list(
      group = group, labels = I(labels), time = time, n_rows = nrow(data)
    )
  )
}

check_frame <- function(data) {
  if (!is.data.frame(data)) {
    stop_data(
      "no_data_frame",
      sprintf("`data` must be a data frame, not an object of class `%s`.", class(data)[1L]),
      hint = "One row a record; see `as.data.frame()`."
    )
  }
  if (nrow(data) == 0L) stop_data("no_rows", "`data` has no rows.")
}

# The grouping column: `id =` first, else the group in random().
group_column <- function(model, data, id) {
  group <- if (is.null(id)) model$group else id
  if (is.null(group)) {
    stop_data(
      "no_group", "Nothing says which column tells the subjects apart.",
      hint = "Write `random(eta ~ ... | id)`, or give `id = \"column\"`."
    )
  }
  check_column_name(group, "id")
  if (!group %in% names(data)) stop_missing_column(group, data, "grouping")
  values <- data[[group]]
  if (anyNA(values)) {
    row <- which(is.na(values))[1L]
    stop_data(
      "missing_group", sprintf("The grouping column `%s` has a missing value in row %d.", group, row),
      hint = "Every row belongs to a subject; remove the row or fill it in.",
      fields = list(column = group, row = row)
    )
  }
  group
}

# `time =`, else the first of time, TIME and t, else the same without case. A
# column of dates that happens to be called so is passed over.
time_column <- function(data, time) {
  if (!is.null(time)) {
    check_column_name(time, "time")
    if (!time %in% names(data)) stop_missing_column(time, data, "time")
    return(time)
  }
  numeric <- names(data)[vapply(data, is.numeric, logical(1L))]
  exact <- intersect(c("time", "TIME", "t"), numeric)
  if (length(exact) > 0L) return(exact[1L])
  loose <- numeric[tolower(numeric) == "time"]
  if (length(loose) > 0L) loose[1L]
}

check_column_name <- function(name, argument) {
  if (!is.character(name) || length(name) != 1L || is.na(name)) {
    stop_bad_option(argument, name, "the name of one column")
  }
}

stop_missing_column <- function(column, data, role, place = NULL) {
  stop_data(
    "missing_column", sprintf("The %s column `%s` is not in `data`.", role, column),
    place, nearest_hint(column, names(data), "Columns"), list(column = column)
  )
}

# A name of the model that must be a column of the data, and hold numbers.
check_column <- function(column, data, model) {
  if (column %in% names(data)) return(invisible())
  place <- place_of(column, model$spec)
  if (column %in% model$described$outcomes) {
    stop_missing_column(column, data, "outcome", place)
  }
  known <- model_names(model$spec)
  stop_data(
    "unknown_symbol",
    sprintf("`%s` is neither a column of `data` nor a name of the model.", column),
    place, nearest_hint(column, c(names(data), known), "Columns"),
    list(name = column, column = column)
  )
}

numeric_column <- function(values, column) {
  if (is.logical(values)) return(as.double(values))
  if (is.numeric(values) && !is.factor(values) && is.null(dim(values))) {
    return(as.double(values))
  }
  stop_data(
    "not_numeric",
    sprintf("The column `%s` is used as a number but is of class `%s`.", column, class(values)[1L]),
    hint = sprintf(
      "Code it as a number first, as in `data$%s <- as.numeric(data$%s == \"level\")`.",
      column, column
    ),
    fields = list(column = column)
  )
}

# Labels in an order that does not depend on the order of rows: numbers by size,
# factors by level, text by its bytes.
group_labels <- function(values) {
  if (is.factor(values)) return(levels(droplevels(values)))
  if (is.numeric(values)) return(group_text(sort(unique(values))))
  sort(unique(as.character(values)), method = "radix")
}

# The label of each value; 100000 is not written 1e+05.
group_text <- function(values) {
  if (is.numeric(values) && !is.factor(values)) {
    return(formatC(as.double(values), digits = 15L, width = 1L, format = "fg"))
  }
  as.character(values)
}

# Every name the model itself gives a meaning.
model_names <- function(spec) {
  targets <- unlist(lapply(spec$statements, `[[`, "target"))
  c(
    vapply(spec$parameters, `[[`, character(1L), "name"),
    unlist(lapply(spec$random, `[[`, "names")),
    sub("^[.]", "", targets)
  )
}

# The statement in which a name first stands.
place_of <- function(name, spec) {
  for (statement in c(spec$statements, spec$random)) {
    tree <- if (is.null(statement$value)) statement$dist else statement$value
    if (identical(statement$column, name) || name %in% tree_symbols(tree)) {
      return(statement$text)
    }
  }
  NULL
}

tree_symbols <- function(tree) {
  unique(c(tree$sym, unlist(lapply(tree$args, tree_symbols))))
}
