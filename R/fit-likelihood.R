#' Log-likelihood of a fit
#'
#' The log-likelihood of the observations with the random effects integrated out, with all
#' constants.
#'
#' @param object (`nlme_fit`) a fit.
#' @param method (character or NULL) how the integral is computed; `NULL` gives the value
#'   computed with the fit, else what `nodes` or `draws` belong to:
#'   * `"quadrature"`: adaptive Gauss-Hermite quadrature (Pinheiro and Bates, 1995) around the
#'     conditional modes, and from five nodes on around the conditional means (Naylor and Smith,
#'     1982). With random effects of several groupings it is Laplace's approximation, which is
#'     exact for linear models with normal outcomes. What it cannot settle is sampled: see
#'     *How the value is checked*;
#'   * `"importance"`: importance sampling, with draws from a t distribution around the
#'     conditional distribution of each subject, and from mixtures of them where the weights of
#'     these draws are poor. It has no bias that matters, a Monte-Carlo error that is told, and no
#'     limit to the number of random effects;
#'   * `"laplace"`: Laplace's approximation, which is quadrature with one node;
#'   * `"linear"`: the normal likelihood of the model linearized in the random effects around the
#'     conditional modes, for normal outcomes (Lindstrom and Bates, 1990);
#'   * `"conditional"`: the log-likelihood given the random effects at their modes; see Details.
#' @param nodes (integer or NULL) nodes per dimension of `"quadrature"`; 1 is the Laplace
#'   approximation. `NULL` takes as many as it needs, subject by subject.
#' @param draws (integer or NULL) draws of `"importance"` for each subject (each *batch*: what
#'   shares levels of any random effect). `NULL` is the `draws` of [vem()], 1000.
#' @param seed (integer or NULL) seed of the draws of `"importance"`; `NULL` is that of the fit.
#' @param ... for the generic; an argument that lands here is refused.
#' @details
#' The bound that [vem()] maximizes is not a log-likelihood: see [elbo()]. Log-likelihoods are
#' compared (`AIC()`, differences of -2 log L) only where they were computed by the same method.
#'
#' The conditional log-likelihood is the sum of the log densities of the observations, `log p(y |
#' modes, estimates)`. It is no likelihood of the estimates: the modes were fitted to the same
#' observations, and what is lost by integrating over them is not taken off. It is larger than
#' the marginal one, grows with every random effect, and does not compare models: `AIC()` and
#' `BIC()` of it mean nothing. It is what `get_loglikelihood()` of NoLimits.jl gives for a fit by
#' SAEM.
#' @section How the value is checked:
#' Without `nodes` quadrature goes on from small rules to larger ones, each around the means and the
#' covariance that the one before found, until the term of a subject changes by less than 0.0001 (or
#' 0.005 over all subjects, if that is more). A few draws from the population look for what lies
#' outside the last rule: other modes. Subjects whose rules do not agree within a bounded number of
#' points (kinks, many random effects), or that have such other modes, are integrated by importance
#' sampling. `method` is then `"quadrature+importance"`, or `"importance"` where this is so for all of
#' them; `sampled` is their number. With several groupings Laplace's approximation is compared with
#' importance sampling, which takes its place where the two differ.
#'
#' The attribute `error` is what then remains: the sum of the last changes of the terms, and the
#' Monte-Carlo error of those that were sampled. With `nodes` given it is the change from a smaller
#' rule to this one, and nothing is replaced; a rule that is small for the model may well have a
#' larger error than that. `print()` shows errors above 0.01.
#'
#' Importance sampling draws anew, from mixtures of t distributions fitted to the draws, where the
#' effective number of draws is small, their weights have heavy tails, or a few draws from the
#' population find what they miss. Two components of a mixture are not fitted, the population and a
#' widened one, so that the weights stay bounded (Hesterberg, 1995; Cappe and others, 2008).
#' A log-likelihood below the bound of a fit by [vem()] is wrong, and is not shown.
#' @returns An object of class `logLik` with the attributes `df` (free
#'   parameters), `nobs` (observations, which `BIC()` uses), `method` and, where they apply,
#'   `nodes` (the most that a subject has), `error` (of quadrature), `sampled`, `draws` and `mc_error`,
#'   the standard error of the Monte-Carlo estimate.
#' @references Pinheiro JC, Bates DM (1995). Approximations to the log-likelihood
#'   function in the nonlinear mixed-effects model. *Journal of Computational and
#'   Graphical Statistics* 4, 12-35.
#'
#'   Naylor JC, Smith AFM (1982). Applications of a method for the efficient
#'   computation of posterior distributions. *Applied Statistics* 31, 214-225.
#'
#'   Hesterberg T (1995). Weighted average importance sampling and defensive mixture
#'   distributions. *Technometrics* 37, 185-194.
#'
#'   Cappe O, Douc R, Guillin A, Marin JM, Robert CP (2008). Adaptive importance sampling in general
#'   mixture classes. *Statistics and Computing* 18, 447-459.
#'
#'   Lindstrom MJ, Bates DM (1990). Nonlinear mixed effects models for repeated measures data.
#'   *Biometrics* 46, 673-687.
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   seed = 1
#' )
#' logLik(fit)
#' logLik(fit, nodes = 15)
#' logLik(fit, method = "importance", draws = 500)
#' logLik(fit, method = "conditional")
#' AIC(fit)
#' @importFrom stats logLik
#' @export
logLik.nlme_fit <- function(object, method = NULL, nodes = NULL, draws = NULL, seed = NULL, ...) {
  check_format(object)
  refuse_dots(...)
  method <- likelihood_asked(object, method, nodes, draws)
  refuse_of_likelihood(method, nodes, draws, seed)
  known <- if (method == "conditional") {
    conditional_log_lik(object)
  } else {
    marginal_log_lik(object, method, nodes, draws, seed)
  }
  structure(
    known$value,
    # A simplex or a transition matrix has fewer coordinates than elements.
    df = sum(object$coordinates$free), nobs = object$n_obs, method = known$method, nodes = known$nodes,
    error = known$error, sampled = known$sampled, draws = known$draws, mc_error = known$mc_error, class = "logLik"
  )
}

