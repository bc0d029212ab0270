# nolint start: object_name_linter. The arguments have the names that saemix gives them.

#' Options as the saemix package takes them
#'
#' The options of `saemixControl()`. Those with a counterpart here are passed on to
#' [saem()] and [fit_nlme()]; for the others one message says that they have no meaning,
#' and why. A plain list of options does as well, as in `fit_nlme(model, data, list(seed = 1))`; of
#' an option that stands in it twice the first one counts, as in saemix. `NA` is the default of an option.
#'
#' @param nbiter.saemix (integer) iterations of exploration and of smoothing.
#' @param nb.chains (integer) Markov chains per subject; by default as many as make 50
#'   subject-chains together.
#' @param fix.seed,seed (logical, integer) `fix.seed = FALSE` draws a seed.
#' @param ll.is,ll.gq,nnodes.gq (logical, logical, integer) the log-likelihood is computed when
#'   `ll.is` or `ll.gq` is; always by adaptive quadrature, with `nnodes.gq` nodes per
#'   dimension when `ll.gq` asks for it.
#' @param nbiter.mcmc (integer) sweeps of the kernels: `prior`, `random_walk`, `block` and, as
#'   a fourth number, `sweeps` of [independence()].
#' @param proba.mcmc (number) acceptance rate to which the random walks adapt.
#' @param alpha.sa (number) the `sa_anneal_alpha` of [saem()].
#' @param nbiter.sa (integer) iterations with annealed variances; 0 turns annealing off.
#' @param displayProgress (logical) show a progress bar.
#' @param print (logical) print the fit.
#' @param map,fim,nbiter.burn,nbiter.map,nmc.is,nu.is,print.is,nbdisplay,stepsize.rw,rw.init,nsd.gq,maxim.maxiter
#'   have no meaning here: the modes and standard errors are always computed, the
#'   algorithm adapts its own steps and the log-likelihood needs no draws.
#' @param nb.simpred (integer) draws of `predict(fit, type = "ypred")`.
#' @param nb.sim,ipar.lmcmc,ipar.rmcmc,save,save.graphs,directory,warnings have no
#'   meaning here: nothing is simulated or written to disk that is not asked for.
#' @param ... nothing; an unknown option is refused with the nearest known one.
#' @returns An object of class `saemix_control`, the `method` of [fit_nlme()].
#' @seealso [saemix_model()], [saem()]
#' @examples
#' saemix_control(seed = 632545, nbiter.saemix = c(200, 100), displayProgress = FALSE)
#' @export
saemix_control <- function(map = TRUE, fim = TRUE, ll.is = TRUE, ll.gq = FALSE,
                           nbiter.saemix = c(300, 100), nbiter.sa = NULL, nbiter.burn = 5, nbiter.map = 5,
                           nb.chains = 1, fix.seed = TRUE, seed = 23456, nmc.is = 5000, nu.is = 4,
                           print.is = FALSE, nbdisplay = 100, displayProgress = TRUE,
                           nbiter.mcmc = c(2, 2, 2), proba.mcmc = 0.4, stepsize.rw = 0.4,
                           rw.init = 0.5, alpha.sa = 0.97, nnodes.gq = 12, nsd.gq = 4,
                           maxim.maxiter = 100, nb.sim = 1000, nb.simpred = 100,
                           ipar.lmcmc = 50, ipar.rmcmc = 0.05, print = FALSE, save = FALSE,
                           save.graphs = FALSE, directory = "newdir", warnings = FALSE,
                           algorithms = NULL, algorithm = NULL, ...) {
  refuse_dots(...)
  given <- setdiff(as.character(names(match.call())[-1L]), "")
  options <- if (length(given) > 0L) mget(given, environment()) else list()
  options <- Filter(Negate(is_default), options)
  given <- names(options)
  control <- list(
    method = saemix_method(options),
    seed = if (check_flag(fix.seed, "fix.seed")) check_count(if (is_default(seed)) 23456 else seed, "seed", 0),
    progress = if ("displayProgress" %in% given) check_flag(displayProgress, "displayProgress"),
    print = check_flag(print, "print"),
    draws = if ("nb.simpred" %in% given) check_count(nb.simpred, "nb.simpred", 1)
  )
  say_without_meaning("saemix_control", meaningless_options(options))
  structure(control, class = "saemix_control")
}

# saemixControl() writes NA where a default depends on other options.
is_default <- function(value) is.null(value) || length(value) == 1L && is.atomic(value) && is.na(value)

