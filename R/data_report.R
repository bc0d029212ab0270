#' What becomes of the rows of the data
#'
#' `data_report()` lists the rows that a fit did not use and those whose value is censored, each with the reason;
#' `check_data()` says the same of a model and data before any fit, and checks everything that a fit would check.
#'
#' Reasons are: `dose`, and `dose, its outcome not read` where EVID or MDV says that the value beside an amount is none;
#' `EVID = 2`, `EVID = 3`; `MDV = 1`; `missing outcome`. Without a column EVID a row with an amount and an outcome is
#' both, unless MDV is 1 there or the outcomes of all such rows are 0, as where they fill a gap. With several outcomes
#' a row counts as fitted when one of them has a value. A code of DVID, or of CMT where this tells outcomes apart,
#' that no outcome has is an error: its rows would be lost.
#'
#' @param fit (`nlme_fit`) a fit.
#' @param model (`nlme_model`) a model, or a model function of nlmixr2.
#' @param data (data frame) one row a record.
#' @param id,time,events as in [fit_nlme()].
#' @param x (`nlme_data_report`) a report.
#' @param n (number) rows to print at most, of each kind.
#' @param ... not used.
#' @returns A data frame of class `nlme_data_report`: `row` (number in the data given), the grouping column, the time
#' where
#'   there is one, and `reason` (text; of a censored row, which is fitted, as in `below 0.1` and `between 0 and 0.1`).
#'   Printed, censored rows stand apart. Attributes: `n_rows`, `n_fitted`.
#' @examples
#' model <- nlme_model(
#'   fixed(a = 2, b = 0.5, sigma = positive(1)),
#'   random(eta ~ normal(0, 1) | id),
#'   y ~ normal(a + b * x + eta, sigma)
#' )
#' d <- data.frame(id = rep(1:4, each = 3), x = 1:3, y = c(1, NA, 3:12))
#' check_data(model, d)
#' @export
data_report <- function(fit) {
  if (!inherits(fit, "nlme_fit")) {
    stop_option(
      "bad_fit", "`data_report()` takes a fit.", hint = "For a model and data write `check_data(model, data)`."
    )
  }
  row_report(fit$data$rows, fit$data$frame, c(fit$data$group, fit$data$time))
}

#' @rdname data_report
#' @export
check_data <- function(model, data, id = NULL, time = NULL, events = NULL) {
  check_order(model, data, match.call())
  if (is.function(model)) model <- as_nlme_model(model)
  check_model(model, list())
  bound <- bind_data(model, data, id, time, env = parent.frame(), events = events)
  core_call(core_request("check", bound$model$spec, list(data = bound$fields)), bound$columns)
  tell_of_data(bound, data)
  row_report(bound$rows, bound$frame, c(bound$fields$group, bound$fields$time))
}

row_report <- function(rows, frame, columns) {
  reason <- rows$reason
  censored <- rows$censored[rows$censored$taken, ]
  side <- c("below", "above")[match(censored$side, c(-1, 1))]
  reason[censored$row] <- ifelse(
    is.na(side), paste("between", ends_text(censored)), paste(side, vapply(censored$limit, format, "", digits = 7))
  )
  listed <- which(nzchar(reason))
  report <- cbind(data.frame(row = listed), frame[listed, columns, drop = FALSE], data.frame(reason = reason[listed]))
  rownames(report) <- NULL
  structure(
    report, class = c("nlme_data_report", "data.frame"), n_rows = length(reason), n_fitted = sum(!nzchar(rows$reason)),
    rows = rows
  )
}

#' @rdname data_report
#' @export
print.nlme_data_report <- function(x, n = 10, ...) {
  rows <- attr(x, "rows")
  cat(sprintf("%d of %d rows hold an outcome that is fitted.", attr(x, "n_fitted"), attr(x, "n_rows")), "\n", sep = "")
  censored <- censored_words(rows$censored)
  if (!is.null(censored)) cat("Censored: ", paste(censored, collapse = ", "), "\n", sep = "")
  unfitted <- unfitted_words(rows)
  if (length(unfitted) > 0L) cat(unfitted, sep = "\n")
  fitted <- x$row %in% rows$censored$row[rows$censored$taken]
  table <- as.data.frame(x)
  print_rows(table[!fitted, , drop = FALSE], n)
  if (any(fitted)) cat("\nCensored rows, which are fitted:\n")
  print_rows(table[fitted, , drop = FALSE], n)
  invisible(x)
}

print_rows <- function(table, n) {
  if (nrow(table) > 0L) print(utils::head(table, n), row.names = FALSE)
  if (nrow(table) > n) cat(sprintf("... %s; see as.data.frame()\n", counted(nrow(table) - n, "more row")))
}

#' @export
as.data.frame.nlme_data_report <- function(x, ...) {
  attributes(x)[c("n_rows", "n_fitted", "rows")] <- NULL
  class(x) <- "data.frame"
  x
}
