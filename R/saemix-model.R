# nolint start: object_name_linter. The arguments have the names that saemix gives them.

#' Models written for the saemix package
#'
#' `saemix_model()`, [saemix_data()] and [saemix_control()] take the arguments of
#' `saemixModel()`, `saemixData()` and `saemixControl()` of the saemix package, with the
#' same meaning, so that a script runs after its constructors are renamed. The
#' model function is *translated*, not called: `psi[id, k]` is parameter k, `xidep[, j]`
#' predictor j, and what the function says of whole columns is read for one row
#' (`f[time > 5] <- 0` as `ifelse()`, `rep(0, length(time))` as 0). What cannot be read
#' so is an error that names the line.
#'
#' Individual parameters are Gaussian on the scale of `transform.par`: with scale `log`,
#' `ka_i = exp(log(ka) + beta_ka_Weight * Weight_i + eta_ka_i)`. Estimates are named as
#' [nlme_formula()] names them: `ka`, `beta_ka_Weight`, `omega_sd_ka` (an SD, not a variance).
#'
#' @param model (function) `function(psi, id, xidep)` that gives the predictions, or with
#'   `modeltype = "likelihood"` the log-likelihood of each record.
#' @param psi0 (matrix or named numeric) first row: typical values on the natural scale;
#'   further rows: starting values of the covariate coefficients. Columns are parameters.
#' @param description (character) a title, shown when the model is printed.
#' @param modeltype (character) `"structural"` or `"likelihood"`.
#' @param name.response (character) label of the outcome; the column is named in
#'   [saemix_data()].
#' @param name.sigma (character) names of the residual error parameters; `a` and `b`.
#' @param error.model (character) `"constant"`, `"proportional"`, `"combined"` (variances add:
#'   SD `sqrt(a^2 + b^2 f^2)`) or `"exponential"` (lognormal outcome).
#' @param transform.par (numeric) scale of each parameter: 0 identity (the default), 1 log,
#'   2 probit, 3 logit.
#' @param fixed.estim (numeric) 1 for a typical value that is estimated, 0 for one held at
#'   its start.
#' @param covariate.model (0/1 matrix) rows are covariates in the order of
#'   `name.covariates`, columns parameters.
#' @param covariance.model (0/1 matrix) estimated variances and covariances of the random
#'   effects; a parameter with 0 on the diagonal is the same in all subjects. Covariances
#'   must form full blocks.
#' @param omega.init (matrix) starting covariance. By default variances of 1, for parameters
#'   on the identity scale `max(psi0^2, 1)`.
#' @param error.init (numeric) starting values of `a` and `b`; 1 by default.
#' @param simulate.function has no meaning here.
#' @param name.modpar (character) names of the parameters if `psi0` has none.
#' @param verbose (logical) say which arguments have no meaning here.
#' @returns An object of class `saemix_model`, which [fit_nlme()] fits together with data of
#'   [saemix_data()]; [as_nlme_model()] shows the model in the language of this package.
#' @references
#' Comets E, Lavenu A, Lavielle M (2017). Parameter estimation in nonlinear mixed effect
#' models using saemix, an R implementation of the SAEM algorithm. *Journal of Statistical
#' Software* 80(3), 1-41.
#' @examples
#' model1cpt <- function(psi, id, xidep) {
#'   dose <- xidep[, 1]
#'   tim <- xidep[, 2]
#'   ka <- psi[id, 1]
#'   V <- psi[id, 2]
#'   CL <- psi[id, 3]
#'   k <- CL / V
#'   ypred <- dose * ka / (V * (ka - k)) * (exp(-k * tim) - exp(-ka * tim))
#'   return(ypred)
#' }
#' model <- saemix_model(
#'   model1cpt, matrix(c(1, 0.5, 0.05), 1, dimnames = list(NULL, c("ka", "V", "CL"))),
#'   transform.par = c(1, 1, 1)
#' )
#' data <- saemix_data(
#'   Theoph, name.group = "Subject", name.predictors = c("Dose", "Time"), name.response = "conc"
#' )
#' as_nlme_model(model, data)
#' @export
saemix_model <- function(model, psi0, description = "", modeltype = "structural",
                         name.response = "", name.sigma = character(),
                         error.model = "constant", transform.par = numeric(),
                         fixed.estim = numeric(), covariate.model = matrix(nrow = 0, ncol = 0),
                         covariance.model = matrix(nrow = 0, ncol = 0),
                         omega.init = matrix(nrow = 0, ncol = 0), error.init = numeric(),
                         simulate.function = NULL, name.modpar = character(), verbose = TRUE) {
  check_model_function(if (!missing(model)) model)
  psi0 <- check_psi0(if (!missing(psi0)) psi0, name.modpar)
  n <- ncol(psi0)
  design <- list(
    model = model, psi0 = psi0,
    description = description,
    modeltype = check_word(modeltype, "modeltype", c("structural", "likelihood")),
    name.sigma = name.sigma,
    error.model = check_error_model(error.model),
    transform.par = per_parameter(transform.par, "transform.par", psi0, 0, 0:3),
    fixed.estim = per_parameter(fixed.estim, "fixed.estim", psi0, 1, 0:1),
    covariate.model = check_covariate_model(covariate.model, psi0),
    covariance.model = check_symmetric(covariance.model, "covariance.model", n, diag(n), "of 0 and 1"),
    error.init = error.init
  )
  design$omega.init <- check_symmetric(
    omega.init, "omega.init", n, default_omega(psi0, design$transform.par), "of numbers"
  )
  check_patterns(design)
  if (check_flag(verbose, "verbose")) {
    say_without_meaning("saemix_model", c(
      simulate.function = if (!is.null(simulate.function)) "simulate() draws from the model itself",
      error.model = if (design$modeltype == "likelihood" && !missing(error.model)) {
        "the function gives the whole likelihood"
      },
      name.response = if (any(nzchar(name.response))) "the outcome has the name of its column"
    ))
  }
  structure(design, class = "saemix_model")
}

