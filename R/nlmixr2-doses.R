# What a model for nlmixr2 asks of doses: `tad()` and `tafd()` are words of this package, `podo()` and others columns
# made from the dosing records.

# The word of this package for a time since doses, or the column that is read.
dose_words <- list(
  tad = list(clock = "tad"), tad0 = list(clock = "tad"), tafd = list(clock = "tafd"), tafd0 = list(clock = "tafd"),
  tlast = list(column = "tlast"), tlast0 = list(column = "tlast"),
  tfirst = list(column = "tfirst"), tfirst0 = list(column = "tfirst"),
  podo = list(column = "podo"), podo0 = list(column = "podo"),
  dosenum = list(column = "dosenum")
)

# `tad0(depot)` is `tad(depot)`, `podo(depot)` the column `podo_depot`.
dose_expression <- function(code, state) {
  word <- dose_words[[as.character(code[[1L]])]]
  args <- as.list(code)[-1L]
  if (length(args) > 1L || !all(vapply(args, is.symbol, NA))) {
    stop_untranslated_line(
      sprintf("`%s` cannot be translated.", code_text(code)), state$line, "It takes the name of a state, or nothing."
    )
  }
  if (!is.null(word$clock)) return(as.call(c(as.symbol(word$clock), args)))
  into <- if (length(args) == 1L) as.character(args[[1L]])
  column <- paste(c(word$column, into), collapse = "_")
  state$found$doses[[column]] <- list(column = column, word = word$column, state = into)
  as.symbol(column)
}

# The data with these columns. Before the first dose nothing was given, and times count from the first record.
with_dose_columns <- function(model, data) {
  wanted <- Filter(function(dose) !dose$column %in% names(data), model$dose_columns)
  if (length(wanted) == 0L) return(data)
  records <- dose_records(model, data)
  for (dose in wanted) {
    here <- records
    if (!is.null(dose$state)) {
      number <- match(dose$state, model$described$states)
      if (is.na(number)) {
        stop_data(
          "unknown_state", sprintf("`%s` is no state of the model.", dose$state),
          hint = nearest_hint(dose$state, model$described$states, "States"), fields = list(name = dose$state)
        )
      }
      here$dose <- here$dose & here$cmt == number
    }
    data[[dose$column]] <- dose_column(here, dose$word)
  }
  data
}

# Columns of the records as numbers: subject, time, dose (logical), amount, compartment.
dose_records <- function(model, data) {
  number <- function(name, default) {
    column <- column_like(data, name)
    if (is.null(column)) return(rep(default, nrow(data)))
    values <- suppressWarnings(as.double(as.character(data[[column]])))
    replace(values, is.na(values), default)
  }
  amt <- number("AMT", 0)
  evid <- if (is.null(column_like(data, "EVID"))) as.numeric(amt != 0) else number("EVID", 0)
  dose <- evid %in% c(1, 4)
  if (any(dose & number("ADDL", 0) > 0)) stop_additional_doses(model, which(dose & number("ADDL", 0) > 0)[1L])
  cmt <- column_like(data, "CMT")
  into <- rep(1, nrow(data))
  if (!is.null(cmt)) into <- state_numbers(data[[cmt]], cmt, model$described$states, dose)
  id <- column_like(data, "ID")
  list(
    id = if (is.null(id)) rep("1", nrow(data)) else group_text(data[[id]]), time = number("TIME", 0), dose = dose,
    amt = amt, cmt = replace(into, into == 0, 1)
  )
}

stop_additional_doses <- function(model, row) {
  words <- paste0("`", names(model$dose_columns), "`", collapse = ", ")
  stop_data(
    "additional_doses",
    sprintf("The model asks for times or amounts of doses (%s), but row %d has additional ones (ADDL).", words, row),
    hint = "Write each dose as a record of its own.", fields = list(row = row, column = "ADDL")
  )
}

