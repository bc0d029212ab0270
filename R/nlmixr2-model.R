# Translate a model function written for nlmixr2: `ini()` holds the parameters, `model()` the code. The function is
# read, never called.

#' @param env (environment) where helper functions of the model are looked up; by default that of
#'   the function.
#' @details
#' A function for nlmixr2 is read line by line. Population parameters of `ini()` are real
#' parameters with their bounds; those that are the SD of a residual error are positive.
#' `~` gives *variances* there: alone they become the SD `omega_sd_<effect>`, several that
#' are given together the covariance matrix `omega_<effects>`. `fix()` holds a parameter.
#' In `model()` assignments, `if`, `d/dt()`, `x(0)`, `f()`, `alag()`, `rate()` and `dur()` keep
#' their meaning; `linCmt()` becomes `linear_compartments()` with the arguments that nlmixr2 finds
#' by their names. Residual errors are `add()`, `prop()`, `pow()` and sums of them
#' (variances add; with `combined1()` SDs add), `lnorm()`, `t()`; other distributions
#' `pois()`, `binom()`, `nbinom()`, `nbinomMu()`, `gamma()`, `beta()`, `weibull()`. Anything else is
#' an error that shows the line.
#'
#' The subjects are those of the column `id`, the outcome is the column `DV`, both in any
#' case. With several endpoints the column `DVID` says to which one a record belongs, by its name
#' (after `|`, else the variable to the left of `~`) or its number; without `DVID` the column `CMT` does.
#' Their outcomes are called `DV_<endpoint>`. The time is the column `TIME` in any case.
#'
#' @rdname as_nlme_model
#' @export
as_nlme_model.function <- function(x, env = environment(x), ...) { # nolint: object_name_linter.
  refuse_dots(...)
  blocks <- nlmixr2_blocks(x)
  known <- nlmixr2_ini(blocks$ini, env)
  code <- nlmixr2_code(blocks$model, known, env)
  parts <- nlmixr2_parameters(known, code)
  spec <- list(
    parameters = parts$parameters, random = parts$random, statements = code$statements,
    covariates = code$covariates
  )
  model <- new_nlme_model(spec)
  if (length(parts$fix) > 0L) model$fix <- parts$fix
  model$endpoints <- code$endpoints
  model
}

# The code of `ini()` and `model()`. Other lines of the function may hold texts about the model.
nlmixr2_blocks <- function(fn) {
  lines <- block_lines(body(fn))
  blocks <- list()
  for (line in lines) {
    word <- intersect(c("ini", "model"), if (is.call(line)) code_text(line[[1L]]))
    if (length(word) == 1L && length(line) == 2L) {
      if (!is.null(blocks[[word]])) stop_untranslated_line(sprintf("`%s()` stands twice.", word), code_text(line[[1L]]))
      blocks[[word]] <- line[[2L]]
    } else if (!is_call_to(line, c("<-", "=")) && !is.character(line)) {
      stop_untranslated_line("This line stands outside `ini()` and `model()`.", code_text(line))
    }
  }
  for (word in setdiff(c("ini", "model"), names(blocks))) {
    stop_option(
      "bad_model", sprintf("The function has no `%s({ ... })`.", word),
      hint = "A model function of nlmixr2 is `function() { ini({ ... }); model({ ... }) }`."
    )
  }
  blocks
}

stop_untranslated_line <- function(problem, line, hint = NULL, fields = list()) {
  stop_model("not_translated", problem, line, hint, fields)
}

# Parameters and random effects, and what is held fixed.
nlmixr2_parameters <- function(known, code) {
  thetas <- lapply(known$thetas, nlmixr2_parameter, code$spreads)
  blocks <- lapply(known$effects, nlmixr2_effects)
  held <- Filter(function(theta) theta$fixed, known$thetas)
  fix <- lapply(held, `[[`, "value")
  names(fix) <- vapply(held, `[[`, character(1L), "name")
  for (block in Filter(function(block) block$fixed, blocks)) fix[[block$parameter$name]] <- block$value
  list(
    parameters = unname(c(thetas, lapply(blocks, `[[`, "parameter"))),
    random = unname(lapply(blocks, `[[`, "random")), fix = fix
  )
}

nlmixr2_parameter <- function(theta, spreads) {
  positive <- theta$name %in% spreads
  lower <- theta$lower
  # The logarithm keeps it above zero.
  if (positive && isTRUE(lower <= 0)) lower <- NULL
  check_parameter(
    list(
      name = theta$name, type = "real", scale = if (positive) "log" else "identity", value = theta$value,
      lower = lower, upper = theta$upper, se = TRUE, label = theta$label, unit = NULL
    ),
    theta$line
  )
}

nlmixr2_effects <- function(block) {
  names <- block$names
  if (length(names) == 1L) {
    omega <- paste0("omega_sd_", names)
    value <- sqrt(block$matrix[1L, 1L])
    parameter <- real_parameter(omega, "log", value)
    distribution <- call("normal", 0, as.symbol(omega))
  } else {
    omega <- paste0("omega_", paste(names, collapse = "_"))
    value <- block$matrix
    parameter <- check_parameter(c(list(name = omega), parameter_words$covariance_matrix(value)), block$line)
    distribution <- call("mvnormal", as.call(c(quote(c), as.list(rep(0, length(names))))), as.symbol(omega))
  }
  list(
    parameter = parameter, random = random_term(names, distribution, "id"), value = value,
    fixed = block$fixed
  )
}

# Columns that a model of nlmixr2 reads by the names it always has, in any case.
nlmixr2_columns <- function(model, data) {
  if (is.null(model$endpoints)) return(data)
  for (name in c("id", "DV")) {
    found <- column_like(data, toupper(name))
    if (!name %in% names(data) && !is.null(found)) data[[name]] <- data[[found]]
  }
  data
}
