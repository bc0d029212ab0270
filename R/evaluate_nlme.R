#' Evaluate a model at given values, without fitting it
#'
#' What a fit would say if its estimates were the values given: predictions, conditional modes of the random
#' effects, log-likelihood and residuals of the data. It is `MAXEVAL = 0` of NONMEM and `est = "posthoc"` of
#' nlmixr2: for a published model and data of one's own, for new subjects of a fitted model, or to look at
#' starting values.
#'
#' @inheritParams fit_nlme
#' @param data (data.frame) one row a record; its columns are those of a fit. For a model of
#'   [saemix_model()] the data of [saemix_data()].
#' @param start (named numeric or list) the values, on the natural scale, by parameter; those left out keep the
#'   model's. For a formula, see [nlme_formula()].
#' @param fix (named numeric or list, or character) values of parameters that count as known, not as estimated: they
#'   are no degrees of freedom of [logLik()]. The name of a random effect gives chosen levels of it their values, as in
#'   [fit_nlme()].
#' @param start_from (`nlme_fit` or NULL) a fit whose estimates are the values; `start` comes first. With
#'   `start_from = fit` the model may be left out.
#' @param seed (integer or NULL) seed of the draws for conditional means and standard deviations. `NULL` draws one from
#'   R's generator; R's generator is otherwise left alone.
#' @returns An object of class `nlme_fit` whose status is `evaluated`. All that works on a fit works on it, but for
#'   what needs a maximum: there are no standard errors. [convergence()] says that nothing was fitted.
#' @seealso [predict.nlme_model()] for curves of a model without data of the outcome, [simulate.nlme_model()].
#' @examples
#' model <- nlme_formula(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8)
#' )
#' known <- evaluate_nlme(model, Orange, start = c(Asym = 192, omega_sd_Asym = 32), seed = 1)
#' known
#' ranef(known)
#' logLik(known)
#' @export
evaluate_nlme <- function(model, data, start = NULL, fix = NULL, id = NULL, time = NULL, seed = NULL,
                          threads = NULL, events = NULL, start_from = NULL, ...) {
  call <- match.call()
  if (!missing(model)) check_order(model, data, call)
  if (!is.null(start_from) && !inherits(start_from, "nlme_fit")) {
    stop_bad_option("start_from", start_from, "a fit")
  }
  # Where an interrupted run stood is of no matter, only its estimates.
  if (!is.null(start_from)) start_from$state <- NULL
  fit <- fit_nlme(
    model, data, evaluation(), id = id, time = time, start = start, fix = fix, seed = seed, threads = threads,
    progress = FALSE, start_from = start_from, events = events, ...
  )
  fit$call <- plain_call(call)
  fit
}

# The method that makes no step: modes and likelihood are found as saem() finds them after its iterations.
evaluation <- function() {
  method <- saem()
  class(method) <- c("nlme_evaluation", class(method))
  method
}

is_evaluation <- function(method) inherits(method, "nlme_evaluation")

# Whether the values of a fit were given, not estimated.
is_evaluated <- function(fit) fit$status$code == "evaluated"

# Values that are those of the model, not of the fit in `start_from`.
inform_of_other_values <- function(names) {
  if (length(names) == 0L) return(invisible())
  rlang::inform(
    sprintf(
      "The fit has no value of %s: taken are the starting values of the model.",
      paste0("`", names, "`", collapse = ", ")
    ), class = "nlmers_message_start"
  )
}

stop_not_fitted <- function(what) {
  stop_option(
    "not_fitted", sprintf("The model was evaluated at given values, not fitted: there %s.", what),
    hint = "`fit_nlme()` with the same arguments estimates the parameters."
  )
}
