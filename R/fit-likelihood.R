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
#' @param method (character) `"quadrature"`, `"laplace"` for Laplace's approximation, which is
#'   quadrature with one node, or `"conditional"` for the log-likelihood of the observations
#'   given the random effects at their modes.
#' @param nodes (integer or NULL) nodes per dimension; 1 is the Laplace
#'   approximation. `NULL` gives the value computed with the fit.
#' @param ... for the generic; an argument that lands here is refused.
#' @details
#' The conditional log-likelihood is the sum of the log densities of the observations, `log p(y |
#' modes, estimates)`. It is no likelihood of the estimates: the modes were fitted to the same
#' observations, and what is lost by integrating over them is not taken off. It is larger than
#' the marginal one, grows with every random effect, and does not compare models: `AIC()` and
#' `BIC()` of it mean nothing. It is what `get_loglikelihood()` of NoLimits.jl gives for a fit by
#' SAEM.
#' @returns An object of class `logLik` with the attributes `df` (free
#'   parameters), `nobs` (observations, which `BIC()` uses), `method` and, for a marginal
#'   log-likelihood, `nodes`.
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
#' logLik(fit, method = "conditional")
#' AIC(fit)
#' @importFrom stats logLik
#' @export
logLik.nlme_fit <- function(object, method = "quadrature", nodes = NULL, ...) {
  refuse_dots(...)
  method <- check_word(method, "method", c("quadrature", "laplace", "conditional"))
  if (!is.null(nodes)) nodes <- check_count(nodes, "nodes", 1)
  known <- switch(method,
    quadrature = marginal_log_lik(object, nodes),
    laplace = laplace_log_lik(object, nodes),
    conditional = conditional_log_lik(object, nodes)
  )
  structure(
    known$value,
    # A simplex or a transition matrix has fewer coordinates than elements.
    df = sum(object$coordinates$free), nobs = object$n_obs,
    method = known$method, nodes = known$nodes, class = "logLik"
  )
}

marginal_log_lik <- function(fit, nodes) {
  known <- fit$log_lik
  if (is.null(nodes) && !is.null(known)) return(known)
  bound <- rebind_data(fit)
  fields <- c(mode_fields(fit, bound), list(nodes = nodes))
  core_call(core_request("log_likelihood", fit$model$spec, fields), bound$columns)
}

laplace_log_lik <- function(fit, nodes) {
  if (!is.null(nodes) && nodes != 1) stop_bad_option("nodes", nodes, "1 for `method = \"laplace\"`")
  known <- if (identical(as.numeric(fit$log_lik$nodes), 1)) fit$log_lik else marginal_log_lik(fit, 1)
  known$method <- "laplace"
  known
}

# log p(y | modes), a sum over the observed cells.
conditional_log_lik <- function(fit, nodes) {
  if (!is.null(nodes)) stop_bad_option("nodes", nodes, "left out for `method = \"conditional\"`")
  fit <- with_modes(fit)
  bound <- rebind_data(fit)
  request <- core_request("log_density", fit$model$spec, list(
    data = bound$fields,
    parameters = value_fields(estimated_values(fit)),
    levels = level_fields(fit$settings$levels),
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
