#' Estimates of a fit
#'
#' `fixef()` gives the population parameters, `ranef()` the random effects of each
#' subject, `coef()` the individual parameters, `VarCorr()` the variability
#' between subjects and `sigma()` the residual parameters.
#'
#' @param object,x (`nlme_fit`) a fit.
#' @param scale (character) `"natural"`, `"transformed"` for the scale on which
#'   the parameter is estimated, or `"both"`.
#' @param type (character) `"mode"` for the mode of the conditional distribution of
#'   the random effects, `"mean"` for its mean.
#' @param sigma not used; kept for the generic of nlme.
#' @param ... for the generic; an argument that lands here is refused.
#' @details
#' Effects of levels that were held (`fix` in [fit_nlme()]) are the values given. A fit by
#' `saem(store_eb_modes = FALSE)` holds no modes; they are found when they are asked for, the
#' same ones.
#'
#' A model without random effects has none to show: `ranef()` and `VarCorr()` are empty, and `coef()` is
#' `fixef()`.
#'
#' For effects that are normal on no scale, such as gamma effects, the variance is that
#' of the effect itself.
#' @returns `fixef()` and `sigma()` a named vector (`fixef(fit)$f` are the weights of a learned function), with
#'   `scale = "both"` a data frame with
#'   the columns `natural` and `transformed`; `ranef()` a data frame, one row
#'   a level of the group and one column an effect, with the conditional SDs in the
#'   same shape as attribute `cond_sd`; `coef()` a data frame of natural-scale
#'   individual parameters; both are named lists of data frames when random effects
#'   have several groupings. `VarCorr()` a data frame of class `nlme_varcorr` with
#'   `effect`, `term` (and `group` when there are several), `variance`, `sd`, `cv` (percent, for effects on the log
#'   scale) and `shrinkage` (percent), and attributes `covariance` and
#'   `correlation`. Where the SD of an effect depends on covariates, `variance` is the mean over
#'   the levels, and the attribute `by_level` says on which (`depends_on`), with the least and the greatest SD of
#'   a level (`lowest`, `highest`).
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   seed = 1
#' )
#' fixef(fit)
#' ranef(fit)
#' VarCorr(fit)
#' coef(fit)
#' @name estimates
NULL

#' @rdname estimates
#' @method fixef nlme_fit
#' @export
fixef.nlme_fit <- function(object, scale = c("natural", "transformed", "both"), ...) {
  check_format(object)
  refuse_dots(...)
  scale <- check_word(scale, "scale", c("natural", "transformed", "both"))
  roles <- c("fixed", "covariate")
  if (scale != "both") return(with_functions(object, population_values(object, roles, scale)))
  natural <- population_values(object, roles)
  data.frame(
    natural = natural, transformed = population_values(object, roles, "transformed"), row.names = names(natural)
  )
}

population_values <- function(fit, roles, scale = "natural") {
  keep <- fit$parameters$role %in% roles
  stats::setNames(fit$parameters[[scale]][keep], fit$parameters$name[keep])
}

# Weights of learned functions are many: they are asked for by the name of the function.
with_functions <- function(fit, values) {
  learned <- names(learned_parameters(fit$model))
  base <- fit$parameters$base[match(names(values), fit$parameters$name)]
  if (!any(base %in% learned)) return(values)
  structure(values, base = base, learned = intersect(learned, base), class = "nlme_fixef")
}

#' @rdname estimates
#' @method ranef nlme_fit
#' @export
ranef.nlme_fit <- function(object, type = c("mode", "mean"), ...) {
  check_format(object)
  refuse_dots(...)
  type <- check_word(type, "type", c("mode", "mean"))
  if (!has_effects(object)) return(data.frame())
  if (type == "mode") object <- with_modes(object)
  by_group(object, function(group) {
    effects <- group$effects
    values <- level_frame(effects, effects$name, if (type == "mode") effects$modes else effects$cond_mean)
    attr(values, "cond_sd") <- level_frame(effects, effects$name, effects$cond_sd)
    values
  })
}

# One row a level, one column a name.
level_frame <- function(effects, names, values) {
  frame <- as.data.frame(values)
  dimnames(frame) <- list(as.character(effects$labels), names)
  frame
}

# What `f` makes of each grouping: itself for one, a named list for several.
by_group <- function(fit, f) {
  groups <- effect_groups(fit)
  values <- lapply(groups, f)
  if (length(values) == 1L) return(values[[1L]])
  names(values) <- vapply(groups, function(group) group$effects$group, character(1L))
  values
}

#' @rdname estimates
#' @importFrom stats coef
#' @export
coef.nlme_fit <- function(object, ...) {
  check_format(object)
  refuse_dots(...)
  if (!has_effects(object)) return(nlme::fixef(object))
  by_group(with_modes(object), function(group) {
    level_frame(group$effects, group$individual$name, group$individual$value)
  })
}

#' @rdname estimates
#' @importFrom stats sigma
#' @export
sigma.nlme_fit <- function(object, ...) {
  check_format(object)
  refuse_dots(...)
  population_values(object, "residual")
}