check_model_function <- function(model) {
  if (is.function(model) && length(formals(model)) == 3L) return(invisible())
  stop_option(
    "bad_model", "`model` must be a function of three arguments.",
    hint = "Write `model = function(psi, id, xidep) { ... }`."
  )
}

check_psi0 <- function(psi0, names) {
  if (is.null(dim(psi0)) && is.numeric(psi0)) psi0 <- matrix(psi0, 1L, dimnames = list(NULL, names(psi0)))
  if (!is.matrix(psi0) || !is.numeric(psi0) || length(psi0) == 0L || !all(is.finite(psi0))) {
    stop_start(
      "bad_start", "`psi0` must be a matrix of finite numbers, one column a parameter.",
      hint = "Write `psi0 = matrix(c(1, 20), 1, dimnames = list(NULL, c(\"ka\", \"V\")))`."
    )
  }
  if (length(names) > 0L) colnames(psi0) <- check_length(names, "name.modpar", ncol(psi0))
  if (is.null(colnames(psi0))) colnames(psi0) <- paste0("theta", seq_len(ncol(psi0)))
  twice <- colnames(psi0)[duplicated(colnames(psi0))]
  if (length(twice) > 0L) {
    stop_model("name_used_twice", sprintf("`psi0` has two columns `%s`.", twice[1L]), fields = list(name = twice[1L]))
  }
  psi0
}

check_length <- function(value, name, n) {
  if (length(value) == n) return(value)
  stop_option(
    "wrong_length", sprintf(
      "`%s` has %s; `psi0` has %s.", name, counted(length(value), "value"), counted(n, "parameter")
    ),
    fields = list(name = name)
  )
}

per_parameter <- function(value, name, psi0, default, allowed) {
  if (length(value) == 0L) value <- rep(default, ncol(psi0))
  check_length(value, name, ncol(psi0))
  wrong <- value[!value %in% allowed]
  if (length(wrong) > 0L) {
    stop_bad_option(name, wrong[1L], paste("made of", paste(allowed, collapse = ", ")))
  }
  stats::setNames(as.numeric(value), colnames(psi0))
}

check_error_model <- function(value) {
  words <- c("constant", "proportional", "combined", "exponential")
  if (length(value) == 0L) return("constant")
  if (length(value) > 1L) {
    stop_option(
      "bad_option", "`error.model` names several outcomes; this door takes one.",
      hint = "Write several outcomes with nlme_model(): one line `column ~ normal(f, add(a))` each."
    )
  }
  check_word(value, "error.model", words)
}

