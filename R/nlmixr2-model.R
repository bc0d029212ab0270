# Translate a model function written for nlmixr2: `ini()` holds the parameters, `model()` the code. The function is
# read, never called.

#' @param env (environment) where helper functions of the model are looked up; by default that of
#'   the function.
#' @param data (data.frame or NULL) for a model function of nlmixr2: data whose occasions and texts
#'   the model takes over. Not needed for [fit_nlme()] and [simulate()], which read them in their own data.
#' @param ode (`nlme_ode_control` or NULL) for a model function of nlmixr2: options of the solver of its differential
#'   equations, made by [ode_control()].
#' @details
#' A function for nlmixr2 is read line by line; printing the model shows what became of them. Population
#' parameters of `ini()` are real parameters with their bounds; those that are the SD of a residual error are
#' positive. `~` gives *variances* there: alone they become the SD `omega_sd_<effect>`, several that
#' are given together the covariance matrix `omega_<effects>`. `fix()` holds a parameter; a variance of 0 makes
#' the effect 0. `~ 0.1 | occ` is an effect of each occasion of a subject.
#'
#' In `model()` assignments, `if`, `d/dt()`, `x(0)`, `f()`, `alag()`, `rate()` and `dur()` keep
#' their meaning; a variable that only one branch of an `if` gives a value is 0 in the other. `linCmt()` becomes
#' `linear_compartments()` with the arguments that nlmixr2 finds by their names; half of a pair, such as `q` without
#' a volume, is refused. `mix(a, p1, b)` makes
#' subpopulations, see [nlme_model()]; `mixest` is the number of the subject's, `mixnum` how many there are. Texts
#' that a variable is given are numbers, columns that are compared with texts are factors. `tad()`, `tafd()`,
#' `tlast()`, `tfirst()`, `podo()` and `dosenum()`, with the name of a state or without, are read from columns
#' `tlast_<state>` and so on, which are made from the dosing records unless the data have them. Before the first
#' dose `podo()` is 0 and times count from the first record.
#'
#' Residual errors are `add()`, `prop()`, `pow()`, with `T` of the prediction on the transformed scale and with
#' `F` of any variable (`propT()`, `powF()`), and sums of them (variances add; with `combined1()` SDs add); on the
#' scale of the logarithm, `lnorm()`, of the logit or probit between two bounds, `logitNorm()` and
#' `probitNorm()`, or of a power, `boxCox()` and `yeoJohnson()`; normal, or with the tails of `t()` and
#' `cauchy()`; `+ ar(rho)` beside normal ones lets residuals correlate by `rho^(time between)`, as `ar1()` with a time.
#' Other distributions are `pois()`, `binom()`, `bern()`, `nbinom()`, `nbinomMu()`, `geom()`,
#' `gamma()`, `chisq()`, `exp()`, `beta()`, `weibull()`, `unif()`, with or without `d` in front;
#' categories `y ~ c(p0, p1)` or with their values `y ~ c(p0 = 0, p1 = 1, 2)`; and any log density,
#' `ll(y) ~ llikPois(DV, lambda)`. Anything else is an error that shows the line.
#'
#' A model without endpoints is one to simulate from: [simulate()] gives its states and the variables that
#' follow from them or from the time in columns `DV_<name>`.
#'
#' The subjects are those of the column `id`, the outcome is the column `DV`, both in any
#' case. With several endpoints the column `DVID` says to which one a record belongs, by its name
#' (after `|`, else the variable to the left of `~`) or its number; without `DVID` the column `CMT` does.
#' Their outcomes are called `DV_<endpoint>`. The time is the column `TIME` in any case. `EVID` may be that of
#' RxODE, such as 101 for a dose into compartment 1 and 10201 for begin and end of an infusion into 2.
#'
#' @rdname as_nlme_model
#' @export
as_nlme_model.function <- function(x, env = environment(x), data = NULL, ode = NULL, ...) { # nolint
  refuse_dots(...)
  if (!is.null(ode) && !inherits(ode, "nlme_ode_control")) {
    stop_bad_option("ode", ode, "options of the solver, as in `ode_control(rtol = 1e-8)`")
  }
  blocks <- nlmixr2_blocks(x)
  known <- nlmixr2_ini(blocks$ini, env)
  if (length(known$thetas) + length(known$effects) == 0L) {
    stop_model(
      "no_parameter", "The model has no `ini()` with parameters.", "ini()",
      "Give what it takes a value: `ini({ tcl <- 1 })`, held by `fix(1)` where it is known."
    )
  }
  apart <- varying_effects(known$effects)
  code <- nlmixr2_code(blocks$model, known, env, data)
  known$effects <- apart$blocks
  parts <- nlmixr2_parameters(known, code, data)
  still <- lapply(apart$still, function(name) call("<-", as.symbol(name), 0))
  lines <- c(still, parts$lines, code$lines)
  spec <- list(
    parameters = parts$parameters, random = parts$random,
    statements = lapply(unname(lines), model_statement, scope = new_scope(env, "")),
    covariates = c(code$covariates, factor_declarations(c(code$found$levels, parts$levels), data))
  )
  if (!is.null(ode)) spec$ode <- unclass(ode)
  model <- new_nlme_model(spec)
  if (length(parts$fix) > 0L) model$fix <- parts$fix
  model$endpoints <- code$endpoints
  if (length(code$found$doses) > 0L) model$dose_columns <- code$found$doses
  if (length(code$values) > 0L) model$categories <- code$values
  if (length(code$drawn) > 0L) model$drawn <- code$drawn
  if (code$only_simulated) model$only_simulated <- TRUE
  if (length(code$exact) > 0L) model$exact <- unname(code$exact)
  # What hangs on the data is read again when they are known.
  if (is.null(data) && (length(code$found$levels) > 0L || parts$by_occasion)) {
    model$source <- list(read = x, env = env, ode = ode)
  }
  model
}

