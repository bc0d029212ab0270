# Read an expression of a saemix model function as what it says of one row.

# Words of R that such functions use and the language has under other names.
row_words <- list(
  factorial = function(x) gamma(x + 1),
  lfactorial = function(x) lgamma(x + 1),
  choose = function(n, k) exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)),
  lchoose = function(n, k) lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1),
  dnorm = function(x, mean = 0, sd = 1, log = FALSE) {
    density <- -0.5 * ((x - mean) / sd)^2 - log(sd) - 0.918938533204672742
    if (log) density else exp(density)
  },
  dpois = function(x, lambda, log = FALSE) {
    density <- x * log(lambda) - lambda - lgamma(x + 1)
    if (log) density else exp(density)
  },
  dbinom = function(x, size, prob, log = FALSE) {
    density <- lgamma(size + 1) - lgamma(x + 1) - lgamma(size - x + 1) +
      x * log(prob) + (size - x) * log1p(-prob)
    if (log) density else exp(density)
  }
)

# Where the functions of a model are found: R's own replaced by readable ones,
# the user's own kept.
row_environment <- function(env) {
  own <- vapply(names(row_words), function(name) {
    found <- get0(name, envir = env, mode = "function")
    !is.null(found) && !of_base_r(found)
  }, logical(1L))
  list2env(row_words[!own], parent = env)
}

row_code <- function(code, state) {
  if (is.symbol(code)) return(row_symbol(as.character(code), state))
  if (!is.call(code)) return(code)
  part <- argument_part(code, state)
  if (!is.null(part)) return(part)
  if (!is.symbol(code[[1L]])) return(row_arguments(code, state))
  switch(
    as.character(code[[1L]]),
    "[" = , "[[" = row_subset(code, state),
    "(" = row_parenthesis(code[[2L]], state),
    rep = , rep_len = , as.numeric = , as.vector = , as.double = , as.integer = ,
    drop = , return = row_code(code[[2L]], state),
    c = if (length(code) == 2L) row_code(code[[2L]], state) else stop_other_rows(code, state),
    numeric = , double = 0,
    log = row_logarithm(code, state),
    max = , min = row_extreme(code, state),
    sum = , prod = , mean = , range = , cumsum = , cumprod = , diff = , sapply = ,
    length = , nrow = , NROW = , which = , order = , sort = , unique = , tapply = , rev = , any = , all = ,
    setdiff = , append = , union = , intersect = , seq_along = , seq = , ":" = , dim = , rowSums = ,
    apply = , vapply = , lapply = , outer = , match = stop_other_rows(code, state),
    row_arguments(code, state)
  )
}

row_arguments <- function(code, state) {
  code[-1L] <- lapply(as.list(code)[-1L], row_code, state = state)
  code
}

# A name needs no parentheses; what stood in them may be a name now.
row_parenthesis <- function(code, state) {
  inner <- row_code(code, state)
  if (is.call(inner)) call("(", inner) else inner
}

row_logarithm <- function(code, state) {
  inner <- code[[2L]]
  plain <- length(code) == 2L && is_call_to(inner, "factorial")
  # gamma() overflows where lgamma() does not.
  if (plain) return(call("lgamma", call("+", row_code(inner[[2L]], state), 1)))
  row_arguments(code, state)
}

# psi[id, k], psi[id, "ka"], xidep[, j], xidep[["time"]], xidep$time; NULL for
# anything else.
argument_part <- function(code, state) {
  if (!is_call_to(code, c("[", "[[", "$")) || !is.symbol(code[[2L]])) return(NULL)
  which <- match(as.character(code[[2L]]), state$arguments)
  if (is.na(which) || which == 2L || as.character(code[[2L]]) %in% names(state$native)) return(NULL)
  names <- if (which == 1L) state$parameters else state$predictors
  what <- if (which == 1L) "parameter" else "predictor"
  column <- code[[length(code)]]
  if (which == 1L) check_psi_rows(code, state)
  if (which == 3L && length(code) == 4L && !rlang::is_missing(code[[3L]])) stop_other_rows(code, state)
  if (rlang::is_missing(column)) stop_other_rows(code, state)
  if (is_call_to(code, "$")) column <- as.character(column)
  if (is.symbol(column)) column <- get0(as.character(column), envir = state$env, mode = "numeric")
  if (is.character(column)) {
    if (!column %in% names) {
      stop_untranslated(
        sprintf("There is no %s `%s`.", what, column), state, nearest_hint(column, names, "Known"), list(name = column)
      )
    }
    return(as.symbol(column))
  }
  if (!is.numeric(column) || length(column) != 1L || !column %in% seq_along(names)) {
    stop_untranslated(
      sprintf("`%s` is none of the %d %ss.", code_text(code), length(names), what), state,
      sprintf("They are, in this order: %s.", paste0("`", names, "`", collapse = ", "))
    )
  }
  as.symbol(names[column])
}

