# Turn R code into the typed tree that is sent to the core. The code is read,
# never run: a node is list(num=), list(str=), list(sym=), list(call=, args=) or
# list(block=, value=), statements with variables of their own and then a value.

# Rates at which doses come in, in equations only.
input_words <- c("transit", "inverse_gaussian", "weibull_input", "first_order", "zero_order")

# Times since doses, as functions or as names that are no column of the data.
clock_words <- c("tad", "tsld", "tafd")

# Functions of the language. The core gives them their meaning.
math_words <- c(
  "+", "-", "*", "/", "^", "==", "!=", "<", "<=", ">", ">=", "&", "|", "!",
  "ifelse", "exp", "log", "log1p", "expm1", "log2", "log10", "sqrt", "abs",
  "sin", "cos", "tan", "tanh", "atan", "gamma", "lgamma", "digamma", "trigamma", "pnorm",
  "qnorm", "plogis", "qlogis", "min", "max", "pmin", "pmax", "softplus", "c",
  "sum", "prod", "mean", "length", "rep", "diag", "%*%", ":", "seq", "seq_len", "seq_along",
  "numeric", "matrix", "t", "nrow", "ncol", "cumsum", "cumprod", "rev", "crossprod",
  "tcrossprod", "outer", "rowSums", "colSums", "rbind", "linear_compartments", "mix", input_words, clock_words
)
error_words <- c("add", "prop", "pow", "add_prop", "add_prop_sd", "add_pow", "add_pow_sd")
# Words around a distribution whose residuals correlate along the rows of a subject.
serial_words <- c("ar1", "exchangeable")
outcome_words <- c(
  "normal", "lognormal", "box_cox", "yeo_johnson", "logit_normal", "probit_normal",
  "student_t", "laplace", "logistic", "gamma", "beta", "exponential", "weibull",
  "bernoulli", "binomial", "poisson", "neg_binomial",
  "categorical", "ordered", "event", "custom", "censored", "hmm",
  "continuous_time_hmm", "markov", "continuous_time_markov", serial_words, "mvnormal"
)
random_words <- c(
  "normal", "mvnormal", "lognormal", "exponential", "gamma", "beta", "student_t", "planar_flow"
)

# Where code is read: `env` finds helper functions, `bound` holds names that
# stand for a tree already (arguments and local variables of a helper), `closed`
# says that no other name may occur, `inside` lists the helpers being read, `prefix`
# stands before the names of their variables, and `text` is the statement for messages.
new_scope <- function(env, text, bound = list(), closed = FALSE, inside = list(), prefix = "") {
  list(env = env, text = text, bound = bound, closed = closed, inside = inside, prefix = prefix)
}

code_text <- function(code) {
  gsub("\\s+", " ", paste(deparse(code, width.cutoff = 500L), collapse = " "))
}

expression_tree <- function(code, scope) {
  if (is.character(code) && length(code) == 1L) return(list(str = code))
  if (is.numeric(code) || is.logical(code)) return(constant_tree(code, scope))
  if (is.symbol(code)) return(symbol_tree(code, scope))
  if (is.call(code)) return(call_tree(code, scope))
  stop_model(
    "unsupported_value",
    sprintf("A value of class `%s` cannot stand in a model.", class(code)[1L]),
    scope$text, "Use numbers, data columns and parameters."
  )
}

constant_tree <- function(value, scope) {
  if (length(value) == 0L || !all(is.finite(value))) {
    stop_model(
      "non_finite_constant", "A constant of the model is not a finite number.",
      scope$text, fields = list(value = paste(format(value), collapse = ", "))
    )
  }
  if (is.matrix(value) && length(value) > 1L) {
    rows <- lapply(seq_len(nrow(value)), function(i) constant_tree(as.numeric(value[i, ]), scope))
    return(list(call = "rbind", args = rows))
  }
  numbers <- if (is.logical(value)) {
    lapply(value, function(truth) list(sym = as.character(truth)))
  } else {
    lapply(as.numeric(value), function(number) list(num = number))
  }
  if (length(numbers) == 1L) return(numbers[[1L]])
  list(call = "c", args = numbers)
}

symbol_tree <- function(symbol, scope) {
  name <- as.character(symbol)
  if (name == "") {
    stop_model(
      "empty_argument", "An argument is empty.", scope$text,
      "Write every index and argument, as in `eta[1]`."
    )
  }
  if (!is.null(scope$bound[[name]])) return(scope$bound[[name]])
  if (name == "pi") return(list(num = pi))
  if (!scope$closed) return(list(sym = name))
  value <- get0(name, envir = scope$env, mode = "numeric")
  if (is.null(value)) {
    stop_model(
      "helper_free_name",
      sprintf("A helper function uses `%s`, which is not one of its arguments.", name),
      scope$text, sprintf("Make `%s` an argument of the function.", name),
      list(name = name)
    )
  }
  constant_tree(value, scope)
}

call_tree <- function(call, scope) {
  if (is_call_to(call, "occasion_of")) return(list(sym = dose_occasion_word(call, scope$text)))
  head <- call_head(call, scope)
  if (is.function(head)) return(inlined_tree(head, call, scope))
  switch(head,
    "(" = expression_tree(call[[2L]], scope),
    "{" = brace_tree(call, scope),
    "if" = condition_tree(call, scope),
    "&&" = word_tree("&", call, scope),
    "||" = word_tree("|", call, scope),
    "[" = ,
    "[[" = list(
      call = "[", args = c(list(expression_tree(call[[2L]], scope)), index_trees(call, scope))
    ),
    "+" = if (length(call) == 2L) {
      expression_tree(call[[2L]], scope)
    } else {
      word_tree("+", call, scope)
    },
    word_tree(head, call, scope)
  )
}

