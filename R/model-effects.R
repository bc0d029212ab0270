# Which individual parameter a random effect belongs to, and on which scale it
# acts: read from the statements, for names in tables and for CVs.

# One row an effect: `effect`, the `term` it varies and its `scale`. `individual`
# are the assigned variables that have one value a subject.
effect_terms <- function(spec, effects, individual) {
  kept <- vapply(spec$statements, function(statement) {
    statement$kind == "assign" && sub("^[.]", "", statement$target) %in% individual
  }, logical(1L))
  spec$statements <- spec$statements[kept]
  terms <- lapply(effects, effect_term, spec = spec, effects = effects)
  data.frame(
    effect = effects,
    term = vapply(terms, `[[`, character(1L), "term"),
    scale = vapply(terms, `[[`, character(1L), "scale")
  )
}

# An effect belongs to the first individual parameter that uses it and no other.
effect_term <- function(effect, spec, effects) {
  family <- effect_family(effect, spec$random)
  own <- list(term = effect, scale = if (family == "lognormal") "log" else "identity")
  for (statement in spec$statements) {
    name <- sub("^[.]", "", statement$target)
    if (!identical(intersect(tree_effects(statement$value), effects), effect)) next
    if (family == "lognormal") return(list(term = name, scale = "log"))
    scale <- switch(top_call(statement$value),
      exp = "log", plogis = "logit", pnorm = "probit", "identity"
    )
    return(list(term = name, scale = scale))
  }
  own
}

effect_family <- function(effect, random) {
  name <- sub("\\[.*", "", effect)
  for (block in random) if (name %in% block$names) return(block$dist$call)
  "normal"
}

top_call <- function(tree) {
  if (is.null(tree$call)) return("")
  # V * exp(eta) varies on the log scale as exp(log(V) + eta) does.
  if (tree$call == "*") {
    calls <- vapply(tree$args, top_call, character(1L))
    if ("exp" %in% calls) return("exp")
  }
  tree$call
}

# Names such as `eta_ka` and `eta[1]` in a tree.
tree_effects <- function(tree) {
  if (identical(tree$call, "[") && !is.null(tree$args[[1L]]$sym)) {
    return(sprintf("%s[%s]", tree$args[[1L]]$sym, format(tree$args[[2L]]$num)))
  }
  unique(c(tree$sym, unlist(lapply(tree$args, tree_effects))))
}
