#' Samplers of the random effects
#'
#' How [saem()] draws the random effects of each level (of each subject, with one
#' grouping) given the data and the current estimates. Every sampler leaves the exact
#' conditional distribution as it is; they differ in how fast they move through it.
#' What a sampler learns, such as step sizes, lives through the iterations unless
#' `warm_start = FALSE`.
#'
#' @param sweeps (integer) sweeps of the independence kernel in an iteration: draws around
#'   the conditional modes, from Laplace's approximation. While smoothing it sweeps eight times
#'   as often, and the `prior` kernel rests.
#' @param prior,random_walk,block (integer) sweeps in an iteration of the other kernels of
#'   `independence()`: draws from the population, walks of one effect at a time, walks of
#'   random groups of effects. 0 turns a kernel off.
#' @param target_accept (number in (0, 1)) acceptance rate to which step sizes adapt; of
#'   `independence()` those of the walks.
#' @param scale (number) standard deviation of the steps of `mh()`, on the unconstrained scale
#'   of the effects.
#' @param n_kern1 (integer) draws from the population in a step, accepted by the likelihood
#'   alone.
#' @param n_kern2 (integer) walks of one effect at a time in a step.
#' @param n_kern3 (integer) walks of random blocks of effects in a step, as in the saemix
#'   package; 0 for none.
#' @param adapt_rate (number) factor of the adaptation: after each step a scale is multiplied
#'   by `1 + adapt_rate * (rate - target_accept)`.
#' @param adapt_start (integer) draws, over all levels of an effect, before the covariance of
#'   the proposals is that of the draws.
#' @param init_scale (number) factor on the covariance of the first proposals, which is
#'   `2.38^2 / d` times that of the population.
#' @param eps_reg (number) added to the diagonal of the covariance of the proposals.
#' @param max_depth (integer) largest number of doublings of a trajectory: at most
#'   `2^max_depth` gradients a step.
#' @param n_adapt (integer or NULL) iterations of the run in which step sizes and metric
#'   adapt; `NULL` for those before the gain decreases. Draws of `mala()` are a little too close
#'   to the center while its steps adapt, which lets small variances vanish: keep it short.
#' @details
#' * `independence()`, the default: a mixture of four kernels led by draws around the
#'   conditional modes (Karimi, Lavielle and Moulines, 2020).
#' * `mh()`: random walk of all effects of a level together, with steps of `scale` standard
#'   normal numbers on the unconstrained scale (logarithm of effects that are positive,
#'   logit of those in (0, 1)). It does not adapt; it needs many steps.
#' * `saemix_mh()`: the kernels of the saemix package.
#' * `adaptive_mh()`: adaptive Metropolis (Haario, Saksman and Tamminen, 2001) on the
#'   unconstrained scale, the covariance pooled over the levels of an effect.
#' * `nuts()`: no-U-turn sampler (Hoffman and Gelman, 2014), with exact gradients.
#' * `mala()`: Langevin proposals (Roberts and Tweedie, 1996), with exact gradients.
#'
#' A step of [saem()] (`mcmc_steps`) is one transition; of `independence()` and `saemix_mh()`
#' one round of all sweeps, of `adaptive_mh()` one pass over the levels.
#' @returns An object of class `nlme_sampler`, the `sampler` of [saem()].
#' @references
#' Haario H, Saksman E, Tamminen J (2001). An adaptive Metropolis algorithm. *Bernoulli* 7,
#' 223-242.
#'
#' Hoffman MD, Gelman A (2014). The No-U-Turn sampler. *Journal of Machine Learning Research*
#' 15, 1593-1623.
#'
#' Karimi B, Lavielle M, Moulines E (2020). f-SAEM: A fast stochastic approximation of the EM
#' algorithm for nonlinear mixed effects models. *Computational Statistics & Data Analysis* 141,
#' 123-138.
#'
#' Roberts GO, Tweedie RL (1996). Exponential convergence of Langevin distributions and their
#' discrete approximations. *Bernoulli* 2, 341-363.
#' @examples
#' saem(sampler = saemix_mh(n_kern1 = 2, n_kern2 = 4))
#' saem(sampler = nuts(), mcmc_steps = 3)
#' @name samplers
NULL

