# Columns that the data have by another name than the model: several outcomes in one
# column DV, the time as `t`, and what CENS and LIMIT say of the outcomes.

# The column of this name without case, or NULL; exact case wins.
column_like <- function(data, name) {
  found <- names(data)[toupper(names(data)) == name]
  if (name %in% found) name else if (length(found) > 0L) found[1L]
}

# An outcome without a column takes DV in the rows where DVID is its name or, when
# no outcome is named there, its number among the outcomes; elsewhere it is missing. Endpoints
# of a model of nlmixr2 have a name of their own.
outcomes_by_dvid <- function(model, data) {
  outcomes <- unique(model$described$outcomes)
  value <- column_like(data, "DV")
  kinds <- endpoint_kinds(model, data)
  if (is.null(value) || is.null(kinds)) return(data)
  called <- if (is.null(model$endpoints)) outcomes else model$endpoints[outcomes]
  named <- any(called %in% kinds)
  for (i in which(!outcomes %in% names(data))) {
    here <- kinds %in% if (named) called[i] else as.character(i)
    data[[outcomes[i]]] <- replace(numeric_column(data[[value]], value, "data"), !here, NA_real_)
  }
  data
}

# The symbol `t` is the time, unless a column has that name.
time_as_t <- function(model, data, time) {
  if (!"t" %in% model$described$columns) return(data)
  if ("t" %in% names(data)) {
    # The rows of a fit have both, with the same values.
    if (is.null(time) || !identical(data$t, data[[time]])) check_time_is_t(model, time)
    return(data)
  }
  if (is.null(time)) {
    stop_data(
      "no_time", "The model reads the time `t`, but nothing says which column it is.",
      place_of("t", model$spec), "Give `time = \"column\"`.", list(name = "t")
    )
  }
  data$t <- data[[time]]
  data
}

# In differential equations `t` is the time, whatever the columns are called.
check_time_is_t <- function(model, time) {
  if (length(model$described$states) == 0L || identical(time, "t")) return(invisible())
  stop_data(
    "two_times",
    sprintf("`t` is the time in differential equations, but a column `t` stands beside the time `%s`.", time),
    place_of("t", model$spec), "Give `time = \"t\"`, or the column `t` another name.", list(column = "t")
  )
}

# Families whose values the columns CENS and LIMIT may censor.
censored_families <- c("normal", "lognormal", "exponential", "weibull", "logistic", "laplace")

# Names of CENS and LIMIT where the data have them and the model does not read them
# itself, and the columns the core makes of them.
censoring_columns <- function(model, data) {
  cens <- column_like(data, "CENS")
  known <- any(model$described$families %in% censored_families)
  if (is.null(cens) || !known || cens %in% model$described$columns) return(NULL)
  limit <- column_like(data, "LIMIT")
  list(
    names = c(cens, limit),
    columns = list(
      .cens = numeric_column(data[[cens]], cens, "data"),
      .limit = if (is.null(limit)) rep(NaN, nrow(data)) else numeric_column(data[[limit]], limit, "data")
    )
  )
}
