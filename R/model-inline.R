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
    closed = TRUE, inside = c(scope$inside, list(helper))
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

body_tree <- function(body, name, scope) {
  if (!is_call_to(body, "{")) return(result_tree(body, name, scope))
  statements <- as.list(body)[-1L]
  if (length(statements) == 0L) stop_not_inlined(name, "its body is empty", scope)
  for (statement in statements[-length(statements)]) {
    if (!is_call_to(statement, c("<-", "=")) || !is.symbol(statement[[2L]])) {
      stop_not_inlined(
        name, sprintf("`%s` is not an assignment", code_text(statement)), scope
      )
    }
    scope$bound[[as.character(statement[[2L]])]] <-
      expression_tree(statement[[3L]], scope)
  }
  result_tree(statements[[length(statements)]], name, scope)
}

result_tree <- function(code, name, scope) {
  if (is_call_to(code, "return")) code <- code[[2L]]
  if (is_call_to(code, c("<-", "="))) {
    stop_not_inlined(name, "its last line is an assignment, not a value", scope)
  }
  expression_tree(code, scope)
}

stop_not_inlined <- function(name, why, scope) {
  stop_model(
    "helper_not_readable",
    sprintf("The function `%s` cannot be read as part of the model: %s.", name, why),
    scope$text,
    "A helper is a sequence of assignments and a final expression in the words of the language.",
    list(name = name)
  )
}

is_call_to <- function(code, words) {
  is.call(code) && is.symbol(code[[1L]]) && as.character(code[[1L]]) %in% words
}
