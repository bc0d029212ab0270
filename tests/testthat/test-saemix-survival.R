# nolint start: object_name_linter, T_and_F_symbol_linter. Names as in the documentation of saemix.

# A row at time 0 and one at the event or the censoring.
lifetimes <- function(n = 30) {
  time <- round(100 * qweibull(ppoints(n), 1.4), 1)[order((seq_len(n) * 7) %% n)]
  dead <- as.numeric(seq_len(n) %% 4 != 0)
  data.frame(
    id = rep(seq_len(n), each = 2), time = as.vector(rbind(0, time)), status = as.vector(rbind(0, dead)),
    cens = as.vector(rbind(0, 1 - dead))
  )
}

lifetime_data <- function(frame = lifetimes()) {
  saemix_data(
    frame, name.group = "id", name.predictors = c("time", "status", "cens"), name.response = "status", verbose = FALSE
  )
}

event_model <- function(fn, psi0 = psi_row(lambda = 90, beta = 1.3), ...) {
  saemix_model(
    fn, psi0, modeltype = "likelihood", transform.par = rep(1, ncol(psi0)), covariance.model = diag(c(1, 0)),
    omega.init = diag(c(0.25, 1)), ..., verbose = FALSE
  )
}

test_that("the Weibull time to an event of saemix's manual is event(hazard)", {
  joined <- as_nlme_model(event_model(weibull_tte), lifetime_data())
  text <- vapply(joined$spec$statements, `[[`, "", "text")
  expect_equal(text[2:3], c("hazard <- (beta/lambda) * (t/lambda)^(beta - 1)", "status ~ event(hazard)"))
  expect_equal(joined$time, "time")
  # The density of each life, integrated over its scale exp(N(log 90, 0.25)).
  frame <- lifetimes()
  ends <- frame[frame$time > 0, ]
  exact <- sum(mapply(function(time, dead) {
    f <- function(eta) {
      scale <- 90 * exp(eta)
      density <- if (dead == 1) dweibull(time, 1.3, scale) else pweibull(time, 1.3, scale, lower.tail = FALSE)
      density * dnorm(eta, 0, 0.5)
    }
    log(integrate(f, -6, 6, rel.tol = 1e-10)$value)
  }, ends$time, ends$status))
  bound <- nlmers:::bind_data(joined, frame, time = "time")
  at <- list(parameters = nlmers:::value_fields(list(lambda = 90, beta = 1.3, omega_sd_lambda = 0.5)))
  fit <- list(model = nlmers:::model_fields(bound$model$spec), data = bound$fields, at = at)
  request <- list(task = "log_likelihood", fit = fit, inference = list(nodes = 40))
  expect_equal(nlmers:::core_call(request, bound$columns)$value, exact, tolerance = 1e-6)
})

test_that("times to events fit, predict and simulate", {
  fit <- suppressWarnings(saemix(
    event_model(weibull_tte, fixed.estim = c(1, 0)), lifetime_data(),
    list(seed = 1, nbiter.saemix = c(60, 40), displayProgress = FALSE)
  ))
  expect_equal(fit$data$time, "time")
  # The probability of an event by the time of the row, at the individual scale.
  ends <- fit$data$frame$time > 0
  expect_equal(
    predict(fit)[ends], pweibull(fit$data$frame$time[ends], 1.3, psi(fit)[, "lambda"]), tolerance = 1e-6
  )
  draws <- simulate(fit, nsim = 2, seed = 3)
  expect_true(all(draws$status %in% 0:1))
  expect_s3_class(plot(fit), "ggplot")
})

test_that("repeated events end at a time of censoring that all subjects share", {
  rtte.model <- function(psi, id, xidep) {
    T <- xidep[, 1]
    N <- nrow(psi)
    Nj <- length(T)
    censoringtime <- max(T)
    lambda <- psi[id, 1]
    beta <- psi[id, 2]
    tinit <- which(T == 0)
    tcens <- which(T == censoringtime)
    tevent <- setdiff(1:Nj, append(tinit, tcens))
    hazard <- (beta / lambda) * (T / lambda)^(beta - 1)
    H <- (T / lambda)^beta
    logpdf <- rep(0, Nj)
    logpdf[tcens] <- -H[tcens] + H[tcens - 1]
    logpdf[tevent] <- -H[tevent] + H[tevent - 1] + log(hazard[tevent])
    return(logpdf)
  }
  repeated <- data.frame(
    id = rep(1:3, c(4, 3, 2)), T = c(0, 0.8, 1.7, 3, 0, 2.2, 3, 0, 3), status = c(0, 1, 1, 0, 0, 1, 0, 0, 0)
  )
  data <- saemix_data(repeated, name.group = "id", name.predictors = "T", name.response = "status", verbose = FALSE)
  joined <- as_nlme_model(event_model(rtte.model, psi_row(lambda = 2, beta = 1.5)), data)
  text <- vapply(joined$spec$statements, `[[`, "", "text")
  expect_equal(tail(text, 1), "status ~ event(hazard)")
  expect_equal(joined$time, "T")
})

test_that("a hazard that is not written is the slope of the cumulative hazard", {
  exponential <- function(psi, id, xidep) {
    tim <- xidep[, 1]
    dead <- which(xidep[, 2] == 1)
    none <- which(xidep[, 3] == 1)
    H <- psi[id, 1] * tim
    out <- rep(0, length(tim))
    out[none] <- H[none - 1] - H[none]
    out[dead] <- H[dead - 1] - H[dead] + log(psi[id, 1])
    out
  }
  joined <- as_nlme_model(event_model(exponential, psi_row(rate = 0.01, unused = 1)), lifetime_data())
  expect_match(tail(vapply(joined$spec$statements, `[[`, "", "text"), 1), "status ~ event(rate)", fixed = TRUE)
})

test_that("what is no time to an event is refused with the line and the native outcome", {
  refusal <- function(fn, frame = lifetimes()) caught(as_nlme_model(event_model(fn), lifetime_data(frame)))
  wrong <- weibull_tte
  body(wrong)[[9]] <- quote(hazard <- (beta / lambda) * (T / lambda)^beta)
  error <- refusal(wrong)
  expect_s3_class(error, "nlmers_error_model")
  expect_match(error$problem, "In row 2 .* the function gives .* where a time to an event gives")
  expect_match(error$hint, "`status ~ event(hazard)`", fixed = TRUE)
  expect_match(error$hint, "`time = \"time\"`", fixed = TRUE)
  # The column says otherwise than the function.
  flipped <- transform(lifetimes(), status = ifelse(time > 0, 1 - status, 0))
  error <- refusal(weibull_tte, flipped)
  expect_match(error$problem, "In row 2")
  expect_equal(error$row, 2L)
  expect_match(refusal(weibull_tte, transform(lifetimes(), status = 2 * status))$problem, "must be 1 at an event")
  # Rows that no mask names.
  mixed <- function(psi, id, xidep) psi[id, 1] * cumsum(xidep[, 1])
  expect_match(refusal(mixed)$hint, "`status ~ event(hazard)`", fixed = TRUE)
})

# nolint end
