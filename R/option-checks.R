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
  stop_option(
    "bad_option", sprintf("`%s` must be %s.", name, wanted), sprintf("%s = %s", name, shown),
    fields = list(name = name, value = shown)
  )
}
