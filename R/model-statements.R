# Read the code block: assignments and outcomes, in the order written.

model_statements <- function(block, env) {
  lines <- if (is_call_to(block, "{")) as.list(block)[-1L] else list(block)
  lapply(lines, model_statement, env = env)
}

model_statement <- function(code, env) {
  text <- code_text(code)
  if (is_call_to(code, c("<-", "="))) return(assignment(code, text, env))
  if (is_call_to(code, "~") && length(code) == 3L) return(outcome(code, text, env))
  if (is_call_to(code, c("for", "while", "repeat"))) {
    stop_later("loops", text, "Write the steps out, or put them into a helper function.")
  }
  if (is_call_to(code, "if")) {
    stop_later(
      "assignments under a condition", text, "Write `x <- if (condition) a else b`."
    )
  }
  stop_model(
    "no_statement", "This line neither assigns a variable nor states an outcome.", text,
    "Write `name <- expression` or `column ~ distribution(...)`."
  )
}

assignment <- function(code, text, env) {
  target <- code[[2L]]
  if (is.call(target)) stop_target(target, text)
  list(
    kind = "assign", target = as.character(target),
    value = expression_tree(code[[3L]], new_scope(env, text)), text = text
  )
}

stop_target <- function(target, text) {
  if (is_call_to(target, "/") && is_call_to(target[[3L]], "dt")) {
    stop_later("differential equations", text, "Use the solution in closed form.")
  }
  if (is_call_to(target, c("[", "[["))) {
    stop_later(
      "assignments to a part of a variable", text,
      "Build the whole with `c(...)`, or use `ifelse()`."
    )
  }
  stop_later("initial values and dosing statements", text, "Use the solution in closed form.")
}

stop_later <- function(what, text, hint) {
  stop_model(
    "later_release",
    sprintf("%s%s are not available in this release.",
            toupper(substring(what, 1L, 1L)), substring(what, 2L)),
    text, hint
  )
}

outcome <- function(code, text, env) {
  column <- code[[2L]]
  if (!is.symbol(column) && !is.character(column)) {
    stop_model(
      "bad_outcome", "The left of `~` must be the name of the outcome's column.", text,
      "Transform the column in the data, or use a distribution such as lognormal()."
    )
  }
  distribution <- code[[3L]]
  list(
    kind = "outcome", column = as.character(column),
    dist = distribution_tree(distribution, new_scope(env, text)), text = text
  )
}

# A distribution of an outcome; that inside censored() is its argument `dist`, or the
# first one without a name.
distribution_tree <- function(code, scope) {
  check_distribution(code, outcome_words, scope$text)
  word <- as.character(code[[1L]])
  if (word %in% chain_words) return(chain_tree(code, scope))
  if (word != "censored") return(word_tree(word, code, scope))
  args <- as.list(code)[-1L]
  names <- rlang::names2(args)
  inner <- c(which(names == "dist"), which(names == ""))[1L]
  if (is.na(inner)) {
    stop_model(
      "argument_count", "`censored()` has no distribution.", scope$text,
      "Write `censored(normal(f, sigma), lower = 0.1)`."
    )
  }
  check_distribution(args[[inner]], setdiff(outcome_words, c("censored", chain_words)), scope$text)
  trees <- lapply(seq_along(args), function(i) {
    if (i == inner) distribution_tree(args[[i]], scope) else expression_tree(args[[i]], scope)
  })
  tree <- list(call = word, args = trees)
  if (any(nzchar(names))) tree$names <- names
  tree
}
