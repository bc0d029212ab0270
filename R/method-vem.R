#' Variational EM
#'
#' Fits a model by maximizing a bound of its log-likelihood, and then the likelihood itself. The
#' distribution of the random effects given the data is approximated, for each subject, by a
#' distribution `q` of a simple family; the *evidence lower bound*
#' `ELBO = E_q[log p(y, phi)] - E_q[log q(phi)]` is maximized over all `q` and over the
#' parameters. It is the log-likelihood less the Kullback-Leibler divergence of `q` from the true
#' conditional distribution, so it never exceeds it. The *polish* removes what the bound leaves:
#' it maximizes an importance-sampling estimate of the log-likelihood whose draws come from `q`.
#' The expectations are sums over points that stay the same through the iterations, so a fit is
#' deterministic but for the polish, whose random numbers `seed` fixes.
#'
#' @param family (character) the family of `q` on the scale on which a random effect is normal:
#'   `"full_rank"`, a Gaussian with all covariances; `"mean_field"`, one without, which is faster
#'   where there are many effects and wider off the truth; `"planar_flow"`, a full-rank Gaussian
#'   bent by planar layers, for conditional distributions that are far from Gaussian.
#' @param rule (character) the points of the expectations over `q`: `"cubature"`, a fixed
#'   symmetric rule that is exact for polynomials; `"qmc"`, points of a low-discrepancy sequence;
#'   `"monte_carlo"`, independent draws. The default is `"qmc"` for `"planar_flow"`, which would
#'   use the gaps between few points.
#' @param points (integer or NULL) points for each subject (each *batch*: what shares levels of
#'   any random effect) of `"qmc"` and `"monte_carlo"`. `NULL` chooses by the number of effects.
#'   `"cubature"` has the number that its rule needs.
#' @param flows (integer) layers of `"planar_flow"`.
#' @param sweeps (integer) iterations at first in which all `q`, then all parameters move in turn,
#'   the latter by closed forms and bounded steps as in [saem()].
#' @param maxiters (integer) largest number of quasi-Newton steps on the bound after that, in all
#'   parameters together.
#' @param tolerance (number) the gain in -2 ELBO that a further step may still promise of a
#'   converged fit.
#' @param inner_maxiters (integer) largest number of Newton steps of each `q` between two moves of
#'   the parameters.
#' @param inner_tolerance (number) the gain in the bound of a subject below which its `q` rests.
#' @param optimizer (`"auto"` or `nlme_optimizer`) how the parameters move after the sweeps:
#'   `"auto"` for quasi-Newton steps; [lbfgs()] for the same with another memory; [adam()] for many
#'   parameters, with `batch_size`.
#' @param batch_size (integer or NULL) batches drawn for each step of [adam()]; `NULL` takes all.
#' @param penalty (named numeric or list) parameters that are drawn toward 0, and how much: adds
#'   `-lambda / 2` times the sum of the squares of a parameter, on the transformed scale (the
#'   logarithm of positive parameters), to what is maximized, as in `c(W = 1)`: a normal prior
#'   with variance `1 / lambda`.
#' @param polish (logical) maximize the importance-sampling estimate of the log-likelihood at the
#'   end. Without it the estimates are those of the bound.
#' @param polish_draws (integer) draws for each batch of the polish.
#' @param polish_rounds (integer) how often the draws of the polish are made anew at most, where
#'   the parameters have moved too far from those they were drawn at.
#' @param log_lik (character) how the log-likelihood is computed at the estimates:
#'   `"importance"`, `"quadrature"`, `"laplace"`, `"linear"` or `"none"`; see [logLik.nlme_fit()].
#' @param draws (integer) importance draws for each batch of the log-likelihood and of the
#'   standard errors.
#' @param nodes (integer or NULL) nodes a dimension of `log_lik = "quadrature"`; `NULL` takes as many
#'   as it needs.
#' @param se (character) the covariance matrix of the estimates: `"louis"`, `"linear"`,
#'   `"sandwich"` or `"none"`; see [vcov.nlme_fit()].
#' @inheritParams saem
#' @section Groups of options:
#' * approximation: `family`, `rule`, `points`, `flows`;
#' * maximization of the bound: `sweeps`, `maxiters`, `tolerance`, `inner_maxiters`, `inner_tolerance`, `optimizer`,
#'   `batch_size`, `penalty`, `lb`, `ub`;
#' * polish: `polish`, `polish_draws`, `polish_rounds`;
#' * modes at the end: `ebe_*`, `ebe_rescue_*`, `store_eb_modes`;
#' * results: `log_lik`, `draws`, `nodes`, `se`, `verbose`.
#'
#' Steps, points, draws and batches are counts; tolerances are in units of the log-likelihood, bounds and penalties on
#' the transformed scale. An option that nothing would read beside the others is refused.
#' @section When to use it:
#' `vem()` is fast and has no Monte-Carlo noise to average out, which suits models that are fitted many times: searches
#' for covariates, bootstraps, profiles. [saem()] makes no assumption about the shape of the conditional distributions
#' and copes better with distant starting values and with subjects whose effects have several modes. After either,
#' [health()] says whether the assumptions hold: the gap between bound and log-likelihood, the tails of the importance
#' weights (Pareto k) and the shrinkage. Without `polish` the estimates carry the bias of the bound, which is none for
#' linear models with normal outcomes, small where every subject has many observations, and largest in the variances
#' of random effects of sparse or binary data.
#' @section The approximations:
#' A fit holds them in `fit$q`, batch after batch: `size`, the number of random effects of each; `mean`; and `chol`, the
#' lower Cholesky factor of each covariance matrix, by rows. They are on the scale on which an effect is normal, and
#' about the mean of an individual parameter where the model adds the effect to it: the logarithm of `ka * exp(eta)`,
#' not `eta`. `vignette("vem")` draws them.
#' @returns An object of class `nlme_method` for [fit_nlme()].
#' @seealso [saem()], [elbo()], [health()], [logLik.nlme_fit()], [vcov.nlme_fit()]
#' @references
#' Blei DM, Kucukelbir A, McAuliffe JD (2017). Variational inference: a review for statisticians. *Journal of the
#' American Statistical Association* 112, 859-877.
#'
#' Opper M, Archambeau C (2009). The variational Gaussian approximation revisited. *Neural Computation* 21, 786-792.
#'
#' Rezende DJ, Mohamed S (2015). Variational inference with normalizing flows. *International Conference on Machine
#' Learning*.
#'
#' Louis TA (1982). Finding the observed information matrix when using the EM algorithm. *Journal of the Royal
#' Statistical Society B* 44, 226-233.
#'
#' Tarek, Afonso. Fitting large nonlinear mixed effects models using variational expectation maximization.
#' arXiv:2604.26160.
#' @examples
#' vem()
#' vem(family = "mean_field", polish = FALSE)
#' vem(rule = "qmc", points = 128, log_lik = "quadrature", se = "sandwich")
#' vem(optimizer = adam(0.01, maxiters = 2000), batch_size = 32, penalty = c(beta = 1))
#' fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, method = vem(), start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8), seed = 1
#' )
#' @export
vem <- function(family = "full_rank", rule = "cubature", points = NULL, flows = 2, sweeps = 10, maxiters = 200,
                tolerance = 1e-6, inner_maxiters = 50, inner_tolerance = 1e-10, optimizer = "auto", batch_size = NULL,
                penalty = NULL, polish = TRUE, polish_draws = 512, polish_rounds = 5, lb = NULL, ub = NULL,
                ebe_optimizer = "newton", ebe_optim_kwargs = list(), ebe_adtype = "reverse", ebe_grad_tol = "auto",
                ebe_multistart_n = 50, ebe_multistart_k = 10, ebe_multistart_max_rounds = 5,
                ebe_multistart_sampling = "lhs", ebe_rescue_on_high_grad = TRUE, ebe_rescue_multistart_n = 128,
                ebe_rescue_multistart_k = 32, ebe_rescue_max_rounds = 8, ebe_rescue_grad_tol = "auto",
                ebe_rescue_multistart_sampling = "lhs", store_eb_modes = TRUE, log_lik = "importance", draws = 1000,
                nodes = NULL, se = "louis", verbose = FALSE, ...) {
  refuse_dots(...)
  asked <- mget(setdiff(names(formals()), "..."), environment())
  new_vem(asked, setdiff(names(match.call())[-1L], ""))
}

