#' Fit a nonlinear mixed effects model
#'
#' @param model (`nlme_model` or formula) a model of [nlme_model()] or
#'   [nlme_formula()], or directly the formula of the latter; or a model of
#'   [saemix_model()], with data of [saemix_data()] and options of [saemix_control()]; or a
#'   model function of nlmixr2, see [as_nlme_model()].
#' @param data (data.frame) one row a record. A missing outcome is skipped; other
#'   columns the model uses must be complete.
#' @param method (`nlme_method`) the estimator with its options: [saem()] or [vem()].
#' @param id (character or NULL) the grouping column. `NULL` takes the group
#'   named in the random effects; of a model without any a column `id` in any case, else every row is
#'   by itself or, with differential equations or Markov chains, all are of one subject.
#' @param time (character or NULL) the time column, used for plots. `NULL` takes
#'   the first of `time`, `TIME` and `t`, then any case of `time`.
#' @param start (named numeric or list) starting values on the natural scale, by
#'   parameter; those left out keep the model's. For a formula, see
#'   [nlme_formula()]; where it is left out [suggest_start()] finds them.
#' @param fix (named numeric or list, or character) values on the natural scale at
#'   which parameters are held fixed; names alone, as in `fix = c("ka", "V")`, hold
#'   them at their starting values. The name of a random effect holds chosen levels
#'   of it: `fix = list(eta = c("3" = 0.2))`.
#' @param seed (integer or NULL) seed of all random numbers of the fit. `NULL`
#'   draws one from R's generator; R's generator is otherwise left alone.
#' @param threads (integer or NULL) threads. `NULL` is
#'   `getOption("nlmers.threads")`, else the smaller of 2 and the cores there are. More than
#'   these are never started: as `parallelly::availableCores()` counts them, or, without that
#'   package, as quotas of containers, options and variables of the schedulers of clusters and
#'   the system allow. The result does not depend on it.
#' @param progress (logical) show a progress bar. Handlers of the progressr
#'   package are told of the progress in any case.
#' @param start_from (`nlme_fit`, character or NULL) where to start. The estimates of
#'   a fit become the starting values of the parameters of the same name and size, and
#'   its random effects the first draws of the levels of the same name, of [vem()] the first
#'   means of their approximations; `start` comes first. A fit that was interrupted, or the
#'   path of a `checkpoint`, goes on where it stopped. See Details.
#' @param checkpoint (character or NULL) path of a file in which the fit keeps its state
#'   while it runs, and when it is interrupted; for [saem()] only. Nothing is written without it.
#' @param every (integer) iterations between two checkpoints.
#' @param events (named character or NULL) for a model with differential equations: columns of
#'   dosing records that have other names than usual, as in `events = c(amt = "dose")`; `NA` for
#'   a column that is called like one but is none. See Dosing records.
#' @param ode_control (`nlme_ode_control` or NULL) for a model with differential equations: options of their
#'   solver, of [ode_control()], as a model of [nlme_model()] may hold them itself.
#' @param ... for a formula: `transform`, `random`, `covariates`, `error` and
#'   `correlated` of [nlme_formula()], and what it takes of `nlme()`.
#' @details
#' A fit that goes on ends with the same numbers, bit for bit, as one that was never
#' stopped, whatever `threads`. It must be the same fit: another model, other data, other
#' options of the method and other starting or fixed values are refused. Starting values
#' and seed may be left out; with an interrupted fit so may model, data, method and
#' `fix`, as in `fit_nlme(start_from = fit)`. With a checkpoint call `fit_nlme()` as the
#' first time and add `start_from = "path"`. A model with functions of its own in [saem()]
#' cannot go on, because what they remember is not kept. An interrupted fit without its
#' state, `fit$state <- NULL`, lends its estimates like any other.
#'
#' A formula takes its parameters from `start`; with `start_from = fit` it may be left
#' out, and they are those of the fit (`update(fit, start = NULL, start_from = fit)`).
#' A model without random effects is fitted by maximum likelihood: Newton's steps on the likelihood itself,
#' which is exact. Options of [saem()] and [vem()] that are about draws, points and iterations have no
#' part in it.
#' @section Dosing records:
#' Data of a model with differential equations may hold doses among the observations, in the
#' columns of NONMEM, whose names are matched without case:
#' * `EVID`: 0 observation, 1 dose, 2 other, 3 reset of all states to their initial values, 4 reset,
#'   then dose. Without the column a row with `AMT` is a dose. Doses, resets, other rows and rows
#'   with `MDV = 1` hold no outcome, whatever stands in its column.
#' * `AMT`: the amount. `CMT`: the name or number of the state that takes it; by default the first.
#' * `RATE`: above 0 the dose is an infusion at this rate; -1 at `rate(state)` of the model, -2 over
#'   `dur(state)`. With bioavailability `f(state)` the amount is `f * AMT`, at the rate given.
#' * `ADDL` and `II`: `ADDL` more doses follow, `II` apart.
#' * `SS`: 1 says that the dose is the last of infinitely many, `II` apart, which take the place of what
#'   was there; 2 that they are added to it. A rate without amount and `II` is a constant infusion
#'   at steady state, which ends at its record. With `alag(state)` all those doses are late.
#'   States that only add up, areas under curves say, begin anew at such a dose with `SS = 1`.
#'
#' A missing value is 0. Of one time, rows keep their order in the data frame: an observation
#' above a dose is before it. Additional and lagged doses that fall on the time of a row come before
#' it. A reset, and `SS = 1`, end infusions and take back additional and lagged doses of the rows
#' before. Time goes on over a reset.
#' @returns An object of class `nlme_fit`. Interrupting the fit returns what there
#'   is, with status `interrupted`, and `start_from` goes on with it. See [fixef()], [ranef()], [VarCorr()],
#'   [vcov.nlme_fit()], [confint.nlme_fit()], [predict.nlme_fit()],
#'   [logLik.nlme_fit()], [plot.nlme_fit()], [tidy.nlme_fit()] and [convergence()].
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   time = "age", seed = 1
#' )
#' fit
#' @export
fit_nlme <- function(model, data, method = saem(), id = NULL, time = NULL,
                     start = NULL, fix = NULL, seed = NULL, threads = NULL,
                     progress = interactive(), start_from = NULL, checkpoint = NULL,
                     every = 50, events = NULL, ode_control = NULL, ...) {
  call <- match.call()
  dots <- rlang::enquos(...)
  if (!missing(model)) check_order(model, data, call)
  origin <- fit_origin(start_from)
  kept <- kept_state(checkpoint, if (!missing(every)) every)
  if (missing(model) && !is.null(origin$fit)) model <- origin$fit$model
  if (missing(method) && origin$resumes && !is.null(origin$fit)) method <- origin$fit$method
  if (missing(data) && !is.null(origin$fit)) {
    data <- origin$fit$data$frame
    if (is.null(id)) id <- origin$fit$data$group
    if (is.null(time)) time <- origin$fit$data$time
    if (is.null(events)) events <- origin$fit$data$events
  }
  if (inherits(model, "nlsList")) {
    lists <- formula_of_lists(model, dots, start, parent.frame())
    if (missing(data)) data <- lists$data
    model <- lists$formula
    start <- lists$start
    dots <- lists$dots
  }
  if (is.function(model)) model <- as_nlme_model(model)
  model <- as_saemix_model(model)
  env <- if (inherits(model, "formula")) environment(model) else parent.frame()
  if (missing(data)) {
    stop_option(
      "missing_argument", "`data` says which records to fit.",
      hint = "Give a data frame with one row a record."
    )
  }
  if (inherits(model, "saemix_model")) {
    check_no_dots(dots)
    with_ode_control(model, ode_control)
    settings <- list(
      id = id, time = time, start = start, fix = fix, seed = seed, threads = threads, progress = progress,
      start_from = start_from
    )
    if (!is.null(kept)) settings[c("checkpoint", "every")] <- kept
    fit <- fit_saemix(model, data, method, settings)
    fit$call <- plain_call(call)
    return(fit)
  }
  given <- names(start)
  check_method(method)
  if (inherits(model, "formula")) {
    if (is.null(start) && !is.null(origin$fit)) start <- formula_start_of(origin$fit, model)
    model <- model_of_formula(model, start, dots, data, list(id = id, time = time, events = events))
    start <- NULL
  } else {
    check_model(model, dots)
    model <- with_data(model, data)
  }
  model <- with_ode_control(model, ode_control)
  refuse_state(method, kept, origin)
  if (!is_evaluation(method)) inform_of_priors(model, method)
  adapted <- adapt_method(method, model, fix)
  method <- adapted$method
  bound <- bind_data(adapted$model, data, id, time, env = env, events = events)
  bound$frame <- without_copied_time(bound$frame, data)
  model <- bound$model
  tell_of_data(bound, data, method)
  held <- held_levels(fix, model)
  settings <- list(
    start = named_values(start, "start", model),
    fix = named_values(held_values(held$parameters, model), "fix", model),
    levels = held$levels,
    seed = fit_seed(seed, origin),
    threads = thread_count(threads)
  )
  course <- list(checkpoint = kept, evaluate = is_evaluation(method))
  if (origin$resumes) {
    course$resume <- resumed_fields(origin)
    if (is.null(origin$path)) on.exit(unlink(course$resume$path))
    left <- c(if (is.null(start)) "start", if (is.null(fix)) c("fix", "levels"))
    if (!is.null(origin$fit)) settings[left] <- origin$fit$settings[left]
  } else if (!is.null(origin$fit)) {
    lent <- lent_by(origin$fit, model, bound, given, method)
    settings$start <- c(settings$start, lent$start)
    course$first <- lent$first
  }
  if (!origin$resumes) tell_of_ranges(model, bound, settings)
  request <- fit_request(model, bound, method, settings, course)
  shown <- check_flag(progress, "progress")
  hooks <- hook_dispatcher(method$hooks, hook_setting(model, data, settings))
  # The core looks for interrupts itself. None that comes while R shows the progress or lays out the fit may lose it.
  suspendInterrupts({
    ask <- function(request) reported_call(request, bound$columns, shown, method$options$verbose, hooks)
    reply <- ask(request)
    settings$seed <- reply$seed
    fit <- precise_fit(new_nlme_fit(call, model, bound, method, settings, reply), bound, course, ask)
    fit <- with_idle_covariates(fit)
    forget_interrupt()
    warn_of_fit(fit)
  })
  fit
}

