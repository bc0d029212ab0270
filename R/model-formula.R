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
#' @section Calls of nlme:
#' What a call of `nlme()` says may stand here in its own words. `fixed = list(Asym ~ Type, lrc + c0 ~ 1)`
#' names the parameters and their covariates; `start` may then be numbers without names, in its order, or
#' `list(fixed = ...)`. Random effects of one grouping correlate, as for `nlme()`, unless `random` is made
#' of `pdDiag()`, `pdIdent()` and `pdBlocked()`, or `correlated = FALSE`; left out, all parameters vary. Groups
#' that `random` does not name are those of `groups = ~ id`, or of data made by `groupedData()`.
#' `weights = varPower()` is `pow()` and `varConstPower()` is `add_pow_sd()`; with a power that is fixed at 1 they are
#' `prop()` and `add_prop_sd()`. Of a column, as `varPower(form = ~ age)`, these and `varExp()` and `varFixed()` have
#' the parameters `sigma`, `const`, `power` and `expon` of nlme; `varIdent(form = ~ 1 | group)` has an SD for each
#' level, as `sigma_M`. `correlation = corAR1()` is `ar1()` by order, `corCAR1(form = ~ time | id)` (and
#' `corAR1(form = ~ visit | id)` with gaps between visits) `ar1()` in time, `corCompSymm()` is `exchangeable()`, with
#' the correlation `rho`; see Correlated residuals in [nlme_model()]. Their groups are the subjects.
#' [fit_nlme()] takes an object of `nlsList()` in place of the formula. The likelihood is not that of a model
#' linearized in the effects, so that estimates differ a little from those of `nlme()`.
#'
#' @param formula (formula) `outcome ~ prediction`. Names in `start` are
#'   parameters, other names data columns; functions of the calling environment
#'   are read in place, and so are self-starting models such as `SSlogis(age, Asym, xmid, scal)`. `!!x` puts the value
#'   of `x` in.
#' @param start (named numeric or list) typical values on the natural scale. Where it is left out and there are `data`,
#'   the parameters are the names that are no columns, and [suggest_start()] finds their values, which a
#'   message tells.
#' @param transform (character) scale on which the parameters vary: one of
#'   `"identity"`, `"log"`, `"logit"`, `"probit"` for all, or named by parameter
#'   (those left out are `"identity"`).
#' @param random (formula or list) parameters with a random effect and their group, as in
#'   `ka + V ~ 1 | id`; `id/occ` stands for the groupings `id` and `id:occ`. A list says which
#'   vary in which grouping, as in `list(ka + V ~ 1 | id, V ~ 1 | id:occ)`; effects of a parameter with several are
#'   named `eta_V_id` and `eta_V_id_occ`. A parameter left out has the same value in all subjects. Left out as a whole,
#'   the model has no random effects and is fitted by maximum likelihood.
#' @param covariates (formula or list of formulas) covariate effects on the
#'   transformed scale, as in `Cl ~ weight` or `list(Cl ~ weight, V ~ log(weight / 70) * sex)`.
#'   They are read as formulas of [stats::lm()] are, the typical value being the intercept: factors, texts and logicals
#'   get coefficients named by level, as `beta_V_sexM`, and `poly()`, `scale()` and the like take new data as they
#'   took those of the fit. Differences and products of numbers stand in `I()`.
#' @param error residual error with the starting values of its parameters:
#'   `add(a = 1)`, `prop(b = 0.1)`, `pow(b = 0.1, c = 1)` (SD `b * abs(f)^c` at the prediction `f`),
#'   `add_prop(a = 1, b = 0.1)` or `add_pow(a = 1, b = 0.1, c = 1)` (variances add),
#'   `add_prop_sd(a = 1, b = 0.1)` or `add_pow_sd(a = 1, b = 0.1, c = 1)` (SDs add). The exponent `c` may be
#'   any number, the others are positive. Its word may be text, or a variable that holds it quoted. Left out
#'   it is `add(a = 1)`, or `add(sigma = 1)` where the formula has an `a`.
#' @param correlated (logical or matrix) `TRUE` estimates all covariances of the
#'   random effects of a grouping; a symmetric 0/1 matrix over the random parameters, in their
#'   order in `random` or named, says which blocks.
#' @param data (data.frame or NULL) the data that the model is for. They are needed for covariates
#'   such as `poly(age, 2)` and where `start` is left out; [fit_nlme()] has them.
#' @param ... `fixed`, `groups`, `weights` and `correlation` of `nlme()`, see Calls of nlme.
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
                         covariates = NULL, error = add(a = 1), correlated = FALSE, data = NULL, ...) {
  dots <- rlang::enquos(...)
  if (is_records(formula)) {
    stop_option(
      "exchanged_arguments", "`nlme_formula()` takes the formula first; data are its argument `data`.",
      hint = "Write `nlme_formula(outcome ~ prediction, start = c(...), data = data)`."
    )
  }
  given <- c(
    if (!missing(transform)) list(transform = rlang::enquo(transform)),
    if (!missing(random)) list(random = rlang::enquo(random)),
    if (!missing(covariates)) list(covariates = rlang::enquo(covariates)),
    if (!missing(error)) list(error = rlang::enquo(error)),
    if (!missing(correlated)) list(correlated = rlang::enquo(correlated))
  )
  model_of_formula(formula, if (!missing(start)) start, c(given, dots), data)
}