# Columns that are compared with texts, with the levels of the data, else with the texts of the model.
factor_declarations <- function(levels, data) {
  unname(Map(function(name, texts) {
    there <- if (!is.null(data) && name %in% names(data)) group_labels(data[[name]])
    levels <- unique(c(texts, there))
    # A factor has two levels, whatever the data hold.
    if (length(levels) == 1L) levels <- c(levels, "(other)")
    text <- sprintf("covariates(%s = factor(%s))", name, code_text(as.call(c(quote(c), as.list(levels)))))
    list(name = name, kind = "factor", levels = I(levels), text = text)
  }, names(levels), levels))
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
  if (is.null(blocks$model)) {
    stop_option(
      "bad_model", "The function has no `model({ ... })`.",
      hint = "A model function of nlmixr2 is `function() { ini({ ... }); model({ ... }) }`."
    )
  }
  if (is.null(blocks$ini)) blocks$ini <- quote({}) # nolint: brace_linter.
  blocks
}

stop_untranslated_line <- function(problem, line, hint = NULL, fields = list()) {
  stop_model("not_translated", problem, line, hint, fields)
}

# Parameters and random effects, lines that go before the code, and what is held fixed.
nlmixr2_parameters <- function(known, code, data) {
  shares <- c(code$found$mixture, code$found$correlations)
  thetas <- lapply(known$thetas, nlmixr2_parameter, code$spreads, shares)
  blocks <- lapply(known$effects, nlmixr2_effects, code$states || length(shares) > 0L, data)
  held <- Filter(function(theta) theta$fixed, known$thetas)
  fix <- lapply(held, `[[`, "value")
  names(fix) <- vapply(held, `[[`, character(1L), "name")
  for (block in Filter(function(block) block$fixed, blocks)) fix[[block$parameter$name]] <- block$value
  all_of <- function(part) unlist(lapply(blocks, `[[`, part), recursive = FALSE)
  list(
    parameters = unname(c(thetas, lapply(blocks, `[[`, "parameter"))),
    random = unname(all_of("random")),
    lines = all_of("lines"), levels = all_of("levels"), fix = fix,
    by_occasion = length(all_of("lines")) > 0L
  )
}

nlmixr2_parameter <- function(theta, spreads, shares) {
  # An error that is held at 0 has no logarithm.
  positive <- theta$name %in% spreads && !(theta$fixed && theta$value == 0)
  scale <- if (theta$name %in% shares) "logit" else if (positive) "log" else "identity"
  lower <- theta$lower
  upper <- theta$upper
  # The scale keeps it above zero, and a probability below one.
  if (scale != "identity" && isTRUE(lower <= 0)) lower <- NULL
  if (scale == "logit" && isTRUE(upper >= 1)) upper <- NULL
  check_parameter(
    list(
      name = theta$name, type = "real", scale = scale, value = theta$value,
      lower = lower, upper = upper, se = TRUE, label = theta$label, unit = NULL
    ),
    theta$line
  )
}

