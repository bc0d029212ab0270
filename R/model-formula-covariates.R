# Covariates of the formula door. R reads their formulas: terms that are numbers go
# into the code of the model, all others (factors, poly(), scale(), ...) become columns
# of a design that new data get by the same coding.

# `effects` has one element per coefficient: its name, its parameter and the covariate's
# code; `designs` say how columns are made that the data do not have.
covariate_effects <- function(covariates, parameters, data = NULL, env = globalenv()) {
  if (inherits(covariates, "formula")) covariates <- list(covariates)
  effects <- list()
  designs <- list()
  for (formula in covariates) {
    text <- code_text(formula)
    if (!is_call_to(formula, "~") || length(formula) != 3L) {
      stop_option(
        "bad_covariates", "`covariates` are formulas `parameter ~ covariate`.", text
      )
    }
    names <- summed_names(formula[[2L]])
    check_parameter_names(names, parameters, text)
    right <- covariate_columns(formula, data, env, text)
    designs <- c(designs, right$designs)
    for (name in names) {
      effects <- c(effects, lapply(right$terms, function(term) {
        list(name = effect_name(name, term$label), parameter = name, term = term$code)
      }))
    }
  }
  # As in R's formulas, a term given twice counts once.
  effects <- unique(effects)
  names <- make.unique(vapply(effects, `[[`, character(1L), "name"), sep = "_")
  effects <- Map(function(effect, name) utils::modifyList(effect, list(name = name)), effects, names)
  list(effects = unname(effects), designs = if (length(designs) > 0L) unique(designs))
}

# `beta_Cl_log_Wt_70` for log(Wt/70) on Cl.
effect_name <- function(parameter, label) {
  label <- gsub("(^|[^A-Za-z0-9._])I\\(", "\\1(", label)
  column <- gsub("^_|_$", "", gsub("[^A-Za-z0-9.]+", "_", label))
  sprintf("beta_%s_%s", parameter, column)
}

# The columns that the right side of a formula stands for, each with its label and code.
covariate_columns <- function(formula, data, env, text) {
  if (!is.null(environment(formula))) env <- environment(formula)
  check_covariate_code(formula[[3L]], text)
  terms <- stats::terms(rlang::new_formula(NULL, formula[[3L]], env))
  labels <- attr(terms, "term.labels")
  if (length(labels) == 0L) return(NULL)
  known <- is.data.frame(data) && all(all.vars(terms) %in% names(data))
  if (!known) {
    codes <- lapply(seq_along(labels), term_code, terms = terms)
    return(list(terms = Map(function(label, code) {
      check_readable(code, label, env, text)
      list(label = label, code = code)
    }, labels, codes)))
  }
  coded_terms(terms, data, env, text)
}

# Operators between terms are those of formulas; the intercept is the typical value.
check_covariate_code <- function(code, text) {
  if (is.numeric(code)) {
    if (identical(as.numeric(code), 1)) return(invisible())
    stop_option(
      "bad_covariates", sprintf("`covariates` has the constant `%s`.", code_text(code)), text,
      "The typical value is the intercept and is always there; name covariates only."
    )
  }
  if (identical(code, quote(.))) {
    stop_option(
      "bad_covariates", "`.` in `covariates` stands for no columns.", text,
      "Name them: `covariates = V ~ weight + sex`."
    )
  }
  if (is_call_to(code, "-")) refuse_difference(code, text)
  if (is_call_to(code, c("+", "*", ":", "(", "/", "%in%"))) {
    for (part in as.list(code)[-1L]) check_covariate_code(part, text)
  }
}

# `a * b - a:b` takes a term out, `a - b` is meant as a difference.
refuse_difference <- function(code, text) {
  taken <- code[[length(code)]]
  labels <- function(code) attr(stats::terms(rlang::new_formula(NULL, code)), "term.labels")
  if (length(code) == 3L && !is.numeric(taken) && all(labels(taken) %in% labels(code[[2L]]))) {
    return(check_covariate_code(code[[2L]], text))
  }
  stop_option(
    "bad_covariates", "`covariates` takes sums of terms, not `-`.", text,
    if (is.numeric(taken)) {
      "The typical value is the intercept and is always there; name covariates only."
    } else {
      sprintf("A term that is not there cannot be taken out; for the difference write `I(%s)`.", code_text(code))
    }
  )
}

# The product of the variables of a term, without the I() that only formulas need.
term_code <- function(i, terms) {
  variables <- as.list(attr(terms, "variables"))[-1L][attr(terms, "factors")[, i] > 0]
  variables <- lapply(variables, function(code) if (is_call_to(code, "I")) code[[2L]] else code)
  Reduce(function(left, right) call("*", left, right), variables)
}

# Without the data only what the language reads can stand in a model.
check_readable <- function(code, label, env, text) {
  tryCatch(expression_tree(code, new_scope(env, text)), nlmers_error = function(error) {
    if (!identical(error$reason, "unknown_function")) stop(error)
    stop_model(
      "data_needed", sprintf("The covariate `%s` cannot be read without the data: %s", label, error$problem), text,
      "Give them: `nlme_formula(..., data = data)`, or fit the formula itself, `fit_nlme(formula, data, ...)`.",
      list(name = label)
    )
  })
}

