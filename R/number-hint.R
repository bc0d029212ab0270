# How to make numbers of a column that holds none: a line that keeps what the column says.

# Texts that data files write where there is no value.
missing_marks <- c("", ".", "-", "NA", "N/A", "n/a", "na", "NaN", "NULL", "null", "missing")

number_hint <- function(values, place) {
  if (inherits(values, c("Date", "POSIXt", "difftime"))) return(time_hint(values, place))
  if (is.list(values)) return(list_hint(values, place))
  if (!is.null(dim(values))) return(matrix_hint(values, place))
  if (is.character(values) || is.factor(values)) return(text_hint(values, place))
  sprintf("Make numbers of it first, as in `%1$s <- as.numeric(%1$s)`.", place)
}

time_hint <- function(values, place) {
  code <- if (inherits(values, "difftime")) {
    "as.numeric(%1$s, units = \"hours\")"
  } else if (inherits(values, "Date")) {
    "as.numeric(%1$s - min(%1$s))"
  } else {
    "as.numeric(difftime(%1$s, min(%1$s), units = \"hours\"))"
  }
  sprintf(paste0("Count from an origin, as in `%1$s <- ", code, "`."), place)
}

list_hint <- function(values, place) {
  odd <- which(lengths(values) != 1L)[1L]
  if (!is.na(odd)) {
    return(sprintf("Row %d holds %d values: give each a row or a column of its own.", odd, length(values[[odd]])))
  }
  sprintf("Each row holds one value: write `%1$s <- unlist(%1$s)`.", place)
}

matrix_hint <- function(values, place) {
  if (isTRUE(ncol(values) == 1L)) {
    return(sprintf("It is a matrix of one column, as scale() makes it: write `%1$s <- as.numeric(%1$s)`.", place))
  }
  sprintf(
    "It has %d columns: give each one that the model reads a name, as in `%s_1 <- %s[, 1]`.", NCOL(values), place, place
  )
}

# Numbers that are written as text, or text.
text_hint <- function(values, place) {
  text <- trimws(as.character(values))
  plain <- if (is.factor(values)) sprintf("as.character(%s)", place) else place
  odd <- !is.na(text) & is.na(suppressWarnings(as.numeric(text)))
  known <- unique(text[!is.na(text)])
  wrong <- unique(text[odd])
  if (length(known) == 0L || length(wrong) == 0L) {
    return(sprintf("Its values are numbers: write `%s <- as.numeric(%s)`.", place, plain))
  }
  # What stands for a missing value is not what is wrong.
  strange <- setdiff(wrong, missing_marks)
  quoted <- paste(dQuote(utils::head(strange, 3L), FALSE), collapse = ", ")
  gap <- intersect(wrong, missing_marks)
  if (all(wrong %in% missing_marks)) {
    marks <- paste(dQuote(wrong, FALSE), collapse = ", ")
    several <- if (length(wrong) > 1L) sprintf("%%in%% c(%s)", marks) else paste("==", marks)
    return(sprintf(
      paste(
        "It holds %s where there is no value: read the file with `read.csv(file, na.strings = %s)`, or write",
        "`%s <- as.numeric(replace(%s, %s %s, NA))`."
      ),
      marks, code_text(union("NA", wrong)), place, plain, place, several
    ))
  }
  comma <- sub(",", ".", text, fixed = TRUE)
  if (!anyNA(suppressWarnings(as.numeric(comma[!text %in% c(NA, missing_marks)])))) {
    return(sprintf(
      "It has commas for points: read the file with `dec = \",\"`, or write `%s <- as.numeric(sub(\",\", \".\", %s))`.",
      place, plain
    ))
  }
  if (all(grepl("^[<>]\\s*[0-9.]+$", setdiff(wrong, missing_marks)))) {
    return(limit_hint(wrong[grepl("^[<>]", wrong)][1L], place, plain))
  }
  if (length(strange) > 0L && all(grepl("^<?\\s*(B[LQ]Q|BLOQ|LLOQ|LOQ|LLQ|LOD|ND)$", strange, ignore.case = TRUE))) {
    return(below_hint(strange, gap, place, plain))
  }
  unit <- unique(sub("^[-+0-9.eE]+\\s*", "", strange))
  if (length(unit) == 1L && nzchar(unit) && all(grepl("^[-+]?[0-9.]+\\s*[[:alpha:]%/]+$", strange))) {
    return(unit_hint(unit, gap, place, plain))
  }
  if (all(odd)) return(level_hint(known, place))
  odd <- odd & text %in% strange
  sprintf(
    paste(
      "Among numbers it holds %s, first in row %d: correct it, or make it missing by `%s[%d] <- NA`,",
      "then `%s <- as.numeric(%s)`."
    ),
    quoted, which(odd)[1L], place, which(odd)[1L], place, plain
  )
}

# "BLQ" says that a value is below a limit, which another must say.
below_hint <- function(strange, gap, place, plain) {
  data <- sub("\\$.*", "", place)
  known <- if (length(gap) > 0L) sprintf("replace(%s, %s %%in%% %s, NA)", plain, plain, code_text(gap)) else plain
  sprintf(
    paste(
      "%s says that a value is below the limit of quantification: write",
      "`%s$CENS <- as.numeric(%s %%in%% %s)`, then `%s <- as.numeric(replace(%s, %s$CENS == 1, <limit>))`",
      "with the limit for <limit>, and it is fitted as censored."
    ),
    paste(dQuote(strange, FALSE), collapse = ", "), data, place, code_text(strange), place, known, data
  )
}

# "100 mg" is a number with its unit.
unit_hint <- function(unit, gap, place, plain) {
  kept <- if (length(gap) > 0L) {
    sprintf("replace(%s, trimws(%s) %%in%% %s, NA)", plain, plain, code_text(gap))
  } else {
    plain
  }
  sprintf(
    "Its numbers have the unit \"%s\" beside them: write `%s <- as.numeric(sub(\"[^0-9.]+$\", \"\", %s))`.", unit,
    place, kept
  )
}

# "<0.1" is a limit, not a value.
limit_hint <- function(first, place, plain) {
  data <- sub("\\$.*", "", place)
  side <- if (startsWith(first, "<")) 1 else -1
  sprintf(
    paste(
      "\"%s\" is a limit: write `%s$CENS <- %s * grepl(\"^[<>]\", %s)`,",
      "then `%s <- as.numeric(sub(\"[<>]\", \"\", %s))`, and it is fitted as censored."
    ),
    first, data, side, place, place, plain
  )
}

# Dates, times of day, or categories.
level_hint <- function(known, place) {
  if (all(grepl("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", known))) {
    return(sprintf("Its values are dates: write `%1$s <- as.numeric(as.Date(%1$s) - min(as.Date(%1$s)))`.", place))
  }
  if (all(grepl("^[0-9]{1,2}:[0-9]{2}$", known))) {
    return(sprintf(
      paste(
        "Its values are times of day: write",
        "`%1$s <- as.numeric(as.difftime(as.character(%1$s), \"%%H:%%M\", units = \"hours\"))`."
      ),
      place
    ))
  }
  level <- sort(known)[min(2L, length(known))]
  # Of more than two levels one column would forget some.
  target <- if (length(known) > 2L) paste0(place, "_", make.names(level)) else place
  sprintf(
    "Its values are categories: code %s as a number, as in `%s <- as.numeric(%s == \"%s\")`.",
    if (length(known) > 2L) "each that the model needs" else "them", target, place, level
  )
}
