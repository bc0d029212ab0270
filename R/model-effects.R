# Which individual parameter a random effect belongs to, and on which scale it
# acts: read from the statements, for names in tables and for CVs.

# One row an effect: `effect`, the `term` it varies and its `scale`. `individual`
# are the assigned variables that have one value a subject.
effect_terms <- function(spec, effects, individual) {
  kept <- vapply(spec$statements, function(statement) {
    statement$kind == "assign" && is.null(statement$index) && sub("^[.]", "", statement$target) %in% individual
  }, logical(1L))
  spec$statements <- spec$statements[kept]
  terms <- lapply(effects, effect_term, spec = spec, effects = effects)
  data.frame(
    effect = effects,
    term = vapply(terms, `[[`, character(1L), "term"),
    scale = vapply(terms, `[[`, character(1L), "scale")
  )
}

# An effect belongs to the first individual parameter that it varies on a scale
# and that no other effect varies.
effect_term <- function(effect, spec, effects) {
  family <- effect_family(effect, spec$random)
  for (statement in spec$statements) {
    if (!identical(intersect(tree_effects(statement$value), effects), effect)) next
    scale <- if (family == "lognormal") {
      if (has_factor(statement$value, effect)) "log"
    } else {
      effect_scale(statement$value, effect)
    }
    if (!is.null(scale)) return(list(term = sub("^[.]", "", statement$target), scale = scale))
  }
  list(term = effect, scale = if (family == "lognormal") "log" else "identity")
}

effect_family <- function(effect, random) {
  name <- sub("\\[.*", "", effect)
  for (block in random) if (name %in% block$names) return(block$dist$call)
  "normal"
}

# The scale on which the statement is typical value plus effect: exp(log(V) + eta),
# V * exp(eta), plogis(... + eta), ... + eta. NULL for any other, such as
# exp(eta)^hill, whose SD is not the one of the effect.
effect_scale <- function(tree, effect) {
  if (has_summand(tree, effect)) return("identity")
  links <- c(exp = "log", plogis = "logit", pnorm = "probit")
  if (isTRUE(tree$call %in% names(links)) && length(tree$args) == 1L) {
    return(if (has_summand(tree$args[[1L]], effect)) links[[tree$call]])
  }
  factors <- operands(tree, "*")
  varied <- vapply(factors, function(part) {
    identical(part$call, "exp") && has_summand(part$args[[1L]], effect)
  }, logical(1L))
  free <- vapply(factors, function(part) !effect %in% tree_effects(part), logical(1L))
  if (sum(varied) == 1L && all(varied | free)) "log"
}

has_summand <- function(tree, effect) has_operand(tree, "+", effect)
has_factor <- function(tree, effect) has_operand(tree, "*", effect)

# The effect itself, once, among the operands and in no other of them.
has_operand <- function(tree, call, effect) {
  parts <- operands(tree, call)
  itself <- vapply(parts, function(part) {
    (is.null(part$call) || part$call == "[") && identical(tree_effects(part), effect)
  }, logical(1L))
  using <- vapply(parts, function(part) effect %in% tree_effects(part), logical(1L))
  sum(itself) == 1L && sum(using) == 1L
}

# a + b + c as its three terms; the left of a difference is a term as well.
operands <- function(tree, call) {
  if (identical(tree$call, call) && length(tree$args) == 2L) {
    return(c(operands(tree$args[[1L]], call), operands(tree$args[[2L]], call)))
  }
  if (call == "+" && identical(tree$call, "-") && length(tree$args) == 2L) {
    negative <- list(call = "-", args = tree$args[2L])
    return(c(operands(tree$args[[1L]], call), list(negative)))
  }
  list(tree)
}

# Names such as `eta_ka` and `eta[1]` in a tree.
tree_effects <- function(tree) {
  if (identical(tree$call, "[") && !is.null(tree$args[[1L]]$sym) && !is.null(tree$args[[2L]]$num)) {
    return(sprintf("%s[%s]", tree$args[[1L]]$sym, format(tree$args[[2L]]$num)))
  }
  unique(c(tree$sym, unlist(lapply(tree_parts(tree), tree_effects))))
}
