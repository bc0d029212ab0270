# Write a request to the core as a list: what it asks for, of which model.

# `fields` are the parts of the request beyond the model.
core_request <- function(task, spec, fields = list()) {
  c(list(task = task, model = model_fields(spec)), fields)
}

# Vectors that stay arrays even with one element are marked with I().
model_fields <- function(spec) {
  list(
    censoring = isTRUE(spec$censoring),
    parameters = lapply(spec$parameters, parameter_fields),
    random = lapply(spec$random, function(block) {
      list(
        names = I(block$names), dist = tree_fields(block$dist),
        group = block$group, text = block$text
      )
    }),
    statements = lapply(spec$statements, function(statement) {
      part <- if (statement$kind == "assign") "value" else "dist"
      statement[[part]] <- tree_fields(statement[[part]])
      statement
    })
  )
}

parameter_fields <- function(parameter) {
  arrays <- intersect(c("value", "lower", "upper"), names(parameter))
  for (field in arrays) {
    if (!is.null(parameter[[field]])) {
      parameter[[field]] <- I(as.numeric(parameter[[field]]))
    }
  }
  parameter
}

tree_fields <- function(tree) {
  if (is.null(tree$call)) return(tree)
  tree$args <- lapply(tree$args, tree_fields)
  if (!is.null(tree$names)) tree$names <- I(tree$names)
  tree
}

# Values of random effects by effect and level.
level_fields <- function(levels) {
  if (length(levels) == 0L) return(structure(list(), names = character()))
  lapply(levels, as.list)
}

# Numbers by parameter name, as {"ka": [1.5], ...}; no value is null.
value_fields <- function(values) {
  arrays <- lapply(as.list(values), function(value) {
    if (!is.null(value)) I(as.numeric(value))
  })
  if (length(arrays) == 0L) arrays <- structure(list(), names = character())
  arrays
}
