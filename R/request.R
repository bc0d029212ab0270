# Write a request to the core as a list: what it asks for, of which model.

# `fields` are the parts of the request beyond the model.
core_request <- function(task, spec, fields = list()) {
  c(list(task = task, model = model_fields(spec)), fields)
}

# Vectors that stay arrays even with one element are marked with I().
model_fields <- function(spec) {
  fields <- list(
    censoring = isTRUE(spec$censoring),
    n_doses = max(spec$n_doses, 0L),
    hazard_panels = max(spec$hazard_panels, 1L),
    clocks = I(as.character(spec$clocks)),
    parameters = lapply(spec$parameters, parameter_fields),
    random = lapply(spec$random, function(block) {
      list(
        names = I(block$names), dist = tree_fields(block$dist),
        group = block$group, text = block$text
      )
    }),
    covariates = lapply(spec$covariates, function(covariate) {
      for (field in c("columns", "levels")) {
        if (!is.null(covariate[[field]])) covariate[[field]] <- I(covariate[[field]])
      }
      covariate
    }),
    statements = lapply(spec$statements, statement_fields)
  )
  if (length(spec$ode) > 0L) fields$ode <- spec$ode
  fields
}

statement_fields <- function(statement) {
  for (part in intersect(c("value", "dist", "condition", "values"), names(statement))) {
    statement[[part]] <- tree_fields(statement[[part]])
  }
  if (!is.null(statement$more)) statement$more <- I(statement$more)
  if (!is.null(statement$index)) statement$index <- lapply(statement$index, tree_fields)
  for (part in intersect(c("yes", "no", "body"), names(statement))) {
    statement[[part]] <- lapply(statement[[part]], statement_fields)
  }
  statement
}

# What the core reads of every parameter; prior, unit, label and standard error are for R alone.
parameter_parts <- c("name", "type", "scale", "value", "lower", "upper", "parameterization", "vector", "learned")

parameter_fields <- function(parameter) {
  # Whether weights of learned functions have standard errors says how they move.
  parts <- c(parameter_parts, if (!is.null(parameter$learned)) "se")
  parameter <- parameter[intersect(names(parameter), parts)]
  arrays <- intersect(c("value", "lower", "upper"), names(parameter))
  for (field in arrays) {
    if (!is.null(parameter[[field]])) {
      parameter[[field]] <- I(as.numeric(parameter[[field]]))
    }
  }
  if (!is.null(parameter$learned)) parameter$learned <- learned_fields(parameter$learned)
  parameter
}

tree_fields <- function(tree) {
  if (!is.null(tree$block)) {
    return(list(block = lapply(tree$block, statement_fields), value = tree_fields(tree$value)))
  }
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
