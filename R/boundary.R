# The one call into the core.

# Run a request (list) on columns (named list of numbers, one element a row of the data) and return its value, or raise
# the condition that describes the core's error. `progress` is NULL or
# function(iteration, total, phase, gain, objective); returning FALSE from it stops the task as Ctrl-C does.
core_call <- function(request, columns = list(), progress = NULL) {
  failure <- NULL
  watched <- function(...) {
    tryCatch(progress(...), error = function(e) {
      failure <<- e
      FALSE
    })
  }
  columns <- lapply(columns, as.double)
  names(columns) <- enc2utf8(as.character(names(columns)))
  answer <- .Call(
    wrap__nlmers_run,
    request_json(request),
    columns,
    if (!is.null(progress)) watched
  )
  if (!is.null(failure)) {
    stop(failure)
  }
  if (!answer$ok) {
    stop_core_error(answer$error, variable_names(request$model))
  }
  answer$value
}

# Write a request as JSON: a named list is an object, a vector of length one a scalar unless wrapped in I(); NULL, NA
# and infinities are null. Numbers have 17 digits, so the core reads the very same bits; jsonlite would stop at 15.
request_json <- function(x) {
  if (is.null(x)) {
    "null"
  } else if (is.list(x) && !is.null(names(x))) {
    keys <- vapply(names(x), request_json, "", USE.NAMES = FALSE)
    paste0("{", paste(keys, vapply(x, request_json, ""), sep = ":", collapse = ","), "}")
  } else if (is.list(x)) {
    paste0("[", paste(vapply(x, request_json, ""), collapse = ","), "]")
  } else if (is.double(x)) {
    numbers <- ifelse(is.finite(x), sprintf("%.17g", x), "null")
    if (length(x) == 1 && !inherits(x, "AsIs")) numbers else paste0("[", paste(numbers, collapse = ","), "]")
  } else if (is.character(x) && length(x) == 1L && !inherits(x, "AsIs") && is_plain_text(x)) {
    paste0("\"", x, "\"")
  } else {
    enc2utf8(as.character(toJSON(x, auto_unbox = TRUE, na = "null")))
  }
}

# Letters that JSON writes as they are.
is_plain_text <- function(x) !is.na(x) && !grepl("[^ -~]|[\"\\\\]", x)
