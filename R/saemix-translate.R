# Translate a model function written for saemix, function(psi, id, xidep), into
# statements of the language. The function is read, never called: what it says of
# whole columns is said of one row.

# What is known while the lines are read. `native` holds for each local variable
# the code it stands for, `conditions` the variables that are true or false,
# `masks` the results of which(), `rows` the variables that count rows, `taken`
# the names that mean something in the model, `indexed` the index of the masked
# assignment being read, `line` the line for messages. `frame` holds the records.
new_translation <- function(fn, parameters, columns, taken, survival, frame) {
  list(
    arguments = names(formals(fn)), parameters = parameters, predictors = columns$predictors,
    response = columns$response, env = row_environment(environment(fn)), taken = taken, survival = survival,
    frame = frame,
    native = list(), conditions = character(), masks = list(), rows = character(),
    indexed = NULL, line = NULL, statements = list(), value = NULL
  )
}

# Statements, each a `target` and its `code`, and the code of the `value`.
# `survival` says that a likelihood is translated, where hints speak of events.
translated_function <- function(fn, parameters, columns, taken, survival = FALSE, frame = NULL) {
  state <- new_translation(fn, parameters, columns, taken, survival, frame)
  lines <- block_lines(body(fn))
  for (i in seq_along(lines)) {
    state <- translated_line(lines[[i]], state, last = i == length(lines))
    if (!is.null(state$value)) break
  }
  if (is.null(state$value)) stop_untranslated("The model function returns nothing.", state)
  state
}

block_lines <- function(code) {
  if (is_call_to(code, "{")) as.list(code)[-1L] else list(code)
}

translated_line <- function(line, state, last) {
  state$line <- code_text(line)
  if (is_call_to(line, "return") && length(line) == 2L) return(returned_value(line[[2L]], state))
  if (is_call_to(line, c("<-", "="))) {
    state <- translated_assignment(line[[2L]], line[[3L]], state)
    if (last) state <- returned_value(line[[2L]], state)
    return(state)
  }
  if (is_call_to(line, "if")) return(translated_condition(line, state, last))
  if (is_call_to(line, c("for", "while", "repeat", "<<-"))) {
    stop_untranslated(
      sprintf("`%s` works on whole columns and cannot be read for one row.", as.character(line[[1L]])), state,
      "Write what happens in one row, as in `f <- ifelse(time > lag, a, b)`."
    )
  }
  if (last) return(returned_value(line, state))
  stop_untranslated("This line of the model function neither assigns nor returns a value.", state)
}

returned_value <- function(code, state) {
  state$value <- row_code(code, state)
  state
}

# if (setting) ...: R itself takes one condition here, not one a row, so it is a
# setting whose value is known now.
translated_condition <- function(line, state, last) {
  holds <- tryCatch(eval(line[[2L]], state$env), error = function(error) NULL)
  local <- intersect(all.vars(line[[2L]]), c(names(state$native), state$arguments, state$rows))
  if (length(local) > 0L || length(holds) != 1L || is.na(as.logical(holds))) {
    stop_untranslated(
      "`if` takes one condition, not one a row.", state,
      "For a condition in each row write `f <- ifelse(condition, a, b)` or `f[condition] <- a`."
    )
  }
  branch <- if (holds) line[[3L]] else if (length(line) == 4L) line[[4L]]
  lines <- if (!is.null(branch)) block_lines(branch)
  for (i in seq_along(lines)) {
    state <- translated_line(lines[[i]], state, last && i == length(lines))
    if (!is.null(state$value)) break
  }
  state
}

translated_assignment <- function(target, code, state) {
  if (is_call_to(target, c("[", "[["))) return(masked_assignment(target, code, state))
  if (!is.symbol(target)) {
    stop_untranslated(sprintf("`%s` cannot be assigned to.", code_text(target)), state)
  }
  name <- as.character(target)
  state$rows <- setdiff(state$rows, name)
  state$masks[[name]] <- NULL
  if (is_call_to(code, "function")) {
    # A helper of its own is read where it is called, as helpers outside are.
    assign(name, eval(code, state$env), envir = state$env)
    return(state)
  }
  if (is_row_count(code, state)) {
    state$rows <- c(state$rows, name)
    state$native[[name]] <- NULL
    return(state)
  }
  mask <- if (is.call(code)) mask_of_rows(code, state)
  if (!is.null(mask)) {
    state$masks[[name]] <- mask
    state$native[[name]] <- NULL
    return(state)
  }
  logical <- is_condition(code, state)
  state <- defined(name, row_code(code, state), state)
  state$conditions <- c(setdiff(state$conditions, name), if (logical) name)
  state
}

