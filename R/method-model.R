# What the options of a method name, looked up in the model of a fit.

# The model that is fitted, and the method with its options as the core reads them. `fix` are the values held.
adapt_method <- function(method, model, fix = NULL) {
  parameters <- stats::setNames(model$spec$parameters, vapply(model$spec$parameters, `[[`, "", "name"))
  held <- held_names(fix)
  method$options <- bounded_options(method$options, parameters, held)
  method <- penalized_method(method, names(parameters), held)
  switch(method$options$name,
    saem = adapt_saem(method, model, names(parameters)),
    vem = list(model = model, method = method)
  )
}

held_names <- function(fix) {
  fix <- as.list(fix)
  c(rlang::names2(fix), unlist(Filter(is.character, fix)))
}

check_parameter_name <- function(name, argument, known) {
  if (name %in% known) return(invisible())
  stop_option(
    "unknown_parameter", sprintf("`%s` names `%s`, which is not a parameter.", argument, name),
    hint = nearest_hint(name, known, "Parameters"), fields = list(name = name)
  )
}

# An option that names a parameter which `fix` holds says nothing.
tell_unused <- function(method, argument, name) {
  message(sprintf("%s(): `%s` of `%s` is not used, as the parameter is held fixed.", method, argument, name))
}