# Without a method it is what nodes or draws belong to, else that of the fit.
likelihood_asked <- function(fit, method, nodes, draws) {
  if (!is.null(method)) {
    return(check_word(method, "method", c("importance", "quadrature", "laplace", "linear", "conditional")))
  }
  if (!is.null(nodes)) return("quadrature")
  if (!is.null(draws)) return("importance")
  # Quadrature may have left some subjects to importance sampling.
  if (isTRUE(fit$log_lik$sampled > 0)) return("quadrature")
  if (!is.null(fit$log_lik)) return(fit$log_lik$method)
  asked <- fit$method$options$log_lik
  if (is.character(asked) && asked != "none") asked else usual_likelihood(fit)
}

usual_likelihood <- function(fit) if (fit$method$options$name == "vem") "importance" else "quadrature"

refuse_of_likelihood <- function(method, nodes, draws, seed) {
  if (method == "laplace" && !is.null(nodes) && !identical(as.numeric(nodes), 1)) {
    stop_bad_option("nodes", nodes, "1 for `method = \"laplace\"`")
  }
  given <- c(
    if (!method %in% c("quadrature", "laplace") && !is.null(nodes)) "nodes",
    if (method != "importance") c(if (!is.null(draws)) "draws", if (!is.null(seed)) "seed")
  )
  refuse_idle(given, given, sprintf("`method` is \"%s\"", method))
}

# What the fit holds, where that is what is asked for.
marginal_log_lik <- function(fit, method, nodes, draws, seed) {
  known <- fit$log_lik
  if (is.null(nodes) && is.null(draws) && is.null(seed) && is_known_by(fit, method)) return(known)
  if (method == "laplace" && is.null(known$sampled) && identical(as.numeric(known$nodes), 1)) {
    known$method <- "laplace"
    return(known)
  }
  if (!is.null(nodes)) nodes <- check_count(nodes, "nodes", 1)
  inference <- list(log_lik = method, nodes = nodes, draws = if (method == "importance") draw_field(fit, draws))
  ask_of_fit(fit, "log_likelihood", seed, inference = inference)
}

# Whether the fit holds the value of a method; quadrature may have left subjects to importance sampling.
is_known_by <- function(fit, method) {
  known <- fit$log_lik
  if (isTRUE(known$sampled > 0)) method == "quadrature" else identical(known$method, method)
}

# log p(y | modes), a sum over the observed cells.
conditional_log_lik <- function(fit) {
  fit <- with_modes(fit)
  bound <- rebind_data(fit)
  request <- core_request("log_density", fit$model$spec, list(
    data = bound$fields,
    at = list(parameters = value_fields(estimated_values(fit)), levels = level_fields(fit$settings$levels)),
    random = unname(Map(known_modes, effect_groups(fit), bound$groups))
  ))
  terms <- core_call(request, bound$columns)$value
  observed <- !is.na(as.matrix(observed_values(fit)))
  list(value = sum(terms[observed]), method = "conditional", nodes = NULL)
}

#' @importFrom stats nobs
#' @export
nobs.nlme_fit <- function(object, ...) {
  refuse_dots(...)
  as.integer(object$n_obs)
}
