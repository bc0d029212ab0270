# Columns whose names say how doses are given and that nothing reads: how to have them read.

# What else the items of dosing records are called, and what they hold.
dosing_columns <- list(
  AMT = list(names = c("DOSE", "AMOUNT", "DOSEAMT", "AMTDOSE"), holds = "amounts of doses"),
  DUR = list(
    names = c(
      "DUR", "DURATION", "TINF", "DURINF", "INFDUR", "INFTIME", "INFUSIONTIME", "INFUSIONDURATION", "TINFUSION"
    ),
    holds = "durations of infusions"
  ),
  RATE = list(names = c("INFRATE", "RINF", "RATEINF", "INFUSIONRATE"), holds = "rates of infusions"),
  II = list(names = c("INTERVAL", "TAU", "DOSINGINTERVAL", "DOSEINTERVAL"), holds = "times between doses")
)

# Sentences, one an item that is not read. A bolus in place of an infusion, or one dose in place of many, is no small
# matter.
unread_dosing_words <- function(bound, data) {
  items <- bound$events
  if (is.null(items) && !has_states(bound$model)) return(closed_form_words(bound, data))
  known <- names(items)[!is.na(items)]
  # A state that begins with a dose of its own, and models without any dose, need none.
  wanted <- setdiff(names(dosing_columns), c(known, names(items)))
  if (!"AMT" %in% known) wanted <- intersect(wanted, "AMT")
  if (any(c("RATE", "DUR") %in% known) && infused(bound, data, items)) wanted <- setdiff(wanted, c("RATE", "DUR"))
  unlist(lapply(wanted, function(item) {
    column <- unread_number(bound, data, dosing_columns[[item]]$names, if (item != "AMT") items[["AMT"]])
    if (is.null(column)) return(NULL)
    sprintf(
      "`%1$s` is not read; if it holds %2$s, write `events = c(%3$s = \"%1$s\")`%4$s.", column,
      dosing_columns[[item]]$holds, tolower(item),
      if (item == "II" && !any(c("SS", "ADDL") %in% known)) repeated_words(column) else ""
    )
  }))
}

# Whether the data say themselves how fast amounts come in.
infused <- function(bound, data, items) {
  columns <- intersect(items[c("RATE", "DUR")], names(data))
  any(vapply(columns, function(column) any(data[[column]] %in% setdiff(data[[column]], c(0, NA))), NA))
}

# An interval says nothing without what is repeated.
repeated_words <- function(column) {
  sprintf(
    paste(
      " beside a column `SS`, 1 where the dose is the last of many (`data$SS <- as.numeric(!is.na(data$%1$s) &",
      "data$%1$s > 0)`), or `ADDL`, the number of doses that follow"
    ), column
  )
}

# A formula that reads an amount but not how long it takes.
closed_form_words <- function(bound, data) {
  read <- c(bound$model$described$columns, design_sources(bound$model))
  amount <- read[toupper(read) %in% c("AMT", dosing_columns$AMT$names)]
  if (length(amount) == 0L) return(NULL)
  column <- unread_number(bound, data, dosing_columns$DUR$names, amount[1L])
  if (is.null(column)) return(NULL)
  sprintf(
    paste(
      "`%s` is not read: the formula takes `%s` as it stands. For an infusion write it with",
      "`linear_compartments(cl = cl, v = v)` and `events = c(amt = \"%s\", dur = \"%s\")`."
    ), column, amount[1L], amount[1L], column
  )
}

# The first column of these names that nothing reads and that holds numbers above 0, in rows with an amount.
unread_number <- function(bound, data, names, amount) {
  read <- c(
    bound$model$described$columns, design_sources(bound$model), bound$model$groups, bound$fields$time,
    unname(bound$events)
  )
  columns <- named_like(data[setdiff(base::names(data), read)], names)
  dosed <- if (is.null(amount) || is.na(amount)) rep(TRUE, nrow(data)) else !data[[amount]] %in% c(0, "0", NA)
  Find(function(column) {
    values <- data[[column]]
    is.numeric(values) && !is.factor(values) && any(values[dosed] > 0, na.rm = TRUE)
  }, columns)
}