# f[time > lag] <- v is f <- ifelse(time > lag, v, f): the same for every row.
masked_assignment <- function(target, code, state) {
  name <- code_text(target[[2L]])
  if (!name %in% names(state$native) || length(target) != 3L) {
    stop_untranslated(sprintf("`%s` has no value yet.", name), state, "Assign the whole variable first.")
  }
  mask <- mask_condition(target[[3L]], state)
  state$indexed <- target[[3L]]
  value <- row_code(code, state)
  state$indexed <- NULL
  defined(name, call("ifelse", mask, value, state$native[[name]]), state)
}

# The condition that an index stands for.
mask_condition <- function(index, state) {
  mask <- mask_of_rows(index, state)
  if (!is.null(mask)) return(mask)
  if (!is_condition(index, state)) stop_other_rows(index, state)
  row_code(index, state)
}

# The condition that numbers of rows stand for, as which(), setdiff() and append() make them; NULL
# for anything else.
mask_of_rows <- function(code, state) {
  if (is.symbol(code)) return(state$masks[[as.character(code)]])
  if (is_call_to(code, "(")) return(mask_of_rows(code[[2L]], state))
  if (is_call_to(code, "which") && length(code) == 2L) return(row_code(code[[2L]], state))
  joins <- c(append = "|", c = "|", union = "|", intersect = "&")
  if (is_call_to(code, names(joins)) && length(code) > 2L) {
    parts <- lapply(as.list(code)[-1L], mask_of_rows, state = state)
    if (any(vapply(parts, is.null, logical(1L)))) return(NULL)
    return(Reduce(function(a, b) call(joins[[as.character(code[[1L]])]], call("(", a), call("(", b)), parts))
  }
  if (!is_call_to(code, "setdiff") || length(code) != 3L) return(NULL)
  without <- mask_of_rows(code[[3L]], state)
  if (is.null(without)) return(NULL)
  without <- call("!", call("(", without))
  if (is_all_rows(code[[2L]], state)) return(without)
  within <- mask_of_rows(code[[2L]], state)
  if (!is.null(within)) call("&", call("(", within), without)
}

# 1:n, seq_len(n) and seq_along(x).
is_all_rows <- function(code, state) {
  is_call_to(code, "seq_along") ||
    is_call_to(code, ":") && identical(code[[2L]], 1) && is_row_count(code[[3L]], state) ||
    is_call_to(code, "seq_len") && is_row_count(code[[2L]], state)
}

is_condition <- function(code, state) {
  if (is_call_to(code, "(")) return(is_condition(code[[2L]], state))
  is_call_to(code, c("==", "!=", "<", "<=", ">", ">=", "&", "|", "!", "&&", "||")) ||
    is.symbol(code) && as.character(code) %in% state$conditions
}

# Remember that `name` is `code`. Parameters, predictors and numbers are used in its
# place; anything else becomes a statement.
defined <- function(name, code, state) {
  fixed <- c(state$parameters, state$predictors)
  if (is.symbol(code) && as.character(code) %in% fixed || is.numeric(code)) {
    state$native[[name]] <- code
    return(state)
  }
  earlier <- vapply(state$statements, `[[`, character(1L), "target")
  target <- if (is.symbol(state$native[[name]])) as.character(state$native[[name]])
  # A name that stands for a parameter or a column keeps meaning it.
  if (is.null(target) || !target %in% earlier) {
    target <- utils::tail(make.unique(c(state$taken, earlier, name), sep = "_"), 1L)
  }
  state$native[[name]] <- as.symbol(target)
  state$statements <- c(
    state$statements, list(list(target = target, code = code, line = state$line))
  )
  state
}