# The default of `error` is read as code; the checker takes `add` for a function.
utils::globalVariables("add")

# Each of `dots` is evaluated where it was written, which a wrapper's caller may
# have done; `error` is read as code. Words of nlme are known there.
model_of_formula <- function(formula, start, dots, data = NULL, options = list()) {
  formula_model(formula, start, c(formula_design(dots, data, options$id), list(options = options)))
}

formula_design <- function(dots, data, id) {
  own <- setdiff(names(formals(nlme_formula)), c("formula", "start", "data", "..."))
  for (name in setdiff(rlang::names2(dots), c(own, names(nlme_arguments)))) stop_unknown_argument(name, own)
  design <- lapply(dots[names(dots) != "error"], function(dot) {
    rlang::eval_tidy(dot, if (names_nlme(dot)) nlme_words())
  })
  design$error <- dots$error
  design$data <- data
  if (is.null(id)) design$grouped <- grouped_by(data)
  design
}

# `design` holds the arguments of nlme_formula() beyond formula and start; those
# left out are its defaults. `error` is a quosure.
formula_model <- function(formula, start, design) {
  parts <- formula_parts(formula, start, design)
  model <- new_nlme_model(parts$spec)
  model$formula <- code_text(formula)
  model$designs <- parts$designs
  if (is.null(design$data) && !is.null(c(design$covariates, design$fixed))) {
    model$written <- list(formula = formula, start = start, design = design)
  }
  if (!is.null(parts$suggested)) inform_of_start(parts$suggested)
  model
}

formula_spec <- function(formula, start, design) formula_parts(formula, start, design)$spec

# The specification, the designs of its covariates and what was suggested for `start`.
formula_parts <- function(formula, start, design) {
  formula <- checked_formula(formula)
  design <- plain_design(design)
  start <- formula_start(start, design)
  used <- formula_parameters(formula, start, design)
  covariates <- covariate_effects(design$covariates, used, design$data, environment(formula))
  parts <- list(
    transform = formula_transform(design$transform, used), groupings = formula_groupings(design, used),
    effects = covariates$effects, residual = formula_residual(design, used, all.vars(formula))
  )
  start <- positional_start(start, design$fixed, parts$effects)
  open <- setdiff(used, names(start))
  suggested <- NULL
  if (length(open) > 0L) {
    suggested <- suggested_values(formula, start, used, parts, c(design, list(designs = covariates$designs)))
    start[setdiff(names(suggested), names(start))] <- suggested[setdiff(names(suggested), names(start))]
  }
  if (is.null(suggested) && !is.null(design$fixed) && is.data.frame(design$data)) {
    start <- c(start, spreads_at(formula, start, used, parts, c(design, list(designs = covariates$designs))))
  }
  list(spec = formula_code(formula, start, used, parts), designs = covariates$designs, suggested = suggested)
}

