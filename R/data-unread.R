# Columns whose names say that values are censored and that nothing reads: the line by which they would be read.

# Flags of values below a limit, and limits.
flag_names <- c("BLQ", "BQL", "BLOQ", "BLQFL", "BLQFLAG", "BQLFLAG")
limit_names <- c("LIMIT", "LLOQ", "LOQ", "LLQ", "LLOD", "LOD", "ULOQ", "ULQ")

# One sentence, or NULL. A model that says itself what is censored needs none, and one that reads such a column knows
# it.
censoring_words <- function(model, data, door = "") {
  stated <- any(vapply(model$spec$statements, states_censoring, NA))
  known <- any(model$described$families %in% censored_families)
  if (stated || !known || !is.null(column_like(data, "CENS"))) return(NULL)
  read <- c(model$described$columns, design_sources(model), model$groups)
  outcome <- intersect(unique(model$described$outcomes), names(data))[1L]
  if (is.na(outcome)) outcome <- column_like(data, "DV")
  unread_censoring(data[setdiff(names(data), read)], outcome, data, door)
}

states_censoring <- function(statement) {
  identical(statement$dist$call, "censored") ||
    any(vapply(inner_statements(statement), states_censoring, NA))
}

# `columns` are those that nothing reads; `door` is "saemix" where the data are named by saemix_data().
unread_censoring <- function(columns, outcome, data, door) {
  if (is.null(outcome)) return(NULL)
  cens <- if (door == "saemix") column_like(columns, "CENS")
  if (any(flagged(columns[[paste0(cens, "")]]))) {
    return(sprintf("`%1$s` is not read: name it in `saemix_data(name.cens = \"%1$s\", ...)`.", cens))
  }
  flag <- Filter(function(name) any(flagged(columns[[name]])), named_like(columns, flag_names))
  limit <- Filter(function(name) {
    is.numeric(columns[[name]]) && any(is.finite(columns[[name]]))
  }, named_like(columns, limit_names))
  if (length(flag) > 0L) return(flag_words(flag[1L], limit, outcome, data, door))
  if (length(limit) > 0L) return(limit_words(limit[1L], outcome, door))
}

named_like <- function(columns, names) names(columns)[toupper(gsub("[._]", "", names(columns))) %in% names]

# Which rows a flag marks.
flagged <- function(values) {
  if (is.logical(values)) return(values %in% TRUE)
  if (is.numeric(values) && !is.factor(values)) {
    # Other numbers than 0 and 1 are limits or counts.
    return(if (all(values %in% c(0, 1, NA))) values %in% 1 else rep(FALSE, length(values)))
  }
  grepl("^(y|yes|true|1|blq|bql|bloq|<.*)$", trimws(tolower(as.character(values))))
}

# How the code says which rows are flagged.
flag_code <- function(values, name) {
  if (is.numeric(values) && !is.factor(values)) return(name)
  if (is.logical(values)) return(sprintf("as.numeric(%s)", name))
  marks <- unique(as.character(values)[flagged(values)])
  sprintf("as.numeric(%s %%in%% %s)", name, code_text(marks))
}

# A flag says which values are censored; the outcome holds the limit in these rows.
flag_words <- function(name, limit, outcome, data, door) {
  values <- data[[name]]
  marked <- flagged(values)
  y <- suppressWarnings(as.numeric(as.character(data[[outcome]])))[marked]
  code <- flag_code(values, name)
  at <- if (length(limit) > 0L) limit[1L] else "<limit>"
  holds <- all(is.finite(y) & y > 0)
  line <- if (holds && code == name && door == "saemix") {
    door <- ""
    sprintf("`saemix_data(data, name.cens = \"%s\", ...)`, where `%s` holds the limit in these rows", name, outcome)
  } else if (holds) {
    sprintf(
      "`data <- transform(data, CENS = %s%s)`, where `%s` holds the limit in these rows", code,
      observed_code(data, marked), outcome
    )
  } else {
    sprintf(
      "`data <- transform(data, CENS = %1$s, %2$s = ifelse(%1$s %%in%% 1, %3$s, %2$s)%5$s)`%4$s", code, outcome, at,
      if (length(limit) > 0L) "" else " with the limit of quantification for <limit>", observed_code(data, marked)
    )
  }
  sprintf(
    "`%s` marks %s and is not read. To fit %s as censored write %s%s.", name, counted(sum(marked), "row"),
    if (sum(marked) == 1L) "it" else "them", line, door_words(door)
  )
}

# Rows that MDV takes out are observations then.
observed_code <- function(data, marked) {
  mdv <- column_like(data, "MDV")
  if (is.null(mdv) || !any(data[[mdv]][marked] %in% c(1, "1"))) return("")
  dose <- column_like(data, "AMT")
  sprintf(", %s = %s", mdv, if (is.null(dose)) "0" else sprintf("as.numeric(%s > 0)", dose))
}

# A limit says where values end; those at or beyond it are censored.
limit_words <- function(name, outcome, door) {
  above <- toupper(name) %in% c("ULOQ", "ULQ")
  line <- sprintf(
    "`data <- transform(data, CENS = %s(%s %s %s), %s = %s(%s, %s)%s)`", if (above) "-" else "as.numeric", outcome,
    if (above) ">=" else "<=", name, outcome, if (above) "pmin" else "pmax", outcome, name,
    # Beside CENS it is the other end of an interval.
    if (toupper(name) == "LIMIT") sprintf(", %s = NULL", name) else ""
  )
  sprintf(
    "`%s` is not read%s. If values of `%s` %s it are censored, write %s%s.", name,
    if (toupper(name) == "LIMIT") " without a column `CENS`" else "", outcome, if (above) "above" else "below", line,
    door_words(door)
  )
}

door_words <- function(door) if (door == "saemix") " and `saemix_data(data, name.cens = \"CENS\", ...)`" else ""