# The word a call stands for, or the R function to read in its place.
call_head <- function(call, scope) {
  head <- call[[1L]]
  if (is.function(head)) return(head)
  if (is.call(head) && as.character(head[[1L]])[1L] %in% c("::", ":::")) {
    scope$env <- tryCatch(asNamespace(as.character(head[[2L]])), error = function(error) {
      stop_model(
        "unknown_package", sprintf("The package `%s` cannot be loaded.", as.character(head[[2L]])), scope$text,
        "Install it, or define the function where the model is written."
      )
    })
    head <- head[[3L]]
  }
  if (!is.symbol(head)) {
    stop_model(
      "unsupported_call", sprintf("`%s` cannot be called in a model.", code_text(head)),
      scope$text, if (is.numeric(head)) sprintf("For a product write `%s * (...)`.", code_text(head))
    )
  }
  name <- as.character(head)
  syntax <- c("(", "{", "if", "&&", "||", "[", "[[")
  # `pow` is a name that users give functions of their own.
  if (name %in% c(syntax, setdiff(error_words, "pow"))) return(name)
  found <- get0(name, envir = scope$env, mode = "function")
  if (is_learned_function(found)) return(name)
  if (is_self_start(found)) return(self_start_value(found))
  # A user's own definition is meant, even under the name of a word; R's function
  # of that name (stats::plogis) is the word.
  if (is.function(found) && !of_base_r(found)) return(found)
  if (name %in% c(math_words, "pow")) return(name)
  stop_unknown_call(name, scope)
}

# R's own functions are words or nothing: their bodies lead into compiled code.
of_base_r <- function(helper) {
  is.primitive(helper) ||
    environmentName(topenv(environment(helper))) %in%
      c("base", "stats", "utils", "methods", "graphics", "grDevices")
}

# What functions say that have their mathematics elsewhere.
compiled_calls <- c("$", "@", ".C", ".Call", ".External", ".Fortran")

stop_unknown_call <- function(name, scope) {
  statement_words <- c("for", "while", "repeat", "<-", "<<-", "=", "function", "~")
  problem <- if (name %in% statement_words) {
    sprintf("`%s` cannot stand inside an expression.", name)
  } else if (name %in% names(learned_words)) {
    sprintf("`%s()` stands inside an expression.", name)
  } else if (name %in% c(outcome_words, random_words)) {
    sprintf("`%s` is a distribution, which stands to the right of `~` only.", name)
  } else {
    sprintf("There is no function `%s` in the model language.", name)
  }
  words <- grep("^[a-z]", math_words, value = TRUE)
  stop_model(
    "unknown_function", problem, scope$text,
    if (name %in% names(learned_words)) {
      sprintf("Declare it in fixed(), as in `fixed(f = %s)`, then call it, as in `f(x)`.", learned_example(name))
    } else if (length(scope$inside) > 0L && name %in% compiled_calls) {
      "A helper that calls compiled code cannot be read; with doses in the data write `linear_compartments(cl, v)`."
    } else {
      nearest_hint(name, c(words, own_functions(scope$env)), "Functions", words, Inf)
    },
    list(name = name)
  )
}

# Functions that the user defined where the model is written and around it.
own_functions <- function(env) {
  found <- character()
  while (!identical(env, emptyenv()) && !identical(env, baseenv())) {
    attached <- nzchar(environmentName(env)) && !identical(env, globalenv())
    if (attached) break
    values <- ls(env)
    found <- c(found, Filter(function(name) is.function(get0(name, envir = env, inherits = FALSE)), values))
    env <- parent.env(env)
  }
  unique(found)
}

# The indices of `x[i, ]`; one left out is an empty symbol.
index_trees <- function(call, scope) {
  indices <- as.list(call)[-(1:2)]
  if (any(rlang::names2(indices) != "")) {
    stop_model(
      "unsupported_index", sprintf("`%s` cannot be read: indices have no names.", code_text(call)),
      scope$text, "A row or column of a matrix is a vector; there is no `drop`."
    )
  }
  unname(lapply(indices, function(index) {
    if (rlang::is_missing(index)) list(sym = "") else expression_tree(index, scope)
  }))
}

word_tree <- function(word, call, scope) {
  args <- as.list(call)[-1L]
  names <- names(args)
  twice <- names[nzchar(names) & duplicated(names)]
  if (length(twice) > 0L) {
    stop_model(
      "name_used_twice", sprintf("`%s()` is given `%s` twice.", word, twice[1L]), scope$text,
      "Give each argument once.", list(name = twice[1L])
    )
  }
  tree <- list(
    call = word, args = unname(lapply(args, expression_tree, scope = scope))
  )
  if (any(nzchar(names))) tree$names <- names
  tree
}

brace_tree <- function(call, scope) {
  if (length(call) == 2L) return(expression_tree(call[[2L]], scope))
  stop_model(
    "masked_assignment",
    "A block of several statements stands inside an expression.",
    scope$text, "Assign its result to a variable first, as in `x <- if (a) { ... } else { ... }`."
  )
}

condition_tree <- function(call, scope) {
  if (length(call) == 4L) return(word_tree("if", call, scope))
  stop_model(
    "missing_else", "`if` without `else` has no value when the condition is false.",
    scope$text, "Write `if (condition) a else b`."
  )
}