# The options given that have a counterpart, as arguments of saem().
saemix_method <- function(options) {
  # `nbiter.saemix` says how many iterations there are, also by its default.
  args <- list(adaptive = FALSE)
  if (!is.null(options[["nbiter.saemix"]])) {
    check_numbers(options[["nbiter.saemix"]], "nbiter.saemix", 2L)
    args$exploration <- check_count(options[["nbiter.saemix"]][1L], "nbiter.saemix[1]", 1)
    args$smoothing <- check_count(options[["nbiter.saemix"]][2L], "nbiter.saemix[2]", 0)
  }
  if (!is.null(options[["nb.chains"]])) args$n_chains <- check_count(options[["nb.chains"]], "nb.chains", 1)
  args$sampler <- saemix_sampler(options[["nbiter.mcmc"]], options[["proba.mcmc"]])
  annealed <- options[["nbiter.sa"]]
  if (!is.null(annealed)) annealed <- check_count(annealed, "nbiter.sa", 0)
  if (identical(annealed, 0)) {
    args$sa_anneal_schedule <- "none"
  } else {
    args$sa_anneal_schedule <- "rate"
    args$sa_anneal_iters <- annealed
    if (!is.null(options[["alpha.sa"]])) args$sa_anneal_alpha <- check_fraction(options[["alpha.sa"]], "alpha.sa")
  }
  quadrature <- isTRUE(options[["ll.gq"]])
  args$log_lik <- !isFALSE(options[["ll.is"]]) || quadrature
  if (quadrature && !is.null(options[["nnodes.gq"]])) args$nodes <- check_count(options[["nnodes.gq"]], "nnodes.gq", 1)
  do.call(saem, args)
}

# The sweeps of saemix in the mixture of independence(), which estimates better than saemix's kernels alone.
saemix_sampler <- function(sweeps, acceptance) {
  args <- list()
  if (!is.null(sweeps)) {
    check_numbers(sweeps, "nbiter.mcmc", 3:4)
    kernels <- c("prior", "random_walk", "block", "sweeps")
    args <- as.list(stats::setNames(sweeps, kernels[seq_along(sweeps)]))
  }
  if (!is.null(acceptance)) args$target_accept <- check_fraction(acceptance, "proba.mcmc")
  if (length(args) > 0L) do.call(independence, args)
}

# Why an option has no meaning here. Those of `done` say what happens anyway.
saemix_reasons <- c(
  map = "the modes of the random effects are always computed",
  fim = "the information is a by-product of the algorithm",
  nbiter.burn = "the exploration is long enough to forget its start",
  nbiter.map = "the independence kernel refreshes its modes itself; see `sweeps` of independence()",
  nmc.is = "the log-likelihood is computed by adaptive quadrature",
  nu.is = "the log-likelihood is computed by adaptive quadrature",
  print.is = "the log-likelihood is computed by adaptive quadrature",
  nsd.gq = "the nodes are placed around each subject's mode",
  nbdisplay = "progress is shown as a bar",
  stepsize.rw = "the random walks adapt their steps to `proba.mcmc`",
  rw.init = "the random walks adapt their steps to `proba.mcmc`",
  maxim.maxiter = "the M-step has no inner maximization",
  nb.sim = "give `nsim` to simulate()",
  ipar.lmcmc = "conditional modes need no draws",
  ipar.rmcmc = "conditional modes need no draws",
  save = "nothing is written to disk; use saveRDS()",
  save.graphs = "nothing is written to disk; use plot()",
  directory = "nothing is written to disk",
  warnings = "a fit that did not converge always warns",
  algorithms = "write `map`, `fim` and `ll.is`",
  algorithm = "write `map`, `fim` and `ll.is`"
)
saemix_done <- list(map = TRUE, fim = TRUE, print.is = FALSE, save = FALSE, save.graphs = FALSE, warnings = TRUE)

meaningless_options <- function(options) {
  asked <- intersect(names(options), names(saemix_reasons))
  happens <- vapply(asked, function(name) identical(options[[name]], saemix_done[[name]]), logical(1L))
  reasons <- saemix_reasons[asked[!happens]]
  # saemix has nnodes.gq only for ll.gq.
  if (!is.null(options[["nnodes.gq"]]) && !isTRUE(options[["ll.gq"]])) {
    reasons <- c(reasons, nnodes.gq = "it belongs to `ll.gq = TRUE`")
  }
  if (isFALSE(options[["fix.seed"]]) && !is.null(options[["seed"]])) {
    reasons <- c(reasons, seed = "`fix.seed = FALSE` draws a seed")
  }
  reasons
}

#' @export
print.saemix_control <- function(x, ...) {
  print(x$method)
  cat(sprintf("  seed = %s\n", if (is.null(x$seed)) "drawn" else format(x$seed)))
  invisible(x)
}

# nolint end
