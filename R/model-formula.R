# The formula door: translate a formula with starting values, transformations
# and random effects into the specification that a block model has.

#' Write a closed-form model as one formula
#'
#' The model for users of nlme, lme4 and saemix: the formula gives the
#' prediction, `start` the typical values, and each individual parameter is its
#' typical value plus covariate effects plus a random effect *on the transformed
#' scale*. [fit_nlme()] takes the same arguments after a formula; this function
#' returns the model without fitting it.
#'
#' A parameter `ka` on the log scale becomes `ka_i = exp(log(ka) + beta_ka_weight *
#' weight_i + eta_ka_i)` with `eta_ka ~ normal(0, omega_sd_ka)`. All starting SDs
#' are 1 on the transformed scale and all starting coefficients 0; `start` may
#' name them to start elsewhere.
#'
#' @param formula (formula) `outcome ~ prediction`. Names in `start` are
#'   parameters, other names data columns; functions of the calling environment
#'   are read in place. `!!x` puts the value of `x` in.
#' @param start (named numeric) typical values on the natural scale.
#' @param transform (character) scale on which the parameters vary: one of
#'   `"identity"`, `"log"`, `"logit"`, `"probit"` for all, or named by parameter
#'   (those left out are `"identity"`).
#' @param random (formula) parameters with a random effect and their group, as in
#'   `ka + V ~ 1 | id`. A parameter left out has the same value in all subjects. Left out as a whole, the
#'   model has no random effects and is fitted by maximum likelihood.
#' @param covariates (formula or list of formulas) covariate effects on the
#'   transformed scale, as in `Cl ~ weight` or `list(Cl ~ weight, V ~ weight + sex)`.
#'   A term is a column or an expression such as `log(weight / 70)`; write sums,
#'   differences and products of columns in `I()`.
#' @param error residual error with the starting values of its parameters:
#'   `add(a = 1)`, `prop(b = 0.1)`, `pow(b = 0.1, c = 1)` (SD `b * abs(f)^c` at the prediction `f`),
#'   `add_prop(a = 1, b = 0.1)` or `add_pow(a = 1, b = 0.1, c = 1)` (variances add),
#'   `add_prop_sd(a = 1, b = 0.1)` or `add_pow_sd(a = 1, b = 0.1, c = 1)` (SDs add). The exponent `c` may be
#'   any number, the others are positive.
#' @param correlated (logical or matrix) `TRUE` estimates all covariances of the
#'   random effects; a symmetric 0/1 matrix over the random parameters, in their
#'   order in `random` or named, says which blocks.
#' @returns An object of class `nlme_model`.
#' @seealso [nlme_model()] for the full language.
#' @examples
#' growth <- nlme_formula(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8)
#' )
#' growth
#' @export
nlme_formula <- function(formula, start, transform = "identity", random,
                         covariates = NULL, error = add(a = 1), correlated = FALSE) {
  formula_model(formula, if (!missing(start)) start, list(
    transform = transform, random = if (!missing(random)) random,
    covariates = covariates, error = rlang::enquo(error), correlated = correlated
  ))
}

# The default of `error` is read as code; the checker takes `add` for a function.
utils::globalVariables("add")

# `design` holds the arguments of nlme_formula() beyond formula and start; those
# left out are its defaults. `error` is a quosure.
formula_model <- function(formula, start, design) {
  if (is.null(start)) {
    stop_option(
      "missing_argument", "`start` names the parameters and their typical values.",
      hint = "Write `start = c(ka = 1.5, V = 30)`."
    )
  }
  if (is.null(design$transform)) design$transform <- "identity"
  if (is.null(design$error)) design$error <- rlang::quo(add(a = 1))
  if (is.null(design$correlated)) design$correlated <- FALSE
  if (is.null(design$random) && !isFALSE(design$correlated)) {
    stop_option(
      "unused_argument", "`correlated` is about random effects, and there are none.",
      hint = "Write `random = ka + V ~ 1 | id`.", fields = list(name = "correlated")
    )
  }
  model <- new_nlme_model(formula_spec(formula, start, design))
  model$formula <- code_text(formula)
  model
}

