# nolint start: object_name_linter. The names are those of saemix.

#' What saemix calls things
#'
#' The functions that scripts of the saemix package call on a fit, under their old names. They are thin: each is
#' written in terms of what this package calls it, and takes fits of a model of [saemix_model()].
#'
#' | saemix | here |
#' |---|---|
#' | `psi(fit)`, `phi(fit)` | `coef(fit)` on the natural scale; on the Gaussian scale |
#' | `eta(fit)`, `eta(fit, "mean")` | `ranef(fit)`, `ranef(fit, type = "mean")` |
#' | `map.saemix(fit)` | the modes are in every fit |
#' | `conddist.saemix(fit, nsamp)` | `conditional_samples(fit, nsim)` |
#' | `llis.saemix(fit)`, `llgq.saemix(fit)` | `logLik(fit, method = "importance")`, `"quadrature"` |
#' | `fim.saemix(fit)` | `vcov(fit)`; the information is `solve(vcov(fit))` |
#' | `logLik(fit, method = "is")`, `"gq"`, `"lin"` | `"importance"`, `"quadrature"`, `"linear"` |
#' | `compare.saemix(fit1, fit2)` | `AIC(fit1, fit2)`, `BIC(fit1, fit2)` |
#' | `predict(fit, type = "ipred")`, `"ppred"` | `predict(fit, level = 1)`, `level = 0` |
#' | `predict(fit, type = "icpred")`, `"ypred"` | at the conditional means; the mean over subjects of the population |
#' | `simul.saemix(fit)`, `simulateDiscreteSaemix(fit)` | `simulate(fit)` |
#' | `plot(fit, plot.type = "convergence")` | `plot(fit, type = "trace")` |
#' | `plot(fit, plot.type = "individual.fit")` | `plot(fit, type = "fits")` |
#' | `plot(fit, plot.type = "observations.vs.predictions")` | `plot(fit, type = "observed")` |
#' | `fit@results@ll.is`, `fit["results"]["ll.is"]` | the second works; a fit has no slots |
#' | `fit["data"]`, `fit["model"]`, `fit["options"]` | work |
#' | `npdeSaemix(fit)` | `npde(fit)`: errors and their tests, without pictures |
#' | `step.saemix()`, `saemix.bootstrap()`, `discreteVPC()`, `plotDiscreteData()` | have no
#'   counterpart yet; the error says what there is |
#'
#' @section How saemix counts:
#' `BIC(fit)` counts observations, as everywhere in this package. saemix gives two others, which are here under
#' its names. `fit["results"]["bic.is"]`, `BIC(fit, method = "is")` and the column `BIC` of `compare.saemix()`
#' are `-2 log L + log(N) p` for N subjects and p estimated parameters. `fit["results"]["bic.covariate.is"]`,
#' `BIC.covariate(fit)` and the column `BIC.cov` are `-2 log L + log(N) p_R + log(n) p_F`, with `p_R` estimated
#' population parameters and covariate coefficients of the parameters that vary between subjects, `p_F` of the
#' others, and n observations; variances are not counted. It compares models that differ in their covariates.
#'
#' @section Predictions and draws of a likelihood:
#' A model with `modeltype = "likelihood"` gives the log-likelihood of an observation. Where the outcome is a
#' whole number it is computed at every such number; if these probabilities add up to 1, the outcome has a mean,
#' which `predict()`, `fitted()` and `plot()` show, and can be drawn by `simulate()`. Otherwise an error says so.
#' `simulateDiscreteSaemix(fit, simulate.function)` draws individual parameters and calls the function with them.
#'
#' @param object,saemixObject,x (`nlme_fit`) a fit of a model of [saemix_model()].
#' @param type (character) `"mode"` or `"mean"` of the conditional distribution; for `predict()` one or several
#'   of `"ipred"`, `"ypred"`, `"ppred"` and `"icpred"`; for `plot()` as in [plot.nlme_fit()].
#' @param plot.type (character) what to draw: `"data"`, `"convergence"`, `"likelihood"`, `"individual.fit"`,
#'   `"population.fit"`, `"both.fit"`, `"observations.vs.predictions"`, `"residuals.scatter"`,
#'   `"residuals.distribution"`, `"random.effects"`, `"correlations"`, `"marginal.distribution"`,
#'   `"parameters.vs.covariates"`, `"randeff.vs.covariates"`, `"vpc"`, and the sets `"reduced"` and `"full"`.
#' @param method (character) the log-likelihood: `"is"` by importance sampling, `"gq"` by quadrature, `"lin"` of
#'   the linearized model.
#' @param newdata (data.frame or NULL) rows to predict for. Subjects that were not fitted have the effects that
#'   their observations say; without observations they are typical ones, as a message says.
#' @param level (0 or 1) as in [predict.nlme_fit()], in place of `type`.
#' @param nsim,nsamp (integer) draws; for `type = "ypred"` 100, or `nb.simpred` of [saemix_control()].
#' @param seed (integer or NULL) seed of the draws; `NULL` is that of the fit.
#' @param simulate.function (function or NULL) `function(psi, id, xidep)` that draws outcomes.
#' @param y,max.iter,se.fit,trace,direction,covariate.init have no meaning here.
#' @param ... `compare.saemix()`: fits. `plot()`: `main`, `xlab` and `ylab`, `ilist` for the numbers of the
#'   subjects and `level` (0 or 1) of predictions; `saemix.plot.select()`: the plots to draw, as in `data = TRUE`.
#' @returns `psi()`, `phi()` and `eta()` matrices with a row a subject and a column a parameter; `map.saemix()`,
#'   `conddist.saemix()`, `llis.saemix()`, `llgq.saemix()`, `fim.saemix()`, `saemix.predict()`, `simul.saemix()` and
#'   `simulateDiscreteSaemix()` the fit, which holds what was computed; `compare.saemix()` a matrix of criteria;
#'   `predict()` a vector, or a data frame for several types; plots are ggplots.
#' @references
#' Delattre M, Lavielle M, Poursat MA (2014). A note on BIC in mixed-effects models. *Electronic Journal of
#' Statistics* 8, 456-475.
#' @seealso [saemix_model()], [saemix_data()], [saemix_control()], [saemix()]
#' @examples
#' line <- function(psi, id, xidep) psi[id, 1] + psi[id, 2] * xidep[, 1]
#' fit <- saemix(
#'   saemix_model(line, c(base = 140, slope = 1)),
#'   saemix_data(
#'     as.data.frame(nlme::Oxboys), name.group = "Subject", name.predictors = "age",
#'     name.response = "height"
#'   ),
#'   list(seed = 632545, nbiter.saemix = c(100, 50), displayProgress = FALSE)
#' )
#' head(psi(fit))
#' fit["results"]["bic.is"]
#' head(predict(fit, type = c("ipred", "ppred")))
#' @name saemix_verbs
NULL

