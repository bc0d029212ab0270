#' Samples of the random effects given the data
#'
#' Draws the random effects of every level from their conditional distribution given the data,
#' at the estimates of a fit by any method: by the Markov chains that [saem()] uses, started at
#' the conditional means, after a burn-in.
#'
#' @param fit (`nlme_fit`) a fit.
#' @param nsim (integer) draws of each level.
#' @param seed (integer or NULL) seed of the draws. `NULL` draws one from R's generator; R's
#'   generator is otherwise left alone. The draws do not depend on the number of threads.
#' @param x (`nlme_samples`) draws.
#' @param n (integer) rows to print.
#' @param ... for the generic.
#' @details
#' The chains run until their draws are so far apart that the largest autocorrelation of any
#' effect of any level is below 0.1; a warning tells where that is not reached. The draws of the
#' levels of a grouping, and of several groupings, belong together: those with the same `draw` are
#' one draw from the joint distribution. Levels that were held (`fix` in [fit_nlme()]) keep their
#' values. The uncertainty of the estimates is not in the draws.
#' @returns A data frame of class `nlme_samples` with the columns `draw` (1 to `nsim`), `level` and
#'   one column a random effect, as the model writes it (for an effect that the model adds to its mean,
#'   the deviation); a named list of them when random effects have several groupings. Attributes:
#'   `group`, `seed`, `chains` (of each level), `thinning` (iterations between two draws of a
#'   chain) and `autocorrelation` (the largest between them). With the posterior package
#'   `as_draws()` turns one into draws of variables such as `eta[3]`, the effect `eta` of level 3.
#' @seealso [ranef()] for modes and conditional means.
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   seed = 1
#' )
#' draws <- conditional_samples(fit, nsim = 200, seed = 2)
#' head(draws)
#' aggregate(eta_Asym ~ level, draws, quantile, c(0.05, 0.95))
#' @export
conditional_samples <- function(fit, nsim = 100, seed = NULL) {
  check_fit(fit)
  if (!has_effects(fit)) stop_no_effects("sample")
  nsim <- check_count(nsim, "nsim", 1)
  seed <- if (is.null(seed)) sample.int(.Machine$integer.max, 1L) else check_count(seed, "seed", 0)
  reply <- ask_of_fit(fit, "conditional_samples", seed, nsim = nsim)
  if (reply$autocorrelation > 0.1) {
    warn_nlmers("autocorrelation", sprintf(paste(
      "Draws of some random effect are still correlated (%.2f between neighbors):",
      "the chains move slowly. Raise `nsim` for as much information."
    ), reply$autocorrelation))
  }
  about <- c(list(seed = seed), reply[c("chains", "thinning", "autocorrelation")])
  samples <- lapply(unname(reply$groups), function(group) sample_frame(group, nsim, about))
  if (length(samples) == 1L) return(samples[[1L]])
  stats::setNames(samples, vapply(reply$groups, `[[`, "", "group"))
}

# `values` has a column an effect, in it the draws of one level after those of another.
sample_frame <- function(group, nsim, about) {
  labels <- as.character(group$labels)
  values <- matrix(group$values, ncol = length(group$name), dimnames = list(NULL, group$name))
  frame <- data.frame(
    draw = rep(seq_len(nsim), length(labels)), level = rep(labels, each = nsim), values, check.names = FALSE
  )
  attributes(frame) <- c(attributes(frame), list(group = group$group), about)
  class(frame) <- c("nlme_samples", "data.frame")
  frame
}

#' @rdname conditional_samples
#' @export
print.nlme_samples <- function(x, n = 6, ...) {
  n <- check_count(n, "n", 1)
  # Some of its columns are an ordinary table.
  if (!all(c("draw", "level") %in% names(x))) return(NextMethod())
  effects <- setdiff(names(x), c("draw", "level"))
  cat(sprintf(
    "%s of %s for %s of `%s`, given the data\n", counted(length(unique(x$draw)), "draw"),
    paste0("`", effects, "`", collapse = ", "), counted(length(unique(x$level)), "level"), attr(x, "group")
  ))
  print(utils::head(as.data.frame(x), n), row.names = FALSE)
  if (nrow(x) > n) cat(sprintf("... %s\n", counted(nrow(x) - n, "more row")))
  invisible(x)
}

#' @export
as.data.frame.nlme_samples <- function(x, ...) {
  class(x) <- "data.frame"
  x
}

#' @exportS3Method posterior::as_draws
as_draws.nlme_samples <- function(x, ...) { # nolint: object_name_linter.
  posterior::as_draws_matrix(draw_matrix(x))
}

# One row a draw, one column an effect of a level, named as Stan names the elements of an array.
draw_matrix <- function(samples) {
  effects <- setdiff(names(samples), c("draw", "level"))
  levels <- unique(samples$level)
  columns <- lapply(effects, function(effect) {
    values <- matrix(samples[[effect]], ncol = length(levels))
    colnames(values) <- element_names(effect, levels)
    values
  })
  do.call(cbind, columns)
}

# Elements of the array of an effect: that of `eta[2]` has two indices.
element_names <- function(effect, levels) {
  inside <- sub("\\]$", ",", effect)
  paste0(if (inside == effect) paste0(effect, "[") else inside, levels, "]")
}
