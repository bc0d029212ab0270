# Parameters as a user's function sees them: a named list on the natural scale.

# Numbers the core counts, one an element, as a named list: matrices for matrix-valued parameters.
natural_values <- function(numbers, parameters) {
  counts <- vapply(parameters, element_count, 0)
  own <- split(numbers, rep(seq_along(parameters), counts))
  values <- Map(natural_value, own, parameters)
  stats::setNames(values, vapply(parameters, `[[`, "", "name"))
}

element_count <- function(parameter) {
  if (parameter$type == "covariance_matrix") return(parameter$dim * (parameter$dim + 1) / 2)
  length(parameter$value)
}

# The inverse of elements_of().
natural_value <- function(numbers, parameter) {
  if (!parameter$type %in% square_types) return(numbers)
  dim <- parameter$dim
  if (parameter$type != "covariance_matrix") return(matrix(numbers, dim, dim, byrow = TRUE))
  value <- matrix(0, dim, dim)
  value[upper.tri(value, diag = TRUE)] <- numbers
  value[lower.tri(value)] <- t(value)[lower.tri(value)]
  value
}

# The elements of what `mstep_closed_form` returns, which must name every parameter.
natural_elements <- function(values, parameters) {
  hook <- "mstep_closed_form"
  known <- vapply(parameters, `[[`, "", "name")
  if (!is.list(values) && !is.numeric(values)) {
    stop_hook(
      hook, "must return the parameters as a named list or vector",
      sprintf("Write `list(%s)`.", paste(known, "= ", collapse = ", "))
    )
  }
  values <- as.list(values)
  given <- rlang::names2(values)
  for (name in setdiff(given, known)) {
    if (!nzchar(name)) stop_hook(hook, "returns a value without a name")
    stop_hook(
      hook, sprintf("returns `%s`, which is not a parameter", name), nearest_hint(name, known, "Parameters")
    )
  }
  for (name in given[duplicated(given)]) stop_hook(hook, sprintf("returns `%s` twice", name))
  for (name in setdiff(known, given)) {
    stop_hook(hook, sprintf("does not return `%s`", name), "It must return all parameters, fixed ones too.")
  }
  elements <- lapply(parameters, function(parameter) {
    tryCatch(
      elements_of(values[[parameter$name]], parameter, hook),
      nlmers_error = function(error) stop_hook(hook, sub("^`[^`]*` (.*)[.]$", "\\1", error$problem))
    )
  })
  unlist(elements)
}
