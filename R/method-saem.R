#' The SAEM algorithm
#'
#' Stochastic approximation EM (Delyon, Lavielle and Moulines, 1999; Kuhn and
#' Lavielle, 2005). Each iteration draws the random effects given the data by Markov chain
#' Monte Carlo, moves averages over the draws toward the new ones by the *gain*, and maximizes.
#' The gain is 1 at first, which moves to the neighborhood of the maximum, and then decreases,
#' which averages out the noise of the draws. The first three options suffice for most fits.
#'
#' @param exploration (integer) iterations with gain 1.
#' @param smoothing (integer) iterations with decreasing gain. More of them lower the
#'   Monte-Carlo error.
#' @param n_chains (integer) Markov chains of each subject (of each *batch*: what shares
#'   levels of any random effect). The draws of all chains enter the averages.
#' @param nbiter (two integers or NULL) `c(exploration, smoothing)`, as the saemix package writes
#'   it.
#' @param maxiters (integer or NULL) all iterations. `NULL` is 300; with `sa_schedule = "saemix"`
#'   it is `exploration + smoothing`, and a number is split between them 3 to 1.
#' @param sa_schedule (character or function) gain sequence: `"saemix"`, `"robbins_monro"`,
#'   `"two_phase"`, `"power"` or `"custom"`; see the section on schedules. A function is
#'   `sa_schedule_fn`.
#' @param sa_burnin_iters (integer) iterations with gain 0 before all others: the chains run,
#'   nothing is learned.
#' @param t0 (integer) iterations with gain 1 of `"robbins_monro"` and `"power"`.
#' @param kappa (number in (0, 1]) exponent of the decrease of `"robbins_monro"` and `"power"`.
#' @param sa_phase1_iters,sa_phase2_kappa (integer; number of at most 0) iterations with gain 1
#'   of `"two_phase"`, and the exponent of the gain `k^sa_phase2_kappa` after them.
#' @param sa_schedule_fn (function or NULL) `function(iter, opts)` with the gain in \[0, 1\] of
#'   iteration `iter`; `opts` is the list of all options. It is called for all iterations when
#'   the method is made.
#' @param auto_small_n_chains (logical or NULL) more chains for few batches: as many as make
#'   `small_n_chain_target` together. `NULL` is `TRUE` unless `n_chains` is given.
#' @param small_n_chain_target (integer) see there.
#' @param sampler (`nlme_sampler`) how the random effects are drawn: [independence()], [mh()],
#'   [saemix_mh()], [adaptive_mh()], [nuts()] or [mala()].
#' @param mcmc_steps (integer or NULL) steps of the sampler in an iteration; `NULL` is 1 for
#'   `independence()` and `saemix_mh()`, 80 for `mh()` and `adaptive_mh()`, 5 for `nuts()`, 20 for
#'   `mala()`.
#' @param update_schedule (`"all"`, integer or function) batches drawn for in an iteration:
#'   all, so many at random, or those whose numbers `function(n_batches, iteration)` returns.
#'   The others keep their draws.
#' @param warm_start (logical) chains, and what samplers learned, live through the iterations.
#' @param optimizer (`nlme_optimizer`) how parameters without a closed form move: [score()],
#'   [lbfgs()], [nelder_mead()] or [adam()].
#' @param optim_kwargs (list) arguments of the optimizer in place of its own, as in
#'   `list(maxiters = 120)`.
#' @param adtype (character or NULL) `"reverse"` or `"finite"`, the `adtype` of the optimizer.
#' @param mstep_sa_on_params (logical) maximize at the draws of the iteration alone, and move the
#'   parameters by the gain toward the maximum, on the transformed scale. Otherwise the draws that
#'   are kept are maximized over.
#' @param max_store (integer) iterations whose draws are kept for the numerical maximization.
#' @param suffstats,q_from_stats,mstep_closed_form (function or NULL) the user's own statistics
#'   and M-step; see the section on functions.
#' @param builtin_stats (character) closed forms: `"auto"` for every parameter that has one, unless
#'   an optimizer maximizes `q_from_stats`, `"closed_form"` for those that the next three name,
#'   `"none"`. `"gaussian_re"` is another name of `"closed_form"`.
#' @param builtin_mean (character) `"glm"` maximizes over the parameters of the outcomes' means
#'   by themselves before the others, `"none"` does not.
#' @param resid_var_param (names or NULL) parameters of the residual errors that take closed
#'   forms: `"sigma"`, by outcome `c(y = "sigma")`, or `list(y = list(mu = "mu", sigma = "sigma"))`.
#' @param re_cov_params,re_mean_params (names or NULL) parameters of the SDs or covariances, and
#'   of the means, of random effects that take closed forms, by effect: `c(eta = "omega")`,
#'   `list(eta = c("omega1", "omega2"))`.
#' @param lb,ub (named numeric or list) bounds by parameter on the transformed scale (the
#'   logarithm of positive parameters), one number or one a coordinate. The bounds of the model
#'   hold in any case.
#' @param penalty (named numeric or list) weights of learned functions that are drawn toward 0, and how much: adds
#'   `-lambda / 2` times the sum of the squares of the weights to what is maximized, as in `c(f = 1)`: a normal prior
#'   with variance `1 / lambda`.
#' @param sa_anneal_schedule (character) how variances are kept up at first: `"none"`, not at all;
#'   `"rate"` lets them shrink by `sa_anneal_alpha` an iteration at most, `"exponential"` and
#'   `"linear"` put a floor under the SDs of normal and lognormal effects, those of a covariance
#'   matrix included. The floors are `alpha |start| exp(-3 f)` and `alpha |start| (1 - f)`, where
#'   `f` goes from 0 to 1. Held up by a start that is far too wide, means may wander off.
#' @param sa_anneal_iters (integer) iterations of that; 0 is half of those with gain 1 for
#'   `"rate"`, else 0.3 of all.
#' @param sa_anneal_alpha (number in (0, 1) or NULL) see there; `NULL` is 0.95 for `"rate"`, else
#'   0.9.
#' @param sa_anneal_targets (named numeric) parameters under which the floors are put instead,
#'   and the `alpha` of each, as in `c(omega = 0.9)`.
#' @param sa_anneal_fn reserved; anything but `NULL` is refused.
#' @param auto_var_lb (logical) a floor for good under the SDs of random effects and of residual
#'   errors.
#' @param var_lb_value (number or NULL) that floor, an SD on the natural scale also where the
#'   parameter is a variance or a covariance matrix; `NULL` is 1e-5 of each starting SD.
#' @param anneal_to_fixed (names) normal random effects, their SD a number in the model, whose
#'   SD is taken to `anneal_min_sd` while the gain is 1, so that the effect becomes its mean.
#' @param anneal_schedule (character) the way there: `"exponential"`, `"linear"`, or `"gamma"`
#'   as the gain of `"power"` with `t0` and `kappa` goes in the whole run. `"gamma"` ends above
#'   `anneal_min_sd`, and the first iteration with a smaller gain takes the SD to the rest.
#' @param anneal_min_sd (number) the SD from the first iteration with a gain below 1 on.
#' @param convergence_test (character or NULL) `"windowed"` runs all iterations and judges
#'   what one more step would gain, `"consecutive"` stops when estimates and objective have hardly
#'   moved for some iterations in a row. `NULL` is the latter if any of its tolerances is given.
#' @param rtol_theta,atol_theta,rtol_Q,atol_Q (number, 0 to Inf) the largest relative and
#'   absolute change of the estimates (transformed scale) and of the objective that counts as
#'   hardly moved. Draws are noisy: they are met only where the gain is nearly 0.
#' @param consecutive_params (integer) iterations in a row. Those whose gain is 0, or in which no draw
#'   moved, say nothing: they neither count nor end a row.
#' @param ebe_optimizer (character) how modes of the random effects are found at the end:
#'   `"newton"`, `"lbfgs"` or `"nelder_mead"`. Newton's method takes all subjects together; the
#'   others are slower, and `"nelder_mead"` seldom reaches a gradient below 0.01. With random
#'   effects of several groupings it is Newton's method, from the means of the effects only.
#' @param ebe_optim_kwargs (list) its `maxiters`, 200 by default.
#' @param ebe_adtype (character) `"reverse"`: modes are found with exact derivatives.
#' @param ebe_grad_tol,ebe_rescue_grad_tol (number or `"auto"`) largest element of the gradient
#'   at a mode; `"auto"` is 1e-4, for the rescue `ebe_grad_tol`. 0 tries other starts for every
#'   subject, which finds higher modes where there are several.
#' @param ebe_multistart_n,ebe_multistart_k,ebe_multistart_max_rounds,ebe_multistart_sampling
#'   (integer, character) where the gradient is larger, starts of a round drawn from the
#'   population, how many of the best are followed, most rounds (each with twice as many), and
#'   whether the starts are a Latin hypercube (`"lhs"`) or independent (`"random"`). A round that
#'   raises a subject's log density by less than 0.01 is its last.
#' @param ebe_rescue_on_high_grad (logical) search again, with the next four, where the gradient
#'   is still larger than `ebe_rescue_grad_tol`.
#' @param ebe_rescue_multistart_n,ebe_rescue_multistart_k,ebe_rescue_max_rounds (integer) see there.
#' @param ebe_rescue_multistart_sampling (character) see there.
#' @param store_eb_modes (logical) the fit holds the modes; else [ranef()] finds them when asked.
#' @param acceleration (logical or NULL) precondition the smoothing by the observed
#'   information, so that its steps are Newton steps on averaged scores. Without it the
#'   statistics are averaged as published. `NULL` is `TRUE` where it is possible: the
#'   schedule `"saemix"`, the optimizer `score()`, all batches updated, the windowed test, no
#'   functions of the user, no `builtin_mean` and no `anneal_to_fixed`.
#' @param adaptive (logical or NULL) end the exploration when the estimates travel no further than
#'   their noise explains, and smooth for 30 iterations then; `exploration` and `smoothing` are the most that is run.
#'   `NULL` is `TRUE` unless some option says how long the run is, where the smoothing is accelerated.
#' @param polish (logical) judge the estimates at fresh importance draws, and go on from them to the maximum of the
#'   likelihood where these promise more, by Newton steps. Where these do not lead there, or what they lead to is in
#'   doubt (a variance of 0, a direction of which the data say nothing, a parameter ten times or a tenth of its start),
#'   variational steps from the start are tried, and climbs. `FALSE` judges without moving them.
#' @param polish_draws,polish_rounds (integer) importance draws of each subject (each batch) that a climb holds, and
#'   climbs at most.
#' @param draws (integer or NULL) importance draws of each subject (each batch) by which the estimates are judged
#'   and from which standard errors are computed, at first. `NULL` is 9600 in all, but 100 to 300, more where the
#'   subjects are fewer than 12. Four times as many are taken where these are too noisy, up to 4000 where they do not
#'   show whether the likelihood curves down; fewer where each asks for a solution of differential equations and all
#'   together would be more than 130,000.
#' @param log_lik (logical) compute the log-likelihood by adaptive quadrature at the estimate.
#' @param nodes (integer or NULL) quadrature nodes a dimension; `NULL` takes as many as it needs,
#'   see [logLik.nlme_fit()].
#' @param verbose (logical) one line for each iteration that is reported.
#' @param ... nothing; an unknown option is refused with the nearest known one.
#' @section Groups of options:
#' * gain sequence: `exploration`, `smoothing`, `nbiter`, `maxiters`, `sa_schedule`, `sa_burnin_iters`, `t0`, `kappa`,
#'   `sa_phase1_iters`, `sa_phase2_kappa`, `sa_schedule_fn`, `acceleration`, `adaptive`;
#' * chains: `n_chains`, `auto_small_n_chains`, `small_n_chain_target`;
#' * sampler: `sampler`, `mcmc_steps`, `update_schedule`, `warm_start`;
#' * optimizer of the M-step: `optimizer`, `optim_kwargs`, `adtype`, `mstep_sa_on_params`, `max_store`, `lb`, `ub`,
#'   `penalty`;
#' * closed forms: `builtin_stats`, `builtin_mean`, `resid_var_param`, `re_cov_params`, `re_mean_params`;
#' * functions of the user: `suffstats`, `q_from_stats`, `mstep_closed_form`;
#' * floors under variances: `sa_anneal_schedule`, `sa_anneal_iters`, `sa_anneal_alpha`, `sa_anneal_targets`,
#'   `sa_anneal_fn`, `auto_var_lb`, `var_lb_value`;
#' * effects that become their means: `anneal_to_fixed`, `anneal_schedule`, `anneal_min_sd`;
#' * convergence: `convergence_test`, `rtol_theta`, `atol_theta`, `rtol_Q`, `atol_Q`, `consecutive_params`;
#' * maximum: `polish`, `polish_draws`, `polish_rounds`;
#' * modes at the end: `ebe_*`, `ebe_rescue_*`, `store_eb_modes`;
#' * results: `log_lik`, `draws`, `nodes`, `verbose`.
#'
#' Iterations, steps, chains and batches are counts; tolerances and bounds are on the transformed scale, SDs and
#' floors on the natural one. An option that nothing would read beside the others is refused.
#' @section Schedules:
#' With `b = sa_burnin_iters`, the gain is 0 for `b` iterations, then 1, then at iteration `k`
#' after those with gain 1:
#'
#' | `sa_schedule` | iterations with gain 1 | gain at `k` | all iterations |
#' |---|---|---|---|
#' | `"saemix"` | `exploration` | `1 / k` | `b + exploration + smoothing` |
#' | `"robbins_monro"` | `t0` | `((p - k) / p)^kappa`, `p = maxiters - b - t0` | `maxiters` |
#' | `"two_phase"` | `sa_phase1_iters` | `k^sa_phase2_kappa` | `maxiters` |
#' | `"power"` | `t0` | `k^-kappa` | `maxiters` |
#' | `"custom"` | as `sa_schedule_fn` says | as it says | `maxiters` |
#'
#' `"robbins_monro"` cools down to exactly 0 at `maxiters`: a longer run stretches the noisy
#' part. `"power"` is the sequence of Robbins and Monro (1951). An option that the schedule does
#' not read is refused. A schedule that never decreases is warned of.
#' @section Functions:
#' `suffstats` computes statistics of the draws: a number, an array or a named list, of the same
#' shape at every call. They are averaged with the gain. `mstep_closed_form` makes the parameters
#' of them, which has priority over the closed forms of the package; `q_from_stats` gives the
#' objective, larger being better, which an optimizer maximizes where there is no
#' `mstep_closed_form` (`lbfgs()` with finite differences unless another is given), over all parameters
#' but those whose closed forms `builtin_stats = "closed_form"` names. `suffstats`
#' alone is refused. They stop the fit with their own message.
#' @section Options of NoLimits.jl:
#' The options have the names of its documentation. [saem_page_defaults()] has its defaults.
#' These have no counterpart of their own:
#'
#' | there | here |
#' |---|---|
#' | `turing_kwargs` | `mcmc_steps`, and `n_adapt` of [nuts()] and [mala()] |
#' | `optimizer = LBFGS(...)`, `Adam(0.05)` | `lbfgs()`, `adam(0.05)` |
#' | `adtype = AutoForwardDiff()` | `adtype = "reverse"`, exact as well |
#' | `progress` | `progress` of [fit_nlme()] |
#' | `:name`, `(; a = 1)` | `"name"`, `c(a = 1)` or `list(a = 1)` |
#' @returns An object of class `nlme_method` for [fit_nlme()].
#' @seealso [samplers], [optimizers], [saem_page_defaults()], [notes()]
#' @references
#' Delyon B, Lavielle M, Moulines E (1999). Convergence of a stochastic
#' approximation version of the EM algorithm. *Annals of Statistics* 27, 94-128.
#'
#' Kuhn E, Lavielle M (2005). Maximum likelihood estimation in nonlinear mixed
#' effects models. *Computational Statistics & Data Analysis* 49, 1020-1038.
#'
#' Robbins H, Monro S (1951). A stochastic approximation method. *Annals of Mathematical
#' Statistics* 22, 400-407.
#' @examples
#' saem()
#' saem(exploration = 500, smoothing = 200, n_chains = 5)
#' saem(sa_schedule = "power", maxiters = 500, sampler = saemix_mh())
#' saem(sa_schedule = function(iter, opts) min(1, 50 / iter), maxiters = 400)
#' @export
saem <- function(exploration = 300, smoothing = 100, n_chains = 1, nbiter = NULL, maxiters = NULL,
                 sa_schedule = "saemix", sa_burnin_iters = 0, t0 = 150, kappa = 0.65, sa_phase1_iters = 200,
                 sa_phase2_kappa = -1, sa_schedule_fn = NULL, auto_small_n_chains = NULL, small_n_chain_target = 50,
                 sampler = independence(), mcmc_steps = NULL, update_schedule = "all", warm_start = TRUE,
                 optimizer = score(), optim_kwargs = list(), adtype = NULL, mstep_sa_on_params = FALSE,
                 max_store = 50, suffstats = NULL, q_from_stats = NULL, mstep_closed_form = NULL,
                 builtin_stats = "auto", builtin_mean = "none", resid_var_param = NULL, re_cov_params = NULL,
                 re_mean_params = NULL, lb = NULL, ub = NULL, penalty = NULL, sa_anneal_schedule = "none",
                 sa_anneal_iters = 0, sa_anneal_alpha = NULL, sa_anneal_targets = NULL, sa_anneal_fn = NULL,
                 auto_var_lb = TRUE, var_lb_value = NULL, anneal_to_fixed = character(),
                 anneal_schedule = "exponential",
                 anneal_min_sd = 1e-5, convergence_test = NULL,
                 rtol_theta = 5e-5, atol_theta = 5e-7, rtol_Q = 5e-5, # nolint: object_name_linter.
                 atol_Q = 5e-7, consecutive_params = 4, ebe_optimizer = "newton", # nolint: object_name_linter.
                 ebe_optim_kwargs = list(), ebe_adtype = "reverse", ebe_grad_tol = "auto", ebe_multistart_n = 50,
                 ebe_multistart_k = 10, ebe_multistart_max_rounds = 5, ebe_multistart_sampling = "lhs",
                 ebe_rescue_on_high_grad = TRUE, ebe_rescue_multistart_n = 128, ebe_rescue_multistart_k = 32,
                 ebe_rescue_max_rounds = 8, ebe_rescue_grad_tol = "auto", ebe_rescue_multistart_sampling = "lhs",
                 store_eb_modes = TRUE, acceleration = NULL, adaptive = NULL, polish = TRUE, polish_draws = 256,
                 polish_rounds = 5, draws = NULL, log_lik = TRUE, nodes = NULL, verbose = FALSE, ...) {
  refuse_dots(...)
  asked <- mget(setdiff(names(formals()), "..."), environment())
  new_saem(asked, setdiff(names(match.call())[-1L], ""))
}

