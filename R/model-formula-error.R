# The residual error of the formula door.

# `add_prop(a = 1, b = 0.1)`: the parameters it starts, and the call on their names.
# `error` is a quosure: its values belong to where it was written. `used` are the
# parameters of the prediction, whose names are taken; `names` all names of the formula, which the error that
# nobody wrote keeps clear of. `free` says that its start is nobody's wish.
residual_error <- function(error, used, names = used) {
  if (is.null(error)) {
    name <- setdiff(c("a", "sigma", "sigma_residual"), names)[1L]
    code <- as.call(c(quote(add), stats::setNames(list(1), name)))
    return(utils::modifyList(residual_error(rlang::new_quosure(code, globalenv()), used), list(free = TRUE)))
  }
  env <- rlang::quo_get_env(error)
  error <- error_code(rlang::quo_get_expr(error), env)
  text <- code_text(error)
  if (!is_call_to(error, error_words)) {
    stop_option(
      "bad_error", sprintf("`%s` is not a residual error.", text), sprintf("error = %s", text),
      paste0(
        "Known: `add(a = 1)`, `prop(b = 0.1)`, `pow(b = 0.1, c = 1)`, `add_prop(a = 1, b = 0.1)`, ",
        "`add_prop_sd(a = 1, b = 0.1)`, `add_pow(a = 1, b = 0.1, c = 1)`, `add_pow_sd(a = 1, b = 0.1, c = 1)`."
      )
    )
  }
  word <- as.character(error[[1L]])
  defaults <- error_parameters(word)
  args <- as.list(error)[-1L]
  if (length(args) != length(defaults)) {
    stop_option(
      "bad_error", sprintf("`%s()` takes %d starting value%s.", word, length(defaults),
                           if (length(defaults) > 1L) "s" else ""),
      sprintf("error = %s", text),
      sprintf("Write `error = %s(%s)`.", word, paste(defaults, "= 1", collapse = ", "))
    )
  }
  names <- rlang::names2(args)
  names[names == ""] <- defaults[names == ""]
  check_residual_names(names, used, error)
  list(
    parameters = Map(
      function(name, value, role) {
        # An exponent may be 0 or below.
        real_parameter(name, if (role == "c") "identity" else "log", residual_start(value, env, text))
      }, names, args, defaults
    ),
    call = as.call(c(as.symbol(word), lapply(names, as.symbol))), free = FALSE
  )
}

# What the parameters of a residual error stand for: an SD, a coefficient of variation, an exponent.
error_parameters <- function(word) {
  switch(word,
    add = "a", prop = "b", pow = c("b", "c"), add_pow = , add_pow_sd = c("a", "b", "c"), c("a", "b")
  )
}

# A variable may hold the error: quoted, as a formula `~ add(a = 1)`, or as its word alone.
error_code <- function(code, env) {
  if (is_call_to(code, error_words)) return(code)
  value <- if (is.symbol(code) && as.character(code) %in% error_words) {
    as.character(code)
  } else {
    tryCatch(eval(code, env), error = function(error) code)
  }
  if (rlang::is_quosure(value)) value <- rlang::quo_get_expr(value)
  if (rlang::is_formula(value) && length(value) == 2L) value <- value[[2L]]
  if (!is.character(value) || length(value) != 1L || !value %in% error_words) {
    return(if (is.call(value)) value else code)
  }
  starts <- list(a = 1, b = 0.1, c = 1)[error_parameters(value)]
  as.call(c(as.symbol(value), starts))
}

residual_start <- function(code, env, text) {
  tryCatch(eval(code, env), error = function(error) {
    stop_start(
      "bad_start", sprintf("The start `%s` cannot be computed: %s.", code_text(code), conditionMessage(error)),
      sprintf("error = %s", text), "Write a number, or a variable that holds one."
    )
  })
}

check_residual_names <- function(names, used, error) {
  taken <- names %in% used
  if (!any(taken)) return(invisible())
  free <- switch(as.character(error[[1L]]),
    add = , prop = "sigma", pow = c("sigma", "power"), add_pow = , add_pow_sd = c("sigma_add", "sigma_pow", "power"),
    c("sigma_add", "sigma_prop")
  )
  # A name the prediction has too gets a number: sigma_1.
  free <- utils::tail(make.unique(c(used, free), sep = "_"), length(free))
  renamed <- error
  names(renamed) <- c("", ifelse(taken, free, names))
  stop_model(
    "name_used_twice", sprintf("`%s` is used twice.", names[taken][1L]),
    sprintf("error = %s", code_text(error)),
    sprintf(
      "The residual error declares `%s`, which the formula has too; write `error = %s`.",
      names[taken][1L], code_text(renamed)
    ),
    list(name = names[taken][1L])
  )
}