# `whole`: the likelihood takes the rows of a subject together, so that effects of its occasions are written out.
nlmixr2_effects <- function(block, whole, data) {
  names <- block$names
  if (length(names) == 1L) {
    omega <- paste0("omega_sd_", names)
    value <- sqrt(block$matrix[1L, 1L])
    parameter <- real_parameter(omega, "log", value)
    if (isTRUE(block$lower > 0)) parameter$lower <- sqrt(block$lower)
    if (isTRUE(is.finite(block$upper))) parameter$upper <- sqrt(block$upper)
    distribution <- call("normal", 0, as.symbol(omega))
  } else {
    omega <- paste0("omega_", paste(names, collapse = "_"))
    value <- block$matrix
    parameter <- check_parameter(c(list(name = omega), parameter_words$covariance_matrix(value)), block$line)
    distribution <- call("mvnormal", as.call(c(quote(c), as.list(rep(0, length(names))))), as.symbol(omega))
  }
  effects <- list(parameter = parameter, value = value, fixed = block$fixed)
  if (is.null(block$group)) {
    effects$random <- list(random_term(names, distribution, "id"))
  } else if (whole) {
    occasions <- occasions_of(block$group, data)
    term <- function(names) random_term(names, distribution, "id")
    effects <- c(effects, occasion_effects(block$names, occasions, term))
    if (!is.null(occasions$levels)) effects$levels <- stats::setNames(list(occasions$levels), occasions$column)
  } else {
    effects$random <- list(random_term(names, distribution, paste0("id:", block$group)))
  }
  effects
}

# The model with what hangs on the data: occasions, levels of columns with texts.
nlmixr2_with_data <- function(model, data, argument) {
  if (isTRUE(model$only_simulated) && argument == "data") {
    stop_model(
      "no_outcome", "`model()` has no endpoint: there is nothing to fit.", "model()",
      "Add a line such as `cp ~ add(add.sd)`; `simulate()` needs none."
    )
  }
  if (length(model$exact) > 0L && argument == "data") {
    sd <- model$exact[1L]
    stop_model(
      "no_residual_error",
      sprintf("`%s` is held at 0, and its endpoint has no other residual error: no fit goes without one.", sd),
      sprintf("%s <- fix(0)", sd),
      sprintf("Write `%s <- 0.1` in `ini()`; `simulate()` and `predict()` take the model as it is.", sd)
    )
  }
  if (is.null(model$source)) return(model)
  again <- as_nlme_model(model$source$read, model$source$env, data = data, ode = model$source$ode)
  kept <- setdiff(names(model), c(names(again), "source"))
  again[kept] <- model[kept]
  again$fix <- model$fix
  again
}

# Columns that a model of nlmixr2 reads by the names it always has, in any case, and those made for it.
nlmixr2_columns <- function(model, data) {
  if (is.null(model$endpoints)) return(data)
  for (name in c("id", "DV")) {
    found <- column_like(data, toupper(name))
    if (!name %in% names(data) && !is.null(found)) data[[name]] <- data[[found]]
  }
  if (length(model$described$states) > 0L) data <- without_classic_events(data)
  with_category_columns(model, with_dose_columns(model, data))
}

# Outcomes `c(p0 = 0, p1 = 0.5, 1)` as the numbers of their categories.
with_category_columns <- function(model, data) {
  for (name in setdiff(names(model$categories), names(data))) {
    source <- sub("_category$", "", name)
    from <- if (source %in% names(data)) data else outcomes_apart(model, data)
    values <- from[[if (source %in% names(from)) source else name]]
    if (is.null(values)) next
    codes <- match(values, model$categories[[name]])
    wrong <- which(is.na(codes) & !is.na(values) & data_observed(data))[1L]
    if (!is.na(wrong)) {
      stop_data(
        "unknown_level",
        sprintf("The outcome is %s in row %d, which is no category of the model.", values[wrong], wrong), NULL,
        hint = sprintf("Categories: %s.", paste(model$categories[[name]], collapse = ", ")),
        fields = list(row = wrong, value = values[wrong])
      )
    }
    data[[name]] <- codes
  }
  data
}

# Rows that are observations by their EVID.
data_observed <- function(data) {
  evid <- column_like(data, "EVID")
  if (is.null(evid)) rep(TRUE, nrow(data)) else data[[evid]] %in% 0
}

# What the door makes of the data beyond their columns, for print().
nlmixr2_lines <- function(model) {
  names <- names(model$dose_columns)
  made <- if (length(names) > 0L) {
    sprintf("Made from the dosing records: %s", paste(names, collapse = ", "))
  }
  categories <- unlist(Map(function(name, values) {
    sprintf("%s: the categories %s of %s", name, paste(values, collapse = ", "), sub("_category$", "", name))
  }, names(model$categories), model$categories), use.names = FALSE)
  c(
    made, categories,
    if (!is.null(model$source)) "Occasions and levels are those of the data, once they are given",
    if (isTRUE(model$only_simulated)) "No endpoint: a model to simulate from"
  )
}

# A simulated data set with the values of its categories in the columns that the data have.
with_category_values <- function(model, draws) {
  for (name in intersect(names(model$categories), names(draws))) {
    draws[[sub("_category$", "", name)]] <- model$categories[[name]][draws[[name]]]
    draws[[name]] <- NULL
  }
  draws
}
