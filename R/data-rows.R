# What becomes of every row of the data: which hold an outcome, which are censored, and why the others hold none.

# Numbers of the items that say what a row is. A model without equations knows no doses, but MDV and EVID, unless it
# reads columns of these names itself.
outcome_items <- function(model, data, argument) {
  items <- c("EVID", "MDV")
  named <- Filter(Negate(is.null), lapply(stats::setNames(nm = items), column_like, data = data))
  named <- named[!unlist(named) %in% c(model$described$columns, model$groups)]
  lapply(named, function(column) numeric_column(data[[column]], column, argument))
}

# The dosing records of a model with equations, and what every row of any model is.
data_events <- function(model, data, given, argument) {
  events <- event_columns(model, data, given, argument)
  items <- if (is.null(events)) outcome_items(model, data, argument)
  list(events = events, kinds = if (is.null(events)) row_kinds(items, nrow(data)) else events$kinds)
}

# What each row is by its items, and whether it may hold an outcome. Without EVID a row with an amount is a dose and may
# hold one. The core reads rows the same way.
row_kinds <- function(items, n) {
  item <- function(name) {
    values <- items[[name]]
    if (is.null(values)) rep(0, n) else replace(values, is.na(values), 0)
  }
  evid <- item("EVID")
  dose <- if (is.null(items$EVID)) {
    item("AMT") != 0 | (item("SS") != 0 & item("RATE") != 0)
  } else {
    evid %in% c(1, 4)
  }
  endless <- item("SS") != 0 & item("RATE") != 0
  list(
    dose = dose, empty = dose & item("AMT") == 0 & !endless, evid = evid, mdv = item("MDV") != 0,
    both = dose & is.null(items$EVID), may = evid == 0 & item("MDV") == 0
  )
}

# Rows that hold no outcome, whatever stands there. Where a dose may hold one, zeros in all of them fill a gap.
unobserved_rows <- function(kinds, values) {
  both <- kinds$both & kinds$may
  for (column in values) {
    here <- column[both]
    if (any(!is.na(here)) && all(here[!is.na(here)] == 0)) column[both] <- NA
    both <- both & !is.na(column)
  }
  !kinds$may | (kinds$both & !both)
}

# Why a row is not fitted, "" where it is; `values` are the outcomes as the data have them.
row_reasons <- function(kinds, unobserved, values) {
  held <- Reduce(`|`, lapply(values, function(column) !is.na(column)), rep(FALSE, length(unobserved)))
  told <- held & Reduce(`|`, lapply(values, function(column) !is.na(column) & column != 0), FALSE)
  by_evid <- sprintf("EVID = %s", format(kinds$evid, trim = TRUE))
  reason <- ifelse(held & !unobserved, "", "missing outcome")
  reason[unobserved & kinds$mdv] <- "MDV = 1"
  reason[unobserved & kinds$evid != 0] <- by_evid[unobserved & kinds$evid != 0]
  dose <- unobserved & kinds$dose | kinds$dose & !held
  reason[dose] <- ifelse(told[dose], "dose, its outcome not read", "dose")
  reason[kinds$empty] <- "dose without an amount"
  reason
}

# Outcomes at rows that hold none are missing.
without_outcomes <- function(data, unobserved, outcomes) {
  for (outcome in intersect(outcomes, names(data))) data[[outcome]][unobserved] <- NA
  data
}

# How many rows are not fitted and why, in words, and how many are doses too; NULL for none.
unfitted_words <- function(rows) {
  both <- if (rows$both > 0L) sprintf("Rows that are a dose and an outcome at once: %d", rows$both)
  c(reason_words(rows), both)
}

reason_words <- function(rows) {
  reasons <- rows$reason[nzchar(rows$reason)]
  if (length(reasons) == 0L) return(NULL)
  counts <- sort(table(reasons), decreasing = TRUE)
  paste("Rows not fitted:", paste(counts, counted_noun(names(counts), counts), collapse = ", "))
}

counted_noun <- function(reason, n) {
  words <- c(
    dose = "dose%s", "dose without an amount" = "dose%s without an amount", "missing outcome" = "missing outcome%s",
    "dose, its outcome not read" = "dose%s whose outcome is not read"
  )
  counted <- mapply(sub, "%s", ifelse(n > 1L, "s", ""), words[reason], MoreArgs = list(fixed = TRUE))
  ifelse(reason %in% names(words), counted, paste("with", reason))
}

# Words about what is censored: "24 below 0.1".
censored_words <- function(censored) {
  side <- function(side, word) {
    limits <- censored$limit[censored$taken & censored$side == side]
    if (length(limits) == 0L) return(NULL)
    one <- length(unique(limits)) == 1L
    sprintf("%d %s %s", length(limits), word, if (one) format(limits[1L], digits = 7) else "their limits")
  }
  intervals <- censored[censored$taken & censored$side == 2, ]
  between <- if (nrow(intervals) > 0L) unique(paste("between", ends_text(intervals)))
  c(
    side(-1, "below"), side(1, "above"),
    if (length(between) > 0L) paste(nrow(intervals), if (length(between) == 1L) between else "in intervals")
  )
}