check_psi_rows <- function(code, state) {
  if (length(code) == 4L && identical(code[[3L]], as.symbol(state$arguments[2L]))) return(invisible())
  stop_untranslated(
    sprintf("`%s` does not say whose parameter it is.", code_text(code)), state,
    sprintf("Write `%s[%s, k]` for parameter k.", state$arguments[1L], state$arguments[2L])
  )
}

row_symbol <- function(name, state) {
  if (!is.null(state$native[[name]])) return(state$native[[name]])
  if (name %in% state$rows || name %in% names(state$masks)) stop_other_rows(as.symbol(name), state)
  if (name %in% state$arguments) {
    row <- if (name == state$arguments[1L]) state$arguments[2L] else ""
    stop_untranslated(
      sprintf("`%s` is used as a whole.", name), state,
      sprintf("Use its columns one by one, as in `%s[%s, 1]`.", name, row)
    )
  }
  if (name %in% c("T", "TRUE")) return(1)
  if (name %in% c("F", "FALSE")) return(0)
  if (name == "pi") return(pi)
  value <- get0(name, envir = state$env, mode = "numeric")
  if (length(value) == 1L && is.finite(value)) return(as.numeric(value))
  known <- c(names(state$native), state$arguments)
  stop_untranslated(
    if (is.null(value)) {
      sprintf("The model function uses `%s`, which it does not define.", name)
    } else {
      sprintf("The model function uses `%s` from outside, which is not one finite number.", name)
    },
    state, nearest_hint(name, known, "Known"), list(name = name)
  )
}

# x[mask] within f[mask] <- ... is x itself, and x[mask - 1] what x was in the row before.
row_subset <- function(code, state) {
  if (length(code) == 3L && !is.null(state$indexed)) {
    index <- code[[3L]]
    if (identical(index, state$indexed)) return(row_code(code[[2L]], state))
    before <- is_call_to(index, "-") && length(index) == 3L && identical(index[[3L]], 1)
    if (state$survival && before && identical(index[[2L]], state$indexed)) {
      return(call(".before", row_code(code[[2L]], state)))
    }
  }
  stop_other_rows(code, state)
}

# The largest value of a predictor, such as a time of censoring that all subjects share, is a number of the data.
row_extreme <- function(code, state) {
  values <- if (state$survival && length(code) == 2L && is.symbol(code[[2L]])) {
    column <- row_code(code[[2L]], state)
    if (is.symbol(column) && as.character(column) %in% state$predictors) state$frame[[as.character(column)]]
  }
  if (!is.numeric(values) || length(values) == 0L) stop_other_rows(code, state)
  do.call(as.character(code[[1L]]), list(values))
}

# length(x), nrow(psi), dim(psi)[1]: how many rows there are.
is_row_count <- function(code, state) {
  if (is_call_to(code, "[") && is_call_to(code[[2L]], "dim")) return(TRUE)
  is_call_to(code, c("length", "nrow", "NROW")) ||
    is.symbol(code) && as.character(code) %in% state$rows
}

stop_other_rows <- function(code, state) {
  native <- if (state$survival) {
    event_hint(state)
  } else {
    "Write what happens in one row, or the whole model with nlme_model()."
  }
  stop_untranslated(
    sprintf("`%s` depends on other rows; the function is read for one row.", code_text(code)), state, native
  )
}

stop_untranslated <- function(problem, state, hint = NULL, fields = list()) {
  if (is.null(hint)) hint <- "Write the model with nlme_model(); see `?nlme_model`."
  stop_model("untranslated_function", problem, state$line, hint, fields)
}
