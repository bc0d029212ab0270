# Read an R function in place of its call: arguments and local variables are
# replaced by the trees they stand for, so helpers are plain R functions.

inlined_tree <- function(helper, call, scope) {
  name <- code_text(call[[1L]])
  if (is.primitive(helper)) stop_not_inlined(name, "it is built into R", scope)
  if (any(vapply(scope$inside, identical, logical(1L), helper))) {
    stop_model(
      "recursive_helper", sprintf("The helper function `%s` calls itself.", name),
      scope$text, "A model is a fixed sequence of operations; write the steps out.",
      list(name = name)
    )
  }
  inner <- new_scope(
    environment(helper), scope$text,
    closed = TRUE, inside = c(scope$inside, list(helper)), prefix = scope$prefix
  )
  inner$bound <- bound_arguments(helper, call, name, scope, inner)
  body_tree(body(helper), name, inner)
}

# Trees of the arguments by formal name; defaults are read inside the helper.
bound_arguments <- function(helper, call, name, scope, inner) {
  formals <- formals(helper)
  if ("..." %in% names(formals)) stop_not_inlined(name, "it takes `...`", scope)
  matched <- tryCatch(
    as.list(match.call(helper, call))[-1L],
    error = function(error) stop_not_inlined(name, conditionMessage(error), scope)
  )
  for (formal in names(formals)) {
    if (formal %in% names(matched)) {
      inner$bound[[formal]] <- expression_tree(matched[[formal]], scope)
    } else if (!rlang::is_missing(formals[[formal]])) {
      inner$bound[[formal]] <- expression_tree(formals[[formal]], inner)
    }
  }
  inner$bound
}

# A short sequence of assignments is put into its last line; anything longer, with
# branches or loops, becomes a block with variables of its own.
body_tree <- function(body, name, scope) {
  statements <- if (is_call_to(body, "{")) as.list(body)[-1L] else list(body)
  last <- length(statements)
  if (last == 0L) stop_not_inlined(name, "its body is empty", scope)
  plain <- vapply(statements[-last], is_plain_assignment, logical(1L))
  if (all(plain) && last <= 20L && !has_return(statements[-last]) && is_value(statements[[last]])) {
    for (statement in statements[-last]) {
      scope$bound[[as.character(statement[[2L]])]] <- expression_tree(statement[[3L]], scope)
    }
    return(result_tree(statements[[last]], name, scope))
  }
  block_tree(statements, name, scope)
}

is_plain_assignment <- function(code) {
  is_call_to(code, c("<-", "=")) && is.symbol(code[[2L]]) &&
    !(is_call_to(code[[3L]], "if") && has_steps(code[[3L]]))
}

# Whether a line can be read as an expression.
is_value <- function(code) !is_call_to(code, c("if", "for")) || !(has_steps(code) || has_return(list(code)))

has_return <- function(statements) {
  any(vapply(statements, function(code) "return" %in% all.names(code), logical(1L)))
}

# Variables get the name of the helper in front, so that they are nobody else's.
block_tree <- function(statements, name, scope) {
  scope$prefix <- paste0(scope$prefix, name, "$")
  # An argument that is more than a name or a number is computed once.
  long <- Filter(function(tree) !is.null(tree$args) || !is.null(tree$block), scope$bound)
  own <- unique(c(unlist(lapply(statements, assigned_names)), names(long)))
  text <- scope$text
  given <- lapply(intersect(own, names(scope$bound)), function(variable) {
    list(
      kind = "assign", target = paste0(scope$prefix, variable),
      value = scope$bound[[variable]], text = text
    )
  })
  for (variable in own) scope$bound[[variable]] <- list(sym = paste0(scope$prefix, variable))
  tree <- returned_tree(statements, name, scope)
  if (length(given) == 0L) return(tree)
  if (is.null(tree$block)) return(list(block = given, value = tree))
  tree$block <- c(given, tree$block)
  tree
}

# Names that a piece of code assigns.
assigned_names <- function(code) {
  if (!is.call(code)) return(NULL)
  here <- if (is_call_to(code, c("<-", "="))) {
    target <- code[[2L]]
    if (is_call_to(target, c("[", "[["))) target <- target[[2L]]
    if (is.symbol(target)) as.character(target)
  } else if (is_call_to(code, "for")) {
    as.character(code[[2L]])
  }
  c(here, unlist(lapply(as.list(code)[-1L], function(part) {
    if (!rlang::is_missing(part)) assigned_names(part)
  })))
}

# What a sequence of statements returns: statements before it, then its value. After an
# `if` that may return, the rest belongs to the branches that do not.
returned_tree <- function(statements, name, scope) {
  before <- list()
  for (i in seq_along(statements)) {
    code <- statements[[i]]
    rest <- statements[-seq_len(i)]
    value <- if (is_call_to(code, "return")) {
      expression_tree(code[[2L]], scope)
    } else if (is_call_to(code, "if") && (length(rest) == 0L || has_return(list(code)))) {
      returned_branches(code, rest, name, scope)
    } else if (is_call_to(code, "for") && has_return(list(code))) {
      stop_not_inlined(name, "it returns from inside a loop", scope)
    } else if (length(rest) == 0L) {
      result_tree(code, name, scope)
    }
    if (!is.null(value)) {
      return(if (length(before) == 0L) value else list(block = before, value = value))
    }
    before <- c(before, list(model_statement(code, scope)))
  }
  stop_not_inlined(name, "a branch of it has no value", scope)
}

returned_branches <- function(code, rest, name, scope) {
  branch <- function(part) {
    steps <- if (is_call_to(part, "{")) as.list(part)[-1L] else list(part)
    returned_tree(c(steps, rest), name, scope)
  }
  no <- if (length(code) == 4L) {
    branch(code[[4L]])
  } else {
    returned_tree(rest, name, scope)
  }
  list(call = "if", args = list(expression_tree(code[[2L]], scope), branch(code[[3L]]), no))
}

result_tree <- function(code, name, scope) {
  if (is_call_to(code, "return")) code <- code[[2L]]
  if (is_call_to(code, c("<-", "=", "for"))) {
    stop_not_inlined(name, "its last line is an assignment or a loop, not a value", scope)
  }
  expression_tree(code, scope)
}

stop_not_inlined <- function(name, why, scope) {
  stop_model(
    "helper_not_readable",
    sprintf("The function `%s` cannot be read as part of the model: %s.", name, why),
    scope$text,
    "A helper is made of assignments, `if`, `for` over a fixed range and a final value, in the words of the language.",
    list(name = name)
  )
}

is_call_to <- function(code, words) {
  is.call(code) && is.symbol(code[[1L]]) && as.character(code[[1L]]) %in% words
}
