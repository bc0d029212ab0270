#' Log-likelihood of a fit
#'
#' The log-likelihood of the observations with the random effects integrated out,
#' by adaptive Gauss-Hermite quadrature (Pinheiro and Bates, 1995), with all
#' constants: around the conditional modes, and from five nodes on around the
#' conditional means (Naylor and Smith, 1982). With random effects of several
#' groupings it is Laplace's approximation, which is exact for linear models with
#' normal outcomes.
#'
#' @param object (`nlme_fit`) a fit.
#' @param method (character) `"quadrature"`.
#' @param nodes (integer or NULL) nodes per dimension; 1 is the Laplace
#'   approximation. `NULL` gives the value computed with the fit.
#' @param ... for the generic; an argument that lands here is refused.
#' @returns An object of class `logLik` with the attributes `df` (free
#'   parameters), `nobs` (observations, which `BIC()` uses), `method` and `nodes`.
#' @references Pinheiro JC, Bates DM (1995). Approximations to the log-likelihood
#'   function in the nonlinear mixed-effects model. *Journal of Computational and
#'   Graphical Statistics* 4, 12-35.
#'
#'   Naylor JC, Smith AFM (1982). Applications of a method for the efficient
#'   computation of posterior distributions. *Applied Statistics* 31, 214-225.
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   seed = 1
#' )
#' logLik(fit)
#' logLik(fit, nodes = 15)
#' AIC(fit)
#' @importFrom stats logLik
#' @export
logLik.nlme_fit <- function(object, method = "quadrature", nodes = NULL, ...) {
  refuse_dots(...)
  method <- check_word(method, "method", "quadrature")
  known <- object$log_lik
  if (!is.null(nodes) || is.null(known)) {
    known <- compute_log_lik(object, nodes)
  }
  structure(
    known$value,
    # A simplex or a transition matrix has fewer coordinates than elements.
    df = sum(object$coordinates$free), nobs = object$n_obs,
    method = known$method, nodes = known$nodes, class = "logLik"
  )
}

compute_log_lik <- function(fit, nodes) {
  if (!is.null(nodes)) nodes <- check_count(nodes, "nodes", 1)
  bound <- rebind_data(fit)
  request <- core_request("log_likelihood", fit$model$spec, list(
    data = bound$fields,
    parameters = value_fields(estimated_values(fit)),
    levels = level_fields(fit$settings$levels),
    nodes = nodes,
    seed = fit$settings$seed,
    threads = fit$settings$threads
  ))
  core_call(request, bound$columns)
}

#' @importFrom stats nobs
#' @export
nobs.nlme_fit <- function(object, ...) {
  refuse_dots(...)
  as.integer(object$n_obs)
}