#' @rdname samplers
#' @export
independence <- function(sweeps = 2, prior = 1, random_walk = 1, block = 1, target_accept = 0.4) {
  counts <- list(
    independence = check_count(sweeps, "sweeps", 0), prior = check_count(prior, "prior", 0),
    random_walk = check_count(random_walk, "random_walk", 0), block = check_count(block, "block", 0)
  )
  if (sum(unlist(counts)) == 0) {
    stop_option(
      "no_kernel", "All kernels of independence() are 0: nothing would move the draws.",
      hint = "Leave them out for the defaults."
    )
  }
  new_sampler("independence", c(counts, list(target_accept = check_fraction(target_accept, "target_accept"))))
}

#' @rdname samplers
#' @export
mh <- function(scale = 1) {
  new_sampler("mh", list(scale = check_positive(scale, "scale")))
}

#' @rdname samplers
#' @export
saemix_mh <- function(n_kern1 = 2, n_kern2 = 2, n_kern3 = 0, target_accept = 0.44, adapt_rate = 0.7) {
  counts <- list(
    n_kern1 = check_count(n_kern1, "n_kern1", 0), n_kern2 = check_count(n_kern2, "n_kern2", 0),
    n_kern3 = check_count(n_kern3, "n_kern3", 0)
  )
  if (sum(unlist(counts)) == 0) {
    stop_option(
      "no_kernel", "All kernels of saemix_mh() are 0: nothing would move the draws.",
      hint = "Leave them out for the defaults."
    )
  }
  new_sampler("saemix_mh", c(counts, list(
    target_accept = check_fraction(target_accept, "target_accept"),
    adapt_rate = check_positive(adapt_rate, "adapt_rate")
  )))
}

#' @rdname samplers
#' @export
adaptive_mh <- function(adapt_start = 50, init_scale = 1, eps_reg = 1e-6) {
  new_sampler("adaptive_mh", list(
    adapt_start = check_count(adapt_start, "adapt_start", 0),
    init_scale = check_positive(init_scale, "init_scale"),
    eps_reg = check_positive(eps_reg, "eps_reg")
  ))
}

#' @rdname samplers
#' @export
nuts <- function(target_accept = 0.8, max_depth = 6, n_adapt = NULL) {
  new_sampler("nuts", list(
    target_accept = check_fraction(target_accept, "target_accept"),
    max_depth = check_count(max_depth, "max_depth", 1),
    n_adapt = if (!is.null(n_adapt)) check_count(n_adapt, "n_adapt", 0)
  ))
}

#' @rdname samplers
#' @export
mala <- function(target_accept = 0.57, n_adapt = 20) {
  new_sampler("mala", list(
    target_accept = check_fraction(target_accept, "target_accept"),
    n_adapt = if (!is.null(n_adapt)) check_count(n_adapt, "n_adapt", 0)
  ))
}

# `kind` and the fields are those the core reads.
new_sampler <- function(kind, fields) {
  structure(c(list(kind = kind), fields), class = "nlme_sampler")
}

# Steps an iteration where none are asked for.
sampler_steps <- c(independence = 1, mh = 80, saemix_mh = 1, adaptive_mh = 80, nuts = 5, mala = 20)

#' @export
print.nlme_sampler <- function(x, ...) {
  cat("Sampler ", call_words(x), "\n", sep = "")
  invisible(x)
}

# A sampler or optimizer as the call that makes it.
call_words <- function(object) {
  object <- unclass(object)
  fields <- object[names(object) != "kind"]
  names(fields)[names(fields) == "independence"] <- "sweeps"
  shown <- vapply(fields, function(value) {
    if (is.null(value)) "NULL" else if (is.character(value)) dQuote(value, FALSE) else format(value)
  }, character(1L))
  arguments <- if (length(shown) > 0L) paste(names(shown), "=", shown, collapse = ", ")
  sprintf("%s(%s)", object$kind, paste(arguments, collapse = ""))
}
