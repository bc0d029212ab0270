#' Simulate data from a model or a fit
#'
#' Draws random effects for every group and outcomes for every row: from a model at its
#' starting values, without a fit, or from a fit at its estimates.
#'
#' @param object (`nlme_model` or `nlme_fit`) a model of [nlme_model()], [nlme_formula()] or
#'   [as_nlme_model()], or a fit.
#' @param nsim (integer) number of simulated data sets.
#' @param seed (integer or NULL) seed of the draws. `NULL` draws one from R's generator; R's
#'   generator is otherwise left alone. The seed used is the attribute `seed` of the result.
#' @param data,newdata (data.frame) the design: groups, times, doses and covariates, one row a
#'   record. For a fit, `NULL` takes the data of the fit. Where an outcome is missing it stays
#'   missing; when its column is absent, or missing in all rows, it is simulated in all of them, but those of doses. Of
#'   several outcomes in one column `DV` each is simulated in the rows where `DVID` says so.
#' @param id,time (character or NULL) grouping and time column, as in [fit_nlme()].
#' @param events (named character or NULL) columns of dosing records, as in [fit_nlme()].
#' @param start (named numeric or list) values on the natural scale, by parameter; those left
#'   out keep the model's.
#' @param ... for the generic; an argument that lands here is refused.
#' @details
#' Limits of quantification (the columns `CENS` and `LIMIT`) do not apply to the draws.
#' @returns A data frame with column `sim` (1 to `nsim`), then the columns of the design with the
#'   outcomes replaced by draws; `nsim` times its rows, in its order.
#' @examples
#' model <- nlme_formula(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   start = c(Asym = 170, xmid = 700, scal = 350, omega_sd_Asym = 30),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8)
#' )
#' design <- expand.grid(age = c(100, 500, 1000, 1500), Tree = 1:3)
#' simulate(model, nsim = 2, seed = 1, data = design)
#' @importFrom stats simulate
#' @export
simulate.nlme_model <- function(object, nsim = 1, seed = NULL, data, id = NULL, time = NULL,
                                start = NULL, events = NULL, ...) {
  refuse_dots(...)
  if (missing(data)) {
    stop_option(
      "missing_argument", "`data` says for which records to simulate.",
      hint = "Give a data frame with the groups, times and covariates; the outcome may be absent."
    )
  }
  object <- with_data(object, data)
  simulated(object, data, values_at(object, start), list(
    nsim = nsim, seed = seed, id = id, time = time, events = events
  ))
}

#' @rdname simulate.nlme_model
#' @export
simulate.nlme_fit <- function(object, nsim = 1, seed = NULL, newdata = NULL, ...) {
  check_format(object)
  refuse_dots(...)
  data <- if (is.null(newdata)) object$data$frame else newdata
  # Where DV and a code hold the outcomes together, the draws stand there too.
  if (is.null(newdata) && !is.null(object$data$coded)) {
    data <- data[setdiff(names(data), setdiff(object$model$described$outcomes, object$data$coded))]
  }
  time <- if (isTRUE(object$data$time %in% names(data))) object$data$time
  # A group that says nothing of effects need not be there.
  added <- !has_effects(object) && is.data.frame(data) && !object$data$group %in% names(data)
  if (added) {
    one <- has_states(object$model) || length(object$data$labels) == 1L
    data <- with_groups(data, object$data$group, one)
  }
  draws <- simulated(object$model, data, estimated_values(object), list(
    nsim = nsim, seed = seed, id = object$data$group, time = time, events = object$data$events
  ))
  if (added) draws[[object$data$group]] <- NULL
  draws
}

# Starting values on the natural scale, in the elements the core counts, and in their place those of `start`.
values_at <- function(model, start) {
  values <- start_values(model)
  start <- named_values(start, "start", model)
  values[names(start)] <- start
  values
}

start_values <- function(model) {
  described <- model$described$parameters
  split(described$start, factor(described$base, unique(described$base)))
}

