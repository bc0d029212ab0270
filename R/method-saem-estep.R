# The E-step of saem(): chains, sampler, and which batches are drawn for.

chain_options <- function(asked, given) {
  auto <- asked$auto_small_n_chains
  if (is.null(auto)) {
    auto <- !"n_chains" %in% given || "small_n_chain_target" %in% given
  } else {
    check_flag(auto, "auto_small_n_chains")
  }
  if (!auto) refuse_idle(given, "small_n_chain_target", "`auto_small_n_chains` is FALSE")
  list(
    n_chains = check_count(asked$n_chains, "n_chains", 1),
    auto_small_n_chains = auto,
    small_n_chain_target = check_count(asked$small_n_chain_target, "small_n_chain_target", 1)
  )
}

sampler_options <- function(asked, schedule) {
  sampler <- asked$sampler
  if (!inherits(sampler, "nlme_sampler")) {
    stop_option(
      "bad_sampler", sprintf("`sampler` must be a sampler, not an object of class `%s`.", class(sampler)[1L]),
      hint = "Write `sampler = mh()`, or one of saemix_mh(), adaptive_mh(), nuts(), mala() and independence().",
      fields = list(name = "sampler")
    )
  }
  fields <- unclass(sampler)
  if ("n_adapt" %in% names(fields) && is.null(fields$n_adapt)) {
    full <- iterations_of_full_gain(schedule)
    # A schedule of the user's own may never have the gain 1; half of it is as good as any.
    fields$n_adapt <- if (is.null(full)) ceiling(schedule$maxiters / 2) else min(full, schedule$maxiters)
  }
  steps <- asked$mcmc_steps
  list(
    sampler = fields,
    mcmc_steps = if (is.null(steps)) sampler_steps[[fields$kind]] else check_count(steps, "mcmc_steps", 1),
    update_schedule = update_option(asked$update_schedule),
    warm_start = check_flag(asked$warm_start, "warm_start")
  )
}

# The function itself is a hook.
update_option <- function(update) {
  if (is.function(update)) return("function")
  if (identical(update, "all")) return(update)
  if (is.numeric(update) && length(update) == 1L && isTRUE(update >= 1) && update == round(update)) {
    return(as.numeric(update))
  }
  stop_bad_option("update_schedule", update, "\"all\", a number of batches, or a function(n, iter, rng)")
}
