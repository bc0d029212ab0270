# Read fixed(): the parameters to estimate, their scales and starting values.
# Values are numbers, so R evaluates them in the calling environment.

scales <- c("identity", "log", "logit", "probit")

# The words of fixed(). Each returns the fields of a parameter but its name. A
# prior is kept as text, for methods that have a use for it.
parameter_words <- list(
  real = function(value, scale = "identity", lower = NULL, upper = NULL, prior, se = TRUE,
                  label = NULL, unit = NULL) {
    list(
      type = "real", scale = scale, value = value, lower = lower, upper = upper,
      prior = prior_text(substitute(prior)), se = se, label = label, unit = unit
    )
  },
  positive = function(value, lower = NULL, upper = NULL, prior, se = TRUE, label = NULL,
                      unit = NULL) {
    list(
      type = "real", scale = "log", value = value, lower = lower, upper = upper,
      prior = prior_text(substitute(prior)), se = se, label = label, unit = unit
    )
  },
  probability = function(value, lower = NULL, upper = NULL, prior, se = TRUE, label = NULL,
                         unit = NULL) {
    list(
      type = "real", scale = "logit", value = value, lower = lower, upper = upper,
      prior = prior_text(substitute(prior)), se = se, label = label, unit = unit
    )
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
  },
  simplex = function(value, se = TRUE, label = NULL, unit = NULL) {
    list(type = "simplex", value = value, se = se, label = label, unit = unit)
  },
  transition_matrix = function(value, se = TRUE, label = NULL, unit = NULL) {
    list(type = "transition_matrix", value = value, se = se, label = label, unit = unit)
  },
  rate_matrix = function(value, se = TRUE, label = NULL, unit = NULL) {
    list(type = "rate_matrix", value = value, se = se, label = label, unit = unit)
  }
)

square_types <- c("covariance_matrix", "transition_matrix", "rate_matrix")

# NULL when no prior is given.
prior_text <- function(code) if (!rlang::is_missing(code)) code_text(code)

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
  words <- c(parameter_words, learned_words)
  if (is_call_to(code, names(words))) {
    word <- words[[as.character(code[[1L]])]]
    check_word_arguments(code, names(formals(word)), name, place)
    code[[1L]] <- word
  } else {
    code <- as.call(list(parameter_words$real, code))
  }
  parameter <- tryCatch(
    lapply(eval(code, env), force),
    error = function(error) {
      stop_model(
        "unreadable_parameter",
        sprintf("The parameter `%s` cannot be read: %s.", name, conditionMessage(error)),
        place, unknown_word_hint(code, names(words), env), list(name = name)
      )
    }
  )
  check_parameter(c(list(name = name), parameter), place)
}

# The word that a call to no function may mean.
unknown_word_hint <- function(code, words, env) {
  inner <- if (is.call(code) && length(code) == 2L) code[[2L]] else code
  if (!is.call(inner) || !is.symbol(inner[[1L]])) return(NULL)
  word <- as.character(inner[[1L]])
  if (!exists(word, envir = env, mode = "function")) nearest_hint(word, words, "Words of fixed()")
}

check_labels <- function(parameter, fail) {
  if (!is.null(parameter$se) && !isTRUE(parameter$se) && !isFALSE(parameter$se)) {
    fail("needs `se = TRUE` or `se = FALSE`")
  }
  for (field in c("label", "unit")) {
    text <- parameter[[field]]
    if (!is.null(text) && (!is.character(text) || length(text) != 1L)) fail(sprintf("needs one text as `%s`", field))
  }
}

check_word_arguments <- function(code, known, name, place) {
  word <- as.character(code[[1L]])
  for (argument in setdiff(rlang::names2(as.list(code)[-1L]), c("", known))) {
    stop_model(
      "unknown_argument", sprintf("`%s()` has no argument `%s`.", word, argument), place,
      nearest_hint(argument, known, "Arguments"), list(name = name)
    )
  }
}

check_parameter <- function(parameter, place) {
  fail <- function(problem, hint = NULL) {
    stop_model(
      "bad_value", sprintf("The parameter `%s` %s.", parameter$name, problem),
      place, hint, list(name = parameter$name)
    )
  }
  check_labels(parameter, fail)
  value <- parameter$value
  if (!is.numeric(value) || length(value) == 0L || !all(is.finite(value))) {
    fail("needs a finite number as starting value")
  }
  if (parameter$type %in% square_types) {
    check_square(parameter, fail)
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
  for (bound in c("lower", "upper")) {
    limit <- parameter[[bound]]
    if (!is.null(limit) && (!is.numeric(limit) || anyNA(limit))) fail(sprintf("needs a number as `%s`", bound))
  }
  if (length(parameter$lower) == length(parameter$upper) && any(parameter$lower >= parameter$upper)) {
    bounds <- c(format(parameter$lower[1L]), format(parameter$upper[1L]))
    fail(
      sprintf("has its bounds the wrong way round, %s and %s", bounds[1L], bounds[2L]), "Write `lower` below `upper`."
    )
  }
  parameter$value <- row_major(value)
  parameter
}

check_square <- function(parameter, fail) {
  value <- parameter$value
  if (!is.matrix(value) || nrow(value) != ncol(value)) {
    example <- switch(parameter$type,
      covariance_matrix = "covariance_matrix(diag(0.1, 2))",
      transition_matrix = "transition_matrix(rbind(c(0.9, 0.1), c(0.2, 0.8)))",
      rate_matrix = "rate_matrix(rbind(c(-0.1, 0.1), c(0.2, -0.2)))"
    )
    fail("needs a square matrix", sprintf("Write `%s`.", example))
  }
  if (parameter$type != "covariance_matrix") return(invisible())
  if (!isSymmetric(unname(value))) fail("needs a symmetric matrix")
  if (!parameter$parameterization %in% c("cholesky", "matrix_log")) {
    fail("has an unknown parameterization", "Known: `cholesky`, `matrix_log`.")
  }
}

row_major <- function(value) as.numeric(if (is.matrix(value)) t(value) else value)

# Said once a fit by a method that has no use for priors.
inform_of_priors <- function(model, method) {
  given <- Filter(function(parameter) !is.null(parameter$prior), model$spec$parameters)
  if (length(given) == 0L) return(invisible())
  names <- vapply(given, `[[`, character(1L), "name")
  message(sprintf(
    "%s maximizes the likelihood: the prior%s of %s %s ignored.", toupper(method$options$name),
    if (length(names) > 1L) "s" else "", paste0("`", names, "`", collapse = ", "),
    if (length(names) > 1L) "are" else "is"
  ))
}
