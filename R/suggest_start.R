#' Starting values from the data
#'
#' Finds typical values from which a fit can start: those that a self-starting model
#' knows itself; for models with doses those that areas under the curve and terminal slopes
#' say; else of many combinations of likely sizes those whose predictions come nearest
#' to the data. The best of them are improved by fits of the pooled model, in which every
#' subject is typical. Where several places fit the pooled data about equally well, as absorption and elimination
#' exchanged do (flip-flop), short fits with the random effects choose.
#'
#' [fit_nlme()] asks it itself when a formula comes without `start`, and says
#' what it found.
#'
#' @param model (formula or `nlme_model`) a formula as for [nlme_formula()], whose names that are
#'   no columns of `data` are the parameters; or a model, whose own starting values are the first guess.
#' @param data (data.frame) the records, as for [fit_nlme()].
#' @param id,time,events as for [fit_nlme()].
#' @param ... for a formula: further arguments of [nlme_formula()], such as `transform` and `covariates`.
#' @returns A named list for `start` of [fit_nlme()]: typical values and residual error on
#'   the natural scale. The same data give the same values.
#' @examples
#' suggest_start(circumference ~ SSlogis(age, Asym, xmid, scal), Orange)
#' suggest_start(circumference ~ Asym / (1 + exp((xmid - age) / scal)), Orange)
#' @export
suggest_start <- function(model, data, id = NULL, time = NULL, events = NULL, ...) {
  check_order(model, data, match.call())
  check_frame(data, "data")
  options <- list(id = id, time = time, events = events)
  if (is.function(model)) model <- as_nlme_model(model)
  if (rlang::is_formula(model)) {
    design <- formula_design(rlang::enquos(...), data, id)
    parts <- formula_parts(model, NULL, c(design, list(options = options)))
    return(parts$suggested)
  }
  check_model(model, rlang::enquos(...))
  model <- with_data(model, data)
  improved_start(model, as.data.frame(data), options)
}

# Of a model with starting values: the best of the fits from there and from what the doses say.
improved_start <- function(model, data, options) {
  pooled <- pooled_model(model)
  options <- pooled_options(model, data, options)
  own <- model_values(pooled)
  given <- data
  data <- read_records(pooled, data, options)
  rows <- pooled_rows(data, options)
  open <- location_parameters(pooled)
  scales <- vapply(pooled$spec$parameters, function(parameter) c(parameter$scale, "identity")[1L], "")
  names(scales) <- names(own)
  starts <- c(
    list(list()), compartment_starts(pooled, data, options),
    # More would be looked for in vain.
    if (length(open) %in% 1:8 && !has_states(pooled)) candidate_starts(pooled, data, open, as.list(scales), options)
  )
  best <- best_pooled(pooled, rows, starts, NULL, options)
  types <- vapply(pooled$spec$parameters, `[[`, "", "type")
  told <- setdiff(names(own)[!types %in% square_types], names(pooled$fix))
  if (is.null(best)) return(own[told])
  optima <- pooled_optima(pooled, rows, best, open, scales, NULL, options)
  found <- lapply(optima, function(one) one$values[told])
  best_of_starts(found, function(start) with_start(model, start), given, options)
}

# The model with other starting values.
with_start <- function(model, start) {
  names <- vapply(model$spec$parameters, `[[`, "", "name")
  for (name in intersect(names(start), names)) {
    model$spec$parameters[[match(name, names)]]$value <- start[[name]]
  }
  again <- new_nlme_model(model$spec)
  again[setdiff(names(model), names(again))] <- model[setdiff(names(model), names(again))]
  again
}

# Numbers in the mean of the only outcome, free of bounds: what a grid can look for.
location_parameters <- function(pooled) {
  spec <- pooled$spec
  outcome <- Filter(function(statement) statement$kind == "outcome", spec$statements)
  if (length(outcome) != 1L || !outcome[[1L]]$dist$call %in% c("normal", "lognormal")) return(character())
  errors <- unlist(lapply(outcome[[1L]]$dist$args[-1L], tree_symbols))
  plain <- Filter(function(parameter) {
    parameter$type == "real" && length(parameter$value) == 1L && is.null(c(parameter$lower, parameter$upper))
  }, spec$parameters)
  setdiff(vapply(plain, `[[`, "", "name"), c(errors, names(pooled$fix)))
}

# Values of a formula whose parameters `open` have none, a list of them where several are as likely. `self` are those
# that a self-starting model says.
formula_suggestion <- function(model, data, open, transform, self, options) {
  if (!is.data.frame(data)) {
    stop_option(
      "missing_argument", "`start` names the parameters and their typical values.",
      hint = sprintf("Write `start = c(%s)`.", paste(open, "= 1", collapse = ", "))
    )
  }
  data <- as.data.frame(data)
  options <- pooled_options(model, data, options)
  pooled <- pooled_model(model)
  data <- read_records(pooled, data, options)
  rows <- pooled_rows(data, options)
  hold <- grep("^beta_", vapply(pooled$spec$parameters, `[[`, "", "name"), value = TRUE)
  fix <- stats::setNames(rep(list(0), length(hold)), hold)
  starts <- if (!is.null(self)) list(self) else c(
    lapply(compartment_starts(pooled, data, options), function(start) start[intersect(open, names(start))]),
    candidate_starts(pooled, data, open, transform, options)
  )
  starts <- Filter(function(start) all(open %in% names(start)), starts)
  best <- best_pooled(pooled, rows, starts, fix, options)
  if (is.null(best) && length(starts) > 0L) return(starts[1L])
  if (is.null(best)) {
    stop_start(
      "no_start", "No starting values were found: the prediction is not finite for any that were tried.",
      hint = sprintf("Write `start = c(%s)`.", paste(open, "= 1", collapse = ", "))
    )
  }
  optima <- pooled_optima(pooled, rows, best, open, unlist(transform), fix, options)
  # Where the optimum is the one that a self-starting model means, its own values stay.
  lapply(optima, function(one) {
    if (!is.null(self) && identical(one$values, best$values)) one$values[names(self)] <- self
    one$values[setdiff(names(one$values), hold)]
  })
}

