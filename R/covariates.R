# Read covariates(): what is known of data columns beyond their numbers.

# The words of covariates(). Each returns the fields of a declaration but its name.
covariate_words <- list(
  # Without a group: constant for a subject.
  constant = function(on = NULL) {
    on <- substitute(on)
    if (is.null(on)) return(list(kind = "constant"))
    group <- if (is.character(on)) on else code_text(on)
    list(kind = "constant", on = gsub(" ", "", group))
  },
  time_varying = function(interpolation = "constant") {
    known <- c("constant", "next", "linear", "cubic_spline", "akima")
    if (!is.character(interpolation) || !isTRUE(interpolation %in% known)) {
      stop(sprintf("`interpolation` is one of %s", paste0("\"", known, "\"", collapse = ", ")))
    }
    list(kind = "time_varying", interpolation = interpolation)
  },
  vector = function(cols) {
    if (!is.character(cols) || length(cols) == 0L || anyNA(cols)) {
      stop("`cols` must be names of columns, as in vector(c(\"age\", \"wt\"))")
    }
    list(kind = "vector", columns = cols)
  },
  factor = function(levels, reference = NULL) {
    if (!is.atomic(levels) || anyNA(levels)) {
      stop("`levels` must be the values of the column, as in factor(c(\"F\", \"M\"))")
    }
    levels <- group_text(levels)
    if (!is.null(reference)) reference <- group_text(reference)
    list(kind = "factor", levels = levels, reference = reference)
  }
)

covariate_declarations <- function(call, env) {
  args <- as.list(call)[-1L]
  if (length(args) > 0L && any(rlang::names2(args) == "")) {
    stop_model(
      "unnamed_covariate", "Every covariate in covariates() needs a name.", code_text(call),
      "Write `covariates(weight = constant(on = id))`."
    )
  }
  unname(Map(function(name, code) covariate_declaration(name, code, env), names(args), args))
}

covariate_declaration <- function(name, code, env) {
  text <- sprintf("covariates(%s = %s)", name, code_text(code))
  word <- if (is.call(code)) code_text(code[[1L]]) else code_text(code)
  if (!is.call(code) || !word %in% names(covariate_words)) {
    words <- names(covariate_words)
    stop_model(
      "bad_covariate", sprintf("`%s` does not say what the covariate `%s` is.", code_text(code), name),
      text, nearest_hint(word, words, "Known"), list(name = name)
    )
  }
  code[[1L]] <- covariate_words[[word]]
  fields <- tryCatch(
    eval(code, env),
    error = function(error) {
      stop_model(
        "bad_covariate",
        sprintf("The covariate `%s` cannot be read: %s.", name, conditionMessage(error)),
        text, fields = list(name = name)
      )
    }
  )
  c(list(name = name), Filter(length, fields), list(text = text))
}

# The numbers of a column as the model reads it: of a declared factor the positions of
# its levels.
column_numbers <- function(values, column, argument, spec) {
  for (covariate in spec$covariates) {
    if (covariate$kind == "factor" && covariate$name == column) {
      return(level_codes(values, covariate, argument))
    }
  }
  numeric_column(values, column, argument)
}

level_codes <- function(values, covariate, argument) {
  text <- group_text(values)
  codes <- match(text, covariate$levels)
  row <- which(is.na(codes) & !is.na(values))[1L]
  if (!is.na(row)) {
    stop_data(
      "unknown_level",
      sprintf("`%s` is \"%s\" in row %d of `%s`, which is not one of its levels.",
              covariate$name, text[row], row, argument),
      covariate$text, nearest_hint(text[row], covariate$levels, "Levels"),
      list(column = covariate$name, row = row, value = text[row])
    )
  }
  as.double(codes)
}
