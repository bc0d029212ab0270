# Join a model function of saemix with its data, and fit them.

#' A model of another package in the language of this one
#'
#' Shows what [fit_nlme()] makes of a model that was written for another package: an
#' ordinary model that prints, fits and simulates like one of [nlme_model()].
#'
#' @param x a model: of [saemix_model()], a `SaemixModel` of the saemix package itself, or a
#'   function of nlmixr2 or rxode2, `function() { ini({ ... }); model({ ... }) }`.
#' @param ... for methods.
#' @param data (`saemix_data`) the data of [saemix_data()]; they name the predictors and the
#'   covariates. Fit the model to `as.data.frame(data)`, where the covariates are coded.
#' @returns An object of class `nlme_model`.
#' @examples
#' line <- function(psi, id, xidep) psi[id, 1] + psi[id, 2] * xidep[, 1]
#' as_nlme_model(
#'   saemix_model(line, c(base = 140, slope = 1)),
#'   saemix_data(
#'     as.data.frame(nlme::Oxboys), name.group = "Subject", name.predictors = "age",
#'     name.response = "height"
#'   )
#' )
#'
#' as_nlme_model(function() {
#'   ini({
#'     tka <- 0.45
#'     tcl <- log(2.7)
#'     tv <- 3.45
#'     eta.ka ~ 0.6
#'     eta.cl + eta.v ~ c(0.3, 0.01, 0.1)
#'     add.sd <- 0.7
#'   })
#'   model({
#'     ka <- exp(tka + eta.ka)
#'     cl <- exp(tcl + eta.cl)
#'     v <- exp(tv + eta.v)
#'     cp <- linCmt()
#'     cp ~ add(add.sd)
#'   })
#' })
#' @export
as_nlme_model <- function(x, ...) UseMethod("as_nlme_model")

#' @export
as_nlme_model.default <- function(x, ...) {
  if (is_records(x)) {
    stop_option(
      "exchanged_arguments", "`as_nlme_model()` takes the model first.", hint = "Write `as_nlme_model(model)`."
    )
  }
  stop_option(
    "bad_model", sprintf("An object of class `%s` is not a model that can be read.", class(x)[1L]),
    hint = "Write it with `nlme_model()` or `saemix_model()`, or give a model function of nlmixr2."
  )
}

#' @rdname as_nlme_model
#' @export
as_nlme_model.saemix_model <- function(x, data, ...) {
  refuse_dots(...)
  if (!missing(data)) data <- as_saemix_data(data)
  if (missing(data) || !inherits(data, "saemix_data")) {
    stop_option(
      "bad_data", "The predictors of a model function have their names from its data.",
      hint = "Give `data = saemix_data(...)`."
    )
  }
  effects <- saemix_effects(x, data$columns$covariates)
  parts <- saemix_parameters(x, data, effects)
  individual <- saemix_individual(x, effects)
  residual <- saemix_residual(x, c(parts$names, unlist(data$columns)))
  outcome <- saemix_outcome(x, data, individual, residual$call)
  model <- new_nlme_model(list(
    parameters = unname(c(parts$parameters, residual$parameters)),
    random = parts$random,
    statements = c(individual, outcome$statements)
  ))
  model$time <- outcome$time
  model$door <- "saemix"
  model$title <- if (nzchar(x$description)) x$description
  held <- colnames(x$psi0)[x$fixed.estim == 0]
  model$fix <- if (length(held) > 0L) as.list(x$psi0[1L, held])
  model
}

# One element a covariate coefficient; later rows of psi0 are its start, used again
# when there are more covariates than rows.
saemix_effects <- function(model, covariates) {
  pattern <- model$covariate.model
  if (nrow(pattern) > length(covariates)) {
    stop_option(
      "bad_option",
      sprintf(
        "`covariate.model` has %s; `name.covariates` names %s.", counted(nrow(pattern), "row"),
        counted(length(covariates), "covariate")
      ),
      hint = "One row a covariate, in the order of `name.covariates`."
    )
  }
  rows <- if (all(rownames(pattern) %in% covariates)) rownames(pattern)
  names <- if (is.null(rows)) covariates else rows
  starts <- model$psi0[-1L, , drop = FALSE]
  effects <- list()
  for (i in seq_len(nrow(pattern))) {
    for (k in which(pattern[i, ] == 1)) {
      parameter <- colnames(model$psi0)[k]
      start <- if (nrow(starts) > 0L) starts[(i - 1L) %% nrow(starts) + 1L, k] else 0
      effects <- c(effects, list(list(
        name = effect_name(parameter, names[i]), parameter = parameter,
        term = as.symbol(names[i]), start = start
      )))
    }
  }
  effects
}

saemix_scales <- c("identity", "log", "probit", "logit")