#' @rdname estimates
#' @method VarCorr nlme_fit
#' @export
VarCorr.nlme_fit <- function(x, sigma = 1, ...) {
  check_format(x)
  refuse_dots(...)
  if (!has_effects(x)) return(no_varcorr())
  covariance <- x$covariance$value
  variance <- diag(covariance)
  x <- with_modes(x)
  groups <- x$covariance$groups
  terms <- varied_terms(x)
  dimnames(covariance) <- list(terms$effect, terms$effect)
  several <- length(unique(groups)) > 1L
  named <- terms[c("effect", "term")]
  if (several) named <- cbind(group = groups, named)
  table <- data.frame(
    named,
    variance = variance,
    sd = sqrt(variance),
    cv = ifelse(terms$scale == "log", 100 * sqrt(expm1(variance)), NA),
    shrinkage = effect_shrinkage(x)
  )
  structure(
    table,
    covariance = covariance,
    correlation = correlation_of(covariance),
    by_level = sds_by_level(x, terms),
    class = c("nlme_varcorr", "data.frame")
  )
}

# Effects whose SD depends on covariates: those, and the least and greatest SD of a level; NULL without.
sds_by_level <- function(fit, terms) {
  found <- fit$covariance$by_level
  if (length(found$effect) == 0L) return(NULL)
  data.frame(
    effect = found$effect,
    term = terms$term[match(found$effect, terms$effect)],
    depends_on = found$columns,
    lowest = found$lowest,
    highest = found$highest
  )
}

# What each random effect varies, and on which scale; one row an effect, in the order of `covariance`.
varied_terms <- function(fit) {
  individual <- unlist(lapply(effect_groups(fit), function(group) group$individual$name))
  # An occasion's effect varies the same parameter as its subject's does.
  groups <- fit$covariance$groups
  terms <- lapply(split(fit$covariance$names, factor(groups, unique(groups))), function(effects) {
    effect_terms(fit$model$spec, effects, individual)
  })
  do.call(rbind, unname(terms))
}

# A variance of 0 has no correlations.
correlation_of <- function(covariance) {
  sd <- sqrt(diag(covariance))
  correlation <- covariance / tcrossprod(ifelse(sd > 0, sd, NA))
  diag(correlation) <- 1
  correlation
}

# 100 (1 - SD of the modes about the subject's typical value / omega), on the
# Gaussian scale. The SD has divisor n, as the maximum likelihood estimate of
# omega does; with n - 1 few subjects would show negative shrinkage.
effect_shrinkage <- function(fit) {
  spread <- lapply(effect_groups(fit), function(group) {
    effects <- group$effects
    vapply(seq_along(effects$name), function(i) {
      modes <- effects$modes[, i]
      typical <- effects$typical[, i]
      switch(effect_family(effects$name[i], fit$model$spec$random),
        normal = , mvnormal = sqrt(mean((modes - typical)^2)),
        lognormal = sqrt(mean(log(modes / typical)^2)),
        # No typical value to count from.
        sqrt(mean((modes - mean(modes))^2))
      )
    }, 0)
  })
  100 * (1 - unlist(spread) / sqrt(diag(fit$covariance$value)))
}

#' @export
print.nlme_varcorr <- function(x, digits = 4, ...) {
  cat(variability_lines(x, digits), sep = "\n")
  invisible(x)
}

# The table of random effects, with correlations when there are any, and with the
# SEs of the SDs when they are given.
variability_lines <- function(table, digits, sds = NULL) {
  if (nrow(table) == 0L) return("The model has no random effects.")
  names <- if (is.null(table$group)) table$term else paste(table$term, "|", table$group)
  shown <- data.frame(SD = format_numbers(table$sd, digits), row.names = names)
  if (any(!is.na(sds$se))) {
    shown$SE <- format_numbers(sds$se, digits)
    shown[["95 % interval"]] <- format_intervals(sds, digits)
  }
  shown[["CV %"]] <- format_numbers(table$cv, 3)
  shown[["shrinkage %"]] <- format_numbers(table$shrinkage, 3)
  if (all(is.na(table$cv))) shown[["CV %"]] <- NULL
  correlation <- attr(table, "correlation")
  if (any(correlation[lower.tri(correlation)] != 0, na.rm = TRUE)) {
    corr <- format(round(correlation, 3), nsmall = 3)
    corr[upper.tri(corr, diag = TRUE)] <- ""
    corr <- corr[, -ncol(corr), drop = FALSE]
    colnames(corr) <- paste("cor", utils::head(names, -1L))
    shown <- cbind(shown, corr)
  }
  c(table_lines(shown), by_level_lines(attr(table, "by_level"), digits))
}

by_level_lines <- function(spread, digits) {
  if (is.null(spread)) return(NULL)
  sprintf(
    "  The SD of `%s` depends on `%s`: %s to %s here; the table has the root of the mean variance.", spread$term,
    gsub(", ", "`, `", spread$depends_on, fixed = TRUE), format_numbers(spread$lowest, digits),
    format_numbers(spread$highest, digits)
  )
}
