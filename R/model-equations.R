# Read the statements of differential equations: `d/dt(x)`, `x(0)`, and what the model says of doses into `x`.

# The word of a dosing statement and the property it sets; `lag` and `F` are those of nlmixr2.
dosing_words <- c(f = "f", F = "f", alag = "alag", lag = "alag", rate = "rate", dur = "dur")

equation_words <- "`d/dt(x)`, `x(0)`, `f(x)`, `alag(x)`, `rate(x)` and `dur(x)`"

# `target` is a call.
equation_statement <- function(target, value, scope) {
  statement <- list(value = expression_tree(value, scope), text = scope$text)
  if (is_derivative(target)) {
    return(c(list(kind = "derivative", state = state_name(target[[3L]], target, scope)), statement))
  }
  word <- if (is.symbol(target[[1L]])) as.character(target[[1L]]) else ""
  inside <- as.list(target)[-1L]
  if (length(inside) == 1L && is.numeric(inside[[1L]]) && nzchar(word)) {
    check_initial_time(inside[[1L]], word, scope)
    return(c(list(kind = "initial", state = word), statement))
  }
  if (!word %in% names(dosing_words)) stop_target(target, word, scope)
  state <- state_name(target, target, scope)
  c(list(kind = "dosing", property = dosing_words[[word]], state = state), statement)
}

is_derivative <- function(code) {
  is_call_to(code, "/") && length(code) == 3L && identical(code[[2L]], quote(d)) && is_call_to(code[[3L]], "dt")
}

# The one name between the parentheses of `call`.
state_name <- function(call, target, scope) {
  inside <- as.list(call)[-1L]
  if (length(inside) != 1L || !(is.symbol(inside[[1L]]) || is.character(inside[[1L]])) ||
        rlang::is_missing(inside[[1L]])) {
    stop_model(
      "bad_target", sprintf("`%s` does not name a state.", code_text(target)), scope$text,
      "A state is one name, as in `d/dt(central)`."
    )
  }
  as.character(inside[[1L]])
}

check_initial_time <- function(time, state, scope) {
  if (identical(as.numeric(time), 0)) return(invisible())
  stop_model(
    "bad_target",
    sprintf("`%s(%s)` cannot be given: values of states are given at their start only.", state, format(time)),
    scope$text, sprintf("Write `%s(0) <- ...`.", state)
  )
}

stop_target <- function(target, word, scope) {
  hint <- paste0("Calls on the left of `<-` are ", equation_words, ".")
  near <- if (nzchar(word)) nearest_name(word, names(dosing_words))
  if (!is.null(near) && length(target) == 2L) hint <- sprintf("Did you mean `%s(%s)`?", near, code_text(target[[2L]]))
  stop_model("bad_target", sprintf("`%s` cannot be assigned to.", code_text(target)), scope$text, hint)
}

# Names of the states that have an equation of their own.
equation_states <- function(statements) {
  unlist(lapply(statements, function(statement) if (statement$kind == "derivative") statement$state))
}
