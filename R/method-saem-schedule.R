# The gain sequence of saem(): which schedule, how long, and that it is fit to converge.

# The options each schedule reads.
schedule_reads <- list(
  saemix = c("exploration", "smoothing", "sa_burnin_iters"),
  robbins_monro = c("maxiters", "sa_burnin_iters", "t0", "kappa"),
  power = c("maxiters", "sa_burnin_iters", "t0", "kappa"),
  two_phase = c("maxiters", "sa_burnin_iters", "sa_phase1_iters", "sa_phase2_kappa"),
  custom = "maxiters"
)

# `asked` are the values of all options, `given` the names of those the user wrote.
schedule_options <- function(asked, given) {
  kind <- schedule_kind(asked, given)
  refuse_other_schedules(kind, asked, given)
  burnin <- check_count(asked$sa_burnin_iters, "sa_burnin_iters", 0)
  options <- c(
    list(sa_schedule = kind),
    schedule_lengths(kind, burnin, asked, given),
    list(
      sa_burnin_iters = burnin, t0 = check_count(asked$t0, "t0", 0), kappa = check_exponent(asked$kappa),
      sa_phase1_iters = check_count(asked$sa_phase1_iters, "sa_phase1_iters", 0),
      sa_phase2_kappa = check_decrease(asked$sa_phase2_kappa),
      gains = I(numeric())
    )
  )
  warn_of_constant_gain(options, asked$anneal_schedule)
  options
}

schedule_kind <- function(asked, given) {
  schedule <- asked$sa_schedule
  by_function <- is.function(schedule)
  if (by_function && !is.null(asked$sa_schedule_fn)) {
    stop_option(
      "two_schedules", "`sa_schedule` is a function, and `sa_schedule_fn` is another.",
      hint = "Give one of them."
    )
  }
  kind <- if (by_function) "custom" else check_word(schedule, "sa_schedule", names(schedule_reads))
  check_function(asked$sa_schedule_fn, "sa_schedule_fn")
  if (!is.null(asked$sa_schedule_fn) && !"sa_schedule" %in% given) kind <- "custom"
  if (kind == "custom" && !by_function && is.null(asked$sa_schedule_fn)) {
    stop_option(
      "missing_function", "`sa_schedule = \"custom\"` needs the function that gives the gains.",
      hint = "Write `sa_schedule_fn = function(iter, opts) 1 / iter`."
    )
  }
  if (kind != "custom" && !is.null(asked$sa_schedule_fn)) {
    refuse_idle("sa_schedule_fn", "sa_schedule_fn", sprintf("`sa_schedule` is \"%s\"", kind))
  }
  kind
}

# Refuse what another schedule would read. `t0` and `kappa` also belong to `anneal_schedule = "gamma"`.
refuse_other_schedules <- function(kind, asked, given) {
  reads <- schedule_reads[[kind]]
  if (kind == "saemix") reads <- c(reads, "nbiter", "maxiters")
  if (identical(asked$anneal_schedule, "gamma")) reads <- c(reads, "t0", "kappa")
  idle <- setdiff(c("nbiter", unlist(schedule_reads)), reads)
  idle <- Filter(function(name) !is.null(asked[[name]]), intersect(given, idle))
  owners <- names(Filter(function(names) any(names %in% c(idle[1L], if (identical(idle[1L], "nbiter")) "exploration")),
                         schedule_reads))
  refuse_idle(
    idle, idle, sprintf("`sa_schedule = \"%s\"` does not read it", kind),
    sprintf("It belongs to `sa_schedule = \"%s\"`.", owners[1L])
  )
}

schedule_lengths <- function(kind, burnin, asked, given) {
  lengths <- list(
    exploration = check_count(asked$exploration, "exploration", 1),
    smoothing = check_count(asked$smoothing, "smoothing", 0),
    maxiters = if (is.null(asked$maxiters)) 300 else check_count(asked$maxiters, "maxiters", 1)
  )
  if (kind == "saemix") return(phase_lengths(lengths, burnin, asked, given))
  if (lengths$maxiters <= burnin) stop_all_burnin(lengths$maxiters, burnin)
  lengths
}

