# Check one option of a method or a call; the error names the option.

check_count <- function(value, name, least) {
  if (!is.numeric(value) || length(value) != 1L || !is.finite(value) ||
        value != round(value) || value < least || value > 2^53) {
    stop_bad_option(name, value, sprintf("a whole number of at least %d", least))
  }
  as.numeric(value)
}

check_fraction <- function(value, name) {
  if (!is.numeric(value) || length(value) != 1L || is.na(value) ||
        value <= 0 || value >= 1) {
    stop_bad_option(name, value, "a number between 0 and 1")
  }
  as.numeric(value)
}

check_positive <- function(value, name) {
  if (!is.numeric(value) || length(value) != 1L || !is.finite(value) || value <= 0) {
    stop_bad_option(name, value, "a number above 0")
  }
  as.numeric(value)
}

# Zero and infinity are tolerances: never, and always.
check_tolerance <- function(value, name) {
  if (!is.numeric(value) || length(value) != 1L || is.na(value) || value < 0) {
    stop_bad_option(name, value, "a number of at least 0, or Inf")
  }
  as.numeric(value)
}

check_flag <- function(value, name) {
  if (!isTRUE(value) && !isFALSE(value)) stop_bad_option(name, value, "TRUE or FALSE")
  value
}

check_word <- function(value, name, words) {
  if (identical(value, words)) return(words[1L])
  if (!is.character(value) || length(value) != 1L || !value %in% words) {
    known <- paste0("\"", words, "\"", collapse = ", ")
    stop_bad_option(name, value, paste0(if (length(words) > 1L) "one of ", known))
  }
  value
}

check_function <- function(value, name) {
  if (!is.null(value) && !is.function(value)) stop_bad_option(name, value, "a function or NULL")
  value
}

# An option that nothing would read is refused, not ignored. `given` are the options the
# user wrote, `names` those that are idle.
refuse_idle <- function(given, names, reason, hint = NULL) {
  idle <- intersect(given, names)
  if (length(idle) == 0L) return(invisible())
  stop_option(
    "idle_option", sprintf("`%s` has no effect here: %s.", idle[1L], reason),
    hint = if (is.null(hint)) sprintf("Leave `%s` out.", idle[1L]) else hint, fields = list(name = idle[1L])
  )
}

# A method takes `...` for its generic's sake; what lands there is a mistake.
refuse_dots <- function(...) {
  if (...length() == 0L) return(invisible())
  name <- c(setdiff(rlang::names2(list(...)), ""), "")[1L]
  known <- setdiff(names(formals(sys.function(-1L))), "...")
  stop_option(
    "unknown_argument",
    if (nzchar(name)) sprintf("There is no argument `%s` here.", name) else "There is one argument too many.",
    hint = nearest_hint(name, known, "Arguments"),
    fields = list(name = name)
  )
}

stop_bad_option <- function(name, value, wanted) {
  shown <- code_text(value)
  # Functions and fits are long.
  if (nchar(shown) > 100L) shown <- paste0(substr(shown, 1L, 100L), "...")
  stop_option(
    "bad_option", sprintf("`%s` must be %s.", name, wanted), sprintf("%s = %s", name, shown),
    fields = list(name = name, value = shown)
  )
}

# Refuse a list of options that names one its `owner` does not have.
check_option_names <- function(options, known, owner, reason) {
  for (name in setdiff(rlang::names2(options), known)) {
    stop_option(
      reason, if (nzchar(name)) sprintf("%s has no option `%s`.", owner, name) else "Every option needs its name.",
      hint = nearest_hint(name, known, "Options"), fields = list(name = name)
    )
  }
}
