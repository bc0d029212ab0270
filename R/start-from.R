# Start a fit where another one stood: at the estimates of a finished one, or at the
# state of one that was interrupted or left a checkpoint.

# What `start_from` stands for: `fit` when it is one, `path` when it is that of a
# checkpoint, and whether the new fit goes on where the old one stopped.
fit_origin <- function(start_from) {
  if (is.null(start_from)) return(list(resumes = FALSE))
  if (inherits(start_from, "nlme_fit")) {
    check_format(start_from)
    return(list(resumes = !is.null(start_from$state), fit = start_from))
  }
  if (!is.character(start_from) || length(start_from) != 1L || is.na(start_from)) {
    stop_bad_option("start_from", start_from, "a fit or the path of a checkpoint")
  }
  path <- path.expand(start_from)
  if (!file.exists(path) || dir.exists(path)) {
    stop_option(
      "no_checkpoint", sprintf("There is no checkpoint `%s`.", start_from),
      hint = "`start_from` is the path that an earlier fit had as `checkpoint`, or a fit.",
      fields = list(name = "start_from", value = start_from)
    )
  }
  list(resumes = TRUE, path = normalizePath(path))
}

# vem() has no state to keep: it is short, and what it has done is in the estimates.
refuse_state <- function(method, kept, origin) {
  if (method$options$name == "saem" || (is.null(kept) && !origin$resumes)) return(invisible())
  name <- if (is.null(kept)) "start_from" else "checkpoint"
  stop_option(
    "no_state", sprintf("`%s` is for saem(): a fit by %s() keeps no state to go on with.", name, method$options$name),
    hint = if (name == "checkpoint") {
      "Leave `checkpoint` out."
    } else {
      "Give a fit without its state, `fit$state <- NULL`, which lends its estimates."
    },
    fields = list(name = name)
  )
}

# Where and how often the core leaves its state, or NULL. `every` is NULL when it was
# not given.
kept_state <- function(checkpoint, every) {
  if (is.null(checkpoint)) {
    if (is.null(every)) return(NULL)
    stop_option(
      "unused_option", "`every` says how often a checkpoint is written, but there is none.",
      hint = "Give `checkpoint`, the path of its file, too.", fields = list(name = "every")
    )
  }
  if (!is.character(checkpoint) || length(checkpoint) != 1L || is.na(checkpoint) || !nzchar(checkpoint)) {
    stop_bad_option("checkpoint", checkpoint, "the path of one file")
  }
  path <- path.expand(checkpoint)
  fields <- list(name = "checkpoint", value = checkpoint)
  if (dir.exists(path)) {
    stop_option(
      "bad_path", sprintf("`checkpoint` is the folder `%s`.", checkpoint),
      hint = sprintf("Name a file in it: `checkpoint = \"%s\"`.", file.path(checkpoint, "fit.ckp")), fields = fields
    )
  }
  if (!dir.exists(dirname(path))) {
    stop_option(
      "no_folder", sprintf("The folder of the checkpoint `%s` does not exist.", checkpoint),
      hint = sprintf("Make it first: `dir.create(\"%s\", recursive = TRUE)`.", dirname(checkpoint)),
      fields = fields
    )
  }
  every <- if (is.null(every)) eval(formals(fit_nlme)$every) else check_count(every, "every", 1)
  list(path = file.path(normalizePath(dirname(path)), basename(path)), every = every)
}

# What the core reads to go on, or NULL. The state of a fit goes through a file, which
# the caller removes.
resumed_fields <- function(origin) {
  if (!origin$resumes) return(NULL)
  if (!is.null(origin$path)) {
    return(list(path = origin$path, name = sprintf("The checkpoint `%s`", origin$path)))
  }
  file <- tempfile("nlmers-state-")
  writeBin(origin$fit$state, file)
  list(path = file, name = "The interrupted fit of `start_from`")
}

# Typical values for a formula whose `start` was left out.
formula_start_of <- function(fit, formula) {
  values <- estimated_values(fit)
  used <- intersect(names(values), all.vars(formula))
  if (length(used) > 0L) values[used]
}