# Whoever interrupts a fit that is done finds it done.
forget_interrupt <- function() tryCatch(allowInterrupts(Sys.sleep(0)), interrupt = function(condition) NULL)

# A fit that goes on has the seed of its beginning, which the core knows.
fit_seed <- function(seed, origin) {
  if (!is.null(seed)) return(check_count(seed, "seed", 0))
  if (!origin$resumes) sample.int(.Machine$integer.max, 1L)
}

fit_request <- function(model, bound, method, settings, course = list()) {
  core_request("fit", model$spec, c(course, list(
    data = bound$fields,
    start = value_fields(settings$start),
    fix = value_fields(settings$fix),
    levels = level_fields(settings$levels),
    method = method_fields(method$options),
    seed = settings$seed,
    threads = settings$threads
  )))
}

check_model <- function(model, dots) {
  if (!inherits(model, "nlme_model")) {
    stop_option(
      "bad_model",
      sprintf("`model` must be a model or a formula, not an object of class `%s`.", class(model)[1L]),
      hint = "Write it with `nlme_model()` or as `outcome ~ prediction`."
    )
  }
  check_format(model)
  check_no_dots(dots)
}

check_no_dots <- function(dots) {
  for (name in rlang::names2(dots)) stop_unknown_argument(name, names(formals(fit_nlme)))
}

