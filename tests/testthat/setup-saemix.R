# nolint start: object_name_linter, T_and_F_symbol_linter. Names as in the documentation of saemix.

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
  fit <- list(
    model = nlmers:::model_fields(bound$model$spec), data = bound$fields,
    at = list(parameters = nlmers:::value_fields(start))
  )
  request <- list(task = "log_likelihood", fit = fit, inference = list(nodes = nodes))
  nlmers:::core_call(request, bound$columns)$value
}

# A model of saemix and the same model as it would be written here.
expect_same_model <- function(model, data, native) {
  joined <- as_nlme_model(model, data)
  expect_equal(
    log_likelihood_at(joined, as.data.frame(data)), log_likelihood_at(native, as.data.frame(data)), tolerance = 1e-9
  )
}

# One fit with a covariate that serves several files, made when it is first asked for.
theo_saemix_fit <- local({
  fit <- NULL
  function() {
    if (is.null(fit)) {
      model <- theo_saemix_model(covariate.model = c(0, 0, 1), covariance.model = diag(c(1, 0, 1)))
      options <- list(seed = 1, nbiter.saemix = c(100, 60), displayProgress = FALSE)
      fit <<- suppressWarnings(saemix(model, theo_saemix_data(name.covariates = "Wt", name.X = "Time"), options))
    }
    fit
  }
})

# Counts of seizures by their Poisson likelihood.
count_saemix_fit <- local({
  fit <- NULL
  function() {
    skip_if_not_installed("MASS")
    if (is.null(fit)) {
      poisson <- function(psi, id, xidep) {
        y <- xidep[, 2]
        lambda <- psi[id, 1]
        -lambda + y * log(lambda) - log(factorial(y))
      }
      model <- saemix_model(
        poisson, psi_row(lambda = 5), modeltype = "likelihood", transform.par = 1, verbose = FALSE
      )
      data <- saemix_data(
        MASS::epil, name.group = "subject", name.predictors = c("period", "y"), name.response = "y", verbose = FALSE
      )
      fit <<- saemix(model, data, list(seed = 1, nbiter.saemix = c(100, 60), displayProgress = FALSE))
    }
    fit
  }
})

weibull_tte <- function(psi, id, xidep) {
  T <- xidep[, 1]
  cens <- which(xidep[, 3] == 1)
  init <- which(T == 0)
  lambda <- psi[id, 1]
  beta <- psi[id, 2]
  Nj <- length(T)
  ind <- setdiff(1:Nj, append(init, cens))
  hazard <- (beta / lambda) * (T / lambda)^(beta - 1)
  H <- (T / lambda)^beta
  logpdf <- rep(0, Nj)
  logpdf[cens] <- -H[cens] + H[cens - 1]
  logpdf[ind] <- -H[ind] + H[ind - 1] + log(hazard[ind])
  return(logpdf)
}

# nolint end