saemix_parameters <- function(model, data, effects) {
  names <- colnames(model$psi0)
  scales <- saemix_scales[model$transform.par + 1L]
  typical <- Map(start_parameter, names, scales, model$psi0[1L, ])
  coefficients <- lapply(effects, function(effect) start_parameter(effect$name, "identity", effect$start))
  varies <- diag(model$covariance.model) == 1
  pattern <- model$covariance.model[varies, varies, drop = FALSE] == 1
  together <- correlated_blocks(names[varies], saemix_pattern(pattern))
  blocks <- groupings_structure(list(list(group = data$columns$group, names = names[varies], blocks = together)))
  parameters <- c(typical, coefficients, blocks$parameters)
  parameters <- lapply(parameters, started_at, names, model$omega.init, blocks$random)
  list(
    parameters = parameters, random = blocks$random,
    names = vapply(parameters, `[[`, character(1L), "name")
  )
}

# correlated_blocks() takes FALSE for independent effects.
saemix_pattern <- function(pattern) {
  if (sum(pattern) == nrow(pattern)) return(FALSE)
  blocks <- unique(lapply(seq_len(nrow(pattern)), function(i) which(pattern[i, ])))
  whole <- all(vapply(blocks, function(block) all(pattern[block, block]), logical(1L)))
  if (!whole || sum(lengths(blocks)) != nrow(pattern)) {
    stop_option(
      "bad_pattern", "`covariance.model` is not made of full blocks.",
      hint = "If a and b correlate, and b and c do, then a and c must as well."
    )
  }
  pattern + 0
}

# Put the entries of `omega` in place of the starts of the covariance parameters.
started_at <- function(parameter, names, omega, random) {
  for (block in random) {
    k <- match(sub("^eta_", "", block$names), names)
    if (!identical(block$dist$args[[2L]]$sym, parameter$name)) next
    parameter$value <- if (length(k) == 1L) sqrt(omega[k, k]) else as.numeric(omega[k, k])
  }
  parameter
}

start_parameter <- function(name, scale, value) {
  check_parameter(
    list(
      name = name, type = "real", scale = scale, value = unname(value),
      lower = NULL, upper = NULL, se = TRUE, label = NULL, unit = NULL
    ),
    sprintf("psi0: %s = %s", name, format(value))
  )
}

saemix_individual <- function(model, effects) {
  names <- colnames(model$psi0)
  transform <- as.list(stats::setNames(saemix_scales[model$transform.par + 1L], names))
  varying <- groupings_effects(list(list(names = names[diag(model$covariance.model) == 1])))
  statements <- lapply(names, individual_statement, transform, varying, effects, baseenv())
  Filter(Negate(is.null), statements)
}

# The lines of the model function and the outcome, as `statements`; for a time to an event the column of the
# `time` as well.
saemix_outcome <- function(model, data, individual, residual) {
  targets <- vapply(individual, `[[`, character(1L), "target")
  bound <- stats::setNames(lapply(targets, function(target) list(sym = target)), substring(targets, 2L))
  columns <- data$columns
  taken <- c(
    colnames(model$psi0), unlist(columns, use.names = FALSE), all.vars(residual), targets,
    paste0("eta_", colnames(model$psi0)), if (model$modeltype == "likelihood") "t"
  )
  read <- translated_function(
    model$model, colnames(model$psi0), columns, taken, model$modeltype == "likelihood", data$frame
  )
  read$group <- columns$group
  event <- event_outcome(read, model$psi0[1L, ])
  if (!is.null(event)) read <- event$read
  lines <- lapply(read$statements, function(statement) {
    text <- paste(statement$target, "<-", code_text(statement$code))
    list(
      kind = "assign", target = statement$target,
      value = expression_tree(statement$code, new_scope(read$env, statement$line, bound = bound)), text = text
    )
  })
  dist <- if (is.null(event)) saemix_distribution(model, read$value, residual) else event$dist
  text <- sprintf("%s ~ %s", columns$response, code_text(dist))
  outcome <- list(
    kind = "outcome", column = columns$response,
    dist = word_tree(as.character(dist[[1L]]), dist, new_scope(read$env, read$line, bound = bound)), text = text
  )
  list(statements = c(lines, list(outcome)), time = event$time)
}

saemix_distribution <- function(model, value, residual) {
  if (model$modeltype == "likelihood") return(call("custom", value))
  if (model$error.model == "exponential") return(call("lognormal", call("log", value), residual))
  call("normal", value, residual)
}

