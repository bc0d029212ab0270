# Data and predictions that are worlds apart at the start, and covariates of which the data say nothing.

# Families whose values have units.
measured_families <- c(
  "normal", "mvnormal", "ar1", "exchangeable", "lognormal", "student_t", "laplace", "logistic", "gamma",
  "exponential", "weibull"
)

# Units, more often than parameters, are off by so much.
far_factor <- 100

# Says so where what is observed and what is predicted at the starting values differ by a factor of 100 or more.
tell_of_ranges <- function(model, bound, settings) {
  values <- values_at(model, NULL)
  given <- Filter(Negate(is.null), c(settings$start, settings$fix))
  values[names(given)] <- given
  reply <- tryCatch(
    core_call(core_request("predict", model$spec, list(
      data = bound$fields, at = list(parameters = value_fields(values))
    )), bound$columns),
    nlmers_error = function(error) NULL
  )
  # What is wrong the fit says itself.
  if (is.null(reply)) return(invisible())
  families <- model$described$families
  for (k in which(families %in% measured_families)) {
    told <- range_words(
      reply$outcome[k], bound$frame[[reply$outcome[k]]], reply$value[, k],
      if (families[k] == "lognormal") 0 else reply$sd[, k]
    )
    if (!is.null(told)) rlang::inform(told, class = "nlmers_message_range")
  }
}

# A residual SD may explain what the prediction does not.
range_words <- function(outcome, observed, predicted, sd) {
  observed <- as.numeric(observed)
  known <- is.finite(observed) & is.finite(predicted)
  if (!any(known)) return(NULL)
  sd <- ifelse(is.finite(sd), sd, 0)
  top <- max(abs(observed[known]))
  reach <- max(abs(predicted[known]))
  within <- max((abs(predicted) + 2 * sd)[known])
  if (top == 0 || reach == 0 || (top < far_factor * within && reach < far_factor * top)) return(NULL)
  span <- function(x) paste(format(range(x), digits = 3, trim = TRUE), collapse = " and ")
  sprintf(
    paste(
      "`%s` lies between %s in the data, its prediction at the starting values between %s: a factor of %s.",
      "See whether outcome, doses and starting values have the same units."
    ),
    outcome, span(observed[known]), span(predicted[known]), format(signif(max(top / reach, reach / top), 1))
  )
}

# Where the data do not tell parameters apart the reason may stand in the covariates.
with_idle_covariates <- function(fit) {
  evidence <- fit$status$evidence
  if (converged(fit) || !any(grepl("do not tell apart", evidence, fixed = TRUE))) return(fit)
  fit$status$evidence <- c(evidence, idle_covariates(fit$data$frame, setdiff(
    fit$model$described$columns, c(fit$model$described$outcomes, fit$data$time, fit$data$events, "t")
  )))
  fit
}

# Columns that say the same of all rows, or what others say.
idle_covariates <- function(frame, columns) {
  columns <- Filter(function(column) {
    x <- frame[[column]]
    (is.numeric(x) || is.logical(x)) && !anyNA(x)
  }, columns)
  values <- lapply(stats::setNames(columns, columns), function(column) as.numeric(frame[[column]]))
  constant <- vapply(values, function(x) length(unique(x)) == 1L, NA)
  words <- sprintf(
    "`%s` is %s in all rows: what multiplies it cannot be told from a constant. Leave it out of the model.",
    columns[constant], vapply(values[constant], function(x) format(x[1L]), "")
  )
  values <- values[!constant]
  for (k in seq_along(values)[-1L]) {
    earlier <- do.call(cbind, c(list(1), lapply(values[seq_len(k - 1L)], standardized)))
    left <- stats::lm.fit(earlier, standardized(values[[k]]))
    if (max(abs(left$residuals)) > 1e-8) next
    used <- names(values)[which(abs(left$coefficients[-1L]) > 1e-8)]
    words <- c(words, sprintf(
      "`%s` is a linear function of %s: their effects cannot be told apart. Leave one of them out of the model.",
      names(values)[k], paste0("`", used, "`", collapse = " and ")
    ))
  }
  words
}

standardized <- function(x) (x - mean(x)) / stats::sd(x)
