# What a fit keeps of the model and the data of saemix it was asked for, so that it answers to the verbs of
# saemix. Plain values: functions stay behind.

saemix_fit_of <- function(fit, model, data, control) {
  effects <- saemix_effects(model, data$columns$covariates)
  fit$saemix <- list(
    parameters = colnames(model$psi0), scales = saemix_scales[model$transform.par + 1L],
    varies = unname(diag(model$covariance.model) == 1), estimated = unname(model$fixed.estim == 1),
    coefficients = lapply(effects, function(effect) {
      list(name = effect$name, parameter = effect$parameter, covariate = as.character(effect$term))
    }),
    model = unclass(model)[setdiff(names(model), "model")],
    text = code_text(body(model$model)),
    data = unclass(data)[setdiff(names(data), "frame")],
    # A row a subject; the fit itself keeps what the model uses.
    covariates = subject_covariates(data),
    draws = if (inherits(control, "saemix_control")) control$draws
  )
  class(fit) <- c("saemix_fit", class(fit))
  fit
}

subject_covariates <- function(data) {
  group <- group_text(data$frame[[data$columns$group]])
  first <- data$frame[!duplicated(group), data$columns$covariates, drop = FALSE]
  rownames(first) <- unique(group)
  first
}

# The verbs of saemix need what its models say.
check_saemix_fit <- function(fit, verb, instead) {
  if (inherits(fit, "saemix_fit")) return(invisible())
  check_fit(fit)
  stop_option(
    "no_saemix_model", sprintf("%s() is for fits of a model of saemix_model().", verb),
    hint = sprintf("For this fit write `%s`.", instead)
  )
}

# Between the natural and the Gaussian scale of saemix, a column a parameter.
saemix_links <- list(
  identity = list(to = identity, from = identity), log = list(to = log, from = exp),
  probit = list(to = stats::qnorm, from = stats::pnorm), logit = list(to = stats::qlogis, from = stats::plogis)
)

on_scale <- function(values, scales, way) {
  for (k in seq_along(scales)) values[, k] <- saemix_links[[scales[k]]][[way]](values[, k])
  values
}

# Typical phi of each subject, with its covariates: a row a subject, a column a parameter.
mean_phi <- function(fit, frame = fit$data$frame, labels = fit$data$labels) {
  about <- fit$saemix
  population <- nlme::fixef(fit)
  first <- frame[match(labels, group_text(frame[[fit$data$group]])), , drop = FALSE]
  typical <- matrix(population[about$parameters], nrow = 1L)
  phi <- on_scale(typical, about$scales, "to")[rep(1L, length(labels)), , drop = FALSE]
  dimnames(phi) <- list(labels, about$parameters)
  for (coefficient in about$coefficients) {
    phi[, coefficient$parameter] <- phi[, coefficient$parameter] +
      population[[coefficient$name]] * first[[coefficient$covariate]]
  }
  phi
}

# Random effects of all parameters; one without has 0.
all_effects <- function(fit, effects) {
  about <- fit$saemix
  eta <- matrix(0, nrow(effects), length(about$parameters), dimnames = list(rownames(effects), about$parameters))
  eta[, about$varies] <- as.matrix(effects[paste0("eta_", about$parameters[about$varies])])
  eta
}

#' @rdname saemix_verbs
#' @export
eta <- function(object, type = c("mode", "mean"), ...) {
  check_saemix_fit(object, "eta", "ranef(fit)")
  refuse_dots(...)
  all_effects(object, nlme::ranef(object, type = check_word(type, "type", c("mode", "mean"))))
}

#' @rdname saemix_verbs
#' @export
phi <- function(object, type = c("mode", "mean"), ...) {
  check_saemix_fit(object, "phi", "coef(fit)")
  refuse_dots(...)
  mean_phi(object) + eta(object, type)
}

#' @rdname saemix_verbs
#' @export
psi <- function(object, type = c("mode", "mean"), ...) {
  check_saemix_fit(object, "psi", "coef(fit)")
  refuse_dots(...)
  on_scale(phi(object, type), object$saemix$scales, "from")
}

#' @rdname saemix_verbs
#' @export
map.saemix <- function(saemixObject) { # nolint: object_name_linter.
  check_saemix_fit(saemixObject, "map.saemix", "ranef(fit)")
  with_modes(saemixObject)
}

#' @rdname saemix_verbs
#' @export
conddist.saemix <- function(saemixObject, nsamp = 1, max.iter = NULL, ...) { # nolint: object_name_linter.
  check_saemix_fit(saemixObject, "conddist.saemix", "conditional_samples(fit)")
  nsamp <- check_count(nsamp, "nsamp", 1)
  say_without_meaning("conddist.saemix", c(
    max.iter = if (!is.null(max.iter)) "the chains run until their draws are far enough apart",
    if (...length() > 0L) stats::setNames("nothing is plotted here", rlang::names2(list(...))[1L])
  ))
  # The seed of the fit, as saemix takes it: the same call gives the same draws.
  draws <- conditional_samples(saemixObject, nsim = nsamp, seed = saemixObject$settings$seed)
  saemixObject$saemix$phi.samp <- phi_draws(saemixObject, draws, nsamp) # nolint: object_name_linter.
  saemixObject
}

# An array of subjects, parameters and draws.
phi_draws <- function(fit, draws, n) {
  typical <- mean_phi(fit)
  values <- vapply(seq_len(n), function(draw) {
    drawn <- as.data.frame(draws)[draws$draw == draw, ]
    rownames(drawn) <- drawn$level
    typical + all_effects(fit, drawn[rownames(typical), , drop = FALSE])
  }, typical)
  array(values, c(dim(typical), n), c(dimnames(typical), list(NULL)))
}
