# Times that are no numbers: clock times, dates and their differences become hours since the first record of a subject.

# `time =`, else the first of time, TIME and t, else the same without case. What is neither a number nor a time is
# passed over.
time_column <- function(data, time, argument = "data", needed = FALSE) {
  if (!is.null(time)) {
    check_column_name(time, "time")
    if (!time %in% names(data)) stop_missing_column(time, data, "time", argument)
    return(time)
  }
  timely <- names(data)[vapply(data, function(x) is.numeric(x) || is_moment(x), NA)]
  exact <- intersect(c("time", "TIME", "t"), timely)
  if (length(exact) > 0L) return(exact[1L])
  loose <- timely[tolower(timely) == "time"]
  if (length(loose) > 0L) return(loose[1L])
  text <- column_like(data, "TIME")
  if (needed && !is.null(text)) stop_unread_times(data[[text]], text, argument)
}

# Whether the rows of a model are its course in time.
in_time <- function(model) {
  has_states(model) || any(model$described$families %in% sequential_families) ||
    any(c("t", clock_words) %in% model$described$columns)
}

# A column of times that holds none: what stands there, and the line that makes times of it.
stop_unread_times <- function(values, column, argument) {
  text <- trimws(as.character(values))
  number <- suppressWarnings(as.numeric(text))
  odd <- !is.na(text) & is.na(number) & !grepl(clock, text)
  row <- if (any(odd)) which(odd)[1L] else which(!is.na(text))[1L]
  place <- paste0(argument, "$", column)
  hint <- time_text_hint(text[!is.na(text)], values, place)
  if (is.na(row)) row <- 1L
  stop_data(
    "bad_time",
    sprintf(
      "`%s` is %s in row %d, of class `%s`, which is not read as a time.", column,
      if (is.na(text[row])) "missing" else dQuote(text[row], FALSE), row, class(values)[1L]
    ),
    hint = hint, fields = list(column = column, row = row, value = text[row])
  )
}

# `text` are the values that are there.
time_text_hint <- function(text, values, place) {
  plain <- if (is.factor(values)) sprintf("as.character(%s)", place) else place
  if (length(text) > 0L && all(grepl("^[0-9]{1,2}[.][0-5][0-9]$", text))) {
    return(sprintf(
      paste(
        "Where these are hours, write `%1$s <- as.numeric(%2$s)`; where they are times of the clock, write",
        "`%1$s <- sub(\".\", \":\", %2$s, fixed = TRUE)`."
      ), place, plain
    ))
  }
  if (length(text) > 0L && all(grepl("^[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}[ T]+[0-9]{1,2}:", text))) {
    format <- if (grepl("m$", text[1L], ignore.case = TRUE)) "%d/%m/%Y %I:%M %p" else "%d/%m/%Y %H:%M"
    return(sprintf(
      "Write `%s <- as.POSIXct(%s, \"UTC\", format = \"%s\")` with the format that is yours.", place, plain, format
    ))
  }
  odd <- is.na(suppressWarnings(as.numeric(sub(",", ".", text, fixed = TRUE))))
  if (length(text) > 0L && all(odd) && all(grepl("^[^0-9]*[0-9]+([.][0-9]+)?[^0-9]*$", text))) {
    return(sprintf(
      "If the number says the time, write `%s <- as.numeric(gsub(\"[^0-9.]\", \"\", %s))`.", place, plain
    ))
  }
  if (length(text) > 0L && all(odd)) {
    return(sprintf(
      "Make it a number, or a time as \"8:30\", \"8:30 PM\" or \"2024-03-04 08:30\", by `%s[row] <- value`.", place
    ))
  }
  number_hint(values, place)
}

# "8:30", "08:30:15", "8:30 AM".
clock <- "^\\s*([0-9]{1,2}):([0-9]{2})(:([0-9]{2}(\\.[0-9]*)?))?\\s*([AaPp]\\.?[Mm]\\.?)?\\s*$"

is_clock <- function(values) {
  if (is.factor(values)) values <- as.character(values)
  is.character(values) && any(!is.na(values)) && all(grepl(clock, values[!is.na(values)]))
}

# "2024-03-04 08:00", with T between for ISO 8601.
date_time <- "^\\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[ T][0-9]{1,2}:[0-9]{2}(:[0-9.]+)?Z?\\s*$"

is_date_time <- function(values) {
  if (is.factor(values)) values <- as.character(values)
  is.character(values) && any(!is.na(values)) && all(grepl(date_time, values[!is.na(values)]))
}

is_moment <- function(values) {
  inherits(values, c("Date", "POSIXt", "difftime")) || is_clock(values) || is_date_time(values)
}

