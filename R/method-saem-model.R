# What the options of saem() name, looked up in the model of a fit.

# The model that is fitted, and the method with its options as the core reads them. `fix` are the values held.
adapt_method <- function(method, model, fix = NULL) {
  options <- method$options
  parameters <- stats::setNames(model$spec$parameters, vapply(model$spec$parameters, `[[`, "", "name"))
  check_targets(options, model, names(parameters))
  held <- held_names(fix)
  for (side in c("lb", "ub")) {
    options[[side]] <- bound_fields(options[[side]], side, parameters, held)
  }
  for (map in c("resid_var_param", "re_cov_params", "re_mean_params")) {
    options[[map]] <- I(as.character(unique(unlist(options[[map]], use.names = FALSE))))
  }
  annealed <- annealed_model(model, options$anneal_to_fixed)
  options$anneal_to_fixed <- annealed$collapses
  method$options <- options
  list(model = annealed$model, method = method)
}

held_names <- function(fix) {
  fix <- as.list(fix)
  c(rlang::names2(fix), unlist(Filter(is.character, fix)))
}

check_targets <- function(options, model, known) {
  targets <- vapply(options$sa_anneal_targets, `[[`, character(1L), 1L)
  for (name in targets) check_parameter_name(name, "sa_anneal_targets", known)
  for (map in c("resid_var_param", "re_cov_params", "re_mean_params")) {
    for (name in unlist(options[[map]], use.names = FALSE)) check_parameter_name(name, map, known)
  }
  check_owners(options$resid_var_param, "resid_var_param", model$described$outcomes, "an outcome", "Outcomes")
  effects <- unlist(lapply(model$spec$random, `[[`, "names"))
  for (map in c("re_cov_params", "re_mean_params")) {
    check_owners(options[[map]], map, effects, "a random effect", "Random effects")
    check_effect_targets(options[[map]], map, model$spec$random)
  }
}

check_parameter_name <- function(name, argument, known) {
  if (name %in% known) return(invisible())
  stop_option(
    "unknown_parameter", sprintf("`%s` names `%s`, which is not a parameter.", argument, name),
    hint = nearest_hint(name, known, "Parameters"), fields = list(name = name)
  )
}

# The names of a map are outcomes or random effects.
check_owners <- function(map, argument, known, what, listed) {
  for (name in setdiff(rlang::names2(map), c("", known))) {
    stop_option(
      "unknown_owner", sprintf("`%s` names `%s`, which is not %s.", argument, name, what),
      hint = nearest_hint(name, known, listed), fields = list(name = name)
    )
  }
}

# A parameter that the effect's own distribution does not read is a mistake.
check_effect_targets <- function(map, argument, blocks) {
  for (effect in setdiff(rlang::names2(map), "")) {
    block <- Filter(function(block) effect %in% block$names, blocks)[[1L]]
    for (name in setdiff(unlist(map[[effect]]), tree_symbols(block$dist))) {
      stop_option(
        "wrong_owner", sprintf("`%s` gives `%s` to `%s`, whose distribution does not read it.", argument, name, effect),
        block$text, fields = list(name = name)
      )
    }
  }
}

# list(list(name, one value a coordinate), ...); no bound is null.
bound_fields <- function(bounds, argument, parameters, held) {
  fields <- lapply(names(bounds), function(name) {
    check_parameter_name(name, argument, names(parameters))
    if (name %in% held) {
      message(sprintf("saem(): `%s` of `%s` is not used, as the parameter is held fixed.", argument, name))
      return(NULL)
    }
    value <- bounds[[name]]
    n <- coordinate_count(parameters[[name]])
    if (!length(value) %in% c(1L, n)) {
      stop_option(
        "bound_length",
        sprintf("`%s` gives `%s` %d bounds; it has %d coordinate%s.", argument, name, length(value), n,
                if (n == 1L) "" else "s"),
        hint = "Give one number, or one for each coordinate.", fields = list(name = name)
      )
    }
    list(name, I(rep_len(as.numeric(value), n)))
  })
  Filter(Negate(is.null), fields)
}

# Numbers a parameter has on the transformed scale.
coordinate_count <- function(parameter) {
  n <- parameter$dim
  switch(parameter$type,
    covariance_matrix = n * (n + 1) / 2, transition_matrix = , rate_matrix = n * (n - 1),
    simplex = length(parameter$value) - 1, length(parameter$value)
  )
}
