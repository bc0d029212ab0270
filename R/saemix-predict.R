# Predictions under the names of saemix.

#' @rdname saemix_verbs
#' @export
predict.saemix_fit <- function(object, newdata = NULL, type = c("ipred", "ypred", "ppred", "icpred"), level = NULL,
                               se.fit = FALSE, nsim = NULL, ...) { # nolint: object_name_linter.
  refuse_dots(...)
  if (!identical(se.fit, FALSE)) {
    stop_option(
      "no_counterpart", "Predictions have no standard errors here.",
      hint = "Leave `se.fit` out; `vcov(fit)` has the uncertainty of the estimates.", fields = list(name = "se.fit")
    )
  }
  words <- c("ipred", "ypred", "ppred", "icpred")
  if (!is.null(level)) {
    if (!missing(type)) refuse_idle("type", "type", "`level` says the same")
    type <- if (check_level(level) == 1) "ipred" else "ppred"
    # A level asks for subjects that were fitted, as predict() of every fit does.
    if (!is_likelihood(object)) return(predict.nlme_fit(object, newdata, level))
  }
  type <- if (identical(type, words)) "ipred" else type
  for (word in type) check_word(word, "type", words)
  seen <- seen_by(object, newdata, if (is.null(level)) type)
  predicted <- lapply(stats::setNames(nm = type), function(word) {
    prediction_of(seen$fit, seen$newdata, if (seen$population) "ppred" else word, nsim)
  })
  if (length(type) == 1L) predicted[[1L]] else as.data.frame(predicted)
}

prediction_of <- function(fit, newdata, type, nsim = NULL) {
  effects <- fit$effects
  switch(type,
    ppred = predicted_at(fit, newdata, 0 * effects$cond_mean, 0),
    ipred = predicted_at(fit, newdata, with_modes(fit)$effects$modes),
    icpred = predicted_at(fit, newdata, effects$cond_mean),
    ypred = {
      n <- check_count(c(nsim, fit$saemix$draws, 100)[1L], "nsim", 1)
      frame <- if (is.null(newdata)) fit$data$frame else newdata
      at <- function(fit, frame) predicted_at(fit, frame, fit$effects$modes)
      most <- if (is_likelihood(fit)) 5000L else 20000L
      rowMeans(over_population(fit, frame, n, fit$settings$seed, at, most))
    }
  )
}

# The prediction with these effects of the levels of the fit, in the order of the rows.
predicted_at <- function(fit, newdata, effects, level = 1) {
  fit$effects$modes <- effects
  if (is_likelihood(fit)) return(expected_outcome(fit, newdata, level))
  reply <- predict_core(fit, if (is.null(newdata)) fit$data$frame else newdata, level)
  outcome_values(reply$value, reply$outcome)
}

# Effects of every level, drawn from the population.
drawn_effects <- function(fit) {
  covariance <- fit$covariance$value
  n <- length(fit$effects$labels)
  # A variance of 0 is no obstacle to this root.
  parts <- eigen(covariance, symmetric = TRUE)
  root <- parts$vectors %*% (sqrt(pmax(parts$values, 0)) * t(parts$vectors))
  drawn <- matrix(stats::rnorm(n * ncol(root)), n) %*% root
  drawn[, match(fit$effects$name, fit$covariance$names), drop = FALSE]
}

# What `f` says of `n` copies of the records whose subjects have other effects each, drawn from the population:
# a row a record, a column a copy. Several copies share a request.
over_population <- function(fit, frame, n, seed, f, most) {
  group <- fit$data$group
  labels <- unique(group_text(frame[[group]]))
  at_once <- max(1L, most %/% nrow(frame))
  parts <- split(seq_len(n), (seq_len(n) - 1L) %/% at_once)
  with_draws(seed, do.call(cbind, lapply(parts, function(part) {
    copies <- frame[rep(seq_len(nrow(frame)), length(part)), , drop = FALSE]
    copies[[group]] <- paste(rep(part, each = nrow(frame)), group_text(frame[[group]]), sep = ":")
    fit$effects$labels <- paste(rep(part, each = length(labels)), labels, sep = ":")
    fit$effects$modes <- drawn_effects(fit)
    matrix(f(fit, copies), nrow(frame))
  })))
}