# A density says nothing of how to draw from it.
check_drawable <- function(model) {
  own <- unique(model$described$outcomes[model$described$families == "custom"])
  if (length(own) == 0L) return(invisible())
  problem <- sprintf(
    "The outcome `%s` has a density of its own, custom() or a likelihood, from which nothing can be drawn.", own[1L]
  )
  if (length(own) < length(unique(model$described$outcomes))) {
    warn_nlmers("simulate", paste(problem, "It is missing in the simulated data."))
    return(invisible())
  }
  stop_model(
    "not_drawable", problem, place_of(own[1L], model$spec),
    "To simulate it, write the outcome with a family, as in `y ~ normal(f, sigma)`.", list(column = own[1L])
  )
}

# For each outcome that has no column of its own the rows that DVID gives it, whether DV holds its values or they are
# yet to be drawn.
outcome_rows <- function(model, data, events) {
  outcomes <- setdiff(unique(model$described$outcomes), names(data))
  value <- column_like(data, "DV")
  if (is.null(value)) value <- "DV"
  if (all(is.na(data[[value]]))) {
    dose <- data_events(model, data, events, "newdata")$kinds$dose
    data[[value]] <- ifelse(dose, NA_real_, 0)
  }
  rows <- outcomes_apart(model, data, events)
  lapply(rows[setdiff(intersect(outcomes, names(rows)), value)], function(values) !is.na(values))
}

simulated <- function(model, data, values, settings) {
  nsim <- check_count(settings$nsim, "nsim", 1)
  seed <- if (is.null(settings$seed)) sample.int(.Machine$integer.max, 1L) else check_count(settings$seed, "seed", 0)
  check_frame(data, if (is.null(settings$id)) "data" else "newdata")
  read <- by_convention(model, as.data.frame(data), settings$events)
  given <- read$data
  settings["events"] <- list(read$events)
  model <- nlmixr2_with_data(read$model, given, "newdata")
  given <- with_dose_occasions(model, given, settings$id, settings$time, "newdata", settings$events)
  model <- with_drawn_scales(with_occasions(model, given, settings$id))
  data <- nlmixr2_columns(model, given)
  kinds <- outcome_rows(model, data, settings$events)
  data <- outcomes_apart(model, data, settings$events)
  bound <- bind_data(model, data, settings$id, settings$time, "newdata", events = settings$events)
  model$spec <- bound$model$spec
  # The outcome itself is drawn, whatever part of it a limit would hide.
  model$spec$censoring <- FALSE
  reply <- core_call(core_request("simulate", model$spec, list(
    data = bound$fields, at = list(parameters = value_fields(values)), nsim = nsim, seed = seed
  )), bound$columns)
  check_drawable(model)
  n <- nrow(data)
  draws <- data.frame(sim = rep(seq_len(nsim), each = n))
  # Column by column: names of millions of rows take longer than their draws.
  copied <- rep(seq_len(n), nsim)
  design <- lapply(data, function(x) if (is.null(dim(x))) x[copied] else x[copied, , drop = FALSE])
  draws <- cbind(draws, structure(design, class = "data.frame", row.names = seq_along(copied)))
  for (k in seq_along(reply$outcome)) {
    column <- reply$outcome[k]
    drawn <- reply$value[, k]
    # A record that was not observed is not made up; where none was, all are asked for.
    possible <- if (is.null(kinds[[column]])) rep(TRUE, n) else kinds[[column]]
    possible <- possible & !bound$rows$unobserved
    known <- possible & !is.na(data[[column]])
    if (any(known)) possible <- known
    drawn[rep(!possible, nsim)] <- NA
    draws[[column]] <- drawn
  }
  draws <- drawn_as_given(draws, given, names(kinds))
  rownames(draws) <- NULL
  structure(with_category_values(model, from_drawn_scales(model, draws)), seed = seed)
}

# Draws also stand where the data of the user have them: in the column DV of several outcomes, and under the user's own
# name of a column that the model reads in capitals.
drawn_as_given <- function(draws, given, several) {
  value <- column_like(given, "DV")
  if (is.null(value)) value <- "DV"
  if (length(several) > 0L) draws[[value]] <- NA_real_
  for (column in several) {
    here <- !is.na(draws[[column]])
    draws[[value]][here] <- draws[[column]][here]
  }
  for (column in setdiff(c("id", "DV"), names(given))) {
    own <- column_like(given, toupper(column))
    if (is.null(own) || is.null(draws[[column]])) next
    draws[[own]] <- draws[[column]]
    draws[[column]] <- NULL
  }
  draws
}