formula_spec <- function(formula, start, design) {
  if (!inherits(formula, "formula") || length(formula) != 3L) {
    stop_model(
      "bad_formula", "The model is a formula `outcome ~ prediction`.", code_text(formula),
      "Name the outcome on the left of `~`."
    )
  }
  env <- environment(formula)
  # `!!k0` puts the value of k0 in.
  formula[[3L]] <- eval(as.call(list(rlang::expr, formula[[3L]])), env)
  start <- formula_start(start)
  used <- intersect(names(start), all.vars(formula[[3L]]))
  transform <- formula_transform(design$transform, used)
  varying <- formula_random(design$random, used)
  effects <- covariate_effects(design$covariates, used)
  residual <- residual_error(design$error, used)
  check_scalar_starts(start[used], c(varying$names, vapply(effects, `[[`, "", "parameter")))
  blocks <- if (length(varying$names) > 0L) random_structure(varying$names, varying$group, design$correlated)
  individual <- lapply(used, individual_statement, transform, varying$names, effects, env)
  typical <- lapply(used, function(name) {
    real_parameter(name, transform[[name]], start[[name]])
  })
  coefficients <- lapply(effects, function(effect) real_parameter(effect$name, "identity", 0))
  list(
    parameters = apply_start(
      c(typical, coefficients, blocks$parameters, residual$parameters), start
    ),
    random = as.list(blocks$random),
    statements = c(
      Filter(Negate(is.null), individual),
      list(prediction_statement(formula, individual, residual, env))
    )
  )
}

real_parameter <- function(name, scale, value) {
  check_parameter(
    list(
      name = name, type = "real", scale = scale, value = value,
      lower = NULL, upper = NULL, se = TRUE, label = NULL, unit = NULL
    ),
    sprintf("start = c(%s = %s)", name, format(value))
  )
}

formula_start <- function(start) {
  start <- as.list(start)
  if (length(start) == 0L || is.null(names(start)) || any(names(start) == "")) {
    stop_start(
      "bad_start", "`start` must name every parameter of the formula.",
      hint = "Write `start = c(ka = 1.5, V = 30)`."
    )
  }
  check_named_once(start, "start")
  start
}

# A parameter with a random effect or a covariate is one number.
check_scalar_starts <- function(start, individual) {
  for (name in intersect(names(start), individual)) {
    if (length(start[[name]]) == 1L) next
    stop_start(
      "wrong_length",
      sprintf("`start` gives `%s` %d values; it has one.", name, length(start[[name]])),
      hint = "A parameter that varies between subjects is one number.",
      fields = list(name = name)
    )
  }
}

formula_transform <- function(transform, parameters) {
  if (is.null(names(transform)) && length(transform) == 1L) {
    transform <- stats::setNames(rep(transform, length(parameters)), parameters)
  }
  if (is.null(names(transform))) {
    stop_option(
      "bad_transform", "`transform` is one word for all parameters, or named by parameter.",
      hint = sprintf("Write `transform = c(%s = \"log\")`.", parameters[1L])
    )
  }
  for (name in setdiff(names(transform), parameters)) {
    stop_option(
      "bad_transform", sprintf("`transform` names `%s`, which is not a parameter.", name),
      hint = nearest_hint(name, parameters, "Parameters"), fields = list(name = name)
    )
  }
  wrong <- setdiff(transform, scales)
  if (length(wrong) > 0L) {
    stop_option(
      "bad_transform", sprintf("`%s` is not a transformation.", wrong[1L]),
      hint = nearest_hint(wrong[1L], scales, "Known")
    )
  }
  full <- stats::setNames(rep("identity", length(parameters)), parameters)
  full[names(transform)] <- transform
  as.list(full)
}

