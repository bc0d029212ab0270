# Random effects of the formula door: which parameters vary in which groupings, and
# which of them together.

# One element a grouping: `group`, the `names` of its parameters and their `blocks`. `random` is a formula, an
# object of nlme such as pdDiag(), or a list of these.
formula_groupings <- function(design, parameters) {
  if (is.null(design$random)) return(list())
  parts <- random_parts(design$random, default_groups(design))
  for (part in parts) check_parameter_names(part$names, parameters, part$text)
  keys <- vapply(parts, function(part) if (is.null(part$group)) "" else part$group, "")
  pattern <- design$correlated
  lapply(unique(keys), function(key) joined_grouping(parts[keys == key], pattern, sum(!duplicated(keys)) > 1L))
}

# The parts of one grouping: what plain formulas say is one block or as many as `pattern` has.
joined_grouping <- function(parts, pattern, several) {
  names <- unique(unlist(lapply(parts, `[[`, "names")))
  plain <- vapply(parts, function(part) part$kind == "plain", logical(1L))
  free <- unique(unlist(lapply(parts[plain], `[[`, "names")))
  if (several && is.matrix(pattern) && !is.null(rownames(pattern))) {
    own <- intersect(rownames(pattern), free)
    pattern <- pattern[own, match(own, rownames(pattern)), drop = FALSE]
  }
  blocks <- if (length(free) > 0L) correlated_blocks(free, pattern)
  for (part in parts[!plain]) {
    names(part$names) <- NULL
    blocks <- c(blocks, switch(part$kind,
      diag = as.list(part$names),
      full = list(part$names),
      same = list(structure(part$names, same = TRUE))
    ))
  }
  twice <- unlist(blocks)[duplicated(unlist(blocks))]
  if (length(twice) > 0L) {
    stop_option(
      "bad_random", sprintf("`random` gives `%s` two effects in the same grouping.", twice[1L]), parts[[1L]]$text,
      "Name each parameter once in a grouping.", list(name = twice[1L])
    )
  }
  list(group = parts[[1L]]$group, names = names, blocks = blocks)
}

# `groups` are the groupings of what names none: columns, outer ones first.
random_parts <- function(random, groups) {
  if (inherits(random, "pdMat")) return(on_groups(pd_parts(random), groups))
  if (is.list(random) && !rlang::is_formula(random)) return(listed_parts(random, groups))
  text <- code_text(random)
  if (!is_call_to(random, "~") || length(random) != 3L) {
    stop_option(
      "bad_random", "`random` is a formula `parameters ~ 1 | group`.", text,
      "Write `random = ka + V ~ 1 | id`, or a list of such formulas, `list(ka ~ 1 | id, V ~ 1 | id:occ)`."
    )
  }
  grouped <- is_call_to(random[[3L]], "|")
  right <- if (grouped) random[[3L]][[2L]] else random[[3L]]
  if (!identical(right, 1)) {
    stop_option(
      "bad_random", "The right side of `random` is `1 | group`.", text,
      "Covariate effects go into `covariates`."
    )
  }
  part <- list(names = unique(summed_names(random[[2L]])), kind = "plain", text = text)
  on_groups(list(part), if (grouped) nested_groups(random[[3L]][[3L]], text) else groups)
}

on_groups <- function(parts, groups) {
  if (length(groups) == 0L) return(parts)
  unlist(lapply(groups, function(group) lapply(parts, function(part) c(part, list(group = group)))), recursive = FALSE)
}

# `id/occ` are the groupings `id` and `id:occ`.
nested_groups <- function(code, text) {
  if (is_call_to(code, "(")) return(nested_groups(code[[2L]], text))
  if (!is_call_to(code, "/")) return(paste(group_columns(code, text), collapse = ":"))
  outer <- nested_groups(code[[2L]], text)
  c(outer, paste(c(utils::tail(outer, 1L), group_columns(code[[3L]], text)), collapse = ":"))
}

