# Read the endpoints of a model for nlmixr2: `cp ~ add(add.sd) + prop(prop.sd) | name`.

# Terms of residual errors with the numbers of arguments they take.
residual_words <- list(
  add = 1L, ar = 1L, prop = 1L, propT = 1L, propF = 2L, pow = 2L, powT = 2L, powF = 3L, lnorm = 1L,
  logitNorm = c(1L, 3L), probitNorm = c(1L, 3L), boxCox = 1L, yeoJohnson = 1L, t = 1L, cauchy = 0L, normal = 0L,
  combined1 = 0L, combined2 = 0L
)
proportional_words <- c("prop", "propT", "propF", "pow", "powT", "powF")
additive_words <- c("add", "lnorm", "logitNorm", "probitNorm")
# norm(sd) is add(sd); without arguments it says that the errors are normal.
residual_synonyms <- c(
  norm = "add", dnorm = "add", logn = "lnorm", dlnorm = "lnorm", dlogn = "lnorm", logitnorm = "logitNorm",
  probitnorm = "probitNorm", dt = "t", dcauchy = "cauchy"
)

# Families of the language whose errors are normal on another scale.
nlmixr2_scales <- c(
  boxCox = "box_cox", yeoJohnson = "yeo_johnson", logitNorm = "logit_normal", probitNorm = "probit_normal"
)

nlmixr2_endpoint <- function(line, state) {
  read <- read_endpoint(line, state)
  state$later <- c(state$later, read$later)
  state$lines <- c(state$lines, read$lines)
  state$spreads <- c(state$spreads, read$spreads)
  state$exact <- c(state$exact, read$exact)
  state$found$correlations <- c(state$found$correlations, read$correlations)
  state$endpoints <- c(state$endpoints, list(read[c("name", "dist", "values")]))
  state
}

# list(name, dist, values, spreads, lines, later, exact, correlations) of one endpoint.
read_endpoint <- function(line, state) {
  right <- line[[3L]]
  if (is_call_to(line[[2L]], c("ll", "n2ll"))) return(likelihood_endpoint(line, state))
  name <- endpoint_name(line[[2L]], state)
  if (is_call_to(right, "|")) {
    name <- code_text(right[[3L]])
    right <- right[[2L]]
  }
  if (is_call_to(right, c("c", "ordinal"))) return(c(list(name = name), ordinal_endpoint(right, state)))
  terms <- lapply(summed_terms(right), residual_term, state)
  words <- vapply(terms, `[[`, "", "word")
  if (length(terms) == 1L && words %in% names(nlmixr2_families)) {
    dist <- do.call(nlmixr2_families[[words]], terms[[1L]]$args, quote = TRUE)
    return(list(name = name, dist = dist, values = NULL))
  }
  prediction <- nlmixr2_expression(line[[2L]], state)
  later <- attr(prediction, "equations")
  attr(prediction, "equations") <- NULL
  names(terms) <- words
  terms <- without_zeros(terms, state)
  check_residual_terms(terms, state)
  rho <- terms$ar$args[[1L]]
  terms$ar <- NULL
  lines <- list()
  if (is.call(prediction) && !all(names(terms) %in% c("add", "prop", "lnorm", "combined1", "combined2"))) {
    # What stands several times in a density is a variable.
    lines <- list(call("<-", quote(linCmt), prediction))
    prediction <- quote(linCmt)
  }
  spreads <- lapply(terms[names(terms) %in% c(additive_words, proportional_words)], function(term) term$args[[1L]])
  list(
    name = name, dist = autocorrelated(residual_distribution(terms, prediction), rho, state), values = NULL,
    spreads = vapply(Filter(is.symbol, spreads), as.character, ""), lines = lines, later = later,
    exact = exact_by(spreads, state), correlations = if (is.symbol(rho)) as.character(rho)
  )
}

# The SD that is held at 0, where an endpoint has no other: its data would be the predictions themselves.
exact_by <- function(spreads, state) {
  names <- vapply(Filter(is.symbol, spreads), as.character, "")
  if (length(names) > 0L && length(names) == length(spreads) && all(names %in% state$zeros)) names[[1L]]
}

