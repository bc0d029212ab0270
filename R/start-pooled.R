# The pooled model: every subject typical. It has the statements of the model with each
# random effect at its mean, and the parameters that still count.

pooled_model <- function(model) {
  spec <- model$spec
  means <- do.call(c, lapply(spec$random, effect_means))
  spec$statements <- lapply(spec$statements, replaced_statement, means)
  spec$random <- list()
  read <- unlist(lapply(spec$statements, statement_symbols))
  spec$parameters <- Filter(function(parameter) parameter$name %in% read, spec$parameters)
  pooled <- new_nlme_model(spec)
  pooled[c("designs", "endpoints")] <- model[c("designs", "endpoints")]
  pooled$fix <- model$fix[intersect(names(model$fix), read)]
  pooled
}

# Trees of the means of the effects of a block, by name.
effect_means <- function(block) {
  arguments <- function(...) {
    places <- argument_positions(block$dist$names, c(...))
    block$dist$args[places]
  }
  mean <- switch(block$dist$call,
    normal = arguments("mean", "sd")[[1L]],
    mvnormal = arguments("mean", "covariance")[[1L]],
    lognormal = list(call = "exp", args = arguments("meanlog", "sdlog")[1L]),
    exponential = arguments("scale")[[1L]],
    gamma = list(call = "*", args = arguments("shape", "scale")),
    beta = {
      both <- arguments("a", "b")
      list(call = "/", args = list(both[[1L]], list(call = "+", args = both)))
    },
    student_t = arguments("df", "mean", "sd")[[2L]]
  )
  if (length(block$names) == 1L) return(stats::setNames(list(mean), block$names))
  stats::setNames(lapply(seq_along(block$names), function(k) element_tree(mean, k)), block$names)
}

element_tree <- function(tree, k) {
  list(call = "[", args = list(tree, list(num = k)))
}

replaced_tree <- function(tree, trees) {
  if (!is.null(tree$sym)) {
    found <- trees[[tree$sym]]
    return(if (is.null(found)) tree else found)
  }
  if (!is.null(tree$args)) tree$args <- lapply(tree$args, replaced_tree, trees)
  if (!is.null(tree$block)) {
    tree$block <- lapply(tree$block, replaced_statement, trees)
    tree$value <- replaced_tree(tree$value, trees)
  }
  tree
}

replaced_statement <- function(statement, trees) {
  for (part in intersect(c("value", "dist", "condition", "values"), names(statement))) {
    statement[[part]] <- replaced_tree(statement[[part]], trees)
  }
  if (!is.null(statement$index)) statement$index <- lapply(statement$index, replaced_tree, trees)
  for (part in intersect(c("yes", "no", "body"), names(statement))) {
    statement[[part]] <- lapply(statement[[part]], replaced_statement, trees)
  }
  statement
}

# The maximum of the likelihood of the pooled model from given values: estimates and
# log-likelihood, or NULL where there is none.
pooled_fit <- function(pooled, data, start, fix, options) {
  fit <- tryCatch(
    suppressMessages(suppressWarnings(fit_nlme(
      pooled, data, id = options$id, time = options$time, events = options$events, start = start, fix = fix,
      seed = 1, threads = 1, progress = FALSE
    ))),
    nlmers_error = function(error) NULL
  )
  if (is.null(fit)) return(NULL)
  log_lik <- tryCatch(as.numeric(stats::logLik(fit)), error = function(error) NA)
  values <- estimated_values(fit)
  if (!is.finite(log_lik) || !all(is.finite(unlist(values)))) return(NULL)
  list(values = values, log_lik = log_lik)
}
