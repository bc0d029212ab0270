# Print a method: its options in groups, leaving out those that nothing reads.

saem_groups <- list(
  Schedule = c(
    "sa_schedule", "exploration", "smoothing", "maxiters", "sa_burnin_iters", "t0", "kappa", "sa_phase1_iters",
    "sa_phase2_kappa", "gains", "acceleration", "adaptive"
  ),
  Chains = c("n_chains", "auto_small_n_chains", "small_n_chain_target"),
  Sampler = c("sampler", "mcmc_steps", "update_schedule", "warm_start"),
  `M-step` = c(
    "optimizer", "mstep_sa_on_params", "max_store", "builtin_stats", "builtin_mean", "resid_var_param",
    "re_cov_params", "re_mean_params", "lb", "ub", "penalty", "hooks"
  ),
  Variances = c(
    "sa_anneal_schedule", "sa_anneal_iters", "sa_anneal_alpha", "sa_anneal_targets", "auto_var_lb", "var_lb_value",
    "anneal_to_fixed", "anneal_schedule", "anneal_min_sd"
  ),
  Convergence = c("convergence_test", "rtol_theta", "atol_theta", "rtol_Q", "atol_Q", "consecutive_params"),
  Polish = c("polish", "polish_draws", "polish_rounds"),
  Modes = c(
    "ebe_optimizer", "ebe_maxiters", "ebe_grad_tol", "ebe_multistart_n", "ebe_multistart_k",
    "ebe_multistart_max_rounds", "ebe_multistart_sampling", "ebe_rescue_on_high_grad", "ebe_rescue_multistart_n",
    "ebe_rescue_multistart_k", "ebe_rescue_max_rounds", "ebe_rescue_grad_tol", "ebe_rescue_multistart_sampling",
    "store_eb_modes"
  ),
  Results = c("log_lik", "draws", "nodes", "verbose")
)

vem_groups <- list(
  Family = c("family", "rule", "points", "flows"),
  Bound = c(
    "sweeps", "maxiters", "tolerance", "inner_maxiters", "inner_tolerance", "optimizer", "batch_size", "penalty", "lb",
    "ub"
  ),
  Polish = saem_groups$Polish,
  Modes = saem_groups$Modes,
  Results = c("log_lik", "draws", "nodes", "se", "verbose")
)

#' @export
print.nlme_method <- function(x, ...) {
  options <- x$options
  cat(toupper(options$name), "\n", sep = "")
  groups <- switch(options$name, saem = saem_groups, vem = vem_groups)
  for (group in names(groups)) {
    lines <- option_lines(shown_options(options, groups[[group]]))
    if (length(lines) == 0L) next
    # Lines break between options only.
    shown <- strwrap(paste(gsub(" ", "\u00a0", lines), collapse = ", "), width = 90L)
    shown <- gsub("\u00a0", " ", shown)
    label <- c(group, rep("", length(shown) - 1L))
    cat(sprintf("  %-12s%s\n", label, shown), sep = "")
  }
  invisible(x)
}

# Those of `names` that something reads.
shown_options <- function(options, names) {
  names <- setdiff(intersect(names, names(options)), idle_options(options))
  # The bound has a tolerance of its own, and exact derivatives.
  if (options$name == "vem") options$optimizer[c("g_tol", "adtype")] <- NULL
  options[names]
}

# Options without effect beside the others.
idle_options <- function(options) {
  switch(options$name, saem = idle_of_saem(options), vem = idle_of_vem(options))
}

idle_of_vem <- function(options) {
  c(
    if (options$rule == "cubature") "points",
    if (options$family != "planar_flow") "flows",
    if (options$optimizer$kind != "adam") "batch_size",
    # The optimizer shows how many steps it takes.
    if (options$optimizer$kind != "auto") "maxiters",
    if (!options$polish) c("polish_draws", "polish_rounds"),
    if (!draws_are_read(options$log_lik, options$se)) "draws",
    if (options$log_lik != "quadrature") "nodes",
    names(Filter(function(value) is.list(value) && length(value) == 0L, options))
  )
}

idle_of_saem <- function(options) {
  reads <- schedule_reads[[options$sa_schedule]]
  if (length(options$anneal_to_fixed) > 0L && options$anneal_schedule == "gamma") reads <- c(reads, "t0", "kappa")
  idle <- setdiff(unlist(schedule_reads), reads)
  empty <- names(options)[lengths(options) == 0L]
  c(
    idle, setdiff(empty, c("nodes", "draws")),
    if (options$sa_schedule != "saemix") "adaptive",
    # Functions of the user maximize something else than the likelihood.
    if ("suffstats" %in% options$hooks) saem_groups$Polish,
    if (!options$polish) c("polish_draws", "polish_rounds"),
    if (options$convergence_test == "windowed") setdiff(saem_groups$Convergence, "convergence_test"),
    if (options$sa_anneal_schedule == "none") c("sa_anneal_iters", "sa_anneal_alpha"),
    if (length(options$anneal_to_fixed) == 0L) c("anneal_schedule", "anneal_min_sd"),
    if (options$optimizer$kind == "score") c("mstep_sa_on_params", if (options$builtin_mean == "none") "max_store"),
    if (options$builtin_stats == "none") c("resid_var_param", "re_cov_params", "re_mean_params"),
    if (!options$auto_small_n_chains) "small_n_chain_target"
  )
}

# The options of a method that are not its defaults, as text.
changed_option_lines <- function(method) {
  options <- method$options
  default <- switch(options$name, saem = saem(), vem = vem())$options
  changed <- Filter(function(name) !identical(options[[name]], default[[name]]), names(options))
  option_lines(shown_options(options, setdiff(changed, "name")))
}

# "name = value" of every option.
option_lines <- function(options) {
  values <- vapply(options, option_text, character(1L))
  paste(names(values), values, sep = " = ", recycle0 = TRUE)
}

option_text <- function(value) {
  if (is.null(value)) return("NULL")
  if (is.list(value) && !is.null(value$kind)) return(if (value$kind == "auto") "\"auto\"" else call_words(value))
  # Pairs of a name and its number, as sa_anneal_targets.
  if (is.list(value) && is.null(names(value))) {
    value <- stats::setNames(lapply(value, `[[`, 2L), vapply(value, `[[`, character(1L), 1L))
  }
  value <- if (is.list(value)) unlist(value) else unclass(value)
  shown <- if (is.character(value)) dQuote(value, FALSE) else vapply(value, format, "", digits = 6, USE.NAMES = FALSE)
  if (length(shown) > 6L) shown <- c(shown[1:4], sprintf("... (%d)", length(shown)))
  if (!is.null(names(value)) && length(value) <= 6L) {
    shown <- ifelse(nzchar(names(value)), paste(names(value), shown, sep = " = "), shown)
  }
  if (length(value) == 1L && is.null(names(value))) shown else sprintf("c(%s)", paste(shown, collapse = ", "))
}