# In a named list, as in nlme, each name is a grouping inside those before it.
listed_parts <- function(random, groups) {
  names <- rlang::names2(random)
  if (any(names != "")) {
    levels <- Reduce(function(outer, inner) paste(outer, inner, sep = ":"), names[names != ""], accumulate = TRUE)
    names[names != ""] <- levels
  }
  parts <- Map(function(one, name) random_parts(one, if (name != "") name else groups), random, names)
  unlist(unname(parts), recursive = FALSE)
}

# The parts of an object of nlme, a block each.
pd_parts <- function(pd) {
  if (inherits(pd, "pdBlocked")) return(unlist(lapply(pd, pd_parts), recursive = FALSE))
  class <- class(pd)[1L]
  kind <- switch(class,
    pdDiag = "diag", pdIdent = "same", pdSymm = , pdLogChol = , pdNatural = "full"
  )
  formulas <- stats::formula(pd)
  if (rlang::is_formula(formulas)) formulas <- list(formulas)
  formulas <- Filter(function(one) length(one) == 3L, formulas)
  text <- sprintf("random = %s(%s)", class, paste(vapply(formulas, code_text, ""), collapse = ", "))
  if (length(formulas) == 0L) {
    stop_option(
      "bad_random", sprintf("`%s()` does not say which parameters vary.", class), text,
      sprintf("Write `random = %s(ka + V ~ 1)`.", class)
    )
  }
  names <- unlist(lapply(formulas, function(one) random_parts(stats::formula(one), NULL)[[1L]]$names))
  if (is.null(kind)) {
    stop_option(
      "bad_random", sprintf("The covariance structure `%s()` is not available.", class), text,
      sprintf("Write `random = pdSymm(%s ~ 1)`, or pdDiag(), pdIdent() or pdBlocked().", paste(names, collapse = " + "))
    )
  }
  if (length(unclass(pd)) > 0L) {
    rlang::inform(
      sprintf("The starting values in `%s()` are not read; `start` takes those of `omega`.", class),
      class = "nlmers_message_start"
    )
  }
  list(list(names = names, kind = kind, text = text))
}

# Parameter, effect and grouping of every random effect.
groupings_effects <- function(groupings) {
  parameter <- unlist(lapply(groupings, `[[`, "names"))
  of <- rep(seq_along(groupings), lengths(lapply(groupings, `[[`, "names")))
  several <- parameter %in% parameter[duplicated(parameter)]
  suffix <- vapply(groupings, function(part) group_suffix(part$group), "")
  list(
    parameter = as.character(parameter),
    effect = if (length(parameter) > 0L) paste0("eta_", parameter, ifelse(several, suffix[of], "")),
    grouping = of
  )
}

group_suffix <- function(group) if (is.null(group)) "" else paste0("_", gsub("[^A-Za-z0-9._]", "_", group))

# Random effects and covariance parameters of all groupings.
groupings_structure <- function(groupings) {
  effects <- groupings_effects(groupings)
  joint <- function(blocks) sum(lengths(blocks) > 1L & !vapply(blocks, is_same, NA))
  total <- sum(vapply(groupings, function(part) joint(part$blocks), 1L))
  parts <- lapply(seq_along(groupings), function(i) {
    part <- groupings[[i]]
    own <- effects$grouping == i
    named <- stats::setNames(effects$effect[own], effects$parameter[own])
    base <- if (total > joint(part$blocks)) paste0("omega", group_suffix(part$group)) else "omega"
    random_structure(part$blocks, part$group, named, base)
  })
  list(
    parameters = unlist(lapply(parts, `[[`, "parameters"), recursive = FALSE),
    random = unlist(lapply(parts, `[[`, "random"), recursive = FALSE)
  )
}

# Whether the effects of a block share one SD.
is_same <- function(block) isTRUE(attr(block, "same"))