# `asked` are the values of all options, `given` the names of those the user wrote.
new_vem <- function(asked, given) {
  options <- c(
    list(name = "vem"), approximation_options(asked, given), ascent_options(asked, given),
    polish_options(asked, given), bound_options(asked), ebe_options(asked, given), inference_options(asked, given),
    list(verbose = check_flag(asked$verbose, "verbose"))
  )
  structure(list(options = options), class = "nlme_method")
}

# The family of q, and the points at which expectations over it are taken.
approximation_options <- function(asked, given) {
  family <- check_word(asked$family, "family", c("full_rank", "mean_field", "planar_flow"))
  rule <- check_word(asked$rule, "rule", c("cubature", "qmc", "monte_carlo"))
  if (family == "planar_flow" && !"rule" %in% given) rule <- "qmc"
  if (family == "planar_flow" && rule == "monte_carlo") {
    stop_option(
      "not_possible", "`family = \"planar_flow\"` needs points that stay, `rule = \"monte_carlo\"` has fresh ones.",
      hint = "Write `rule = \"qmc\"`.", fields = list(name = "rule")
    )
  }
  points <- asked$points
  if (rule == "cubature" && !is.null(points)) {
    refuse_idle(
      "points", "points", "`rule = \"cubature\"` has the points that it needs",
      "Write `rule = \"qmc\"`, or leave `points` out."
    )
  }
  if (family != "planar_flow") {
    refuse_idle(
      given, "flows", sprintf("`family = \"%s\"` has no flow", family),
      "Write `family = \"planar_flow\"`, or leave `flows` out."
    )
  }
  list(
    family = family, rule = rule, points = if (!is.null(points)) check_count(points, "points", 1),
    flows = check_count(asked$flows, "flows", 1)
  )
}

