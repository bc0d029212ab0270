# What the options of saem() name, looked up in the model of a fit.

# The model that is fitted, and the method with what it names as the core reads it.
adapt_saem <- function(method, model, known) {
  options <- method$options
  check_targets(options, model, known)
  for (map in c("resid_var_param", "re_cov_params", "re_mean_params")) {
    options[[map]] <- I(as.character(unique(unlist(options[[map]], use.names = FALSE))))
  }
  annealed <- annealed_model(model, options$anneal_to_fixed)
  options$anneal_to_fixed <- annealed$collapses
  method$options <- options
  list(model = annealed$model, method = method)
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