# In the words of nlme nothing says where variances start: SDs of what the typical subject leaves unexplained, and
# of effects by the sizes of their parameters.
spreads_at <- function(formula, start, used, parts, design) {
  spreads <- suggested_spreads(parts, start, formula_code(formula, start, used, parts)$statements)
  if (parts$residual$free) {
    model <- new_nlme_model(formula_code(formula, start, used, parts))
    model$designs <- design$designs
    spreads <- c(spreads, residual_at_start(model, design$data, as.list(design$options)))
  }
  spreads[setdiff(names(spreads), names(start))]
}

# Values for what has none: those of the parameters, and of SDs by their sizes. Of several places where the data of
# typical subjects lead, the one that suits the random effects.
suggested_values <- function(formula, start, used, parts, design) {
  complete <- function(values) {
    # What the user wrote of the residual error stays.
    if (!parts$residual$free) values <- values[intersect(names(values), used)]
    all <- c(start, values)
    # SDs matter for the sizes of effects only, not for what the statements say.
    statements <- formula_code(formula, all, used, parts)$statements
    c(values, suggested_spreads(parts, all, statements))
  }
  model_at <- function(values) {
    all <- c(start, values[setdiff(names(values), names(start))])
    model <- new_nlme_model(formula_code(formula, all, used, parts))
    model$designs <- design$designs
    model
  }
  found <- lapply(suggested_parts(formula, start, used, parts, design), complete)
  best_of_starts(found, model_at, as.data.frame(design$data), as.list(design$options))
}

# Values for the parameters that have none, from the data: a list of them where several are as likely.
suggested_parts <- function(formula, start, used, parts, design) {
  open <- setdiff(used, names(start))
  known <- start
  known[open] <- lapply(parts$transform[open], function(scale) if (scale %in% c("logit", "probit")) 0.5 else 1)
  model <- new_nlme_model(formula_code(formula, known, used, parts))
  model$designs <- design$designs
  self <- if (setequal(open, used)) self_start_values(formula, design$data, used)
  inside <- vapply(names(self), function(name) {
    parameter <- Find(function(one) one$name == name, model$spec$parameters)
    is_inside(self[[name]], parameter)
  }, NA)
  if (!all(inside)) self <- NULL
  formula_suggestion(model, design$data, open, parts$transform, self, as.list(design$options))
}

formula_code <- function(formula, start, used, parts) {
  env <- environment(formula)
  varying <- groupings_effects(parts$groupings)
  check_scalar_starts(start[used], c(varying$parameter, vapply(parts$effects, `[[`, "", "parameter")))
  blocks <- groupings_structure(parts$groupings)
  individual <- lapply(used, individual_statement, parts$transform, varying, parts$effects, env)
  typical <- lapply(used, function(name) real_parameter(name, parts$transform[[name]], start[[name]]))
  coefficients <- lapply(parts$effects, function(effect) real_parameter(effect$name, "identity", 0))
  list(
    parameters = apply_start(
      c(typical, coefficients, blocks$parameters, parts$residual$parameters), start
    ),
    random = as.list(blocks$random),
    covariates = parts$residual$covariates,
    statements = c(
      Filter(Negate(is.null), individual),
      list(prediction_statement(formula, individual, parts$residual, env))
    )
  )
}

checked_formula <- function(formula) {
  if (!inherits(formula, "formula") || length(formula) != 3L) {
    stop_model(
      "bad_formula", "The model is a formula `outcome ~ prediction`.", code_text(formula),
      "Name the outcome on the left of `~`."
    )
  }
  # `!!k0` puts the value of k0 in.
  formula[[3L]] <- eval(as.call(list(rlang::expr, formula[[3L]])), environment(formula))
  formula
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