# `ka + V ~ 1 | id`: the names on the left and the group on the right.
formula_random <- function(random, parameters) {
  if (is.null(random)) return(list(names = character(), group = NULL))
  text <- code_text(random)
  if (!is_call_to(random, "~") || length(random) != 3L) {
    stop_option(
      "bad_random", "`random` is a formula `parameters ~ 1 | group`.", text
    )
  }
  split <- split_group(random[[3L]], text)
  if (!identical(split$distribution, 1)) {
    stop_option(
      "bad_random", "The right side of `random` is `1 | group`.", text,
      "Covariate effects go into `covariates`."
    )
  }
  names <- summed_names(random[[2L]])
  check_parameter_names(names, parameters, text)
  list(names = unique(names), group = split$group)
}

# Names of the parameters in a sum.
summed_names <- function(code) {
  vapply(summed_terms(code), code_text, character(1L))
}

summed_terms <- function(code) {
  if (is_call_to(code, "+") && length(code) == 3L) {
    return(c(summed_terms(code[[2L]]), list(code[[3L]])))
  }
  list(code)
}

check_parameter_names <- function(names, parameters, text) {
  for (name in setdiff(names, parameters)) {
    stop_model(
      "unknown_symbol",
      sprintf("`%s` is not a parameter of the formula with a value in `start`.", name),
      text, nearest_hint(name, parameters, "Parameters"), list(name = name)
    )
  }
}

# One element per coefficient: its name, its parameter and the covariate's code.
covariate_effects <- function(covariates, parameters) {
  if (is.null(covariates)) return(list())
  if (inherits(covariates, "formula")) covariates <- list(covariates)
  effects <- list()
  for (formula in covariates) {
    text <- code_text(formula)
    if (!is_call_to(formula, "~") || length(formula) != 3L) {
      stop_option(
        "bad_covariates", "`covariates` are formulas `parameter ~ covariate`.", text
      )
    }
    names <- summed_names(formula[[2L]])
    check_parameter_names(names, parameters, text)
    terms <- covariate_terms(formula[[3L]], text)
    for (name in names) {
      effects <- c(effects, lapply(terms, function(term) {
        list(name = effect_name(name, term), parameter = name, term = term)
      }))
    }
  }
  # As in R's formulas, a term given twice counts once.
  effects <- unique(effects)
  names <- make.unique(vapply(effects, `[[`, character(1L), "name"), sep = "_")
  Map(function(effect, name) utils::modifyList(effect, list(name = name)), effects, names)
}

# `beta_Cl_log_Wt_70` for log(Wt/70) on Cl.
effect_name <- function(parameter, term) {
  column <- gsub("^_|_$", "", gsub("[^A-Za-z0-9.]+", "_", code_text(term)))
  sprintf("beta_%s_%s", parameter, column)
}

# The terms of a sum as R reads a formula; inside I() and other calls operators
# are arithmetic.
covariate_terms <- function(code, text) {
  if (is_call_to(code, "(")) return(covariate_terms(code[[2L]], text))
  if (is_call_to(code, "+")) {
    return(unlist(lapply(as.list(code)[-1L], covariate_terms, text), recursive = FALSE))
  }
  if (is_call_to(code, "I")) return(list(code[[2L]]))
  if (is.symbol(code) || is.call(code) && !is_call_to(code, c("-", "*", ":"))) {
    return(list(code))
  }
  refuse_term(code, text)
}

refuse_term <- function(code, text) {
  if (!is.call(code)) {
    stop_option(
      "bad_covariates", sprintf("`covariates` has the constant `%s`.", code_text(code)), text,
      "The typical value is the intercept and is always there; name covariates only."
    )
  }
  word <- as.character(code[[1L]])
  product <- code
  product[[1L]] <- quote(`*`)
  hint <- if (word == "-") {
    sprintf("Terms cannot be taken out; for the difference write `I(%s)`.", code_text(code))
  } else {
    sprintf("For the product write `I(%s)`, and each main effect as its own term.", code_text(product))
  }
  stop_option(
    "bad_covariates", sprintf("`covariates` takes sums of terms, not `%s`.", word), text, hint
  )
}