# How the bound is maximized.
ascent_options <- function(asked, given) {
  optimizer <- bound_optimizer(asked, given)
  list(
    sweeps = check_count(asked$sweeps, "sweeps", 0), maxiters = optimizer$maxiters,
    tolerance = check_positive(asked$tolerance, "tolerance"),
    inner_maxiters = check_count(asked$inner_maxiters, "inner_maxiters", 1),
    inner_tolerance = check_positive(asked$inner_tolerance, "inner_tolerance"),
    optimizer = optimizer$fields,
    batch_size = batch_size_option(asked$batch_size, optimizer$fields$kind, asked$rule),
    penalty = penalty_option(asked$penalty)
  )
}

# The optimizer as the core reads it, and the number of its steps: its own, else those of vem().
bound_optimizer <- function(asked, given) {
  maxiters <- check_count(asked$maxiters, "maxiters", 1)
  optimizer <- asked$optimizer
  if (identical(optimizer, "auto")) return(list(fields = list(kind = "auto"), maxiters = maxiters))
  if (!inherits(optimizer, "nlme_optimizer") || !optimizer$kind %in% c("lbfgs", "adam")) {
    what <- if (inherits(optimizer, "nlme_optimizer")) paste0(optimizer$kind, "()") else code_text(optimizer)
    stop_option(
      "bad_optimizer", "`optimizer` must be \"auto\", lbfgs() or adam().", sprintf("optimizer = %s", what),
      fields = list(name = "optimizer", value = what)
    )
  }
  if (optimizer$kind == "lbfgs" && asked$rule == "monte_carlo") {
    refuse_idle(
      "optimizer", "optimizer", "`rule = \"monte_carlo\"` has fresh points at every step, which only adam() bears",
      "Write `optimizer = adam()`, or leave `optimizer` out."
    )
  }
  fields <- unclass(optimizer)
  refuse_of_saem(fields)
  if (is.null(fields$maxiters)) {
    fields$maxiters <- maxiters
  } else if ("maxiters" %in% given) {
    stop_option(
      "two_lengths", sprintf("`maxiters` and the `maxiters` of %s() both say how many steps there are.", fields$kind),
      hint = "Give one of them.", fields = list(name = "maxiters")
    )
  }
  fields$adtype <- "reverse"
  list(fields = settle_lengths(fields), maxiters = fields$maxiters)
}

