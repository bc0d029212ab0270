# Read `model()` of a model for nlmixr2, line by line, in the words of this package.

# What is known while the lines are read: `names` that have a value so far, `covariates` declared, `endpoints` by the
# name of their outcome, `spreads` the names that are the SD of a residual error, `later` equations that end the code.
nlmixr2_code <- function(block, known, env) {
  thetas <- vapply(known$thetas, `[[`, "", "name")
  state <- list(
    env = env, names = c(thetas, unlist(lapply(known$effects, `[[`, "names"))), line = NULL, lines = list(),
    covariates = list(), endpoints = list(), spreads = character(), equations = has_equations(block), later = list()
  )
  for (line in block_lines(block)) {
    state$line <- code_text(line)
    state <- nlmixr2_line(line, state)
  }
  if (length(state$endpoints) == 0L) {
    stop_model("no_outcome", "`model()` has no endpoint.", "model()", "Add a line such as `cp ~ add(add.sd)`.")
  }
  endpoints <- vapply(state$endpoints, `[[`, "", "name")
  check_endpoints(endpoints)
  columns <- if (length(endpoints) == 1L) "DV" else paste0("DV_", endpoints)
  outcomes <- Map(function(endpoint, column) call("~", as.symbol(column), endpoint$dist), state$endpoints, columns)
  lines <- c(state$lines, state$later, outcomes)
  list(
    statements = lapply(unname(lines), model_statement, scope = new_scope(env, "")),
    covariates = state$covariates, spreads = state$spreads, endpoints = stats::setNames(endpoints, columns)
  )
}

# Whether some line is an equation of its own: compartments of linCmt() then have the numbers behind it.
has_equations <- function(block) {
  any(vapply(block_lines(block), function(line) is_call_to(line, c("<-", "=")) && is_derivative(line[[2L]]), NA))
}

check_endpoints <- function(endpoints) {
  twice <- endpoints[duplicated(endpoints)]
  if (length(twice) == 0L) return(invisible())
  stop_model(
    "name_used_twice", sprintf("The endpoint `%s` has two residual errors.", twice[1L]), "model()",
    "Name endpoints after `|`, as in `cp ~ add(add.sd) | plasma`.", list(name = twice[1L])
  )
}

nlmixr2_line <- function(line, state) {
  if (is_call_to(line, c("<-", "="))) return(nlmixr2_assignment(line, state))
  if (is_call_to(line, "~") && length(line) == 3L) return(nlmixr2_endpoint(line, state))
  if (is_call_to(line, "if")) {
    state$lines <- c(state$lines, list(nlmixr2_expression(line, state)))
    state$names <- c(state$names, assigned_names(line))
    return(state)
  }
  interpolations <- c(linear = "linear", locf = "constant")
  word <- if (is.call(line)) code_text(line[[1L]])
  if (isTRUE(word %in% names(interpolations))) {
    state$covariates <- c(state$covariates, lapply(as.list(line)[-1L], function(column) {
      list(
        name = as.character(column), kind = "time_varying", interpolation = interpolations[[word]], text = state$line
      )
    }))
    return(state)
  }
  stop_untranslated_line(
    "This line of `model()` cannot be translated.", state$line,
    "Assignments, differential equations, `if` and endpoints such as `cp ~ add(add.sd)` can."
  )
}

nlmixr2_assignment <- function(line, state) {
  target <- line[[2L]]
  value <- nlmixr2_expression(line[[3L]], state)
  # Compartments of linCmt() beside equations are written out.
  state$later <- c(state$later, attr(value, "equations"))
  attr(value, "equations") <- NULL
  state$lines <- c(state$lines, list(call("<-", target, value)))
  if (is.symbol(target)) state$names <- c(state$names, as.character(target))
  state
}

# Functions by the names they have here. The optional bounds of `expit()` and its relatives are 0 and 1.
nlmixr2_words <- list(
  expit = function(x, low = 0, high = 1) scaled_back(call("plogis", x), low, high),
  probitInv = function(x, low = 0, high = 1) scaled_back(call("pnorm", x), low, high),
  logit = function(x, low = 0, high = 1) call("qlogis", scaled(x, low, high)),
  probit = function(x, low = 0, high = 1) call("qnorm", scaled(x, low, high)),
  phi = function(x) call("pnorm", x),
  gammafn = function(x) call("gamma", x),
  lgammafn = function(x) call("lgamma", x),
  loggamma = function(x) call("lgamma", x),
  R_pow = function(x, y) call("^", x, y)
)

# Functions of rxode2 about doses and random numbers.
untranslated_words <- c(
  "tad0", "tafd0", "tlast", "tlast0", "tfirst", "tfirst0", "dosenum", "podo", "podo0", "transit",
  "rxnorm", "rxunif", "rxbinom", "rxpois", "rnorm", "runif", "rpois", "rbinom"
)

scaled_back <- function(code, low, high) {
  if (identical(low, 0) && identical(high, 1)) return(code)
  call("+", low, call("*", call("(", call("-", high, low)), code))
}

scaled <- function(code, low, high) {
  if (identical(low, 0) && identical(high, 1)) return(code)
  call("/", call("(", call("-", code, low)), call("(", call("-", high, low)))
}

# An expression in the words of this package; `linCmt()` beside equations leaves them in its attribute.
nlmixr2_expression <- function(code, state) {
  if (is.symbol(code)) {
    name <- as.character(code)
    if (name == "time" && !name %in% state$names) return(quote(t))
    if (name == "M_PI") return(pi)
    return(code)
  }
  if (!is.call(code)) return(code)
  if (is_call_to(code, untranslated_words)) {
    stop_untranslated_line(
      sprintf("`%s()` of rxode2 has no counterpart.", as.character(code[[1L]])), state$line,
      "Make a column of the data that holds it, or leave it out.", list(name = as.character(code[[1L]]))
    )
  }
  if (is_call_to(code, "linCmt")) return(nlmixr2_compartments(code, state))
  if (is_call_to(code, "~")) {
    stop_untranslated_line("An endpoint cannot stand inside `if`.", state$line, "State it once, after the `if`.")
  }
  args <- as.list(code)[-1L]
  if (any(vapply(args, rlang::is_missing, NA))) return(code)
  args <- lapply(args, nlmixr2_expression, state = state)
  equations <- unlist(lapply(args, function(arg) if (is.call(arg)) attr(arg, "equations")), recursive = FALSE)
  args <- lapply(args, function(arg) {
    if (is.call(arg)) attr(arg, "equations") <- NULL
    arg
  })
  word <- if (is.symbol(code[[1L]])) as.character(code[[1L]]) else ""
  new <- if (word %in% names(nlmixr2_words)) {
    tryCatch(do.call(nlmixr2_words[[word]], args, quote = TRUE), error = function(error) {
      stop_untranslated_line(sprintf("`%s` cannot be translated.", code_text(code)), state$line)
    })
  } else {
    as.call(c(code[[1L]], args))
  }
  if (length(equations) > 0L) attr(new, "equations") <- equations
  new
}