# `add_prop(a = 1, b = 0.1)`: the parameters it starts, and the call on their names.
# `error` is a quosure: its values belong to where it was written. `used` are the
# parameters of the prediction, whose names are taken.
residual_error <- function(error, used) {
  env <- rlang::quo_get_env(error)
  error <- rlang::quo_get_expr(error)
  text <- code_text(error)
  if (!is_call_to(error, error_words)) {
    stop_option(
      "bad_error", sprintf("`%s` is not a residual error.", text), sprintf("error = %s", text),
      paste0(
        "Known: `add(a = 1)`, `prop(b = 0.1)`, `pow(b = 0.1, c = 1)`, `add_prop(a = 1, b = 0.1)`, ",
        "`add_prop_sd(a = 1, b = 0.1)`, `add_pow(a = 1, b = 0.1, c = 1)`, `add_pow_sd(a = 1, b = 0.1, c = 1)`."
      )
    )
  }
  word <- as.character(error[[1L]])
  defaults <- switch(word,
    add = "a", prop = "b", pow = c("b", "c"), add_pow = , add_pow_sd = c("a", "b", "c"), c("a", "b")
  )
  args <- as.list(error)[-1L]
  if (length(args) != length(defaults)) {
    stop_option(
      "bad_error", sprintf("`%s()` takes %d starting value%s.", word, length(defaults),
                           if (length(defaults) > 1L) "s" else ""),
      sprintf("error = %s", text),
      sprintf("Write `error = %s(%s)`.", word, paste(defaults, "= 1", collapse = ", "))
    )
  }
  names <- rlang::names2(args)
  names[names == ""] <- defaults[names == ""]
  check_residual_names(names, used, error)
  list(
    parameters = Map(
      function(name, value, role) {
        # An exponent may be 0 or below.
        real_parameter(name, if (role == "c") "identity" else "log", residual_start(value, env, text))
      }, names, args, defaults
    ),
    call = as.call(c(as.symbol(word), lapply(names, as.symbol)))
  )
}

residual_start <- function(code, env, text) {
  tryCatch(eval(code, env), error = function(error) {
    stop_start(
      "bad_start", sprintf("The start `%s` cannot be computed: %s.", code_text(code), conditionMessage(error)),
      sprintf("error = %s", text), "Write a number, or a variable that holds one."
    )
  })
}

check_residual_names <- function(names, used, error) {
  taken <- names %in% used
  if (!any(taken)) return(invisible())
  free <- switch(as.character(error[[1L]]),
    add = , prop = "sigma", pow = c("sigma", "power"), add_pow = , add_pow_sd = c("sigma_add", "sigma_pow", "power"),
    c("sigma_add", "sigma_prop")
  )
  # A name the prediction has too gets a number: sigma_1.
  free <- utils::tail(make.unique(c(used, free), sep = "_"), length(free))
  renamed <- error
  names(renamed) <- c("", ifelse(taken, free, names))
  stop_model(
    "name_used_twice", sprintf("`%s` is used twice.", names[taken][1L]),
    sprintf("error = %s", code_text(error)),
    sprintf(
      "The residual error declares `%s`, which the formula has too; write `error = %s`.",
      names[taken][1L], code_text(renamed)
    ),
    list(name = names[taken][1L])
  )
}

# Values of `start` that name coefficients, SDs or residual parameters.
apply_start <- function(parameters, start) {
  parameters <- unname(parameters)
  names <- vapply(parameters, `[[`, character(1L), "name")
  for (name in setdiff(names(start), names)) {
    stop_start(
      "unknown_parameter",
      sprintf("`start` names `%s`, which the formula does not use.", name), NULL,
      nearest_hint(name, names, "Parameters"), list(name = name)
    )
  }
  for (i in which(names %in% names(start))) {
    value <- start[[names[i]]]
    if (length(value) != length(parameters[[i]]$value)) {
      stop_start(
        "wrong_length",
        sprintf("`start` gives `%s` %d values; it has %d.", names[i], length(value),
                length(parameters[[i]]$value)),
        fields = list(name = names[i])
      )
    }
    parameters[[i]]$value <- as.numeric(value)
  }
  parameters
}
