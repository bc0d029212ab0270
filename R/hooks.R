# Functions of the user that take part in a running fit: the core asks, R answers.

#' Functions of the user in SAEM
#'
#' What the functions given to [saem()] as `update_schedule`, `suffstats`, `q_from_stats` and
#' `mstep_closed_form` are called with and must return. Arguments are given by position; a function may
#' leave out the last ones.
#'
#' @section `update_schedule(n_batches, iteration)`:
#' Returns the numbers, from 1 to `n_batches`, of the batches whose random effects are drawn in this
#' iteration; the others keep their draws. A batch is a set of levels that share no record with those of
#' another: the subject, where it is the only grouping.
#'
#' @section `suffstats(data, batches, effects, parameters, fixed)`:
#' Returns statistics of the draws of one chain: a number, an array, or a named list of such, which may hold
#' lists. Names and shapes must stay the same. It is called in every iteration, once a chain, and the results are
#' averaged. With the gain of the iteration, `s` then moves by `gain * (s_new - s)`, each element by itself; the
#' first gain above 0 takes `s_new` as it is.
#'
#' * `data`: the data frame given to [fit_nlme()].
#' * `batches`: a list with one element a batch, `list(levels = , rows = )`: the levels by grouping, as in
#'   `list(id = "3")`, and the rows of `data`.
#' * `effects`: a list with one numeric vector a batch: the draws of the random effects, as the model writes them,
#'   effect by effect and for each effect level by level, with names such as `eta[3]`. Levels with fixed values
#'   are left out.
#' * `parameters`: a named list of the parameters on the natural scale, before the M-step.
#' * `fixed`: the levels with fixed values, as in `list(eta = c("3" = 0.2))`.
#'
#' @section `mstep_closed_form(s, data)`:
#' Returns a named list or vector with the natural values of *all* parameters that maximize given the statistics
#' `s`. Values outside the bounds are moved into them; parameters held by `fix` keep their values.
#'
#' @section `q_from_stats(s, parameters, data)`:
#' Returns one number, the objective at `parameters` given the statistics `s`; larger is better. An optimizer
#' maximizes it when there is no `mstep_closed_form`, over all parameters that are not held by `fix`: closed forms of
#' the package are taken only for those named with `builtin_stats = "closed_form"`. The fit reports it in any case. It
#' may be infinite or not a number where parameters are impossible, but not at an estimate.
#'
#' @section Errors and random numbers:
#' An error in one of the functions stops the fit with its message, and so does a result that is not as described.
#' The functions may use R's random numbers: they have a generator of their own, which the seed of the fit
#' starts. R's own is left alone.
#'
#' @examples
#' # A normal random intercept, whose M-step has a closed form.
#' model <- nlme_model(
#'   fixed(mu = 60, omega = positive(10), sigma = positive(5)),
#'   random(eta ~ normal(0, omega) | Subject),
#'   {
#'     level <- mu + eta
#'     score ~ normal(level, sigma)
#'   }
#' )
#' suffstats <- function(data, batches, effects, parameters, fixed) {
#'   level <- parameters$mu + unlist(effects)
#'   rows <- lapply(batches, `[[`, "rows")
#'   residual <- data$score[unlist(rows)] - rep(level, lengths(rows))
#'   list(level = mean(level), square = mean(level^2), error = mean(residual^2))
#' }
#' mstep_closed_form <- function(s, data) {
#'   list(mu = s$level, omega = sqrt(s$square - s$level^2), sigma = sqrt(s$error))
#' }
#' q_from_stats <- function(s, parameters, data) {
#'   about_mu <- s$square - 2 * s$level * parameters$mu + parameters$mu^2
#'   subjects <- length(unique(data$Subject))
#'   -subjects * (log(parameters$omega) + about_mu / (2 * parameters$omega^2)) -
#'     nrow(data) * (log(parameters$sigma) + s$error / (2 * parameters$sigma^2))
#' }
#' scores <- data.frame(
#'   Subject = rep(1:10, each = 3),
#'   score = 60 + rep(c(-9, 4, 12, -3, 7, -14, 1, 16, -6, 2), each = 3) + c(-4, 1, 3)
#' )
#' method <- saem(
#'   exploration = 50, smoothing = 50, suffstats = suffstats,
#'   q_from_stats = q_from_stats, mstep_closed_form = mstep_closed_form
#' )
#' fit_nlme(model, scores, method, seed = 1, progress = FALSE)$parameters[c("name", "natural")]
#' @name saem_hooks
NULL

# What a fit knows that the functions are told.
hook_setting <- function(model, data, settings) {
  list(
    data = as.data.frame(data), parameters = model$spec$parameters, fixed = settings$levels, seed = settings$seed
  )
}

