# Classed conditions: the problem in the user's own names, then the place, then
# the way out. Programs read the class and the fields, people read the message.

#' Conditions raised by nlmers
#'
#' Every error of this package has class `nlmers_error` and one of
#' `nlmers_error_model` (the model as written), `nlmers_error_data` (the data,
#' or the model against the data), `nlmers_error_start` (a starting or fixed
#' value), `nlmers_error_option` (an argument or an option of a method),
#' `nlmers_error_numeric` (numbers failed where they must not) and
#' `nlmers_error_internal` (a defect of the package). A warning about a fit has
#' class `nlmers_warning` and `nlmers_warning_<status>`.
#'
#' Each error carries the fields `reason` (a short fixed word), `problem`,
#' `place` and `hint`, and where they apply `name`, `column`, `subject`, `row`
#' and `value`.
#'
#' @examples
#' caught <- tryCatch(
#'   fit_nlme("not a model", data.frame()),
#'   nlmers_error = function(error) error
#' )
#' class(caught)
#' caught$reason
#' @name nlmers-conditions
NULL

stop_nlmers <- function(class, reason, problem, place = NULL, hint = NULL,
                        fields = list()) {
  message <- paste(
    c(problem, if (!is.null(place)) paste("In:", place), hint),
    collapse = "\n"
  )
  known <- list(
    message = message, call = NULL,
    reason = reason, problem = problem, place = place, hint = hint
  )
  stop(structure(
    c(known, fields),
    class = c(paste0("nlmers_error_", class), "nlmers_error", "error", "condition")
  ))
}

stop_model <- function(reason, problem, place = NULL, hint = NULL, fields = list()) {
  stop_nlmers("model", reason, problem, place, hint, fields)
}

stop_data <- function(reason, problem, place = NULL, hint = NULL, fields = list()) {
  stop_nlmers("data", reason, problem, place, hint, fields)
}

stop_option <- function(reason, problem, place = NULL, hint = NULL, fields = list()) {
  stop_nlmers("option", reason, problem, place, hint, fields)
}

stop_start <- function(reason, problem, place = NULL, hint = NULL, fields = list()) {
  stop_nlmers("start", reason, problem, place, hint, fields)
}

# Raise what the core answered instead of a result. `variables` are the assigned
# variables: those of a translated formula start with a dot, which the user did
# not write.
stop_core_error <- function(error, variables = character()) {
  for (name in grep("^[.]", variables, value = TRUE)) {
    pattern <- sprintf("(?<![[:alnum:]_.])\\Q%s\\E(?![[:alnum:]_.])", name)
    error[] <- lapply(error, function(text) {
      if (is.character(text)) gsub(pattern, substring(name, 2L), text, perl = TRUE) else text
    })
  }
  fields <- error$fields
  # The core sends every field as text; a row is used as an index.
  if (!is.null(fields$row)) fields$row <- as.integer(fields$row)
  stop_nlmers(
    error$class, error$reason, error$problem, error$place, error$hint, fields
  )
}

variable_names <- function(model) {
  statement_targets(model$statements)
}

warn_nlmers <- function(status, message) {
  warning(structure(
    list(message = message, call = NULL, status = status),
    class = c(
      paste0("nlmers_warning_", status), "nlmers_warning", "warning", "condition"
    )
  ))
}
