# Read the endpoints of a model for nlmixr2: `cp ~ add(add.sd) + prop(prop.sd) | name`.

# Other distributions with the call they become; the first arguments are those of nlmixr2.
nlmixr2_families <- list(
  pois = function(lambda) call("poisson", lambda),
  binom = function(size, prob) call("binomial", size, prob),
  nbinomMu = function(size, mu) call("neg_binomial", mu, size),
  nbinom = function(size, prob) {
    call("neg_binomial", call("/", call("*", size, call("(", call("-", 1, prob))), prob), size)
  },
  beta = function(shape1, shape2) call("beta", shape1, shape2),
  weibull = function(shape, scale = 1) call("weibull", shape, scale),
  gamma = function(shape, rate = 1) call("gamma", shape, call("/", 1, rate)),
  exp = function(rate) call("exponential", call("/", 1, rate))
)
# Both sides are transformed; the first argument of the last two is the SD.
nlmixr2_scales <- c(boxCox = "box_cox", yeoJohnson = "yeo_johnson", logitNorm = "logit_normal", probitNorm = "probit_normal")
residual_words <- c("add", "prop", "pow", "lnorm", "t", "combined1", "combined2", names(nlmixr2_scales))
# dpois() is pois(), norm() is add().
residual_synonyms <- c(
  norm = "add", dnorm = "add", logn = "lnorm", dlnorm = "lnorm", dlogn = "lnorm", dt = "t",
  logitnorm = "logitNorm", dlogitnorm = "logitNorm", dlogitNorm = "logitNorm",
  probitnorm = "probitNorm", dprobitnorm = "probitNorm", dprobitNorm = "probitNorm"
)

nlmixr2_endpoint <- function(line, state) {
  right <- line[[3L]]
  name <- endpoint_name(line[[2L]], state)
  if (is_call_to(right, "|")) {
    name <- code_text(right[[3L]])
    right <- right[[2L]]
  }
  prediction <- nlmixr2_expression(line[[2L]], state)
  state$later <- c(state$later, attr(prediction, "equations"))
  attr(prediction, "equations") <- NULL
  terms <- lapply(summed_terms(right), residual_term, state)
  words <- vapply(terms, `[[`, "", "word")
  if (length(terms) == 1L && words %in% names(nlmixr2_families)) {
    dist <- do.call(nlmixr2_families[[words]], terms[[1L]]$args, quote = TRUE)
  } else {
    names(terms) <- words
    check_residual_terms(terms, state)
    dist <- residual_distribution(terms, prediction)
    sd_words <- intersect(c("add", "prop", "pow", "lnorm", "logitNorm", "probitNorm"), words)
    spreads <- lapply(sd_words, function(word) terms[[word]]$args[[1L]])
    state$spreads <- c(state$spreads, vapply(Filter(is.symbol, spreads), as.character, ""))
  }
  state$endpoints <- c(state$endpoints, list(list(name = name, dist = dist)))
  state
}

endpoint_name <- function(left, state) {
  if (is.symbol(left)) return(as.character(left))
  if (is_call_to(left, "linCmt")) return("linCmt")
  stop_untranslated_line(
    "The left of `~` must be a variable.", state$line, "Assign the prediction to a variable first."
  )
}

