# What `start` of the formula door gives: by name, or in the order of `fixed`.

formula_start <- function(start, design) {
  if (is.null(start)) return(NULL)
  start <- nlme_start(as.list(start))
  if (!is.null(design$fixed)) return(start)
  if (length(start) == 0L || any(rlang::names2(start) == "")) {
    stop_start(
      "bad_start", "`start` must name every parameter of the formula.",
      hint = "Write `start = c(ka = 1.5, V = 30)`."
    )
  }
  check_named_once(start, "start")
  start
}

# The parameters of the prediction: those of `fixed`, else those of `start`, else, with
# the data, all names that are no columns.
formula_parameters <- function(formula, start, design) {
  names <- all.vars(formula[[3L]])
  if (!is.null(design$fixed)) {
    check_fixed(design$fixed, names)
    return(unique(unlist(lapply(design$fixed, function(one) summed_names(one[[2L]])))))
  }
  if (!is.null(start)) return(intersect(names(start), names))
  if (!is.data.frame(design$data)) {
    stop_option(
      "missing_argument", "`start` names the parameters and their typical values.",
      hint = "Write `start = c(ka = 1.5, V = 30)`."
    )
  }
  used <- setdiff(names, c(names(design$data), "t", "pi", "T", "F"))
  for (name in used) check_no_typo(name, names(design$data), formula)
  if (length(used) > 0L) return(used)
  stop_model(
    "no_parameter", "All names of the formula are columns of the data: there is nothing to estimate.",
    code_text(formula), "Write the parameters into the formula, as in `y ~ a + b * time`."
  )
}

# A name that is a column but for its case or one letter is rather a slip than a parameter.
check_no_typo <- function(name, columns, formula) {
  distance <- drop(utils::adist(tolower(name), tolower(columns)))
  near <- columns[distance == 0 | (distance == 1 & nchar(name) > 3L)]
  if (length(near) == 0L) return(invisible())
  stop_model(
    "unknown_symbol", sprintf("`%s` is neither a column of the data nor a parameter with a value in `start`.", name),
    code_text(formula), sprintf("Did you mean `%s`? Parameters with such a name need `start`.", near[1L]),
    list(name = name)
  )
}

check_fixed <- function(fixed, names) {
  for (one in fixed) {
    for (name in setdiff(summed_names(one[[2L]]), names)) {
      stop_model(
        "unknown_symbol", sprintf("`fixed` names `%s`, which the formula does not have.", name), code_text(one),
        nearest_hint(name, names, "Names"), list(name = name)
      )
    }
  }
}

# nlme takes the fixed effects in the order of `fixed`: each parameter, then its coefficients. Names that are those
# of parameters come first.
positional_start <- function(start, fixed, effects) {
  if (is.null(fixed) || is.null(start)) return(start)
  order <- unlist(lapply(fixed, function(one) {
    lapply(summed_names(one[[2L]]), function(name) {
      own <- Filter(function(effect) effect$parameter == name, effects)
      c(name, vapply(own, `[[`, "", "name"))
    })
  }))
  start <- unnested(start)
  names <- rlang::names2(start)
  # `Asym.TypeMississippi` of nlme is beta_Asym_TypeMississippi here.
  ours <- sub("[.][(]Intercept[)]$", "", names)
  if (length(start) == length(order) && (!all(ours %in% order) || anyDuplicated(ours) > 0L)) {
    return(stats::setNames(start, order))
  }
  if (any(ours == "")) {
    stop_start(
      "start_length",
      sprintf(
        "`start` has %s without names; `fixed` has %s.", counted(length(start), "value"),
        counted(length(order), "coefficient")
      ),
      hint = sprintf("Write `start = c(%s)`.", paste(order, "= 1", collapse = ", "))
    )
  }
  check_named_once(start, "start")
  stats::setNames(start, ours)
}

# `list(Asym = c(1, 2), 3)` as nlme takes it: a vector of numbers.
unnested <- function(start) {
  flat <- lapply(seq_along(start), function(i) {
    name <- rlang::names2(start)[i]
    if (length(start[[i]]) == 1L || is.matrix(start[[i]])) stats::setNames(start[i], name) else as.list(start[[i]])
  })
  do.call(c, flat)
}

# `list(fixed = c(...), random = ...)` and `c(fixed = c(...))`.
nlme_start <- function(start) {
  names <- rlang::names2(start)
  if ("fixed" %in% names && all(names %in% c("fixed", "random"))) return(as.list(start$fixed))
  if (length(names) > 0L && all(startsWith(names, "fixed") & names != "fixed")) {
    names(start) <- ifelse(grepl("^fixed[.]", names), sub("^fixed[.]", "", names), "")
  }
  start
}

# A parameter with a random effect or a covariate is one number.
check_scalar_starts <- function(start, individual) {
  for (name in intersect(names(start), individual)) {
    if (length(start[[name]]) == 1L) next
    stop_start(
      "wrong_length",
      sprintf("`start` gives `%s` %s; it has one.", name, counted(length(start[[name]]), "value")),
      hint = "A parameter that varies between subjects is one number.",
      fields = list(name = name)
    )
  }
}

# Values of `start` that name coefficients, SDs or residual parameters.
apply_start <- function(parameters, start) {
  parameters <- unname(parameters)
  names <- vapply(parameters, `[[`, character(1L), "name")
  for (name in setdiff(names(start), names)) {
    stop_start(
      "unknown_parameter",
      sprintf("`start` names `%s`, which the formula does not use.", name), NULL,
      nearest_hint(name, names, "Parameters"), list(name = name)
    )
  }
  for (i in which(names %in% names(start))) {
    value <- start[[names[i]]]
    # The specification holds a matrix whole, and so may `start`, row by row.
    rows <- parameters[[i]]$dim
    if (!is.null(rows) && !is.matrix(value) && length(value) == rows^2) value <- matrix(value, rows, byrow = TRUE)
    elements <- elements_of(value, parameters[[i]], "start")
    parameters[[i]]$value <- if (is.matrix(value)) row_major(value) else elements
  }
  parameters
}
