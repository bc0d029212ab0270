# Read fixed(): the parameters to estimate, their scales and starting values.
# Values are numbers, so R evaluates them in the calling environment.

scales <- c("identity", "log", "logit", "probit")

# The words of fixed(). Each returns the fields of a parameter but its name.
parameter_words <- list(
  real = function(value, scale = "identity", lower = NULL, upper = NULL, se = TRUE,
                  label = NULL, unit = NULL) {
    list(
      type = "real", scale = scale, value = value, lower = lower, upper = upper,
      se = se, label = label, unit = unit
    )
  },
  positive = function(value, lower = NULL, upper = NULL, se = TRUE, label = NULL,
                      unit = NULL) {
    parameter_words$real(value, "log", lower, upper, se, label, unit)
  },
  probability = function(value, lower = NULL, upper = NULL, se = TRUE, label = NULL,
                         unit = NULL) {
    parameter_words$real(value, "logit", lower, upper, se, label, unit)
  },
  covariance_matrix = function(value, parameterization = "cholesky", se = TRUE,
                               label = NULL, unit = NULL) {
    list(
      type = "covariance_matrix", value = value, parameterization = parameterization,
      se = se, label = label, unit = unit
    )
  },
  diagonal_matrix = function(value, se = TRUE, label = NULL, unit = NULL) {
    list(type = "diagonal_matrix", value = value, se = se, label = label, unit = unit)
  }
)

# The parameters that one fixed(...) call declares.
fixed_parameters <- function(call, env) {
  args <- as.list(call)[-1L]
  if (length(args) > 0L && (is.null(names(args)) || any(names(args) == ""))) {
    stop_model(
      "unnamed_parameter", "Every parameter in fixed() needs a name.", code_text(call),
      "Write `fixed(ka = 1.5)`."
    )
  }
  unname(Map(function(name, code) fixed_parameter(name, code, env), names(args), args))
}

fixed_parameter <- function(name, code, env) {
  place <- sprintf("fixed(%s = %s)", name, code_text(code))
  if (is_call_to(code, later_words)) {
    stop_model(
      "unsupported_type",
      sprintf("`%s()` is not available in this release.", code_text(code[[1L]])), place,
      paste0("Known: ", paste0(names(parameter_words), "()", collapse = ", "), "."),
      list(name = name)
    )
  }
  if (is_call_to(code, names(parameter_words))) {
    code[[1L]] <- parameter_words[[as.character(code[[1L]])]]
  } else {
    code <- as.call(list(parameter_words$real, code))
  }
  parameter <- tryCatch(
    lapply(eval(code, env), force),
    error = function(error) {
      stop_model(
        "unreadable_parameter",
        sprintf("The parameter `%s` cannot be read: %s.", name, conditionMessage(error)),
        place, fields = list(name = name)
      )
    }
  )
  check_parameter(c(list(name = name), parameter), place)
}

check_parameter <- function(parameter, place) {
  fail <- function(problem, hint = NULL) {
    stop_model(
      "bad_value", sprintf("The parameter `%s` %s.", parameter$name, problem),
      place, hint, list(name = parameter$name)
    )
  }
  value <- parameter$value
  if (!is.numeric(value) || length(value) == 0L || !all(is.finite(value))) {
    fail("needs a finite number as starting value")
  }
  if (parameter$type == "covariance_matrix") {
    if (!is.matrix(value) || nrow(value) != ncol(value)) {
      fail("needs a square matrix", "Write `covariance_matrix(diag(0.1, 2))`.")
    }
    if (!isSymmetric(unname(value))) fail("needs a symmetric matrix")
    if (!parameter$parameterization %in% c("cholesky", "matrix_log")) {
      fail("has an unknown parameterization", "Known: `cholesky`, `matrix_log`.")
    }
    parameter$dim <- nrow(value)
  } else if (is.matrix(value)) {
    fail("is a matrix", "Use covariance_matrix() for a covariance.")
  }
  if (parameter$type == "diagonal_matrix") parameter$dim <- length(value)
  if (parameter$type == "real" && !parameter$scale %in% scales) {
    fail(
      sprintf("has an unknown scale `%s`", parameter$scale),
      nearest_hint(parameter$scale, scales, "Known")
    )
  }
  # Row-major, which for a symmetric matrix is R's own order.
  parameter$value <- as.numeric(value)
  parameter
}
