# fit["results"]["ll.is"] and its like: what saemix keeps in slots is computed here when it is asked for.

saemix_slots <- c("results", "data", "model", "options", "sim.data")

#' @export
`[.saemix_fit` <- function(x, i, ...) {
  if (missing(i) || !is.character(i) || length(i) != 1L || !i %in% saemix_slots) return(NextMethod())
  about <- x$saemix
  switch(i,
    results = structure(list(fit = x), class = "saemix_results"),
    data = structure(c(list(frame = x$data$frame), about$data), class = "saemix_data"),
    model = structure(about$model, class = "saemix_model"),
    options = c(x$method$options, seed = x$settings$seed),
    sim.data = structure(
      list(datasim = about$simulated, nsim = max(0L, about$simulated$irep)), class = "saemix_simulated"
    )
  )
}

#' @export
`[.saemix_results` <- function(x, i, ...) saemix_result(unclass(x)$fit, i)

#' @export
`[[.saemix_results` <- function(x, i, ...) saemix_result(unclass(x)$fit, i)

#' @export
`$.saemix_results` <- function(x, name) saemix_result(unclass(x)$fit, name)

#' @export
names.saemix_results <- function(x) c(saemix_computed_names, names(saemix_result_functions))

#' @export
print.saemix_results <- function(x, ...) {
  cat("Results of a fit, under the names of saemix:\n")
  writeLines(strwrap(paste(names(x), collapse = " "), indent = 2, exdent = 2))
  invisible(x)
}

saemix_computed_names <- as.vector(
  outer(c("ll", "aic", "bic", "bic.covariate"), c("is", "gq", "lin"), paste, sep = ".")
)

saemix_result <- function(fit, name) {
  known <- c(saemix_computed_names, names(saemix_result_functions))
  if (!is.character(name) || length(name) != 1L || !name %in% known) {
    stop_option(
      "no_counterpart", sprintf("The results have no `%s`.", paste(name, collapse = ", ")),
      hint = nearest_hint(as.character(name)[1L], known, "Results", most = 40L), fields = list(name = name)
    )
  }
  computed <- saemix_result_functions[[name]]
  if (!is.null(computed)) return(computed(fit))
  method <- sub(".*[.]", "", name)
  kind <- sub("[.][a-z]+$", "", name)
  if (kind == "ll") as.numeric(saemix_log_lik(fit, method)) else saemix_criterion(fit, kind, method)
}

# Covariance of all parameters, 0 where one does not vary.
full_omega <- function(fit) {
  names <- fit$saemix$parameters
  omega <- matrix(0, length(names), length(names), dimnames = list(names, names))
  varying <- names[fit$saemix$varies]
  at <- match(paste0("eta_", varying), fit$covariance$names)
  omega[varying, varying] <- fit$covariance$value[at, at]
  omega
}

standard_errors <- function(fit, roles) {
  names <- names(population_values(fit, roles))
  se <- sqrt(diag(stats::vcov(fit)))
  stats::setNames(se[names], names)
}

# NULL says that it was not asked for yet.
stored_result <- function(value, verb) {
  if (!is.null(value)) return(value)
  stop_option("not_computed", "The fit does not hold this yet.", hint = sprintf("Write `fit <- %s(fit)` first.", verb))
}

shrinkage_of <- function(fit, type) {
  eta <- eta(fit, type)[, fit$saemix$varies, drop = FALSE]
  1 - colMeans(eta^2) / diag(full_omega(fit))[fit$saemix$varies]
}

