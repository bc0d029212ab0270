# Residuals in the words of nlme: variance functions (`weights`) and correlations along a subject (`correlation`).
# What has no counterpart is answered by the line to write.

# The residual error of a formula: of `error` or `weights`, with the correlation around it.
formula_residual <- function(design, used, names) {
  residual <- if (is.null(design$weights)) {
    residual_error(design$error, used, names)
  } else {
    residual_of_weights(design, used, names)
  }
  if (is.null(design$correlation)) return(residual)
  residual_with_correlation(residual, design, c(names, used, vapply(residual$parameters, `[[`, "", "name")))
}

residual_of_weights <- function(design, used, names) {
  if (!is.null(design$error)) {
    stop_option(
      "unused_argument", "`weights` and `error` both say what the residual error is.",
      hint = "Leave `weights` out.", fields = list(name = "weights")
    )
  }
  weights <- design$weights
  # As in gls(), a formula is varFixed() of it.
  if (rlang::is_formula(weights)) weights <- nlme::varFixed(weights)
  word <- weights_word(weights)
  free <- function(name) utils::tail(make.unique(c(used, names, name), sep = "_"), 1L)
  if (!is.null(word)) {
    names(word) <- c("", vapply(error_parameters(as.character(word[[1L]])), free, ""))
    return(residual_error(rlang::new_quosure(word, globalenv()), used, names))
  }
  switch(class(weights)[1L],
    varPower = , varConstPower = , varExp = , varFixed = residual_of_covariate(weights, free),
    varIdent = residual_of_levels(weights, design$data, free),
    stop_weights(weights)
  )
}

# Variance functions of the prediction that have a word for it; NULL else.
weights_word <- function(weights) {
  if (!inherits(weights, c("varPower", "varConstPower")) || !of_prediction(weights)) return(NULL)
  check_no_strata(weights)
  if (!is.null(fixed_weights(weights)$const)) return(NULL)
  fixed <- fixed_weights(weights)$power
  if (is.null(fixed)) {
    return(switch(class(weights)[1L], varPower = quote(pow(0.1, 1)), varConstPower = quote(add_pow_sd(1, 0.1, 1))))
  }
  if (!identical(as.numeric(fixed), 1)) return(NULL)
  switch(class(weights)[1L], varPower = quote(prop(0.1)), varConstPower = quote(add_prop_sd(1, 0.1)))
}

# What a variance function holds fixed, by name; nlme keeps the logarithm of `const`.
fixed_weights <- function(weights) {
  if (!inherits(weights, "varConstPower")) {
    fixed <- attr(weights, "fixed")
    return(list(power = fixed, expon = fixed))
  }
  const <- attr(weights$const, "fixed")
  list(const = if (!is.null(const)) exp(as.numeric(const)), power = attr(weights$power, "fixed"))
}

of_prediction <- function(weights) identical(code_text(stats::formula(weights)[[2L]]), "fitted(.)")

check_no_strata <- function(weights) {
  if (is_call_to(stats::formula(weights)[[2L]], "|")) stop_weights(weights)
}

# SDs that grow with `v`, the prediction or an expression of columns: `sigma * abs(v)^power`,
# `sigma * (const + abs(v)^power)`, `sigma * exp(expon * v)`, `sigma * sqrt(abs(v))`.
residual_of_covariate <- function(weights, free) {
  check_no_strata(weights)
  v <- if (of_prediction(weights)) quote(.fitted) else stats::formula(weights)[[2L]]
  fixed <- fixed_weights(weights)
  parameters <- list(real_parameter(free("sigma"), "log", 1))
  sigma <- as.symbol(parameters[[1L]]$name)
  own <- function(name, scale, start) {
    if (!is.null(fixed[[name]])) return(as.numeric(fixed[[name]]))
    parameter <- real_parameter(free(name), scale, start)
    parameters[[length(parameters) + 1L]] <<- parameter
    as.symbol(parameter$name)
  }
  code <- switch(class(weights)[1L],
    varPower = bquote(.(sigma) * abs(.(v))^.(own("power", "identity", 0))),
    varConstPower = bquote(.(sigma) * (.(own("const", "log", 1)) + abs(.(v))^.(own("power", "identity", 0)))),
    varExp = bquote(.(sigma) * exp(.(own("expon", "identity", 0)) * .(v))),
    varFixed = bquote(.(sigma) * sqrt(abs(.(v))))
  )
  list(parameters = parameters, call = code, free = TRUE)
}

# `varIdent(form = ~ 1 | group)`: an SD for each level, which is what ratios to the first one say.
residual_of_levels <- function(weights, data, free) {
  form <- stats::formula(weights)[[2L]]
  column <- if (is_call_to(form, "|")) form[[3L]]
  if (!is.symbol(column) || length(attr(weights, "fixed")) > 0L) stop_weights(weights)
  name <- as.character(column)
  if (!is.data.frame(data) || is.null(data[[name]])) {
    stop_data(
      "missing_column", sprintf("`varIdent()` reads the levels of `%s`, which is no column of the data.", name),
      hint = "Give `data` with this column.", fields = list(column = name)
    )
  }
  values <- data[[name]]
  number <- is.numeric(values)
  levels <- if (number) sort(unique(values)) else levels(factor(group_text(values)))
  named <- paste0("sigma_", sub("^X(?=[0-9])", "", make.names(levels), perl = TRUE))
  named <- vapply(named, free, "")
  sds <- lapply(named, as.symbol)
  code <- sds[[length(sds)]]
  for (k in rev(seq_along(levels)[-length(levels)])) {
    code <- call("ifelse", call("==", column, levels[[k]]), sds[[k]], code)
  }
  declared <- if (!number) {
    list(list(
      name = name, kind = "factor", levels = levels, text = sprintf("weights = varIdent(form = ~1 | %s)", name)
    ))
  }
  list(
    parameters = lapply(unname(named), real_parameter, "log", 1), call = code, free = TRUE, covariates = declared
  )
}