# What a finished fit lends: `start` for parameters of the same name and size that
# `given` does not name, and `first`, the effects of levels the new data have too. Says
# what it is.
lent_by <- function(fit, model, bound, given, method) {
  values <- values_lent(fit, model, given)
  names <- names(values)
  known <- vapply(model$spec$parameters, `[[`, character(1L), "name")
  takes <- method$options$name
  left <- setdiff(known, c(names, given))
  if (is_evaluation(method)) {
    inform_of_other_values(left)
    return(list(start = values))
  }
  first <- lent_effects(fit, model, bound, "vem" %in% c(takes, fit$method$options$name))
  rlang::inform(lending_lines(names, left, first, bound, takes), class = "nlmers_message_start")
  list(start = values, first = first$fields)
}

# Estimates by name with which a fit of `model` can start, but for those that are `given`.
values_lent <- function(fit, model, given) {
  values <- estimated_values(fit)
  old <- fit$model$spec$parameters
  names(old) <- vapply(old, `[[`, character(1L), "name")
  open <- Filter(function(parameter) !parameter$name %in% given, model$spec$parameters)
  taken <- Filter(function(parameter) {
    name <- parameter$name
    !is.null(values[[name]]) && can_start(values[[name]], parameter, old[[name]])
  }, open)
  values[vapply(taken, `[[`, character(1L), "name")]
}

can_start <- function(values, parameter, old) {
  if (!all(is.finite(values))) return(FALSE)
  if (any(c(parameter$type, old$type) %in% square_types)) {
    return(identical(parameter$type, old$type) && identical(parameter$dim, old$dim))
  }
  length(values) == length(parameter$value) && all(is_inside(values, parameter))
}

is_inside <- function(values, parameter) {
  range <- switch(parameter$scale,
    log = c(0, Inf),
    logit = , probit = if (is.null(parameter$lower) || is.null(parameter$upper)) c(0, 1)
  )
  lower <- max(-Inf, range[1L])
  upper <- min(Inf, range[2L])
  if (!is.null(parameter$lower)) lower <- pmax(lower, parameter$lower)
  if (!is.null(parameter$upper)) upper <- pmin(upper, parameter$upper)
  values > lower & values < upper
}

# The effects that the new model has too, for the levels of the new data, as the core
# reads them; `levels` counts those of each grouping. They are modes, but conditional
# means where a fit by vem() lends or takes them: those are the means of its q.
lent_effects <- function(fit, model, bound, means) {
  fields <- list()
  levels <- integer()
  for (group in effect_groups(fit)) {
    effects <- group$effects
    values <- if (means || is.null(effects$modes)) effects$cond_mean else effects$modes
    for (i in which(effects$name %in% model$described$effects)) {
      here <- lapply(bound$groups, function(part) as.character(part$labels))
      use <- is.finite(values[, i]) & effects$labels %in% unlist(here)
      if (!any(use)) next
      labels <- as.character(effects$labels)[use]
      fields <- c(fields, list(list(effect = effects$name[i], labels = I(labels), values = I(values[use, i]))))
      levels[[effects$group]] <- length(labels)
    }
  }
  list(fields = fields, levels = levels)
}

lending_lines <- function(taken, left, first, bound, takes) {
  what <- if (takes == "vem") "approximations" else "chains"

  sizes <- vapply(bound$groups, function(part) length(part$labels), 1L)
  names(sizes) <- vapply(bound$groups, `[[`, "", "name")
  effects <- vapply(names(first$levels), function(name) {
    total <- if (name %in% names(sizes)) sizes[[name]] else sum(sizes)
    sprintf(
      "The %s of %d of %d levels of `%s` start at its random effects.", what, first$levels[[name]], total, name
    )
  }, "")
  names_of <- function(x) paste0("`", x, "`", collapse = ", ")
  c(
    if (length(taken) > 0L) {
      sprintf("Starting at the estimates of the earlier fit: %s.", names_of(taken))
    } else {
      "The earlier fit has no estimate this model can start at."
    },
    if (length(left) > 0L) c(i = sprintf("Not in that fit, or not of the same kind: %s.", names_of(left))),
    if (length(effects) > 0L) stats::setNames(effects, rep("i", length(effects)))
  )
}