# `asked` are the values of all options, `given` the names of those the user wrote.
new_saem <- function(asked, given) {
  hooks <- hook_functions(asked)
  schedule <- schedule_options(asked, given)
  options <- c(
    list(name = "saem"), schedule, chain_options(asked, given), sampler_options(asked, schedule),
    mstep_options(asked, given, hooks), anneal_options(asked, given), stop_options(asked, given),
    ebe_options(asked, given)
  )
  options$acceleration <- acceleration_option(asked$acceleration, options)
  options <- c(options, list(
    adaptive = adaptive_option(asked, given, options),
    polish = check_flag(asked$polish, "polish"),
    polish_draws = check_count(asked$polish_draws, "polish_draws", 16),
    polish_rounds = check_count(asked$polish_rounds, "polish_rounds", 1),
    draws = if (!is.null(asked$draws)) check_count(asked$draws, "draws", 16),
    log_lik = check_flag(asked$log_lik, "log_lik"),
    nodes = if (!is.null(asked$nodes)) check_count(asked$nodes, "nodes", 1),
    verbose = check_flag(asked$verbose, "verbose")
  ))
  warn_of_constant_sd(options)
  if (options$sa_schedule == "custom") {
    by_function <- if (is.function(asked$sa_schedule)) asked$sa_schedule else asked$sa_schedule_fn
    options$gains <- I(custom_gains(by_function, options))
  }
  structure(list(options = options, hooks = hooks), class = "nlme_method")
}