# Parameters `a` and `b` of the residual error and the call that uses them.
saemix_residual <- function(model, taken) {
  if (model$modeltype == "likelihood") return(list(parameters = list(), call = NULL))
  kind <- model$error.model
  which <- switch(kind, proportional = 2L, combined = 1:2, 1L)
  names <- c("a", "b")
  names <- ifelse(names %in% taken, paste0("sigma_", names), names)[which]
  if (length(model$name.sigma) > 0L) {
    names <- if (length(model$name.sigma) == length(which)) model$name.sigma else model$name.sigma[which]
  }
  if (anyNA(names)) {
    stop_option(
      "wrong_length", sprintf("`name.sigma` has too few names for the %s residual error.", kind),
      hint = "One name for `a`, one for `b`."
    )
  }
  start <- rep(1, length(names))
  if (length(model$error.init) > 0L) {
    start <- if (length(model$error.init) == length(which)) model$error.init else model$error.init[which]
  }
  if (!is.numeric(start) || !all(is.finite(start)) || any(start <= 0)) {
    stop_start(
      "bad_start", sprintf("`error.init` must start %s above 0.", paste0("`", names, "`", collapse = " and ")),
      sprintf("error.init = %s", code_text(model$error.init))
    )
  }
  word <- switch(kind, proportional = "prop", combined = "add_prop", "add")
  symbols <- lapply(names, as.symbol)
  list(
    parameters = Map(start_parameter, names, "log", start),
    call = if (kind == "exponential") symbols[[1L]] else as.call(c(as.symbol(word), symbols))
  )
}

# What fit_nlme() does with a model of saemix. `settings` are its arguments beyond
# model, data and method.
fit_saemix <- function(model, data, control, settings) {
  data <- as_saemix_data(data)
  if (!inherits(data, "saemix_data")) {
    stop_option(
      "bad_data", "A model of saemix_model() needs data of saemix_data(), which name its predictors.",
      hint = "Give `data = saemix_data(name.data, name.group = , name.predictors = , name.response = )`."
    )
  }
  if (is.list(control) && is.null(attr(control, "class"))) control <- control_of_list(control)
  if (inherits(control, "saemix_control")) {
    if (is.null(settings$seed)) settings$seed <- control$seed
    if (!is.null(control$progress)) settings$progress <- control$progress
    method <- control$method
  } else {
    method <- control
  }
  native <- as_nlme_model(model, data)
  if (is.null(settings$time)) settings$time <- if (is.null(native$time)) time_predictor(data) else native$time
  fit <- do.call(fit_nlme, c(list(native, as.data.frame(data), method), settings))
  fit <- saemix_fit_of(fit, model, data, control)
  if (inherits(control, "saemix_control") && control$print) print(fit)
  fit
}

# name.X, else the first predictor that is not the outcome.
time_predictor <- function(data) {
  x <- c(data$columns$x, setdiff(data$columns$predictors, data$columns$response))[1L]
  if (!is.na(x) && is.numeric(data$frame[[x]])) x
}

control_of_list <- function(options) {
  # Of an option that stands there twice saemix takes the first.
  named <- !nzchar(rlang::names2(options)) | !duplicated(rlang::names2(options))
  options <- options[named]
  known <- setdiff(names(formals(saemix_control)), "...")
  check_option_names(options, known, "saemix", "unknown_option")
  do.call(saemix_control, options)
}

#' Fit a model written for the saemix package
#'
#' `saemix(model, data, control)` is `fit_nlme(model, data, control)`, under the name that
#' scripts use; [saemix_verbs] lists what they ask of a fit. Objects of the saemix package itself are handed on
#' to its own `saemix()` where it is installed; `fit_nlme(model, data)` fits them here.
#'
#' @param model (`saemix_model`) a model of [saemix_model()].
#' @param data (`saemix_data`) data of [saemix_data()].
#' @param control (`saemix_control` or list) options of [saemix_control()].
#' @param ... further arguments of [fit_nlme()].
#' @returns An object of class `nlme_fit`.
#' @examples
#' line <- function(psi, id, xidep) psi[id, 1] + psi[id, 2] * xidep[, 1]
#' fit <- saemix(
#'   saemix_model(line, c(base = 140, slope = 1), covariance.model = matrix(1, 2, 2)),
#'   saemix_data(
#'     as.data.frame(nlme::Oxboys), name.group = "Subject", name.predictors = "age",
#'     name.response = "height"
#'   ),
#'   list(seed = 632545, nbiter.saemix = c(100, 50), displayProgress = FALSE)
#' )
#' fit
#' @export
saemix <- function(model, data, control = list(), ...) {
  check_order(model, data, match.call())
  ready_made <- inherits(model, "SaemixModel") || inherits(data, "SaemixData")
  if (ready_made && requireNamespace("saemix", quietly = TRUE)) {
    return(getExportedValue("saemix", "saemix")(model, data, control))
  }
  fit <- fit_nlme(model, data, control, ...)
  fit$call <- plain_call(match.call())
  fit
}
