# Read the code block: assignments, branches, loops, equations and outcomes, in the order written.

model_statements <- function(block, env) {
  statement_list(block, new_scope(env, ""))
}

# The statements between braces, or the one statement that stands without.
statement_list <- function(code, scope) {
  lines <- if (is_call_to(code, "{")) as.list(code)[-1L] else list(code)
  unname(lapply(lines, model_statement, scope = scope))
}

# One statement. Inside a function read in place, messages keep the line that calls it.
model_statement <- function(code, scope) {
  if (!scope$closed) scope$text <- statement_text(code)
  if (is_call_to(code, c("<-", "="))) return(assignment(code, scope))
  if (is_call_to(code, "~") && length(code) == 3L && !scope$closed) return(outcome(code, scope))
  if (is_call_to(code, "if")) return(branch_statement(code, scope))
  if (is_call_to(code, "for")) return(loop_statement(code, scope))
  if (is_call_to(code, c("while", "repeat", "next", "break"))) {
    stop_model(
      "unsupported_loop",
      sprintf("`%s` cannot stand in a model.", as.character(code[[1L]])), scope$text,
      "A model is a fixed sequence of operations: use `for` over a fixed range, and `if` inside it."
    )
  }
  stop_model(
    "no_statement", "This line neither assigns a variable nor states an equation or an outcome.", scope$text,
    "Write `name <- expression`, `d/dt(state) <- expression` or `column ~ distribution(...)`."
  )
}

# The head of a branch or a loop, the whole of any other statement.
statement_text <- function(code) {
  if (is_call_to(code, "if")) return(sprintf("if (%s)", code_text(code[[2L]])))
  if (is_call_to(code, "for")) {
    return(sprintf("for (%s in %s)", as.character(code[[2L]]), code_text(code[[3L]])))
  }
  code_text(code)
}

branch_statement <- function(code, scope) {
  list(
    kind = "if", condition = expression_tree(code[[2L]], scope),
    yes = statement_list(code[[3L]], scope),
    no = if (length(code) == 4L) statement_list(code[[4L]], scope) else list(),
    text = scope$text
  )
}

loop_statement <- function(code, scope) {
  list(
    kind = "for", variable = target_name(as.character(code[[2L]]), scope),
    values = expression_tree(code[[3L]], scope),
    body = statement_list(code[[4L]], scope), text = scope$text
  )
}

assignment <- function(code, scope) {
  target <- code[[2L]]
  value <- code[[3L]]
  # x <- if (a) { ...; u } else { ...; v } assigns in both branches.
  if (is_call_to(value, "if") && has_steps(value)) {
    if (!scope$closed) scope$text <- paste(code_text(target), "<-", statement_text(value))
    return(branch_statement(assigning_branches(value, code), scope))
  }
  index <- list()
  if (is_call_to(target, c("[", "[[")) && is.symbol(target[[2L]])) {
    index <- index_trees(target, scope)
    target <- target[[2L]]
  }
  if (is.call(target)) return(equation_statement(target, value, scope))
  if (!is.symbol(target) && !is.character(target)) {
    stop_model(
      "bad_target", sprintf("`%s` cannot be assigned to.", code_text(target)), scope$text,
      "The left of `<-` is a name."
    )
  }
  statement <- list(
    kind = "assign", target = target_name(as.character(target), scope),
    value = expression_tree(value, scope), text = scope$text
  )
  if (length(index) > 0L) statement$index <- index
  statement
}

# Whether a branch of an `if` is more than a value.
has_steps <- function(code) {
  branches <- as.list(code)[-(1:2)]
  length(code) == 4L && any(vapply(branches, function(branch) {
    (is_call_to(branch, "{") && length(branch) > 2L) || (is_call_to(branch, "if") && has_steps(branch))
  }, logical(1L)))
}

assigning_branches <- function(code, assignment) {
  for (i in 3:4) {
    branch <- code[[i]]
    steps <- if (is_call_to(branch, "{")) as.list(branch)[-1L] else list(branch)
    last <- length(steps)
    assignment[[3L]] <- steps[[last]]
    steps[[last]] <- assignment
    code[[i]] <- as.call(c(list(quote(`{`)), steps))
  }
  code
}

# The name of a variable in the specification: those of a helper have its name in front.
target_name <- function(name, scope) {
  own <- scope$bound[[name]]$sym
  if (scope$closed && !is.null(own)) own else name
}

outcome <- function(code, scope) {
  columns <- if (is_call_to(code[[2L]], "c")) as.list(code[[2L]])[-1L] else list(code[[2L]])
  named <- vapply(columns, function(column) is.symbol(column) || is.character(column), NA)
  if (length(columns) == 0L || !all(named)) {
    stop_model(
      "bad_outcome", "The left of `~` must be the name of the outcome's column.", scope$text,
      if (is_call_to(code[[2L]], "c")) {
        "Outcomes that correlate are `c(y1, y2) ~ mvnormal(c(f1, f2), Sigma)`."
      } else {
        "Transform the column in the data, or use a distribution such as lognormal()."
      }
    )
  }
  columns <- vapply(columns, as.character, "")
  statement <- list(
    kind = "outcome", column = columns[1L],
    dist = distribution_tree(code[[3L]], scope), text = scope$text
  )
  if (length(columns) > 1L) statement$more <- columns[-1L]
  statement
}

# A distribution of an outcome; that inside censored() and its like is their argument `dist`, or the
# first one without a name.
distribution_tree <- function(code, scope) {
  check_distribution(code, outcome_words, scope$text)
  word <- as.character(code[[1L]])
  if (word %in% chain_words) return(chain_tree(code, scope))
  if (!word %in% c("censored", serial_words)) return(word_tree(word, code, scope))
  args <- as.list(code)[-1L]
  names <- rlang::names2(args)
  inner <- c(which(names == "dist"), which(names == ""))[1L]
  if (is.na(inner)) {
    stop_model(
      "argument_count", sprintf("`%s()` has no distribution.", word), scope$text,
      if (word == "censored") {
        "Write `censored(normal(f, sigma), lower = 0.1)`."
      } else {
        sprintf("Write `%s(normal(f, sigma), rho)`.", word)
      }
    )
  }
  check_distribution(
    args[[inner]], setdiff(outcome_words, c("censored", serial_words, "mvnormal", chain_words)), scope$text
  )
  trees <- lapply(seq_along(args), function(i) {
    if (i == inner) distribution_tree(args[[i]], scope) else expression_tree(args[[i]], scope)
  })
  tree <- list(call = word, args = trees)
  if (any(nzchar(names))) tree$names <- names
  tree
}
