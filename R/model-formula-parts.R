# The pieces of a translated formula: individual parameters, the prediction and
# the covariance structure of the random effects.

transform_to <- list(
  identity = function(code) code,
  log = function(code) call("log", code),
  logit = function(code) call("qlogis", code),
  probit = function(code) call("qnorm", code)
)
transform_from <- list(
  identity = function(code) code,
  log = function(code) call("exp", code),
  logit = function(code) call("plogis", code),
  probit = function(code) call("pnorm", code)
)

# `ka <- exp(log(ka) + beta_ka_weight * weight + eta_ka)`, or NULL when nothing is
# added. The target `.ka` is reserved for this: messages show it as `ka`.
individual_statement <- function(name, transform, varying, effects, env) {
  effects <- Filter(function(effect) effect$parameter == name, effects)
  own <- varying$effect[varying$parameter == name]
  if (length(own) == 0L && length(effects) == 0L) return(NULL)
  scale <- transform[[name]]
  code <- transform_to[[scale]](as.symbol(name))
  for (effect in effects) {
    code <- call("+", code, call("*", as.symbol(effect$name), effect$term))
  }
  for (effect in own) code <- call("+", code, as.symbol(effect))
  code <- transform_from[[scale]](code)
  text <- paste(name, "<-", code_text(code))
  list(
    kind = "assign", target = paste0(".", name),
    value = expression_tree(code, new_scope(env, text)), text = text
  )
}

prediction_statement <- function(formula, individual, residual, env) {
  text <- code_text(formula)
  column <- formula[[2L]]
  if (!is.symbol(column)) {
    stop_model(
      "bad_outcome", "The left of `~` must be the name of the outcome's column.", text,
      "Transform the column in the data first."
    )
  }
  targets <- vapply(Filter(Negate(is.null), individual), `[[`, character(1L), "target")
  bound <- lapply(targets, function(target) list(sym = target))
  names(bound) <- substring(targets, 2L)
  prediction <- expression_tree(formula[[3L]], new_scope(env, text, bound = bound))
  # The SD may read the prediction.
  error <- expression_tree(residual$call, new_scope(env, text, bound = list(.fitted = prediction)))
  dist <- list(call = "normal", args = list(prediction, error))
  sd <- gsub(".fitted", "f", code_text(residual$call), fixed = TRUE)
  shown <- sprintf("normal(%s, %s)", code_text(formula[[3L]]), sd)
  serial <- residual$serial
  if (!is.null(serial)) {
    shown <- sprintf("%s(%s, %s)", serial$word, shown, paste(vapply(serial$args, code_text, ""), collapse = ", "))
    dist <- list(call = serial$word, args = c(
      list(dist), lapply(unname(serial$args), expression_tree, scope = new_scope(env, text))
    ))
  }
  list(
    kind = "outcome", column = as.character(column), dist = dist, text = sprintf("%s ~ %s", as.character(column), shown)
  )
}

# Random effects and their covariance parameters, one block per set of
# correlated parameters. `effects` are the names of the effects by parameter.
random_structure <- function(blocks, group, effects, base = "omega") {
  several <- sum(lengths(blocks) > 1L) > 1L
  parts <- lapply(blocks, function(names) {
    own <- unname(effects[names])
    if (length(names) == 1L || is_same(names)) return(single_effects(own, group))
    omega <- if (several) paste0(base, "_", paste(names, collapse = "_")) else base
    joint_effect(own, omega, group)
  })
  list(
    parameters = lapply(parts, `[[`, "parameter"),
    random = unlist(lapply(parts, `[[`, "random"), recursive = FALSE)
  )
}

# Effects that are independent and have the same SD, mostly one.
single_effects <- function(effects, group) {
  omega <- paste0("omega_sd_", paste(sub("^eta_", "", effects), collapse = "_"))
  list(
    parameter = real_parameter(omega, "log", 1),
    random = lapply(effects, random_term, call("normal", 0, as.symbol(omega)), group)
  )
}

joint_effect <- function(effects, omega, group) {
  parameter <- c(list(name = omega), parameter_words$covariance_matrix(diag(length(effects))))
  mean <- as.call(c(quote(c), as.list(rep(0, length(effects)))))
  list(
    parameter = check_parameter(parameter, omega),
    random = list(random_term(effects, call("mvnormal", mean, as.symbol(omega)), group))
  )
}

random_term <- function(effects, distribution, group) {
  left <- lapply(effects, as.symbol)
  left <- if (length(left) == 1L) left[[1L]] else as.call(c(quote(c), left))
  right <- if (is.null(group)) distribution else call("|", distribution, group_code(group))
  random_block(call("~", left, right), baseenv())
}

# `id:occ` as code; a column of the data may itself be called so.
group_code <- function(group) {
  columns <- lapply(strsplit(group, ":", fixed = TRUE)[[1L]], as.symbol)
  Reduce(function(outer, inner) call(":", outer, inner), columns)
}

# Names of the parameters in each block; a parameter alone is a block of one.
correlated_blocks <- function(varying, correlated) {
  if (isTRUE(correlated)) return(list(varying))
  if (isFALSE(correlated)) return(as.list(varying))
  pattern <- check_pattern(correlated, varying)
  blocks <- unique(lapply(seq_along(varying), function(i) which(pattern[i, ])))
  if (!all(vapply(blocks, function(b) all(pattern[b, b]), logical(1L))) ||
        sum(lengths(blocks)) != length(varying)) {
    stop_option(
      "bad_pattern", "`correlated` is not made of full blocks.",
      hint = "If a and b correlate, and b and c do, then a and c must as well."
    )
  }
  lapply(blocks, function(block) varying[block])
}

check_pattern <- function(correlated, varying) {
  n <- length(varying)
  square <- is.matrix(correlated) && all(dim(correlated) == n) &&
    all(correlated %in% c(0, 1)) && isSymmetric(unname(correlated + 0))
  named <- !is.null(rownames(correlated))
  if (!square || (named && !setequal(rownames(correlated), varying))) {
    stop_option(
      "bad_pattern",
      sprintf("`correlated` must be TRUE, FALSE or a symmetric 0/1 matrix over %s.",
              paste0("`", varying, "`", collapse = ", ")),
      hint = sprintf("It has %d rows and columns, in the order of `random`, or named.", n)
    )
  }
  pattern <- unname(correlated == 1)
  if (named) {
    order <- match(varying, rownames(correlated))
    pattern <- pattern[order, order, drop = FALSE]
  }
  diag(pattern) <- TRUE
  pattern
}