stop_unknown_argument <- function(name, allowed) {
  stop_option(
    "unknown_argument", sprintf("fit_nlme() has no argument `%s` here.", name),
    hint = nearest_hint(name, setdiff(allowed, "..."), "Arguments"),
    fields = list(name = name)
  )
}

check_method <- function(method) {
  if (!inherits(method, "nlme_method")) {
    stop_option(
      "bad_method", "`method` must be a method object.",
      hint = if (rlang::is_formula(method) || is.list(method)) {
        "A formula in its place is `fixed` for nlme(): write the name, `fixed = ka + V ~ 1`."
      } else if (identical(method, "ML")) {
        "Every fit is by maximum likelihood: leave `method` out, or write `method = saem()` or `method = vem()`."
      } else {
        "Write `method = saem()` or `method = vem()`."
      }
    )
  }
}

# Values by parameter name; a name that is no parameter is an error.
named_values <- function(values, argument, model) {
  if (is.null(values)) return(list())
  values <- as.list(values)
  known <- vapply(model$spec$parameters, `[[`, character(1L), "name")
  if (argument == "fix") values <- held_at_start(values)
  if (any(rlang::names2(values) == "")) {
    stop_start(
      "unnamed_value", sprintf("`%s` must be named: every value belongs to a parameter.", argument),
      hint = sprintf("Write `%s = c(%s = %s)`.", argument, known[1L], first_number(values))
    )
  }
  check_named_once(values, argument)
  for (name in setdiff(rlang::names2(values), known)) {
    stop_start(
      "unknown_parameter", sprintf("`%s` names `%s`, which is not a parameter.", argument, name),
      hint = nearest_hint(name, known, "Parameters"), fields = list(name = name)
    )
  }
  for (name in names(Filter(Negate(is.null), values))) {
    parameter <- model$spec$parameters[[match(name, known)]]
    values[[name]] <- elements_of(values[[name]], parameter, argument)
  }
  values
}