# Arguments of an optimizer that the bound has no use for.
refuse_of_saem <- function(fields) {
  if (!is.null(fields$g_tol)) {
    refuse_idle("g_tol", "g_tol", "vem() stops by its `tolerance`", "Leave `g_tol` of lbfgs() out.")
  }
  if (identical(fields$adtype, "finite")) {
    stop_bad_option("adtype", "finite", "\"reverse\" or left out: the bound has exact derivatives")
  }
}

batch_size_option <- function(size, kind, rule) {
  if (is.null(size)) return(NULL)
  if (kind != "adam" && rule != "monte_carlo") {
    refuse_idle(
      "batch_size", "batch_size", "only adam() takes some of the batches a step",
      "Write `optimizer = adam()`, or leave `batch_size` out."
    )
  }
  check_count(size, "batch_size", 1)
}

# Parameter to lambda.
penalty_option <- function(penalty) {
  penalty <- as.list(penalty)
  if (any(rlang::names2(penalty) == "")) {
    stop_option(
      "unnamed_value", "`penalty` must be named: every number belongs to a parameter.",
      hint = "Write `penalty = c(beta = 1)`.", fields = list(name = "penalty")
    )
  }
  if (anyDuplicated(names(penalty)) > 0L) stop_bad_option("penalty", penalty, "one number a parameter")
  Map(function(value, name) check_positive(value, sprintf("penalty[\"%s\"]", name)), penalty, names(penalty))
}

# The method with its penalties as the core reads them: list(list(name, lambda), ...).
penalized_method <- function(method, known, held) {
  penalty <- method$options$penalty
  for (name in names(penalty)) {
    check_parameter_name(name, "penalty", known)
    if (name %in% held) tell_unused(method$options$name, "penalty", name)
  }
  kept <- setdiff(names(penalty), held)
  method$options$penalty <- lapply(kept, function(name) list(name, penalty[[name]]))
  method
}

polish_options <- function(asked, given) {
  polish <- check_flag(asked$polish, "polish")
  if (!polish) refuse_idle(given, c("polish_draws", "polish_rounds"), "`polish` is FALSE")
  list(
    polish = polish, polish_draws = check_count(asked$polish_draws, "polish_draws", 2),
    polish_rounds = check_count(asked$polish_rounds, "polish_rounds", 1)
  )
}

# What is computed at the estimates.
inference_options <- function(asked, given) {
  log_lik <- check_word(asked$log_lik, "log_lik", c("importance", "quadrature", "laplace", "linear", "none"))
  se <- check_word(asked$se, "se", c("louis", "linear", "sandwich", "none"))
  if (!draws_are_read(log_lik, se)) {
    refuse_idle(given, "draws", sprintf("`log_lik = \"%s\"` and `se = \"%s\"` draw nothing", log_lik, se))
  }
  if (log_lik != "quadrature" && !is.null(asked$nodes)) {
    refuse_idle(
      "nodes", "nodes", sprintf("`log_lik` is \"%s\"", log_lik),
      "Write `log_lik = \"quadrature\"`, or leave `nodes` out."
    )
  }
  list(
    log_lik = log_lik, draws = check_count(asked$draws, "draws", 2),
    nodes = if (!is.null(asked$nodes)) check_count(asked$nodes, "nodes", 1), se = se
  )
}

draws_are_read <- function(log_lik, se) log_lik == "importance" || se %in% c("louis", "sandwich")
