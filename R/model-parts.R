# Walk over statements and trees: names, symbols, what stands inside what.

# The statements inside a branch or a loop.
inner_statements <- function(statement) c(statement$yes, statement$no, statement$body)

# The trees that stand in a statement itself.
statement_trees <- function(statement) {
  c(
    Filter(Negate(is.null), statement[c("value", "dist", "condition", "values")]),
    statement$index
  )
}

# All variables that statements assign.
statement_targets <- function(statements) {
  unlist(lapply(statements, function(statement) {
    c(statement$target, statement$variable, statement_targets(inner_statements(statement)))
  }))
}

# Trees inside a tree.
tree_parts <- function(tree) {
  inside <- lapply(tree$block, function(statement) {
    c(statement_trees(statement), unlist(
      lapply(inner_statements(statement), statement_trees), recursive = FALSE
    ))
  })
  c(tree$args, unlist(inside, recursive = FALSE), if (!is.null(tree$block)) list(tree$value))
}

tree_symbols <- function(tree) {
  unique(c(tree$sym, unlist(lapply(tree_parts(tree), tree_symbols))))
}

# The text of the statement in which a name first stands, or NULL.
place_of <- function(name, spec) {
  for (covariate in spec$covariates) {
    if (name %in% c(covariate$name, covariate$columns)) return(covariate$text)
  }
  place_in(name, c(spec$statements, spec$random))
}

place_in <- function(name, statements) {
  for (statement in statements) {
    symbols <- unlist(lapply(statement_trees(statement), tree_symbols))
    if (name %in% c(statement$column, statement$more, symbols)) return(statement$text)
    place <- place_in(name, inner_statements(statement))
    if (!is.null(place)) return(place)
  }
  NULL
}