# The data with a time in numbers. Hours, since other units are nobody's guess, and since the first record of each
# subject.
times_in_numbers <- function(data, time, codes) {
  if (is.null(time) || !is_moment(data[[time]])) return(data)
  values <- data[[time]]
  if (is_date_time(values)) {
    text <- sub("Z?\\s*$", "", sub("T", " ", as.character(values), fixed = TRUE))
    values <- as.POSIXct(text, tz = "UTC", tryFormats = c("%Y-%m-%d %H:%M:%OS", "%Y-%m-%d %H:%M"))
  }
  date <- Find(function(name) name %in% toupper(names(data)), names(date_orders))
  date <- if (!is.null(date)) column_like(data, date)
  dated <- is_clock(values) && !is.null(date)
  hours <- if (inherits(values, "difftime")) {
    as.numeric(values, units = "hours")
  } else if (is_clock(values)) {
    clock_hours(values) + if (dated) 24 * day_numbers(data[[date]], date) else 0
  } else {
    as.numeric(difftime(as.POSIXct(values), as.POSIXct(values)[1L], units = "hours"))
  }
  if (is_clock(values) && !dated) hours <- stats::ave(hours, codes, FUN = over_midnight)
  if (!inherits(values, "difftime")) hours <- hours - stats::ave(hours, codes, FUN = function(x) min(x, na.rm = TRUE))
  message(sprintf(
    "`%s` (%s%s) is read as hours%s.", time, if (is_clock(values)) "clock time" else class(values)[1L],
    if (dated) sprintf(" with `%s`%s", date, order_words(data[[date]], date)) else "",
    if (inherits(values, "difftime")) "" else " since the first record of each subject"
  ))
  data[[time]] <- hours
  data
}

clock_hours <- function(values) {
  part <- function(k) {
    found <- sub(clock, paste0("\\", k), as.character(values))
    suppressWarnings(as.numeric(ifelse(nzchar(found), found, "0")))
  }
  half <- tolower(substr(sub(clock, "\\6", as.character(values)), 1L, 1L))
  halved <- half %in% c("a", "p")
  hour <- part(1L)
  # 12 AM is midnight, 12 PM noon.
  hour[halved] <- (hour %% 12 + 12 * (half == "p"))[halved]
  wrong <- which(halved & (part(1L) > 12 | part(1L) < 1) | part(1L) > 24 | part(2L) >= 60 | part(4L) >= 60)[1L]
  if (!is.na(wrong)) {
    stop_data(
      "bad_time", sprintf("\"%s\" in row %d is no time of the clock.", values[wrong], wrong),
      hint = "Hours go to 24, with AM and PM to 12, minutes and seconds to 59.", fields = list(row = wrong)
    )
  }
  hour + part(2L) / 60 + part(4L) / 3600
}

# Without dates a clock that goes back has passed midnight.
over_midnight <- function(hours) {
  back <- c(FALSE, diff(hours) < 0)
  hours + 24 * cumsum(replace(back, is.na(back), FALSE))
}

# In which order the dates of a column stand: NONMEM's DATE, DAT1, DAT2 and DAT3. DATE may be any that all dates allow.
date_orders <- list(
  DATE = c("%Y-%m-%d", "%m-%d-%Y", "%m-%d-%y", "%d-%m-%Y", "%d-%m-%y"), DAT1 = c("%d-%m-%Y", "%d-%m-%y"),
  DAT2 = c("%Y-%m-%d", "%y-%m-%d"), DAT3 = c("%Y-%d-%m", "%y-%d-%m")
)

dash_dates <- function(values) gsub("[/.]", "-", trimws(as.character(values)))

# The first order of which all texts are dates, or NULL.
date_order <- function(values, column) {
  text <- dash_dates(values)
  fits <- function(format) {
    days <- as.Date(text, format)
    !anyNA(days[!is.na(values)]) && all(days > as.Date("1900-01-01"), na.rm = TRUE)
  }
  Filter(fits, date_orders[[toupper(column)]])
}

# Words about an order that is not the only one.
order_words <- function(values, column) {
  if (is.numeric(values) || inherits(values, c("Date", "POSIXt"))) return("")
  orders <- sub("y", "Y", date_order(values, column))
  if (length(unique(orders)) < 2L) return("")
  sprintf(" as %s; for another order call it DAT1 (day-month-year) or give a Date", gsub("%", "", orders[1L]))
}

# Days of a column of dates, of numbers or of texts.
day_numbers <- function(values, column) {
  if (is.numeric(values)) return(as.numeric(values))
  if (inherits(values, c("Date", "POSIXt"))) return(as.numeric(as.Date(values)))
  order <- date_order(values, column)
  if (length(order) > 0L) return(as.numeric(as.Date(dash_dates(values), order[1L])))
  stop_data(
    "bad_date", sprintf("The dates in `%s` are not understood: \"%s\".", column, as.character(values)[1L]),
    hint = sprintf("Write `data$%1$s <- as.Date(data$%1$s, \"%%d/%%m/%%Y\")` with the format that is yours.", column),
    fields = list(column = column)
  )
}