# "2 and 4" for the ends of intervals, the lower one first.
ends_text <- function(censored) {
  shown <- function(values) vapply(values, format, "", digits = 7)
  paste(shown(pmin(censored$from, censored$limit)), "and", shown(pmax(censored$from, censored$limit)))
}

# The account of all rows: `reason` and `unobserved` of each, and the rows that are censored.
row_account <- function(model, data, kinds, censoring) {
  outcomes <- unique(model$described$outcomes)
  values <- data[outcomes]
  unobserved <- unobserved_rows(kinds, values)
  reason <- row_reasons(kinds, unobserved, values)
  fitted <- !nzchar(reason)
  censored <- rbind(
    censored_frame(integer(), character(), numeric(), numeric()),
    censored_by_columns(model, data, censoring, fitted), censored_by_bounds(model, data, fitted)
  )
  list(reason = reason, unobserved = unobserved, censored = censored, both = sum(kinds$dose & fitted))
}

# Rows whose value the column CENS says to be a limit: `side` is -1 for below, 1 for above, 2 for an interval. `taken`
# says whether the family of the outcome can be censored so.
censored_by_columns <- function(model, data, censoring, fitted) {
  cens <- column_like(data, "CENS")
  if (is.null(cens) || cens %in% model$described$columns) return(NULL)
  kind <- numeric_column(data[[cens]], cens, "data")
  here <- fitted & !is.na(kind) & kind != 0
  limit <- if (is.null(censoring)) NaN else censoring$columns$.limit
  has_limit <- here & length(censoring$names) > 1L & is.finite(limit)
  by_outcome(model, function(outcome, family) {
    rows <- which(here & !is.na(data[[outcome]]))
    side <- ifelse(has_limit[rows], 2, ifelse(kind[rows] > 0, -1, 1))
    from <- ifelse(side == 2, rep_len(limit, nrow(data))[rows], NA)
    censored_frame(rows, outcome, side, data[[outcome]][rows], taken = family %in% censored_families, from = from)
  })
}

# Rows at or beyond the bounds of `censored()`, where these are numbers or columns.
censored_by_bounds <- function(model, data, fitted) {
  stated <- Filter(function(s) s$kind == "outcome", model$spec$statements)
  codes <- unlist(lapply(stated, function(s) rep(list(str2lang(s$text)[[3L]]), 1L + length(s$more))), recursive = FALSE)
  one <- function(code, outcome) {
    call <- match.call(function(dist, lower, upper) NULL, code)
    beyond <- function(bound, side) {
      if (is.null(bound) || !all(all.vars(bound) %in% names(data))) return(NULL)
      limit <- rep_len(as.numeric(eval(bound, data, baseenv())), nrow(data))
      y <- data[[outcome]]
      rows <- which(fitted & !is.na(y) & if (side < 0) y <= limit else y >= limit)
      censored_frame(rows, outcome, rep(side, length(rows)), limit[rows])
    }
    rbind(beyond(call$lower, -1), beyond(call$upper, 1))
  }
  is_censored <- vapply(codes, function(code) is.call(code) && identical(code[[1L]], quote(censored)), NA)
  found <- Map(one, codes[is_censored], model$described$outcomes[is_censored])
  do.call(rbind, unname(found))
}

by_outcome <- function(model, f) {
  do.call(rbind, unname(Map(f, model$described$outcomes, model$described$families)))
}

# `from` is the other end of an interval.
censored_frame <- function(rows, outcome, side, limit, taken = TRUE, from = NA_real_) {
  n <- length(rows)
  data.frame(
    row = rows, outcome = rep_len(outcome, n), side = side, limit = limit, taken = rep_len(taken, n),
    from = as.numeric(rep_len(from, n))
  )
}

# What is likely a mistake is said once, at the fit: values of CENS that an outcome cannot mean, doses of nothing.
tell_of_rows <- function(rows) {
  empty <- which(rows$reason == "dose without an amount")
  if (length(empty) > 0L) {
    warn_nlmers("data", sprintf(
      "%d dose record%s no amount, the first in row %d: nothing is given there.",
      length(empty), if (length(empty) == 1L) " has" else "s have", empty[1L]
    ))
  }
  left <- rows$censored[!rows$censored$taken, ]
  for (outcome in unique(left$outcome)) {
    n <- sum(left$outcome == outcome)
    warn_nlmers("data", sprintf(
      "`CENS` marks %d value%s of `%s`, whose distribution has no censored form: they are fitted as they stand.",
      n, if (n == 1L) "" else "s", outcome
    ))
  }
}