check_named_once <- function(values, argument) {
  twice <- names(values)[duplicated(names(values))]
  if (length(twice) == 0L) return(invisible())
  stop_start(
    "name_used_twice", sprintf("`%s` gives `%s` twice.", argument, twice[1L]),
    hint = sprintf("For several values write `%1$s = list(%2$s = c(1, 2))`.", argument, twice[1L]),
    fields = list(name = twice[1L])
  )
}

# A model may hold parameters itself, as `fixed.estim = 0` of saemix does.
held_values <- function(fix, model) {
  if (is.null(model$fix)) return(fix)
  fix <- as.list(fix)
  named <- c(rlang::names2(fix), unlist(Filter(is.character, fix)))
  c(fix, model$fix[setdiff(names(model$fix), named)])
}

# `fix = "ka"` names a parameter without a value: it is held at its start, which
# the core is told by a null.
held_at_start <- function(values) {
  held <- rlang::names2(values) == "" & vapply(values, is.character, logical(1L))
  c(values[!held], stats::setNames(vector("list", sum(held)), unlist(values[held])))
}

# `fix` apart in parameters and random effects: `fix = list(eta = c("3" = 0.2))`
# holds the effect `eta` of level 3.
held_levels <- function(fix, model) {
  fix <- as.list(fix)
  effects <- rlang::names2(fix) %in% model$described$effects
  for (name in names(fix)[effects]) check_levels(fix[[name]], name)
  list(parameters = fix[!effects], levels = fix[effects])
}

check_levels <- function(values, name) {
  if (!is.numeric(values) || !all(is.finite(values)) || any(rlang::names2(values) == "")) {
    stop_start(
      "unnamed_value",
      sprintf("`fix` gives the random effect `%s` values that do not say for which levels.", name),
      hint = sprintf("Name them by level: `fix = list(%s = c(\"1\" = 0))`.", name),
      fields = list(name = name)
    )
  }
}

first_number <- function(values) {
  number <- unlist(values[rlang::names2(values) == ""])[1L]
  if (is.numeric(number)) format(number) else "1"
}

# The elements the core counts: of a covariance matrix the lower triangle row by
# row, which for a symmetric matrix is the upper one column by column; of other
# matrices all, row by row.
elements_of <- function(value, parameter, argument) {
  if (!is.numeric(value) || !all(is.finite(value))) {
    stop_start(
      "bad_value",
      sprintf("`%s` gives `%s` a value that is not a finite number.", argument, parameter$name),
      hint = sprintf(
        "Write a number, as in `%s = list(%s = %s)`.", argument, parameter$name, code_text(parameter$value)
      ),
      fields = list(name = parameter$name)
    )
  }
  if (!parameter$type %in% square_types) {
    if (length(value) != length(parameter$value)) stop_value_length(value, parameter, argument)
    return(as.numeric(value))
  }
  symmetric <- parameter$type == "covariance_matrix"
  fits <- identical(dim(value), rep(parameter$dim, 2L))
  if (!fits || (symmetric && !isSymmetric(unname(value)))) {
    stop_start(
      "bad_value",
      sprintf("`%s` must give `%s` a %s%d x %d matrix.", argument, parameter$name,
              if (symmetric) "symmetric " else "", parameter$dim, parameter$dim),
      fields = list(name = parameter$name)
    )
  }
  if (symmetric) value[upper.tri(value, diag = TRUE)] else row_major(value)
}

stop_value_length <- function(value, parameter, argument) {
  stop_start(
    "start_length",
    sprintf("`%s` gives `%s` %d value%s; it has %d.", argument, parameter$name, length(value),
            if (length(value) == 1L) "" else "s", length(parameter$value)),
    hint = if (length(parameter$value) <= 12L) {
      sprintf("Write `%s = list(%s = %s)`.", argument, parameter$name, code_text(parameter$value))
    },
    fields = list(name = parameter$name)
  )
}

# Trouble of a finished fit is a value in it, and a warning once.
warn_of_fit <- function(fit) {
  status <- fit$status
  if (!status$code %in% c("converged", "evaluated")) {
    warn_nlmers(status$code, paste(
      c(paste0(status_sentence(fit), "."), status$evidence, status_advice(fit)), collapse = "\n"
    ))
  }
  for (text in fit$warnings) warn_nlmers("fit", text)
}