# SDs of effects that act on a parameter itself: a fifth of its size. A chain finds its way from a large SD
# sooner than from one that is far too small. On other scales 1 is large.
suggested_spreads <- function(parts, values, statements = NULL) {
  effects <- groupings_effects(parts$groupings)
  spreads <- list()
  for (block in groupings_structure(parts$groupings)$random) {
    names <- effects$parameter[match(block$names, effects$effect)]
    sizes <- 0.2 * abs(unlist(values[names]))
    logged <- vapply(names, is_logarithm, NA, statements)
    sizes[sizes == 0 | unlist(parts$transform[names]) != "identity" | logged] <- 1
    omega <- block$dist$args[[2L]]$sym
    spreads[[omega]] <- if (block$dist$call == "mvnormal") diag(sizes^2) else unname(sizes)
  }
  spreads
}

# Whether a name stands nowhere but as the logarithm of something, exp(lka) or exp(lcl - lv).
is_logarithm <- function(name, statements) {
  # Its individual value, `.lka <- lka + eta`, stands for it.
  own <- c(name, paste0(".", name))
  statements <- Filter(function(statement) !identical(statement$target, own[2L]), statements)
  logged <- function(tree, inside = FALSE) {
    if (!is.null(tree$sym)) return(if (tree$sym %in% own) inside)
    inside <- identical(tree$call, "exp") || inside && isTRUE(tree$call %in% c("+", "-", "("))
    unlist(lapply(tree_parts(tree), logged, inside))
  }
  found <- unlist(lapply(statements, function(statement) lapply(statement_trees(statement), logged)))
  length(found) > 0L && all(found)
}

# The SD of the outcome about the predictions for typical subjects, as the start of the one residual parameter.
residual_at_start <- function(model, data, options) {
  data <- as.data.frame(data)
  pooled <- pooled_model(model)
  options <- pooled_options(model, data, options)
  rows <- pooled_rows(read_records(pooled, data, options), options)
  parameters <- pooled$spec$parameters
  first <- parameters[[1L]]
  misfit <- candidate_misfits(pooled, rows, stats::setNames(data.frame(first$value), first$name), options)
  sd <- sqrt(misfit / max(1, sum(is.finite(as.numeric(rows[[pooled$described$outcomes[1L]]])))))
  if (is.finite(sd) && sd > 0) stats::setNames(list(sd), parameters[[length(parameters)]]$name)
}

# The records as the model reads them; what is wrong with them is said before anything is computed.
read_records <- function(pooled, data, options) {
  bind_data(pooled, data, options$id, options$time, events = options$events)$frame
}

# Subjects matter to the pooled model where equations lead from row to row.
pooled_options <- function(model, data, options) {
  if (is.null(options$id) && has_states(model)) {
    single <- grep(":", model$groups, fixed = TRUE, value = TRUE, invert = TRUE)
    options$id <- if (length(single) > 0L) utils::tail(single, 1L) else column_like(data, "ID")
  }
  if (!has_states(model)) options$id <- NULL
  options
}

# Enough rows to start from: whole subjects spread over all of them.
pooled_rows <- function(data, options, most = 2000L) {
  if (nrow(data) <= most) return(data)
  if (is.null(options$id)) return(data[round(seq(1, nrow(data), length.out = most)), , drop = FALSE])
  subject <- pooled_subjects(data, options)
  all <- unique(subject)
  kept <- all[unique(round(seq(1, length(all), length.out = max(1, length(all) * most %/% nrow(data)))))]
  data[subject %in% kept, , drop = FALSE]
}

# The best of the pooled fits from several starts, or NULL. Where two of them end at the
# same place, and none better, the others are left out.
best_pooled <- function(pooled, data, starts, fix, options) {
  best <- NULL
  for (start in starts) {
    fit <- pooled_fit(pooled, data, if (length(start) > 0L) start, fix, options)
    if (is.null(fit)) next
    if (!is.null(best) && abs(fit$log_lik - best$log_lik) < 0.01) break
    if (is.null(best) || fit$log_lik > best$log_lik) best <- fit
  }
  best
}

model_values <- function(model) {
  names <- vapply(model$spec$parameters, `[[`, "", "name")
  stats::setNames(lapply(model$spec$parameters, `[[`, "value"), names)
}

inform_of_start <- function(values) {
  values <- values[!grepl("^omega", names(values))]
  shown <- vapply(values, function(value) format(signif(value, 3L)), "")
  rlang::inform(
    sprintf(
      "Starting at values found from the data: `start = c(%s)`.", paste(names(values), "=", shown, collapse = ", ")
    ),
    class = "nlmers_message_start"
  )
}