endpoint_name <- function(left, state) {
  if (is.symbol(left)) return(as.character(left))
  if (is_call_to(left, "linCmt")) return("linCmt")
  stop_untranslated_line(
    "The left of `~` must be a variable.", state$line,
    if (is_call_to(left, "log")) {
      sprintf("For errors on the scale of the logarithm write `%s ~ lnorm(sd)`.", code_text(left[[2L]]))
    } else {
      "Assign the prediction to a variable first."
    }
  )
}

# list(word, args) of `add(add.sd)`.
residual_term <- function(code, state) {
  word <- if (is.call(code)) code_text(code[[1L]]) else ""
  if (word %in% c("norm", "dnorm") && length(code) == 1L) word <- "normal"
  if (word %in% names(residual_synonyms)) word <- residual_synonyms[[word]]
  plain <- sub("^d", "", word)
  if (plain %in% names(nlmixr2_families)) word <- plain
  known <- c(setdiff(names(residual_words), "normal"), names(nlmixr2_families))
  if (!word %in% c(known, "normal")) {
    stop_untranslated_line(
      sprintf("`%s` is no residual error that can be translated.", code_text(code)), state$line,
      nearest_hint(word, known, "Known", known, Inf), list(name = word)
    )
  }
  args <- lapply(as.list(code)[-1L], nlmixr2_expression, state = state)
  counts <- residual_words[[word]]
  if (is.null(counts)) {
    formals <- formals(nlmixr2_families[[word]])
    counts <- seq(sum(vapply(formals, rlang::is_missing, NA)), length(formals))
  }
  if (!length(args) %in% counts) {
    stop_untranslated_line(
      sprintf(
        "`%s()` takes %s argument%s.", word, paste(unique(range(counts)), collapse = " to "),
        if (max(counts) == 1L) "" else "s"
      ),
      state$line
    )
  }
  list(word = word, args = unname(args))
}

# `ar(rho)`: residuals correlate by `rho^(time between them)`, as in ar1() with a time.
autocorrelated <- function(dist, rho, state) {
  if (is.null(rho)) return(dist)
  if (is_call_to(dist, "normal")) return(call("ar1", dist, rho, time = quote(t)))
  stop_untranslated_line(
    "`ar()` correlates normal residuals; beside `ar()` stand `add()`, `prop()` and `pow()`.", state$line,
    "Take the logarithm in the data for errors on its scale, and write `log_cp ~ add(add.sd) + ar(rho)`.",
    list(name = "ar")
  )
}

# `lnorm(NA)` names a scale without an error of its own, and an error that is held at 0 is none.
without_zeros <- function(terms, state) {
  none <- function(arg) is.logical(arg) && is.na(arg) || is.symbol(arg) && as.character(arg) %in% state$zeros
  for (word in intersect(additive_words, names(terms))) {
    if (!none(terms[[word]]$args[[1L]])) next
    others <- setdiff(intersect(c(additive_words, proportional_words), names(terms)), word)
    if (length(others) == 0L) next
    if (word == "add") terms[[word]] <- NULL else terms[[word]]$args[1L] <- list(NULL)
  }
  zero <- names(terms) %in% proportional_words & vapply(terms, function(term) {
    length(term$args) > 0L && none(term$args[[1L]])
  }, NA)
  if (any(zero) && any(names(terms) %in% additive_words)) terms <- terms[!zero]
  terms
}

check_residual_terms <- function(terms, state) {
  words <- names(terms)
  fail <- function(problem, hint = NULL) stop_untranslated_line(problem, state$line, hint)
  family <- intersect(words, names(nlmixr2_families))
  if (length(family) > 0L) fail(sprintf("`%s()` stands alone.", family[1L]))
  if (anyDuplicated(words)) fail(sprintf("`%s()` stands twice.", words[duplicated(words)][1L]))
  for (kind in list(proportional_words, additive_words, c("t", "cauchy", "normal"), c("boxCox", "yeoJohnson"))) {
    both <- intersect(kind, words)
    if (length(both) > 1L) fail(sprintf("`%s()` and `%s()` cannot stand together.", both[1L], both[2L]))
  }
  if ("lnorm" %in% words && any(c("boxCox", "yeoJohnson") %in% words)) {
    fail("`lnorm()` cannot stand beside another transformation.", "Take `add()` with `boxCox()`.")
  }
  if (!any(words %in% c(additive_words, proportional_words))) {
    fail("The endpoint has no residual error.", "Write `cp ~ add(add.sd)`.")
  }
  for (word in intersect(c("logitNorm", "probitNorm"), words)) {
    bounds <- terms[[word]]$args[-1L]
    if (!all(vapply(bounds, function(bound) is.numeric(tryCatch(eval(bound, baseenv()), error = identity)), NA))) {
      fail(sprintf("The bounds of `%s()` must be numbers.", word))
    }
  }
}

