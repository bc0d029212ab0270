# nolint start: object_name_linter. Names as in the documentation of saemix.

# Model functions as the documentation of saemix writes them, and what compares
# them with the same model in the language.

model1cpt <- function(psi, id, xidep) {
  dose <- xidep[, 1]
  tim <- xidep[, 2]
  ka <- psi[id, 1]
  V <- psi[id, 2]
  CL <- psi[id, 3]
  k <- CL / V
  ypred <- dose * ka / (V * (ka - k)) * (exp(-k * tim) - exp(-ka * tim))
  return(ypred)
}

theo_saemix_data <- function(...) {
  saemix_data(
    theo, name.group = "Subject", name.predictors = c("dose", "Time"), name.response = "conc",
    ..., verbose = FALSE
  )
}

psi_row <- function(...) matrix(c(...), 1, dimnames = list(NULL, names(c(...))))

theo_saemix_model <- function(...) {
  saemix_model(model1cpt, psi_row(ka = 1, V = 20, CL = 0.5), transform.par = c(1, 1, 1), ..., verbose = FALSE)
}

# The log-likelihood at the starting values, or at `parameters`.
log_likelihood_at <- function(model, data, parameters = list(), nodes = 5) {
  bound <- nlmers:::bind_data(model, data)
  start <- lapply(model$spec$parameters, function(parameter) {
    if (parameter$type != "covariance_matrix") return(parameter$value)
    nlmers:::elements_of(matrix(parameter$value, parameter$dim), parameter, "start")
  })
  names(start) <- vapply(model$spec$parameters, `[[`, "", "name")
  start[names(parameters)] <- parameters
  request <- nlmers:::core_request("log_likelihood", bound$model$spec, list(
    data = bound$fields, parameters = nlmers:::value_fields(start), nodes = nodes
  ))
  nlmers:::core_call(request, bound$columns)$value
}

# A model of saemix and the same model as it would be written here.
expect_same_model <- function(model, data, native) {
  joined <- as_nlme_model(model, data)
  expect_equal(
    log_likelihood_at(joined, as.data.frame(data)), log_likelihood_at(native, as.data.frame(data)), tolerance = 1e-9
  )
}

# nolint end