# The function the core asks, or NULL for a method without functions of the user. It holds the statistics of this
# fit.
hook_dispatcher <- function(hooks, setting) {
  if (length(hooks) == 0L) return(NULL)
  generate <- own_generator(setting$seed)
  calls <- lapply(stats::setNames(nm = names(hooks)), function(name) hook_call(hooks[[name]], name))
  run <- function(name, ...) generate(calls[[name]](...))
  statistics <- hook_statistics()
  batches <- NULL
  answers <- list(
    batches = function(arguments) {
      batches <<- batch_description(arguments)
      numeric()
    },
    update_schedule = function(arguments) {
      batch_numbers(run("update_schedule", arguments$n_batches, arguments$iteration), arguments$n_batches)
    },
    suffstats = function(arguments) {
      parameters <- natural_values(arguments$parameters, setting$parameters)
      chains <- lapply(seq_len(ncol(arguments$effects)), function(chain) {
        effects <- batch_effects(arguments$effects[, chain], batches)
        run("suffstats", setting$data, batches$list, effects, parameters, setting$fixed)
      })
      statistics$move(chains, arguments$gain)
      numeric()
    },
    q_from_stats = function(arguments) {
      parameters <- natural_values(arguments$parameters, setting$parameters)
      objective_number(run("q_from_stats", statistics$current(), parameters, setting$data))
    },
    mstep_closed_form = function(arguments) {
      natural_elements(run("mstep_closed_form", statistics$current(), setting$data), setting$parameters)
    }
  )
  # Functions of the user may take long, so that an interrupt ends them at once; the core then learns of it.
  function(name, arguments) {
    tryCatch(
      list(ok = TRUE, value = allowInterrupts(as.double(answers[[name]](arguments)))),
      nlmers_hook = function(condition) condition$answer,
      error = function(condition) hook_answer(name, conditionMessage(condition), stopped = TRUE)
    )
  }
}

hook_answer <- function(hook, message, hint = NULL, stopped = FALSE) {
  list(ok = FALSE, hook = hook, message = message, hint = hint, stopped = stopped)
}

# A function gave what it must not; `problem` goes on after its name.
stop_hook <- function(hook, problem, hint = NULL) {
  message <- sprintf("`%s` %s.", hook, problem)
  stop(structure(
    class = c("nlmers_hook", "error", "condition"),
    list(message = message, call = NULL, answer = hook_answer(hook, message, hint))
  ))
}

# Call a function of the user with as many arguments as it takes. Arguments are passed by name of a variable: in a call
# that holds the data themselves a warning would print them all.
hook_call <- function(hook, name) {
  taken <- names(formals(args(hook)))
  function(...) {
    given <- list(...)
    if (!"..." %in% taken) given <- utils::head(given, length(taken))
    places <- lapply(seq_along(given), function(i) call("[[", quote(given), i))
    tryCatch(
      eval(as.call(c(quote(hook), places))),
      error = function(condition) {
        answer <- hook_answer(name, conditionMessage(condition), stopped = TRUE)
        stop(structure(
          class = c("nlmers_hook", "error", "condition"),
          list(message = answer$message, call = NULL, answer = answer)
        ))
      }
    )
  }
}

# Evaluate code with random numbers of its own, which go on from call to call; R's own generator is left as it was.
own_generator <- function(seed) {
  state <- NULL
  global <- globalenv()
  function(code) {
    users <- global$.Random.seed
    on.exit({
      state <<- global$.Random.seed
      if (is.null(users)) rm(".Random.seed", envir = global) else global$.Random.seed <- users
    })
    if (is.null(state)) {
      set.seed(seed %% .Machine$integer.max, "Mersenne-Twister", "Inversion", "Rejection")
    } else {
      global$.Random.seed <- state
    }
    code
  }
}

# What the core says of the batches: the list users see, the names of the effects, and where each batch has its own.
batch_description <- function(arguments) {
  n <- length(arguments$lengths)
  numbers <- seq_len(n)
  of_batch <- function(values, batch) unname(split(values, factor(batch, numbers)))
  rows <- of_batch(seq_along(arguments$rows), arguments$rows)
  levels <- lapply(arguments$levels, function(group) of_batch(group$labels, group$batch))
  list(
    list = lapply(numbers, function(b) list(levels = lapply(levels, `[[`, b), rows = rows[[b]])),
    names = arguments$names,
    places = of_batch(seq_along(arguments$names), rep(numbers, arguments$lengths))
  )
}

batch_effects <- function(draws, batches) {
  names(draws) <- batches$names
  lapply(batches$places, function(places) draws[places])
}

batch_numbers <- function(numbers, n) {
  hint <- sprintf("Return different whole numbers from 1 to %d, at least one.", n)
  if (!is.numeric(numbers) || length(numbers) == 0L) stop_hook("update_schedule", "names no batch", hint)
  wrong <- !(is.finite(numbers) & numbers == round(numbers) & numbers >= 1 & numbers <= n)
  if (any(wrong)) {
    stop_hook("update_schedule", sprintf("names %s, which is not a batch", code_text(numbers[wrong][1L])), hint)
  }
  if (anyDuplicated(numbers) > 0L) {
    stop_hook("update_schedule", sprintf("names batch %d twice", numbers[anyDuplicated(numbers)]), hint)
  }
  numbers
}

objective_number <- function(value) {
  if (!is.numeric(value) || length(value) != 1L) {
    stop_hook("q_from_stats", "must return one number", sprintf("It returned %s.", shape_text(value)))
  }
  value
}