saemix_result_functions <- list(
  modeltype = function(fit) fit$saemix$model$modeltype,
  status = function(fit) fit$status$code,
  name.fixed = function(fit) names(nlme::fixef(fit)),
  name.random = function(fit) fit$saemix$parameters[fit$saemix$varies],
  name.sigma = function(fit) names(stats::sigma(fit)),
  npar.est = function(fit) sum(fit$coordinates$free),
  nbeta.random = function(fit) fixed_counts(fit)[["random"]],
  nbeta.fixed = function(fit) fixed_counts(fit)[["fixed"]],
  fixed.effects = function(fit) nlme::fixef(fit),
  fixed.psi = function(fit) nlme::fixef(fit)[fit$saemix$parameters],
  betas = function(fit) nlme::fixef(fit, scale = "transformed"),
  betaC = function(fit) nlme::fixef(fit)[vapply(fit$saemix$coefficients, `[[`, "", "name")],
  omega = full_omega,
  respar = function(fit) stats::sigma(fit),
  fim = function(fit) solve(stats::vcov(fit)),
  se.fixed = function(fit) standard_errors(fit, c("fixed", "covariate")),
  se.respar = function(fit) standard_errors(fit, "residual"),
  conf.int = function(fit) {
    limits <- stats::confint(fit)
    estimate <- stats::setNames(fit$parameters$natural, fit$parameters$name)[rownames(limits)]
    se <- sqrt(diag(stats::vcov(fit)))[rownames(limits)]
    data.frame(
      name = rownames(limits), estimate = estimate, se = se, cv = 100 * abs(se / estimate), lower = limits[, 1L],
      upper = limits[, 2L], row.names = NULL
    )
  },
  allpar = function(fit) stats::setNames(as.data.frame(fit$trace$value), fit$trace$names),
  parpop = function(fit) stats::setNames(as.data.frame(fit$trace$value), fit$trace$names),
  mean.phi = function(fit) mean_phi(fit),
  map.psi = function(fit) as.data.frame(psi(fit)),
  map.phi = function(fit) as.data.frame(phi(fit)),
  map.eta = function(fit) eta(fit),
  map.shrinkage = function(fit) shrinkage_of(fit, "mode"),
  cond.mean.psi = function(fit) psi(fit, "mean"),
  cond.mean.phi = function(fit) phi(fit, "mean"),
  cond.mean.eta = function(fit) eta(fit, "mean"),
  cond.var.phi = function(fit) all_effects(fit, attr(nlme::ranef(fit), "cond_sd"))^2,
  cond.shrinkage = function(fit) shrinkage_of(fit, "mean"),
  phi.samp = function(fit) stored_result(fit$saemix$phi.samp, "conddist.saemix"),
  psi.samp = function(fit) {
    draws <- stored_result(fit$saemix$phi.samp, "conddist.saemix")
    for (k in seq_along(fit$saemix$scales)) draws[, k, ] <- saemix_links[[fit$saemix$scales[k]]]$from(draws[, k, ])
    draws
  },
  predictions = function(fit) predict.saemix_fit(fit, type = c("ypred", "ppred", "ipred", "icpred")),
  ypred = function(fit) predict.saemix_fit(fit, type = "ypred"),
  ppred = function(fit) predict.saemix_fit(fit, type = "ppred"),
  ipred = function(fit) predict.saemix_fit(fit, type = "ipred"),
  icpred = function(fit) predict.saemix_fit(fit, type = "icpred"),
  ires = function(fit) stats::residuals(fit),
  iwres = function(fit) stats::residuals(fit, type = "iwres")
)

#' @export
`[.saemix_simulated` <- function(x, i, ...) unclass(x)[[i]]

# data["data"], data["N"], data["name.group"]: the slots of saemix.
#' @export
`[.saemix_data` <- function(x, i, ...) {
  if (missing(i) || !is.character(i) || length(i) != 1L) return(NextMethod())
  known <- unclass(x)
  group <- known$frame[[known$columns$group]]
  switch(i,
    data = known$frame, N = length(unique(group)), ntot.obs = nrow(known$frame),
    nind.obs = as.vector(table(factor(group, unique(group)))), name.X = known$columns$x,
    if (startsWith(i, "name.")) known$columns[[substring(i, 6L)]] else known[[i]]
  )
}

#' @export
`[.saemix_model` <- function(x, i, ...) {
  if (missing(i) || !is.character(i) || length(i) != 1L) return(NextMethod())
  known <- unclass(x)
  switch(i, name.modpar = colnames(known$psi0), nb.parameters = ncol(known$psi0), known[[i]])
}
