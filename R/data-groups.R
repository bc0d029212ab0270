# Find the groupings of the rows: the subjects, and what the random effects name.

# A list of list(name, columns, labels, codes): first the subjects, then the
# groupings of the model in its order; the latter NULL when they are the subjects.
data_groupings <- function(model, data, id, argument) {
  groups <- model$groups
  if (is.null(id) && !has_effects(model)) return(rows_grouped(model, data, argument))
  id <- id_beside(id, model, data)
  if (length(groups) < 2L && (is.null(id) || is.null(groups) || identical(id, groups))) {
    name <- if (is.null(id)) groups else id
    if (is.null(name)) stop_no_group(model)
    if (!is.null(id)) check_column_name(id, "id")
    return(list(subjects = grouping(name, data, argument), groups = NULL))
  }
  parts <- lapply(groups, grouping, data = data, argument = argument)
  if (!is.null(id)) {
    check_column_name(id, "id")
    # Subjects that are numbered anew in each site are told apart by both columns.
    whole <- vapply(parts, function(part) length(part$columns) > 1L && identical(utils::tail(part$columns, 1L), id), NA)
    subjects <- if (any(whole) && !id %in% groups) parts[[which(whole)[1L]]] else grouping(id, data, argument)
    return(list(subjects = subjects, groups = parts))
  }
  list(subjects = parts[[if (has_states(model)) followed(parts, model) else innermost(parts)]], groups = parts)
}

# `id` beside another grouping of the model: whose courses in time the rows are, where that matters; else it says
# nothing.
id_beside <- function(id, model, data) {
  group <- model$groups
  if (is.null(id) || length(group) != 1L || identical(id, group)) return(id)
  check_column_name(id, "id")
  if (!id %in% names(data)) stop_missing_column(id, data, "grouping", "data")
  in_time <- has_states(model) || any(model$described$families %in% sequential_families)
  message(sprintf(
    "The random effects are those of `%s`, as the model says; `id = \"%s\"` %s.", group, id,
    if (in_time) "tells whose doses and records in time the rows are" else "is not used"
  ))
  if (in_time) id
}

stop_no_group <- function(model) {
  line <- if (is.null(model$formula)) "random(eta ~ ... | id)" else "random = ka + V ~ 1 | id"
  stop_data(
    "no_group", "Nothing says which column tells the subjects apart.",
    hint = sprintf("Write `%s`, or give `id = \"column\"`.", line)
  )
}

# Among the groupings by one column the one with the most levels.
innermost <- function(parts) {
  single <- vapply(parts, function(part) length(part$columns) == 1L, logical(1L))
  levels <- vapply(parts, function(part) length(part$labels), integer(1L))
  if (any(single)) levels[!single] <- 0L
  which.max(levels)
}

# The grouping whose levels are the subjects through which differential equations run: one within which all effects in
# the equations are constant. Of several the one that is called so, else one whose effects are in them.
followed <- function(parts, model) {
  inside <- vapply(parts, `[[`, "", "name") %in% model$described$in_equations
  may <- vapply(parts, function(part) {
    all(vapply(parts[inside], function(other) is_constant_in(other$codes, part$codes), NA))
  }, NA)
  if (!any(may)) may[] <- TRUE
  called <- vapply(parts, function(part) names_subjects(utils::tail(part$columns, 1L)), NA)
  if (any(may & called)) may <- may & called else if (any(may & inside)) may <- may & inside
  which(may)[innermost(parts[may])]
}

is_constant_in <- function(codes, within) {
  all(codes == codes[match(within, within)])
}

# Whether a column has a name by which subjects go.
names_subjects <- function(column) grepl("^(id|usubjid|subj.*|patient.*|animal.*)$", tolower(column))

# `name` is a column or columns joined by ":"; a column that is itself called so
# comes first.
grouping <- function(name, data, argument) {
  columns <- if (name %in% names(data)) name else strsplit(name, ":", fixed = TRUE)[[1L]]
  for (column in columns) check_group_column(column, data, argument)
  parts <- lapply(columns, function(column) {
    labels <- group_labels(data[[column]])
    list(labels = labels, codes = match(group_text(data[[column]]), labels))
  })
  all <- Reduce(interact, parts)
  list(name = name, columns = columns, labels = all$labels, codes = as.double(all$codes))
}

# The levels of two groupings that occur together, ordered by the first, then the
# second.
interact <- function(a, b) {
  key <- (a$codes - 1) * length(b$labels) + b$codes
  found <- sort(unique(key))
  first <- (found - 1) %/% length(b$labels) + 1
  second <- (found - 1) %% length(b$labels) + 1
  list(
    labels = paste(a$labels[first], b$labels[second], sep = ":"),
    codes = match(key, found)
  )
}

check_group_column <- function(column, data, argument) {
  if (!column %in% names(data)) stop_missing_column(column, data, "grouping", argument)
  values <- data[[column]]
  if (is.list(values) || !is.null(dim(values))) {
    stop_data(
      "bad_group", sprintf("The grouping column `%s` is of class `%s`.", column, class(values)[1L]),
      hint = "A group is a number, a text or a factor in each row.", fields = list(column = column)
    )
  }
  if (anyNA(values)) {
    row <- which(is.na(values))[1L]
    stop_data(
      "missing_group",
      sprintf("The grouping column `%s` has a missing value in row %d.", column, row),
      hint = "Every row belongs to a subject; remove the row or fill it in.",
      fields = list(column = column, row = row)
    )
  }
}

# Labels in an order that does not depend on the order of rows: numbers by size,
# factors by level, text by its bytes.
group_labels <- function(values) {
  if (is.factor(values)) return(levels(droplevels(values)))
  if (is.numeric(values)) return(group_text(sort(unique(values))))
  sort(unique(as.character(values)), method = "radix")
}

# The label of each value; 100000 is not written 1e+05. Numbers that 15 digits do
# not tell apart, such as 0.1 + 0.2 and 0.3, get the 17 that always do.
group_text <- function(values) {
  if (!is.numeric(values) || is.factor(values)) return(as.character(values))
  values <- as.double(values)
  text <- rep(NA_character_, length(values))
  there <- which(!is.na(values))
  text[there] <- formatC(values[there], digits = 15L, width = 1L, format = "fg")
  short <- there[as.double(text[there]) != values[there]]
  text[short] <- formatC(values[short], digits = 17L, width = 1L, format = "fg")
  text
}