# What there is in place of what has no counterpart.
saemix_without <- c(
  step.saemix = paste(
    "Fit each model with saemix() and compare them: `compare.saemix(fit1, fit2)` has the criterion",
    "`BIC.cov` that step.saemix() uses."
  ),
  saemix.bootstrap = paste(
    "`vcov(fit)` and `confint(fit)` have standard errors and intervals; for a bootstrap fit data sets of",
    "`simulate(fit)` with saemix()."
  ),
  npde = "`npde(fit)` has the errors and their tests, `plot(fit, plot.type = \"vpc\")` simulated quantiles.",
  discreteVPC = "`plot(fit, plot.type = \"vpc\")` compares the outcomes with simulated ones.",
  plotDiscreteData = "`plot(data)` shows the records, and `table()` of their columns the proportions."
)

# `type`: of plot(), where that has none.
stop_no_counterpart <- function(verb, type = NULL) {
  shown <- if (is.null(type)) sprintf("%s()", verb) else sprintf("`plot.type = \"%s\"`", type)
  stop_option(
    "no_counterpart", sprintf("%s has no counterpart here.", shown), hint = saemix_without[[c(type, verb)[1L]]],
    fields = list(name = verb)
  )
}

#' @rdname saemix_verbs
#' @export
step.saemix <- function(saemixObject, trace = TRUE, direction = "forward", covariate.init = NULL) {
  stop_no_counterpart("step.saemix")
}

#' @rdname saemix_verbs
#' @export
saemix.bootstrap <- function(saemixObject, ...) stop_no_counterpart("saemix.bootstrap")

#' @rdname saemix_verbs
#' @export
npdeSaemix <- function(saemixObject, nsim = 1000) npde(saemixObject, nsim = nsim)

#' @rdname saemix_verbs
#' @export
discreteVPC <- function(object, ...) stop_no_counterpart("discreteVPC")

#' @rdname saemix_verbs
#' @export
plotDiscreteData <- function(object, ...) stop_no_counterpart("plotDiscreteData")

#' @rdname saemix_verbs
#' @export
showall <- function(object) print(summary(object))

# nolint end
