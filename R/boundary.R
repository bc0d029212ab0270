# The one call into the core.

# What a request says and how, by number; the core refuses another than its own (`request/protocol.rs`).
protocol <- 1

# Run a request (list) on columns (named list of numbers, one element a row of the data) and return its value, or raise
# the condition that describes the core's error. `progress` is NULL or
# function(iteration, total, phase, gain, objective); returning FALSE from it stops the task as Ctrl-C does. `hooks` is
# NULL or the function of hook_dispatcher(), which answers what the task asks.
core_call <- function(request, columns = list(), progress = NULL, hooks = NULL) {
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
    request_json(list(protocol = protocol, request = request)),
    columns,
    if (!is.null(progress)) watched,
    hooks
  )
  if (!is.null(failure)) {
    stop(failure)
  }
  if (!answer$ok) {
    model <- if (is.null(request$fit)) request$model else request$fit$model
    stop_core_error(answer$error, variable_names(model))
  }
  answer$value
}

# Write a request as JSON: a named list is an object, a vector of length one a scalar unless wrapped in I(); NULL, NA
# and infinities are null. Numbers have 17 digits, so the core reads the very same bits; jsonlite would stop at 15.
request_json <- function(x) {
  if (is.list(x)) {
    parts <- vapply(x, request_json, "", USE.NAMES = FALSE)
    if (is.null(names(x))) return(paste0("[", paste(parts, collapse = ","), "]"))
    if (length(x) == 0L) return("{}")
    return(paste0("{", paste(json_texts(names(x)), parts, sep = ":", collapse = ","), "}"))
  }
  if (is.null(x)) return("null")
  parts <- if (is.character(x)) {
    json_texts(x)
  } else if (is.logical(x)) {
    c("false", "true", "null")[ifelse(is.na(x), 3L, x + 1L)]
  } else if (is.double(x)) {
    json_numbers(x)
  } else {
    return(enc2utf8(as.character(toJSON(x, auto_unbox = TRUE, na = "null"))))
  }
  if (length(x) == 1L && !inherits(x, "AsIs")) parts else paste0("[", paste(parts, collapse = ","), "]")
}

json_numbers <- function(x) {
  numbers <- sprintf("%.17g", x)
  numbers[!is.finite(x)] <- "null"
  numbers
}

# Texts of plain letters are quoted at once; the others go through jsonlite.
json_texts <- function(x) {
  x <- as.character(x)
  odd <- is.na(x) | grepl("[^ -~]|[\"\\\\]", x)
  texts <- paste0("\"", x, "\"", recycle0 = TRUE)
  texts[odd] <- vapply(x[odd], function(text) {
    enc2utf8(as.character(toJSON(text, auto_unbox = TRUE, na = "null")))
  }, "", USE.NAMES = FALSE)
  texts
}