# Exploration and smoothing from whichever of `nbiter`, `maxiters` and their own names says how long.
phase_lengths <- function(lengths, burnin, asked, given) {
  total <- !is.null(asked$maxiters) && "maxiters" %in% given
  saying <- c(
    if (!is.null(asked$nbiter)) "nbiter", if (total) "maxiters",
    if (any(c("exploration", "smoothing") %in% given)) intersect(given, c("exploration", "smoothing"))[1L]
  )
  if (length(saying) > 1L) {
    stop_option(
      "two_lengths", sprintf("`%s` and `%s` both say how long the run is.", saying[1L], saying[2L]),
      hint = sprintf("Give `%s` alone.", saying[1L]),
      fields = list(name = saying[1L])
    )
  }
  if (!is.null(asked$nbiter)) {
    check_numbers(asked$nbiter, "nbiter", 2L)
    lengths$exploration <- check_count(asked$nbiter[1L], "nbiter[1]", 1)
    lengths$smoothing <- check_count(asked$nbiter[2L], "nbiter[2]", 0)
  } else if (total) {
    if (lengths$maxiters <= burnin) stop_all_burnin(lengths$maxiters, burnin)
    left <- lengths$maxiters - burnin
    lengths$exploration <- ceiling(0.75 * left)
    lengths$smoothing <- left - lengths$exploration
  }
  lengths$maxiters <- burnin + lengths$exploration + lengths$smoothing
  lengths
}

stop_all_burnin <- function(maxiters, burnin) {
  stop_option(
    "all_burnin",
    sprintf("All %s iterations are burn-in, in which nothing is learned.", format(maxiters)),
    sprintf("maxiters = %s, sa_burnin_iters = %s", format(maxiters), format(burnin)),
    "Raise `maxiters`.", list(name = "maxiters")
  )
}

check_numbers <- function(value, name, lengths) {
  if (is.numeric(value) && length(value) %in% lengths) return(invisible())
  stop_bad_option(name, value, sprintf("%s numbers", paste(lengths, collapse = " or ")))
}

check_exponent <- function(kappa) {
  if (!is.numeric(kappa) || length(kappa) != 1L || is.na(kappa) || kappa <= 0 || kappa > 1) {
    stop_bad_option("kappa", kappa, "a number above 0 and at most 1")
  }
  as.numeric(kappa)
}

check_decrease <- function(exponent) {
  if (!is.numeric(exponent) || length(exponent) != 1L || !is.finite(exponent) || exponent > 0) {
    stop_bad_option("sa_phase2_kappa", exponent, "a number of at most 0: above it the gain would not decrease")
  }
  as.numeric(exponent)
}

# Iterations before the gain decreases, burn-in included, or NULL for a custom schedule.
iterations_of_full_gain <- function(options) {
  full <- switch(options$sa_schedule,
    saemix = options$exploration, two_phase = options$sa_phase1_iters, custom = return(NULL), options$t0
  )
  options$sa_burnin_iters + full
}

# With a gain of 1 to the end nothing is averaged.
warn_of_constant_gain <- function(options, anneal_schedule) {
  full <- iterations_of_full_gain(options)
  if (options$sa_schedule %in% c("robbins_monro", "power", "two_phase")) {
    constant <- options$maxiters <= full || (options$sa_schedule == "two_phase" && options$sa_phase2_kappa == 0)
    start <- if (options$sa_schedule == "two_phase") "sa_phase1_iters" else "t0"
    if (constant) {
      warn_nlmers("constant_gain", sprintf(paste(
        "The gain stays 1 for all %s iterations: the estimates keep the noise of the last draws.",
        "Raise `maxiters` or lower `%s`, so that the gain decreases."
      ), format(options$maxiters), start))
    }
  }
}

# The gains of a custom schedule, one an iteration. `options` are all others.
custom_gains <- function(schedule, options) {
  options$gains <- NULL
  gains <- vapply(seq_len(options$maxiters), function(iter) custom_gain(schedule, iter, options), 0)
  if (all(gains == 0)) {
    stop_option(
      "bad_gain", "`sa_schedule_fn` gives 0 for every iteration: nothing would be learned.",
      hint = "Give 1 at first, then numbers that decrease.", fields = list(name = "sa_schedule_fn")
    )
  }
  if (all(gains[gains > 0] == 1)) {
    warn_nlmers("constant_gain", paste(
      "The gain of `sa_schedule_fn` stays 1: the estimates keep the noise of the last draws.",
      "Let it decrease in the end."
    ))
  }
  gains
}

custom_gain <- function(schedule, iter, options) {
  gain <- tryCatch(schedule(iter, options), error = function(error) {
    stop_option(
      "hook_error",
      sprintf("`sa_schedule_fn` stopped at iteration %d: %s", iter, conditionMessage(error)),
      sprintf("sa_schedule_fn(%d, opts)", iter), fields = list(name = "sa_schedule_fn")
    )
  })
  if (!is.numeric(gain) || length(gain) != 1L || !is.finite(gain) || gain < 0 || gain > 1) {
    stop_option(
      "bad_gain",
      sprintf("`sa_schedule_fn` must give a number from 0 to 1; at iteration %d it gave %s.", iter, code_text(gain)),
      sprintf("sa_schedule_fn(%d, opts)", iter), fields = list(name = "sa_schedule_fn")
    )
  }
  as.numeric(gain)
}