acceleration_obstacle <- function(options) {
  c(
    if (options$sa_schedule != "saemix") "the schedule is not \"saemix\"",
    if (options$optimizer$kind != "score") "the optimizer is not score()",
    if (!identical(options$update_schedule, "all")) "not all batches are updated",
    if (length(options$hooks) > 0L) sprintf("`%s` is a function of the user", options$hooks[1L]),
    if (options$builtin_mean != "none") "`builtin_mean` takes a step of its own",
    if (options$convergence_test != "windowed") "the test of convergence is not \"windowed\"",
    if (length(options$anneal_to_fixed) > 0L) "`anneal_to_fixed` changes the model on the way"
  )
}

acceleration_option <- function(acceleration, options) {
  obstacle <- acceleration_obstacle(options)
  if (is.null(acceleration)) return(length(obstacle) == 0L)
  if (check_flag(acceleration, "acceleration") && length(obstacle) > 0L) {
    stop_option(
      "not_possible", sprintf("`acceleration = TRUE` is not possible: %s.", obstacle[1L]),
      hint = "Leave `acceleration` out.", fields = list(name = "acceleration")
    )
  }
  acceleration
}

# Phases end by themselves unless the user says how long they are.
adaptive_option <- function(asked, given, options) {
  lengths <- intersect(given, c("exploration", "smoothing", "nbiter", "maxiters", "sa_anneal_iters"))
  obstacle <- c(
    if (options$sa_schedule != "saemix") "the schedule is not \"saemix\"",
    if (length(lengths) > 0L) sprintf("`%s` says how long the run is", lengths[1L]),
    if (!options$acceleration) "the smoothing is not accelerated"
  )
  if (is.null(asked$adaptive)) return(length(obstacle) == 0L)
  adaptive <- check_flag(asked$adaptive, "adaptive")
  if (adaptive && options$sa_schedule != "saemix") {
    stop_option(
      "not_possible", sprintf("`adaptive = TRUE` is not possible: %s.", obstacle[1L]),
      hint = "Leave `adaptive` out.", fields = list(name = "adaptive")
    )
  }
  adaptive
}