stop_weights <- function(weights) {
  shown <- if (inherits(weights, "varFunc")) {
    form <- tryCatch(code_text(stats::formula(weights)), error = function(error) "")
    sprintf("%s(%s)", class(weights)[1L], if (nzchar(form)) paste("form =", form) else "")
  } else {
    code_text(weights)
  }
  stop_option(
    "bad_error", sprintf("The residual error `weights = %s` is not available for a formula.", shown),
    hint = paste(
      "Known are `varPower()`, `varConstPower()`, `varExp()` and `varFixed()` of the prediction or a column, and",
      "`varIdent(form = ~ 1 | group)`. Leave `weights` out and write `error = prop(b = 0.1)` for an SD proportional to",
      "the prediction, or `error = add_prop(a = 1, b = 0.1)`."
    ),
    fields = list(name = "weights")
  )
}

# `corAR1()`, `corCAR1()` and `corCompSymm()` around the residual error. `taken` are names in use.
residual_with_correlation <- function(residual, design, taken) {
  structure <- design$correlation
  kind <- class(structure)[1L]
  if (!inherits(structure, c("corAR1", "corCAR1", "corCompSymm"))) stop_correlation(structure)
  form <- stats::formula(structure)[[2L]]
  along <- if (is_call_to(form, "|")) form[[2L]] else form
  check_correlation_groups(if (is_call_to(form, "|")) form[[3L]], design)
  plain <- is.symbol(along)
  if (!plain && !identical(along, 1)) stop_correlation(structure)
  raw <- as.numeric(structure)[1L]
  rho <- switch(kind, corAR1 = tanh(raw / 2), corCAR1 = stats::plogis(raw), corCompSymm = raw)
  in_time <- kind == "corCAR1" || kind == "corAR1" && plain && !by_ones(along, form, design)
  if (kind == "corCAR1" && !plain) along <- quote(t)
  if (kind == "corAR1" && in_time && rho <= 0) rho <- 0.2
  name <- utils::tail(make.unique(c(taken, "rho"), sep = "_"), 1L)
  if (isTRUE(attr(structure, "fixed"))) {
    code <- rho
  } else {
    code <- as.symbol(name)
    parameter <- real_parameter(name, if (in_time) "logit" else "identity", rho)
    if (!in_time) parameter[c("lower", "upper")] <- list(-0.999, 0.999)
    residual$parameters <- c(residual$parameters, list(parameter))
  }
  residual$serial <- list(
    word = if (kind == "corCompSymm") "exchangeable" else "ar1", args = c(list(code), if (in_time) list(along))
  )
  residual
}

# Whether a column of integers rises by one from row to row in every group, so that it says no more than their order.
by_ones <- function(along, form, design) {
  data <- design$data
  values <- if (is.data.frame(data)) data[[as.character(along)]]
  groups <- if (is_call_to(form, "|")) as.character(form[[3L]]) else correlation_groups(design)
  if (is.null(values) || length(groups) != 1L || is.null(data[[groups]])) return(FALSE)
  rises <- vapply(split(values, group_text(data[[groups]])), function(own) all(diff(own) == 1), NA)
  isTRUE(all(rises))
}

# Names of the grouping of the random effects, or of the subjects of a model without.
correlation_groups <- function(design) {
  random <- design$random
  formulas <- if (rlang::is_formula(random)) list(random) else random
  named <- unlist(lapply(formulas, function(one) {
    right <- if (rlang::is_formula(one)) one[[length(one)]]
    if (is_call_to(right, "|")) code_text(right[[3L]])
  }))
  if (length(named) == 0L) named <- default_groups(design)
  if (length(named) == 0L) named <- design$options$id
  unique(named)
}

check_correlation_groups <- function(group, design) {
  own <- correlation_groups(design)
  if (is.null(group) || identical(own, code_text(group))) return(invisible())
  if (length(own) == 0L && is.null(design$options)) return(invisible())
  name <- code_text(group)
  stop_option(
    "bad_correlation",
    sprintf("`correlation` is grouped by `%s`, but %s.", name, if (length(own) == 0L) {
      "nothing says that these are the subjects"
    } else {
      sprintf("the subjects are those of %s", paste0("`", own, "`", collapse = ", "))
    }),
    hint = if (length(own) == 0L) {
      sprintf("Write `id = \"%s\"`.", name)
    } else {
      sprintf("Residuals correlate within subjects: write `form = ~ 1 | %s`.", own[1L])
    },
    fields = list(name = "correlation")
  )
}

stop_correlation <- function(structure) {
  kind <- class(structure)[1L]
  stop_option(
    "bad_correlation", sprintf("The correlation of residuals `%s()` is not available for a formula.", kind),
    hint = paste(
      "Known are `corAR1(form = ~ 1 | id)` by order, `corCAR1(form = ~ time | id)` in time (which is `corExp()`",
      "without a nugget, with `rho = exp(-1 / range)`) and `corCompSymm(form = ~ 1 | id)`."
    ),
    fields = list(name = "correlation")
  )
}
