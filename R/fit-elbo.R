#' The bound of a fit by variational EM
#'
#' The evidence lower bound that [vem()] maximized, at its estimates. It is not a log-likelihood
#' but never exceeds it; [logLik()] is larger by the Kullback-Leibler divergence of the
#' approximations from the conditional distributions of the random effects, which [health()]
#' tells subject by subject.
#'
#' @param fit (`nlme_fit`) a fit by [vem()].
#' @returns A number of class `nlme_elbo` with the attributes `batches` (its terms, one for each
#'   *batch*, what shares levels of any random effect: with one grouping the subjects, by whose
#'   labels they are named), `mc_error` (its standard error), `fitted` (the bound at the points by which
#'   it was maximized, which stay the same; the others are of fresh random points), `rule`, `points`
#'   and `family` (see [vem()]).
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, method = vem(), start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8), seed = 1
#' )
#' elbo(fit)
#' attr(elbo(fit), "batches")
#' @export
elbo <- function(fit) {
  check_fit(fit)
  known <- fit$elbo
  if (is.null(known)) stop_no_bound(fit)
  structure(
    known$value, batches = stats::setNames(known$subjects, batch_labels(fit, length(known$subjects))),
    mc_error = known$mc_error, fitted = known$fitted, rule = fit$method$options$rule, points = known$points,
    family = known$family, class = "nlme_elbo"
  )
}

stop_no_bound <- function(fit) {
  name <- fit$method$options$name
  if (!has_effects(fit)) stop_no_effects("bound; the log-likelihood is exact, see logLik()")
  if (name == "vem") {
    stop_option(
      "no_bound", "The fit has no bound: it stopped before there was one.", hint = "See `convergence()`.",
      fields = list(name = "elbo")
    )
  }
  stop_option(
    "no_bound", sprintf("The fit was made by %s(), which approximates no distribution and has no bound.", name),
    hint = "Fit by vem(): `fit_nlme(model, data, vem(), start_from = fit)`; the log-likelihood is `logLik(fit)`.",
    fields = list(name = "elbo")
  )
}

# Subjects where each is a batch of its own, else numbers.
batch_labels <- function(fit, n) {
  labels <- fit$effects$labels
  if (length(fit$others) == 0L && length(labels) == n) as.character(labels) else as.character(seq_len(n))
}

#' @export
print.nlme_elbo <- function(x, ...) {
  cat(sprintf(
    "ELBO %.4f (a bound of the log-likelihood), %s, %s\n", as.numeric(x), family_words(attr(x, "family")),
    point_words(attr(x, "points"), attr(x, "rule"))
  ))
  error <- attr(x, "mc_error")
  if (isTRUE(error > 0)) cat(sprintf("Monte-Carlo error %s\n", format(signif(error, 2))))
  invisible(x)
}

family_words <- function(family) {
  switch(family,
    full_rank = "full-rank Gaussian", mean_field = "mean-field Gaussian", planar_flow = "planar flow"
  )
}

point_words <- function(points, rule) {
  sprintf("%s of %s", counted(points, "point"), switch(rule,
    cubature = "cubature", qmc = "quasi-Monte-Carlo", monte_carlo = "Monte-Carlo"
  ))
}