# With the data: terms of plain numbers as code, others as columns of a design.
coded_terms <- function(terms, data, env, text) {
  frame <- covariate_frame(terms, data, text)
  terms <- attr(frame, "terms")
  matrix <- tryCatch(stats::model.matrix(terms, frame), error = function(error) stop_covariate(error, text))
  of_term <- attr(matrix, "assign")
  plain <- vapply(seq_along(attr(terms, "term.labels")), plain_term, logical(1L), terms = terms, env = env)
  made <- colnames(matrix)[of_term > 0L & !c(FALSE, plain)[of_term + 1L]]
  columns <- stats::setNames(utils::tail(make.unique(c(names(data), made), sep = "_"), length(made)), made)
  coded <- lapply(which(of_term > 0L), function(j) {
    label <- colnames(matrix)[j]
    code <- if (plain[of_term[j]]) term_code(of_term[j], terms) else as.symbol(columns[[label]])
    list(label = label, code = code)
  })
  design <- if (length(made) > 0L) {
    list(
      terms = portable_terms(terms, env), xlevels = stats::.getXlevels(terms, frame),
      contrasts = attr(matrix, "contrasts"), columns = columns, text = text
    )
  }
  list(terms = coded, designs = if (!is.null(design)) list(design))
}

# Whether a term is a product of numbers that the language reads row by row.
plain_term <- function(i, terms, env) {
  own <- attr(terms, "factors")[, i] > 0
  classes <- attr(terms, "dataClasses")[own]
  same <- identical(as.list(attr(terms, "variables"))[-1L][own], as.list(attr(terms, "predvars"))[-1L][own])
  if (!same || !all(classes %in% c("numeric", "other"))) return(FALSE)
  code <- term_code(i, terms)
  !inherits(try(expression_tree(code, new_scope(env, "")), silent = TRUE), "try-error")
}

covariate_frame <- function(terms, data, text, xlevels = NULL) {
  tryCatch(
    stats::model.frame(
      terms, as.data.frame(data), na.action = stats::na.pass, drop.unused.levels = is.null(xlevels), xlev = xlevels
    ),
    error = function(error) stop_covariate(error, text)
  )
}

stop_covariate <- function(error, text) {
  message <- conditionMessage(error)
  one <- grepl("contrasts can be applied only", message, fixed = TRUE)
  stop_data(
    "bad_covariate",
    if (one) {
      "A covariate has the same level in all rows, so that it has no effect to estimate."
    } else {
      sprintf("The covariates cannot be computed: %s.", sub("[.]$", "", message))
    }, text,
    if (one) {
      "Leave it out of `covariates`, or give data with at least two of its levels."
    } else {
      "`covariates` are read as the right side of a formula of lm(): columns of the data and functions of them."
    }
  )
}

# Terms hold the environment of their formula, a fit must hold none: of it are kept the
# functions that would not be found elsewhere.
portable_terms <- function(terms, env) {
  names <- setdiff(all.names(attr(terms, "variables")), all.vars(terms))
  own <- Filter(function(name) {
    !exists(name, globalenv(), mode = "function") && exists(name, env, mode = "function")
  }, unique(names))
  kept <- globalenv()
  if (length(own) > 0L) {
    kept <- list2env(stats::setNames(lapply(own, get, envir = env, mode = "function"), own), parent = globalenv())
  }
  environment(terms) <- kept
  terms
}

# The data with the columns of the designs of a model.
with_design <- function(model, data, argument) {
  for (design in model$designs) {
    for (column in all.vars(design$terms)) {
      if (!column %in% names(data)) stop_missing_column(column, data, "covariate", argument, design$text)
    }
    check_known_levels(design, data, argument)
    frame <- covariate_frame(design$terms, missing_as_texts(data, design), design$text, design$xlevels)
    tryCatch(
      stats::.checkMFClasses(attr(design$terms, "dataClasses"), frame),
      error = function(error) stop_covariate(error, design$text)
    )
    matrix <- stats::model.matrix(design$terms, frame, contrasts.arg = design$contrasts)
    for (name in names(design$columns)) data[[design$columns[[name]]]] <- unname(matrix[, name])
  }
  data
}

# A column of nothing but NA is logical, whatever it stands for.
missing_as_texts <- function(data, design) {
  for (name in intersect(names(design$xlevels), names(data))) {
    if (all(is.na(data[[name]]))) data[[name]] <- factor(data[[name]], levels = design$xlevels[[name]])
  }
  data
}

# New data may lack levels but have no others.
check_known_levels <- function(design, data, argument) {
  if (length(design$xlevels) == 0L) return(invisible())
  data <- missing_as_texts(data, design)
  frame <- covariate_frame(design$terms, data, design$text)
  for (name in names(design$xlevels)) {
    values <- as.character(frame[[name]])
    row <- which(!is.na(values) & !values %in% design$xlevels[[name]])[1L]
    if (is.na(row)) next
    stop_data(
      "unknown_level",
      sprintf("`%s` is \"%s\" in row %d of `%s`, which is not one of its levels.", name, values[row], row, argument),
      design$text, nearest_hint(values[row], design$xlevels[[name]], "Levels"),
      list(column = name, row = row, value = values[row])
    )
  }
}

# Columns of the data that the designs of a model are made of.
design_sources <- function(model) unique(unlist(lapply(model$designs, function(design) all.vars(design$terms))))

# A formula written without data, with the data: what its covariates are is known now.
with_data <- function(model, data) {
  written <- model$written
  if (is.null(written) || !is.data.frame(data)) return(model)
  formula_model(written$formula, written$start, c(written$design, list(data = data)))
}
