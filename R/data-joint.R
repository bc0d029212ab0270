# Outcomes that are normal together, `c(y1, y2) ~ mvnormal(...)`, belong to one row: values of one time that stand on
# rows of their own would be fitted as independent.

# The columns of each line with several outcomes.
joint_outcomes <- function(model) {
  stated <- Filter(function(statement) length(statement$more) > 0L, model$spec$statements)
  lapply(stated, function(statement) c(statement$column, statement$more))
}

# Data in which a code tells apart, in one column `value`, what stands together in the model.
check_joint_layout <- function(model, apart, key, value, data) {
  for (columns in joint_outcomes(model)) {
    if (any(columns %in% apart)) stop_joint_layout(columns, long_hint(columns, key, value, data))
  }
}

# Rows of one subject and one time between which the outcomes of a line are divided.
check_joint_rows <- function(model, data, subjects, time) {
  for (columns in joint_outcomes(model)) {
    present <- !is.na(as.data.frame(data)[columns])
    here <- rowSums(present) > 0
    if (is.null(time) || !any(here)) next
    at <- interaction(subjects$codes[here], data[[time]][here], drop = TRUE)
    several <- stats::ave(rep(1, sum(here)), at, FUN = sum) > 1
    partly <- rowSums(present[here, , drop = FALSE]) < length(columns)
    apart <- stats::ave(as.numeric(several & partly), at, FUN = sum) > 1
    if (!any(apart)) next
    row <- which(here)[apart][1L]
    hint <- sprintf(
      "Bring them together: `wide <- aggregate(cbind(%s) ~ %s + %s, data, mean, na.rm = TRUE, na.action = na.pass)`.",
      paste(columns, collapse = ", "), subjects$name, time
    )
    stop_joint_layout(columns, hint, sprintf("row %d", row), list(row = row))
  }
}

stop_joint_layout <- function(columns, hint, place = NULL, fields = list()) {
  stop_data(
    "joint_layout",
    sprintf(
      "The outcomes %s correlate within a row, but the data have values of one time on rows of their own.",
      paste0("`", columns, "`", collapse = ", ")
    ),
    place, hint, fields
  )
}

long_hint <- function(columns, key, value, data) {
  time <- column_like(data, "TIME")
  id <- column_like(data, "ID")
  by <- c(if (is.null(id)) "id" else id, if (is.null(time)) "time" else time)
  codes <- sort(unique(group_text(data[[key]])[!is.na(data[[value]])]))
  if (length(codes) != length(columns)) codes <- columns
  sprintf(
    paste0(
      "Give each outcome a column: `wide <- reshape(as.data.frame(data), direction = \"wide\", idvar = c(%s), ",
      "timevar = \"%s\", v.names = \"%s\")`; its columns are %s, for `c(%s) ~ mvnormal(...)`."
    ),
    paste0("\"", by, "\"", collapse = ", "), key, value,
    paste0("`", value, ".", codes, "`", collapse = ", "), paste0(value, ".", codes, collapse = ", ")
  )
}
