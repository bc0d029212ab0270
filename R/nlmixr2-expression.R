# Write expressions of a model for nlmixr2 in the words of this package.

# Texts that variables are given: each is a number, its place among them.
new_findings <- function(block) {
  found <- new.env(parent = emptyenv())
  found$doses <- list()
  found$mixture <- NULL
  found$levels <- list()
  found$texts <- assigned_texts(block)
  found
}

assigned_texts <- function(code) {
  texts <- list()
  visit <- function(code) {
    if (!is.call(code)) return(invisible())
    if (is_call_to(code, c("<-", "=")) && is.symbol(code[[2L]]) && is.character(code[[3L]])) {
      name <- as.character(code[[2L]])
      texts[[name]] <<- unique(c(texts[[name]], code[[3L]]))
    }
    lapply(Filter(is.call, as.list(code)), visit)
  }
  visit(code)
  texts
}

text_code <- function(name, text, state) {
  code <- match(text, state$found$texts[[name]])
  if (is.na(code)) 0 else as.numeric(code)
}

# `x == "text"`: of a variable its number, of a column of the data a level.
text_comparison <- function(code, state) {
  sides <- as.list(code)[-1L]
  texts <- vapply(sides, is.character, NA)
  if (!any(texts) || all(texts) || !is.symbol(sides[[which(!texts)]])) return(NULL)
  name <- as.character(sides[[which(!texts)]])
  text <- sides[[which(texts)]]
  if (name %in% names(state$found$texts)) {
    return(as.call(list(code[[1L]], as.symbol(name), text_code(name, text, state))))
  }
  state$found$levels[[name]] <- unique(c(state$found$levels[[name]], text))
  as.call(list(code[[1L]], as.symbol(name), text))
}

nlmixr2_symbol <- function(code, state) {
  name <- as.character(code)
  if (name == "time" && !name %in% state$names) return(quote(t))
  if (name %in% names(nlmixr2_constants)) return(nlmixr2_constants[[name]])
  if (name %in% c("mixest", "mixnum")) return(mixture_symbol(name, state))
  if (name %in% c("mixunif", "newind", "NEWIND")) stop_untranslated_word(name, state)
  code
}

# An expression in the words of this package; `linCmt()` beside equations leaves them in its attribute.
nlmixr2_expression <- function(code, state) {
  if (is.symbol(code) && !rlang::is_missing(code)) return(nlmixr2_symbol(code, state))
  if (!is.call(code)) return(code)
  if (is_call_to(code, names(untranslated_words))) stop_untranslated_word(as.character(code[[1L]]), state)
  if (is_call_to(code, names(dose_words))) return(dose_expression(code, state))
  if (is_call_to(code, "mix")) return(mixture_expression(code, state))
  if (is_call_to(code, "linCmt")) return(nlmixr2_compartments(code, state))
  if (is_derivative(code)) return(derivative_expression(code, state))
  # R reads `-d/dt(x)` as `(-d)/dt(x)`.
  if (is_call_to(code, "/") && identical(code[[2L]], quote(-d)) && is_call_to(code[[3L]], "dt")) {
    code[[2L]] <- quote(d)
    return(call("-", derivative_expression(code, state)))
  }
  if (is_call_to(code, c("<-", "=")) && is.symbol(code[[2L]]) && is.character(code[[3L]])) {
    code[[3L]] <- text_code(as.character(code[[2L]]), code[[3L]], state)
  }
  compared <- if (is_call_to(code, c("==", "!=")) && length(code) == 3L) text_comparison(code, state)
  if (!is.null(compared)) return(compared)
  args <- as.list(code)[-1L]
  if (any(vapply(args, rlang::is_missing, NA))) return(code)
  args <- lapply(args, nlmixr2_expression, state = state)
  equations <- unlist(lapply(args, function(arg) if (is.call(arg)) attr(arg, "equations")), recursive = FALSE)
  args <- lapply(args, function(arg) {
    if (is.call(arg)) attr(arg, "equations") <- NULL
    arg
  })
  new <- nlmixr2_call(code, args, state)
  if (length(equations) > 0L) attr(new, "equations") <- equations
  new
}

# Functions of the user go before those of rxode2.
nlmixr2_call <- function(code, args, state) {
  word <- if (is.symbol(code[[1L]])) as.character(code[[1L]]) else ""
  known <- c(nlmixr2_words, nlmixr2_densities)
  own <- get0(word, envir = state$env, mode = "function")
  # phi() is a verb of this package too.
  foreign <- is.function(own) && !of_base_r(own) && !identical(own, get0(word, topenv(), inherits = FALSE))
  if (!word %in% names(known) || foreign) return(as.call(c(code[[1L]], args)))
  tryCatch(do.call(known[[word]], args, quote = TRUE), error = function(error) {
    stop_untranslated_line(sprintf("`%s` cannot be translated.", code_text(code)), state$line)
  })
}

# The derivative of a state whose equation stands above.
derivative_expression <- function(code, state) {
  name <- as.character(code[[3L]][[2L]])
  if (is.null(state$derivatives[[name]])) {
    stop_untranslated_line(
      sprintf("`%s` is read before its equation.", code_text(code)), state$line, "Move this line below it.",
      list(name = name)
    )
  }
  call("(", state$derivatives[[name]])
}

stop_untranslated_word <- function(word, state) {
  way <- if (word %in% names(untranslated_words)) untranslated_words[[word]] else "Leave it out."
  shown <- if (grepl("^[[:alpha:]]", word)) paste0(word, "()") else word
  stop_untranslated_line(
    sprintf("`%s` of rxode2 has no counterpart.", shown), state$line, way, list(name = word)
  )
}