# A vector is a matrix row by row, as in saemix.
check_covariate_model <- function(value, psi0) {
  n <- ncol(psi0)
  if (length(value) == 0L) return(matrix(0, 0L, n))
  if (is.null(dim(value)) && length(value) %% n == 0L) value <- matrix(value, ncol = n, byrow = TRUE)
  if (is.data.frame(value)) value <- as.matrix(value)
  if (!is.matrix(value) || ncol(value) != n || !all(value %in% 0:1)) {
    stop_option(
      "bad_option", sprintf("`covariate.model` must be a 0/1 matrix with %s, one a parameter.", counted(n, "column")),
      hint = "Rows are the covariates, in the order of `name.covariates`."
    )
  }
  value
}

check_symmetric <- function(value, name, n, default, of) {
  if (length(value) == 0L) return(default)
  if (!is.matrix(value) || !all(dim(value) == n) || !is.numeric(value + 0) || !all(is.finite(value)) ||
        !isSymmetric(unname(value + 0))) {
    stop_option(
      "bad_option", sprintf("`%s` must be a symmetric %d x %d matrix %s.", name, n, n, of), fields = list(name = name)
    )
  }
  unname(value + 0)
}

# As saemix starts: variances of 1, and of the size of the parameter where it is
# not transformed.
default_omega <- function(psi0, transform) {
  variances <- ifelse(transform == 0, pmax(psi0[1L, ]^2, 1), 1)
  diag(variances, nrow = ncol(psi0))
}

check_patterns <- function(design) {
  pattern <- design$covariance.model
  if (!all(pattern %in% 0:1)) stop_bad_option("covariance.model", pattern, "made of 0 and 1")
  if (!any(diag(pattern) == 1)) {
    stop_option(
      "no_random_effect", "`covariance.model` has no 1 on its diagonal: no parameter varies between subjects.",
      hint = "A model without random effects is written with `nlme_model()` or as a formula."
    )
  }
  alone <- which(diag(pattern) == 0 & rowSums(pattern) > 0)
  if (length(alone) > 0L) {
    name <- colnames(design$psi0)[alone[1L]]
    stop_option(
      "bad_pattern", sprintf("`covariance.model` has a covariance of `%s` but not its variance.", name),
      hint = "Write 1 on the diagonal too, or 0 in the whole row and column.", fields = list(name = name)
    )
  }
  variances <- diag(design$omega.init)[diag(pattern) == 1]
  if (any(variances <= 0)) {
    name <- colnames(design$psi0)[diag(pattern) == 1][variances <= 0][1L]
    stop_start(
      "bad_start", sprintf("`omega.init` starts the variance of `%s` at %s.", name, format(min(variances))),
      hint = "A variance that is estimated starts above 0.", fields = list(name = name)
    )
  }
}

# One message for all arguments that have no meaning in this package. `reasons` is
# named by argument; NULL ones are gone.
say_without_meaning <- function(who, reasons) {
  if (length(reasons) == 0L) return(invisible())
  message(paste(
    c(sprintf("%s(): without meaning here:", who), sprintf("  `%s`: %s", names(reasons), reasons)),
    collapse = "\n"
  ))
}

#' @export
print.saemix_model <- function(x, ...) {
  scales <- c("identity", "log", "probit", "logit")[x$transform.par + 1L]
  shown <- data.frame(
    start = signif(x$psi0[1L, ], 4), scale = scales,
    varies = ifelse(diag(x$covariance.model) == 1, "yes", "no"),
    estimated = ifelse(x$fixed.estim == 1, "yes", "no"),
    row.names = colnames(x$psi0)
  )
  title <- "Model function of saemix"
  if (nzchar(x$description)) title <- paste0(title, ": ", x$description)
  kind <- if (x$modeltype == "likelihood") "log-likelihood of a record" else paste(x$error.model, "residual error")
  cat(title, paste0("  ", kind), table_lines(shown), sep = "\n")
  cat("Joined with its data by fit_nlme(); see as_nlme_model().\n")
  invisible(x)
}

# nolint end
