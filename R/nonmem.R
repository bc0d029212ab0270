#' Read data as NONMEM does
#'
#' `fit_nlme(events = nonmem())` and `check_data(events = nonmem())` read a data frame by the conventions of NONMEM
#' where these differ from those of this package:
#'
#' * a covariate that changes between records has, in differential equations, the value of the record that *ends* an
#'   interval (here: of the record that begins it), unless the model declares it with `time_varying()`;
#' * an ID that comes back after other subjects is another individual, called `3.2` beside `3`, as a message says
#'   (here: the same subject);
#' * states have their initial values at the first record of a subject (here: at time 0);
#' * times may begin anew at a reset, EVID 3 or 4: the times of the records from there on are counted from the record
#' before; * text `"."` is a missing value: a column of text whose other values are numbers is read as numbers; * a
#' column DUR says over which time an amount comes in.
#'
#' Doses, steady states, lags and additional doses have NONMEM's meaning anyhow; see `vignette("ode")`.
#'
#' @param ... names of event columns by item, as in `amt = "dose"`; others are found by their names.
#' @param na.strings (character) texts that mean a missing value.
#' @returns An object for the argument `events` of [fit_nlme()], [check_data()] and [evaluate_nlme()].
#' @examples
#' model <- nlme_model(
#'   fixed(cl = positive(1), v = positive(10), sigma = positive(0.5)),
#'   random(eta ~ normal(0, 0.3) | ID),
#'   {
#'     d/dt(central) <- -cl * exp(eta) / v * (CRCL / 100) * central
#'     DV ~ normal(central / v, sigma)
#'   }
#' )
#' data <- data.frame(
#'   ID = rep(1:4, each = 4), TIME = c(0, 1, 4, 8), AMT = c("100", ".", ".", "."), CRCL = c(100, 100, 60, 60),
#'   DV = c(NA, 9, 7, 6, NA, 8, 6, 5, NA, 9, 6, 4, NA, 10, 7, 5)
#' )
#' check_data(model, data, events = nonmem())
#' @export
nonmem <- function(..., na.strings = ".") {
  names <- c(...)
  if (!is.character(na.strings)) stop_bad_option("na.strings", na.strings, "texts")
  structure(list(names = given_events(names), na.strings = na.strings), class = "nlme_events")
}

# Model and data by the conventions that `events` asks for or the model keeps from its fit. `events` comes back as
# names of columns.
by_convention <- function(model, data, events) {
  if (identical(events, nonmem) || identical(events, "nonmem")) events <- nonmem()
  if (inherits(events, "nlme_events")) {
    model$conventions <- events["na.strings"]
    events <- if (length(events$names) > 0L) events$names
  }
  if (!is.null(model$conventions)) data[] <- lapply(data, text_numbers, model$conventions$na.strings)
  list(model = model, data = data, events = events)
}

# A column of text that holds numbers and texts for missing values, as numbers; others as they are.
text_numbers <- function(values, na_strings) {
  if (!is.character(values) && !is.factor(values)) return(values)
  text <- trimws(as.character(values))
  missing <- is.na(values) | text %in% c(na_strings, "")
  numbers <- suppressWarnings(as.numeric(text))
  if (all(missing) || anyNA(numbers[!missing])) values else replace(numbers, missing, NA)
}

# The rest of the conventions, once subjects and times are known: covariates that change, and times that begin anew.
with_next_covariates <- function(model, data, codes, time) {
  if (is.null(model$conventions) || !has_states(model)) return(model)
  declared <- vapply(model$spec$covariates, `[[`, "", "name")
  free <- setdiff(model$described$covariates, c(declared, time, "t"))
  changes <- function(column) any(tapply(data[[column]], codes, function(x) length(unique(x)) > 1L))
  own <- lapply(Filter(changes, free), function(column) {
    text <- sprintf("%s = time_varying(\"next\")", column)
    list(name = column, kind = "time_varying", interpolation = "next", text = text)
  })
  model$spec$covariates <- c(model$spec$covariates, own)
  model
}

running_times <- function(model, data, kinds, codes, time) {
  if (is.null(model$conventions) || is.null(time)) return(data)
  values <- data[[time]]
  restarts <- 0L
  for (rows in split(seq_along(values), codes)) {
    offset <- 0
    for (k in seq_along(rows)[-1L]) {
      row <- rows[k]
      begins <- kinds$evid[row] %in% c(3, 4) && isTRUE(values[row] + offset < values[rows[k - 1L]])
      if (begins) {
        offset <- values[rows[k - 1L]]
        restarts <- restarts + 1L
      }
      values[row] <- values[row] + offset
    }
  }
  if (restarts > 0L) {
    message(sprintf(
      "`%s` begins anew at %s: it is counted on from the record before.", time, counted(restarts, "reset")
    ))
    data[[time]] <- values
  }
  data
}