dose_column <- function(records, word) {
  values <- numeric(length(records$time))
  for (rows in split(seq_along(records$time), records$id)) {
    rows <- rows[order(records$time[rows])]
    before <- cumsum(records$dose[rows])
    given <- rows[records$dose[rows]]
    start <- records$time[rows[1L]]
    values[rows] <- switch(word,
      dosenum = before,
      podo = c(0, records$amt[given])[before + 1L],
      tlast = c(start, records$time[given])[before + 1L],
      tfirst = c(start, rep(records$time[given[1L]], length(given)))[before + 1L]
    )
  }
  values
}

# Records of RxODE, whose EVID says more than the kind: 101 is a dose into compartment 1, 10101 the beginning or, with a
# negative rate, the end of an infusion at the rate AMT.
without_classic_events <- function(data) {
  name <- column_like(data, "EVID")
  if (is.null(name)) return(data)
  evid <- suppressWarnings(as.double(as.character(data[[name]])))
  classic <- which(!is.na(evid) & evid >= 100)
  if (length(classic) == 0L) return(data)
  code <- evid[classic]
  status <- code %% 100
  into <- (code %/% 100) %% 100 + 100 * (code %/% 100000)
  kind <- (code %/% 10000) %% 10
  unknown <- classic[!status %in% c(1, 10, 20) | !kind %in% c(0, 1, 2)]
  if (length(unknown) > 0L) {
    stop_data(
      "bad_event",
      sprintf("EVID is %g in row %d, which is no dose that can be translated.", evid[unknown[1L]], unknown[1L]),
      hint = "Write EVID as 0 or 1, with the columns CMT, AMT and RATE.",
      fields = list(row = unknown[1L], column = name, value = evid[unknown[1L]])
    )
  }
  column <- function(item, default) {
    there <- column_like(data, item)
    if (is.null(there)) return(rep(default, nrow(data)))
    if (item == "CMT") data[[there]] else numeric_column(data[[there]], there, "data")
  }
  put <- function(item, values) {
    there <- column_like(data, item)
    data[[if (is.null(there)) item else there]] <<- values
  }
  amt <- column("AMT", 0)
  rate <- column("RATE", 0)
  ss <- column("SS", 0)
  evid[classic] <- 1
  ss[classic[status == 10]] <- 1
  ss[classic[status == 20]] <- 2
  infused <- classic[kind %in% 1:2]
  for (row in infused[amt[infused] > 0]) {
    end <- infusion_end(row, infused, amt, into[match(infused, classic)], data)
    time <- column("TIME", 0)
    length <- time[end] - time[row]
    fixed_rate <- kind[match(row, classic)] == 1
    rate[row] <- if (fixed_rate) amt[row] else amt[row] / length
    if (fixed_rate) amt[row] <- amt[row] * length
    evid[end] <- 2
    amt[end] <- 0
  }
  cmt <- column("CMT", 0)
  if (is.factor(cmt)) cmt <- as.character(cmt)
  cmt[classic] <- if (is.character(cmt)) as.character(into) else into
  put("CMT", cmt)
  put("EVID", evid)
  put("AMT", amt)
  if (length(infused) > 0L) put("RATE", rate)
  if (any(ss > 0, na.rm = TRUE)) put("SS", ss)
  data
}

# The row that ends the infusion which `row` begins.
infusion_end <- function(row, infused, amt, into, data) {
  id <- column_like(data, "ID")
  same <- infused > row & amt[infused] == -amt[row] & into == into[match(row, infused)]
  if (!is.null(id)) same <- same & data[[id]][infused] == data[[id]][row]
  end <- infused[same][1L]
  if (is.na(end)) {
    stop_data(
      "bad_event", sprintf("The infusion of row %d has no end: a later row with AMT = %g.", row, -amt[row]),
      hint = "Write EVID = 1 with AMT and RATE.", fields = list(row = row)
    )
  }
  end
}