# What the language has words for: an SD in its shorthands, on the scale of the outcome or one of its own; else NULL.
known_distribution <- function(terms, prediction) {
  words <- setdiff(names(terms), c("normal", "combined1", "combined2"))
  scale <- intersect(names(nlmixr2_scales), words)
  if (length(scale) > 1L || !all(words %in% c("add", "prop", "pow", scale))) return(NULL)
  more <- if (length(scale) > 0L) terms[[scale]]$args
  constant <- terms$add$args
  if (isTRUE(scale %in% c("logitNorm", "probitNorm"))) {
    constant <- c(constant, Filter(Negate(is.null), more[1L]))
    more <- more[-1L]
  }
  grown <- c(terms$prop$args, terms$pow$args)
  sd <- if (is.null(grown)) {
    constant[[1L]]
  } else {
    word <- if (is.null(terms$pow)) "prop" else "pow"
    if (length(constant) > 0L) word <- paste0("add_", word, if (!is.null(terms$combined1)) "_sd")
    as.call(c(as.symbol(word), constant, grown))
  }
  as.call(c(as.symbol(if (length(scale) > 0L) nlmixr2_scales[[scale]] else "normal"), prediction, sd, more))
}

residual_distribution <- function(terms, prediction) {
  known <- known_distribution(terms, prediction)
  if (!is.null(known)) return(known)
  words <- names(terms)
  arg <- function(word, k = 1L) terms[[word]]$args[[k]]
  scale <- residual_scale(terms)
  sd <- residual_sd(terms, prediction, scale)
  df <- if ("t" %in% words) arg("t") else if ("cauchy" %in% words) 1
  if (scale$kind == "identity") {
    if (is.null(df)) return(call("normal", prediction, sd))
    return(call("student_t", df, prediction, sd))
  }
  if (scale$kind == "log" && is.null(df)) return(call("lognormal", call("log", prediction), sd))
  dist <- call("custom", transformed_density(scale, prediction, sd, df))
  # A written density cannot be drawn from: simulate() draws on the scale of the errors and goes back.
  center <- transformed(scale, prediction)
  drawn <- if (is.null(df)) call("normal", center, sd) else call("student_t", df, center, sd)
  if (is.null(scale$power)) attr(dist, "drawn") <- list(dist = drawn, scale = scale[c("kind", "low", "high")])
  dist
}

# The SD on the scale on which errors are normal: `a` and a multiple `b` of a power of the prediction, of the prediction
# on that scale (`propT`) or of another variable (`propF`).
residual_sd <- function(terms, prediction, scale) {
  additive <- intersect(additive_words, names(terms))
  a <- if (length(additive) == 1L) terms[[additive]]$args[[1L]]
  word <- intersect(proportional_words, names(terms))
  if (length(word) == 0L) return(a)
  args <- terms[[word]]$args
  of <- switch(sub("prop|pow", "", word), "T" = transformed(scale, prediction), F = args[[length(args)]], prediction)
  size <- call("abs", of)
  if (startsWith(word, "pow")) size <- call("^", size, args[[2L]])
  b <- call("*", args[[1L]], size)
  if (is.null(a)) return(b)
  if (!is.null(terms$combined1)) return(call("+", a, b))
  call("sqrt", call("+", call("^", a, 2), call("^", call("(", b), 2)))
}

# Endpoints inside `if` must be the same in all branches, with distributions of one family; their arguments are chosen.
branch_endpoints <- function(line, state) {
  if (!"~" %in% all.names(line)) return(state)
  for (endpoint in chosen_endpoints(line, state)) {
    state$spreads <- c(state$spreads, endpoint$spreads)
    state$endpoints <- c(state$endpoints, list(endpoint[c("name", "dist", "values")]))
  }
  state
}

