#' Classes of subjects
#'
#' How likely each class of a model with `mix()` is for each subject, given its
#' outcomes, at the estimates of a fit.
#'
#' @param fit (`nlme_fit`) a fit of a model with `mix()`, see [nlme_model()].
#' @details
#' The random effects are integrated out: the probability of class `k` is `p_k f_k(y) /
#' sum_j p_j f_j(y)`, where `f_k` is the density of all outcomes of the subject in that
#' class. The probabilities add up to 1 in each subject; their averages over the
#' subjects are near the probabilities that the model estimates. `predict()`,
#' `fitted()` and `coef()` take for a subject the class that is the most likely one at
#' the mode of its random effects.
#' @returns A data frame with one row a subject and class and the columns `subject` (the
#'   label), `class` (1 for the first value of `mix()`, and so on) and `probability`.
#' @seealso [ranef()] for the random effects.
#' @examples
#' set.seed(1)
#' slopes <- rep(c(1, 3), c(6, 4)) + rnorm(10, sd = 0.2)
#' data <- expand.grid(x = 1:5, id = 1:10)
#' data$y <- slopes[data$id] * data$x + rnorm(50, sd = 0.5)
#' model <- nlme_model(
#'   fixed(b1 = 0.5, b2 = 4, p = probability(0.5), omega = positive(0.3), sigma = positive(1)),
#'   random(eta ~ normal(0, omega) | id),
#'   {
#'     y ~ normal((mix(b1, p, b2) + eta) * x, sigma)
#'   }
#' )
#' fit <- fit_nlme(model, data, seed = 1)
#' class_probabilities(fit)
#' @export
class_probabilities <- function(fit) {
  check_fit(fit)
  if (n_classes(fit) == 0L) {
    stop_option(
      "no_classes", "The model has no `mix()`: its subjects are of one class.",
      hint = "See `?nlme_model` for models with subpopulations."
    )
  }
  shares <- class_shares(fit)
  labels <- fit$data$labels
  n <- length(labels)
  data.frame(
    subject = rep(labels, each = ncol(shares)), class = rep(seq_len(ncol(shares)), n),
    probability = as.vector(t(shares))
  )
}

# How many classes a model tells apart; none in a fit of an earlier version.
n_classes <- function(fit) {
  n <- fit$model$described$classes
  if (is.null(n)) 0L else as.integer(n)
}

# Subjects by classes: found with the log-likelihood, else asked for.
class_shares <- function(fit) {
  shares <- known_shares(fit)
  if (is.null(shares)) ask_of_fit(fit, "classes")$classes else shares
}

known_shares <- function(fit) if (is.null(fit$log_lik$classes)) fit$classes else fit$log_lik$classes

# "Classes: 1 (58.3 % of the probability, 60 subjects), ..."
class_lines <- function(fit) {
  shares <- known_shares(fit)
  if (is.null(shares)) return(NULL)
  likely <- tabulate(max.col(shares, "first"), ncol(shares))
  each <- sprintf(
    "%d (%s %%, %d subject%s)", seq_along(likely), format_numbers(100 * colMeans(shares), 3), likely,
    ifelse(likely == 1L, "", "s")
  )
  c(paste("Classes:", paste(each, collapse = ", ")), "")
}

# The most likely class of the subject of each row of `bound`, for predictions at level 1.
likely_classes <- function(fit, bound) {
  if (n_classes(fit) == 0L) return(NULL)
  classes <- with_modes(fit)$fitted$classes
  label <- bound$groups[[1L]]$labels[bound$columns$.group]
  as.double(classes[match(label, fit$data$labels)])
}
