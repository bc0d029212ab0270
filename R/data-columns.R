# Columns that the data have by another name than the model: the time as `t`, and what CENS and LIMIT say of the
# outcomes.

# The column of this name without case, or NULL; exact case wins.
column_like <- function(data, name) {
  found <- names(data)[toupper(names(data)) == name]
  if (name %in% found) name else if (length(found) > 0L) found[1L]
}

# The symbols `tad`, `tsld` and `tafd` are times since doses, unless columns have these names.
with_clocks <- function(model, data) {
  clocks <- setdiff(intersect(clock_words, model$described$columns), names(data))
  if (length(clocks) == 0L) return(model)
  model$spec$clocks <- clocks
  model$described <- core_call(core_request("describe", model$spec))
  model
}

# The symbol `t` is the time, unless a column has that name.
time_as_t <- function(model, data, time) {
  if (!"t" %in% model$described$columns) return(data)
  if ("t" %in% names(data)) {
    check_time_is_t(model, time)
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
censored_families <- c(
  "normal", "lognormal", "exponential", "weibull", "logistic", "laplace",
  "box_cox", "yeo_johnson", "logit_normal", "probit_normal"
)

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