# list(word, args) of `add(add.sd)`.
residual_term <- function(code, state) {
  word <- if (is.call(code)) code_text(code[[1L]]) else ""
  if (word %in% names(residual_synonyms)) word <- residual_synonyms[[word]]
  plain <- sub("^d", "", word)
  if (plain %in% names(nlmixr2_families)) word <- plain
  known <- c(residual_words, names(nlmixr2_families))
  if (!word %in% known) {
    stop_untranslated_line(
      sprintf("`%s` is no residual error that can be translated.", code_text(code)), state$line,
      nearest_hint(word, known, "Known", known, Inf), list(name = word)
    )
  }
  args <- lapply(as.list(code)[-1L], nlmixr2_expression, state = state)
  counts <- if (word %in% residual_words) {
    switch(word, pow = 2L, combined1 = 0L, combined2 = 0L, logitNorm = , probitNorm = 1:3, 1L)
  } else {
    formals <- formals(nlmixr2_families[[word]])
    seq(sum(vapply(formals, rlang::is_missing, NA)), length(formals))
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

check_residual_terms <- function(terms, state) {
  words <- names(terms)
  fail <- function(problem, hint = NULL) stop_untranslated_line(problem, state$line, hint)
  family <- intersect(words, names(nlmixr2_families))
  if (length(family) > 0L) fail(sprintf("`%s()` stands alone.", family[1L]))
  if (anyDuplicated(words)) fail(sprintf("`%s()` stands twice.", words[duplicated(words)][1L]))
  if (all(c("prop", "pow") %in% words)) fail("`prop()` and `pow()` cannot stand together.")
  if ("lnorm" %in% words && length(setdiff(words, "lnorm")) > 0L) {
    fail("`lnorm()` with other terms cannot be translated.", "Take `lnorm(sd)` alone, or `add()` and `prop()`.")
  }
  scale <- intersect(names(nlmixr2_scales), words)
  if (length(scale) > 1L) fail(sprintf("`%s()` and `%s()` cannot stand together.", scale[1L], scale[2L]))
  if (length(scale) > 0L && "t" %in% words) fail(sprintf("`%s()` and `t()` cannot stand together.", scale))
  known <- Filter(function(word) has_sd(terms[[word]]), c("logitNorm", "probitNorm"))
  if (length(known) > 0L && "add" %in% words) {
    fail(sprintf("`%s()` has an SD and `add()` another.", known), sprintf("Write `%s(NA, ...) + add(sd)`.", known))
  }
  if (length(c(known, intersect(words, c("add", "prop", "pow", "lnorm")))) == 0L) {
    fail("The endpoint has no residual error.", "Write `cp ~ add(add.sd)`.")
  }
}

# Whether logitNorm() or probitNorm() names its SD, for which NA stands where add() or prop() does.
has_sd <- function(term) !is.null(term) && !identical(term$args[[1L]], NA)

# The SD of a distribution that is normal on some scale, in the shorthands of the language.
residual_shorthand <- function(terms) {
  own <- c(terms$logitNorm$args[1L], terms$probitNorm$args[1L])
  constant <- c(terms$add$args[1L], Filter(function(sd) !identical(sd, NA), own))
  grown <- c(terms$prop$args, terms$pow$args)
  if (is.null(grown)) return(constant[[1L]])
  word <- if (is.null(terms$pow)) "prop" else "pow"
  if (length(constant) > 0L) word <- paste0("add_", word, if (!is.null(terms$combined1)) "_sd")
  as.call(c(as.symbol(word), constant, grown))
}

residual_distribution <- function(terms, prediction) {
  arg <- function(word, k = 1L) terms[[word]]$args[[k]]
  if (!is.null(terms$lnorm)) return(call("lognormal", call("log", prediction), arg("lnorm")))
  if (is.null(terms$t)) {
    scale <- intersect(names(nlmixr2_scales), names(terms))
    more <- if (length(scale) > 0L) terms[[scale]]$args
    if (isTRUE(scale %in% c("logitNorm", "probitNorm"))) more <- more[-1L]
    family <- if (length(scale) > 0L) nlmixr2_scales[[scale]] else "normal"
    return(as.call(c(as.symbol(family), prediction, residual_shorthand(terms), more)))
  }
  sds_add <- !is.null(terms$combined1)
  size <- call("abs", prediction)
  part <- if (!is.null(terms$pow)) {
    call("*", arg("pow"), call("^", size, arg("pow", 2L)))
  } else if (!is.null(terms$prop)) {
    call("*", arg("prop"), size)
  }
  sd <- if (is.null(part)) {
    arg("add")
  } else if (is.null(terms$add)) {
    part
  } else if (sds_add) {
    call("+", arg("add"), part)
  } else {
    call("sqrt", call("+", call("^", arg("add"), 2), call("^", call("(", part), 2)))
  }
  call("student_t", arg("t"), prediction, sd)
}