# The fit as new records see it: subjects that were not fitted have the effects that their own observations say,
# as in saemix; without observations they are typical ones.
seen_by <- function(fit, newdata, type) {
  if (is.null(newdata)) return(list(fit = fit, newdata = NULL, population = FALSE))
  check_frame(newdata, "newdata")
  newdata <- coded_records(fit, as.data.frame(newdata))
  group <- fit$data$group
  if (!group %in% names(newdata)) {
    asked <- setdiff(type, "ppred")
    if (length(asked) > 0L) {
      message("predict(): `newdata` names no subject, so these are predictions of the population.")
    }
    return(list(fit = fit, newdata = newdata, population = TRUE))
  }
  labels <- unique(group_text(newdata[[group]]))
  unknown <- setdiff(labels, fit$data$labels)
  if (length(unknown) == 0L || identical(type, "ppred") || is.null(type)) {
    return(list(fit = fit, newdata = newdata, population = FALSE))
  }
  response <- fit$saemix$data$columns$response
  if (!response %in% names(newdata) || all(is.na(newdata[[response]]))) {
    message("predict(): `newdata` has no observations of new subjects, so these are predictions of the population.")
    return(list(fit = fit, newdata = newdata, population = TRUE))
  }
  list(fit = fit_at(fit, newdata, unknown, type), newdata = newdata, population = FALSE)
}

# The fit with the conditional distributions of more subjects at its estimates, given which subjects are independent.
fit_at <- function(fit, newdata, unknown, type) {
  group <- fit$data$group
  columns <- intersect(names(fit$data$frame), names(newdata))
  added <- newdata[group_text(newdata[[group]]) %in% unknown, columns, drop = FALSE]
  frame <- fit$data$frame[columns]
  # Labels may be a factor in one and numbers in the other.
  frame[[group]] <- group_text(frame[[group]])
  added[[group]] <- group_text(added[[group]])
  bound <- bind_data(fit$model, rbind(frame, added), group, fit$data$time)
  fit$data$frame <- bound$frame
  fit$data$labels <- as.character(bound$fields$labels)
  n <- length(fit$data$labels)
  fit$effects <- list(
    group = group, labels = fit$data$labels, name = fit$effects$name,
    cond_mean = matrix(0, n, length(fit$effects$name)), typical = fit$effects$typical[rep(1L, n), , drop = FALSE]
  )
  fit <- with_modes(fit)
  if ("icpred" %in% type) {
    draws <- as.data.frame(conditional_samples(fit, nsim = 500, seed = fit$settings$seed))
    means <- stats::aggregate(draws[fit$effects$name], draws["level"], mean)
    fit$effects$cond_mean <- unname(as.matrix(means[match(fit$data$labels, means$level), fit$effects$name]))
  }
  fit
}

# Two-valued covariates as saemix_data() coded them.
coded_records <- function(fit, newdata) {
  coding <- fit$saemix$data$coding
  for (name in intersect(names(coding), names(newdata))) {
    values <- as.character(newdata[[name]])
    if (all(values %in% coding[[name]])) newdata[[name]] <- match(values, coding[[name]]) - 1
  }
  newdata
}

#' @export
fitted.saemix_fit <- function(object, level = 1, ...) {
  if (!is_likelihood(object)) return(fitted.nlme_fit(object, level = level, ...))
  refuse_dots(...)
  prediction_of(object, NULL, if (check_level(level) == 1) "ipred" else "ppred")
}

#' @rdname saemix_verbs
#' @export
saemix.predict <- function(object, type = c("ipred", "ypred", "ppred", "icpred")) { # nolint: object_name_linter.
  check_saemix_fit(object, "saemix.predict", "predict(fit)")
  object$saemix$predictions <- as.data.frame(lapply(stats::setNames(nm = type), function(word) {
    predict.saemix_fit(object, type = word)
  }))
  object
}

#' @rdname saemix_verbs
#' @export
saemixPredictNewdata <- function(saemixObject, newdata, # nolint: object_name_linter.
                                 type = c("ipred", "ypred", "ppred", "icpred"), nsamp = 1) {
  check_saemix_fit(saemixObject, "saemixPredictNewdata", "predict(fit, newdata)")
  if (!identical(nsamp, 1)) {
    say_without_meaning("saemixPredictNewdata", c(nsamp = "conditional means have no samples; see conddist.saemix()"))
  }
  seen <- seen_by(saemixObject, newdata, type)
  predictions <- lapply(stats::setNames(nm = type), function(word) {
    prediction_of(seen$fit, seen$newdata, if (seen$population) "ppred" else word)
  })
  id <- newdata[intersect(saemixObject$data$group, names(newdata))]
  list(
    predictions = cbind(id, as.data.frame(predictions)),
    param = if (!seen$population) as.data.frame(psi(seen$fit)), saemixObject = seen$fit
  )
}
