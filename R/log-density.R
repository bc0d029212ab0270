# Log density of the outcomes given the effects and of the effects given the
# parameters, for tests and for checking a model by hand.

# `parameters` by name on the natural scale (those left out keep their starting
# values), `random` a list with one matrix a grouping, levels x effects; NULL puts
# every effect at its mean.
complete_log_density <- function(model, data, parameters = list(), random = NULL,
                                 id = NULL, time = NULL) {
  bound <- bind_data(model, data, id, time)
  request <- core_request("log_density", bound$model$spec, list(
    data = bound$fields,
    at = list(parameters = value_fields(named_values(parameters, "parameters", model))),
    random = if (!is.null(random)) lapply(unname(random), matrix_rows)
  ))
  core_call(request, bound$columns)
}

matrix_rows <- function(values) {
  values <- as.matrix(values)
  lapply(seq_len(nrow(values)), function(i) I(as.numeric(values[i, ])))
}
