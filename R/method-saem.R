#' The SAEM algorithm
#'
#' Stochastic approximation EM (Delyon, Lavielle and Moulines, 1999; Kuhn and
#' Lavielle, 2005). Each iteration draws the random effects of every subject by
#' Markov chain Monte Carlo, moves the sufficient statistics toward those of the
#' draws by a step `gain`, and maximizes. The gain is 1 during `exploration`, and
#' decreases during `smoothing`.
#'
#' @param exploration (integer) iterations with gain 1, which move to the
#'   neighborhood of the maximum.
#' @param smoothing (integer) iterations with decreasing gain, which average out
#'   the noise of the draws. More of them lower the Monte-Carlo error.
#' @param chains (`"auto"` or integer) Markov chains per subject. `"auto"` takes as
#'   many as make 50 subject-chains together. All chains enter the statistics.
#' @param kernels (named integer) sweeps of each kernel per iteration: `prior`
#'   (independent draws from the population), `random_walk` (one effect at a
#'   time), `block` (random groups of effects) and `independence` (draws around
#'   the conditional mode; Karimi, Lavielle and Moulines, 2020). During `smoothing`
#'   `independence` sweeps eight times as often and `prior`, which has then done its
#'   work, rests. Kernels left out keep their default, 0 turns one off.
#' @param annealing (logical) keep the variances from shrinking faster than
#'   `annealing_rate` per iteration in the first half of the exploration.
#' @param annealing_rate (number in (0, 1)) smallest ratio of a variance to that
#'   of the iteration before, while annealing.
#' @param acceleration (logical) precondition the smoothing by the observed
#'   information, so that its steps are Newton steps on averaged scores. Without it
#'   the gain is 1/k and the fit has no standard errors (see [vcov.nlme_fit()]).
#' @param target_acceptance (number in (0, 1)) acceptance rate to which the scales
#'   of the random-walk kernels adapt.
#' @param log_lik (logical) compute the log-likelihood by adaptive quadrature at
#'   the estimate.
#' @param nodes (integer or NULL) quadrature nodes per dimension; `NULL` chooses by
#'   the number of random effects.
#' @param ... nothing; an unknown option is refused with the nearest known one.
#' @returns An object of class `nlme_method` for [fit_nlme()].
#' @references
#' Delyon B, Lavielle M, Moulines E (1999). Convergence of a stochastic
#' approximation version of the EM algorithm. *Annals of Statistics* 27, 94-128.
#'
#' Kuhn E, Lavielle M (2005). Maximum likelihood estimation in nonlinear mixed
#' effects models. *Computational Statistics & Data Analysis* 49, 1020-1038.
#'
#' Karimi B, Lavielle M, Moulines E (2020). f-SAEM: A fast stochastic
#' approximation of the EM algorithm for nonlinear mixed effects models.
#' *Computational Statistics & Data Analysis* 141, 123-138.
#' @examples
#' saem()
#' saem(exploration = 500, smoothing = 200, chains = 5)
#' @export
saem <- function(exploration = 300, smoothing = 100, chains = "auto",
                 kernels = c(prior = 1, random_walk = 1, block = 1, independence = 2),
                 annealing = TRUE, annealing_rate = 0.95, acceleration = TRUE,
                 target_acceptance = 0.4, log_lik = TRUE, nodes = NULL, ...) {
  refuse_dots(...)
  options <- list(
    name = "saem",
    exploration = check_count(exploration, "exploration", 1),
    smoothing = check_count(smoothing, "smoothing", 0),
    chains = if (identical(chains, "auto")) chains else check_count(chains, "chains", 1),
    kernels = check_kernels(kernels),
    annealing = check_flag(annealing, "annealing"),
    annealing_rate = check_fraction(annealing_rate, "annealing_rate"),
    acceleration = check_flag(acceleration, "acceleration"),
    target_acceptance = check_fraction(target_acceptance, "target_acceptance"),
    log_lik = check_flag(log_lik, "log_lik"),
    nodes = if (is.null(nodes)) NULL else check_count(nodes, "nodes", 1)
  )
  structure(list(options = options), class = "nlme_method")
}

check_kernels <- function(kernels) {
  defaults <- eval(formals(saem)$kernels)
  kernels <- unlist(kernels)
  if (any(rlang::names2(kernels) == "")) {
    stop_option(
      "unnamed_value", "`kernels` must be named: every number belongs to a kernel.",
      hint = "Write `kernels = c(random_walk = 1, independence = 2)`."
    )
  }
  unknown <- setdiff(rlang::names2(kernels), names(defaults))
  if (length(unknown) > 0L) {
    stop_option(
      "unknown_kernel", sprintf("`kernels` names `%s`, which is not a kernel.", unknown[1L]),
      hint = nearest_hint(unknown[1L], names(defaults), "Kernels")
    )
  }
  for (name in names(kernels)) {
    defaults[[name]] <- check_count(kernels[[name]], sprintf("kernels[\"%s\"]", name), 0)
  }
  if (sum(defaults) == 0) {
    stop_option(
      "no_kernel", "All `kernels` are 0: nothing would move the draws.",
      hint = "Leave `kernels` out for the defaults."
    )
  }
  as.list(defaults)
}

#' @export
print.nlme_method <- function(x, ...) {
  options <- x$options
  cat(toupper(options$name), "\n", sep = "")
  cat(paste0("  ", option_lines(options), "\n"), sep = "")
  invisible(x)
}

# "name = value" of every option.
option_lines <- function(options) {
  options$name <- NULL
  values <- vapply(options, function(value) {
    if (is.null(value)) return("NULL")
    shown <- if (is.character(value)) dQuote(value, FALSE) else format(unlist(value))
    if (length(value) > 1L) shown <- paste(names(value), shown, sep = " = ")
    paste(shown, collapse = ", ")
  }, character(1L))
  paste(names(values), values, sep = " = ")
}