chosen_endpoints <- function(code, state) {
  if (is_call_to(code, "{")) {
    return(unlist(lapply(as.list(code)[-1L], chosen_endpoints, state), recursive = FALSE))
  }
  if (is_call_to(code, "~")) {
    read <- read_endpoint(code, state)
    if (length(read$later) == 0L) return(list(read))
    stop_untranslated_line(
      "An endpoint `linCmt()` cannot stand inside `if`.", state$line, "Write `cp <- linCmt()` before the `if`."
    )
  }
  if (!is_call_to(code, "if") || !"~" %in% all.names(code)) return(NULL)
  condition <- nlmixr2_expression(code[[2L]], state)
  branches <- list(chosen_endpoints(code[[3L]], state), if (length(code) == 4L) chosen_endpoints(code[[4L]], state))
  names <- lapply(branches, function(branch) vapply(branch, `[[`, "", "name"))
  if (!setequal(names[[1L]], names[[2L]])) {
    stop_untranslated_line(
      "An endpoint stands in one branch of an `if` only.", state$line,
      "State it once, after the `if`, with an SD that the `if` chooses, as in `cp ~ add(sd)`."
    )
  }
  lapply(seq_along(branches[[1L]]), function(i) {
    yes <- branches[[1L]][[i]]
    no <- branches[[2L]][[match(yes$name, names[[2L]])]]
    yes$dist <- chosen_distribution(condition, yes$dist, no$dist, state)
    yes$spreads <- c(yes$spreads, no$spreads)
    yes
  })
}

chosen_distribution <- function(condition, yes, no, state) {
  if (is_call_to(yes, "ar1") || is_call_to(no, "ar1")) {
    stop_untranslated_line(
      "`ar()` stands inside `if`.", state$line,
      "State the endpoint once, after the `if`, with an SD that the `if` chooses, as in `cp ~ add(sd) + ar(rho)`."
    )
  }
  yes <- spelled_out(yes)
  no <- spelled_out(no)
  if (!identical(yes[[1L]], no[[1L]]) || length(yes) != length(no)) {
    stop_untranslated_line(
      "The branches of an `if` give an endpoint distributions of several families.", state$line,
      "State one after the `if`, with arguments that the `if` chooses."
    )
  }
  for (i in seq_along(yes)[-1L]) {
    if (!identical(yes[[i]], no[[i]])) yes[[i]] <- call("ifelse", condition, yes[[i]], no[[i]])
  }
  yes
}

# An SD in the words for residual errors as an expression.
spelled_out <- function(dist) {
  error <- dist[[3L]]
  if (!is_call_to(error, setdiff(error_words, "add"))) return(dist)
  word <- as.character(error[[1L]])
  size <- call("abs", dist[[2L]])
  if (grepl("pow", word, fixed = TRUE)) size <- call("^", size, error[[length(error)]])
  a <- if (startsWith(word, "add_")) error[[2L]]
  b <- call("*", error[[if (is.null(a)) 2L else 3L]], size)
  dist[[3L]] <- if (is.null(a)) {
    b
  } else if (endsWith(word, "_sd")) {
    call("+", a, b)
  } else {
    call("sqrt", call("+", call("^", a, 2), call("^", call("(", b), 2)))
  }
  dist
}

# The line without its endpoints; NULL where nothing is left.
without_endpoints <- function(code) {
  if (!is.call(code) || !"~" %in% all.names(code)) return(code)
  if (is_call_to(code, "~")) return(NULL)
  if (is_call_to(code, "{")) {
    left <- Filter(Negate(is.null), lapply(as.list(code)[-1L], without_endpoints))
    return(if (length(left) > 0L) as.call(c(quote(`{`), left)))
  }
  branches <- lapply(as.list(code)[-(1:2)], without_endpoints)
  if (all(vapply(branches, is.null, NA))) return(NULL)
  branches <- lapply(branches, function(branch) if (is.null(branch)) quote({}) else branch) # nolint: brace_linter.
  as.call(c(quote(`if`), code[[2L]], branches))
}
