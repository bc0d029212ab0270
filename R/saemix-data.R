# nolint start: object_name_linter. The arguments have the names that saemix gives them.

#' Data as the saemix package takes them
#'
#' The arguments of `saemixData()`, with the same meaning; see [saemix_model()]. As saemix
#' does, a covariate with two values becomes 0 and 1 (in the order of `factor()`), a
#' covariate that changes within a subject counts with its first value, and records
#' without a predictor are left out. The first two are said.
#'
#' @param name.data (data.frame or character) the records, the name of a data set of the
#'   session, or a file.
#' @param header,sep,na (logical, character, character) how a file is read; see
#'   [utils::read.table()].
#' @param name.group,name.response,name.X,name.mdv,name.cens,name.occ (character or integer)
#'   columns: subject, outcome, variable on the horizontal axis of plots, missing outcome
#'   (1), outcome that is an upper limit (1), occasion.
#' @param name.predictors,name.covariates (character or integer) columns: predictors in the
#'   order of `xidep[, j]`, covariates in the order of the rows of `covariate.model`.
#' @param name.genetic.covariates,name.ytype have no meaning here.
#' @param name.miss (character or integer) the same as `name.mdv`.
#' @param units (list) units of `x`, `y` and `covariates`, shown when the data are printed.
#' @param verbose (logical) say what was recognized and changed.
#' @param automatic (logical) look for usual names of columns that are not given.
#' @returns An object of class `saemix_data`; `as.data.frame()` gives the records that are
#'   fitted.
#' @examples
#' saemix_data(
#'   Theoph, name.group = "Subject", name.predictors = c("Dose", "Time"),
#'   name.response = "conc", name.covariates = "Wt", units = list(x = "h", y = "mg/L", covariates = "kg")
#' )
#' @export
saemix_data <- function(name.data, header = TRUE, sep = "", na = NA, name.group = NULL,
                        name.predictors = NULL, name.response = NULL, name.X = NULL,
                        name.covariates = NULL, name.genetic.covariates = NULL,
                        name.mdv = NULL, name.cens = NULL, name.miss = NULL, name.occ = NULL,
                        name.ytype = NULL, units = list(x = "", y = "", covariates = NULL),
                        verbose = TRUE, automatic = TRUE) {
  if (missing(name.data)) {
    stop_option("missing_argument", "`name.data` says which records to use.", hint = "Give a data frame or a file.")
  }
  frame <- saemix_frame(name.data, header, sep, na, parent.frame())
  say <- check_flag(verbose, "verbose")
  columns <- list(
    group = name.group, predictors = name.predictors, response = name.response, x = name.X,
    covariates = name.covariates, mdv = name.mdv, cens = name.cens, miss = name.miss
  )
  columns <- Map(function(column, role) given_columns(column, role, frame), columns, names(columns))
  if (check_flag(automatic, "automatic")) columns <- recognized_columns(columns, frame, say)
  check_roles(columns)
  if (say) {
    say_without_meaning("saemix_data", c(
      name.genetic.covariates = if (given(name.genetic.covariates)) "name them in `name.covariates`",
      name.ytype = if (given(name.ytype)) "write several outcomes with nlme_model()",
      name.occ = if (given(name.occ)) {
        "a model of saemix has no occasions; write `random(kappa ~ ... | id:occ)` in nlme_model()"
      }
    ))
  }
  if (say && is.null(columns$cens)) {
    unread <- frame[setdiff(names(frame), unlist(columns, use.names = FALSE))]
    told <- unread_censoring(unread, columns$response, frame, "saemix")
    if (!is.null(told)) message("saemix_data(): ", told)
  }
  prepared <- saemix_records(frame, columns, say)
  structure(c(prepared, list(columns = columns, units = units)), class = "saemix_data")
}

given <- function(name) length(name) > 0L && any(nzchar(as.character(name)))

saemix_frame <- function(data, header, sep, na, env) {
  if (is.character(data) && length(data) == 1L) {
    found <- get0(data, envir = env, inherits = TRUE)
    if (is.data.frame(found)) {
      data <- found
    } else if (file.exists(data)) {
      data <- utils::read.table(data, header = header, sep = sep, na.strings = c("NA", stats::na.omit(na)))
    } else {
      stop_data(
        "no_data", sprintf("`%s` is neither a data set of the session nor a file.", data),
        hint = "Give the data frame itself, or the path of a file."
      )
    }
  }
  check_frame(data, "name.data")
  as.data.frame(data)
}

# Names of columns that were given by name or by number.
given_columns <- function(columns, role, frame) {
  if (!given(columns)) return(NULL)
  argument <- paste0("name.", if (role == "x") "X" else role)
  vapply(columns, function(column) {
    number <- suppressWarnings(as.integer(column))
    if (!is.na(number) && number %in% seq_along(frame)) return(names(frame)[number])
    if (!column %in% names(frame)) {
      stop_data(
        "missing_column", sprintf("`%s` names `%s`, which is not a column of the data.", argument, column),
        hint = nearest_hint(as.character(column), names(frame), "Columns"), fields = list(column = column)
      )
    }
    as.character(column)
  }, character(1L), USE.NAMES = FALSE)
}

# Usual names, as saemix looks for them when a column is not given.
usual_columns <- list(
  group = c("subject", "sujet", "group", "groupe", "id"),
  predictors = c("time", "temps", "tps", "tim", "x", "dose"),
  response = c("response", "resp", "conc", "concentration", "y", "dv")
)

recognized_columns <- function(columns, frame, say) {
  for (role in names(usual_columns)) {
    if (!is.null(columns[[role]])) next
    found <- names(frame)[tolower(names(frame)) %in% usual_columns[[role]]]
    if (role != "predictors") found <- utils::head(found, 1L)
    if (length(found) == 0L) next
    columns[[role]] <- found
    shown <- paste0("`", found, "`", collapse = ", ")
    if (say) message(sprintf("saemix_data(): `name.%s` is taken to be %s.", role, shown))
  }
  columns
}

check_roles <- function(columns) {
  for (role in names(usual_columns)) {
    if (length(columns[[role]]) == 0L) {
      stop_data(
        "no_column", sprintf("Nothing says which column is the %s.", sub("s$", "", role)),
        hint = sprintf("Give `name.%s`.", role)
      )
    }
  }
  for (role in c("group", "response", "mdv", "cens", "miss", "x")) {
    if (length(columns[[role]]) > 1L) {
      stop_data(
        "several_columns", sprintf("`name.%s` names %d columns; it takes one.", role, length(columns[[role]])),
        hint = "Write a model with several outcomes or groups with nlme_model()."
      )
    }
  }
}

# The records that are fitted, and what each two-valued covariate was.
saemix_records <- function(frame, columns, say) {
  used <- unique(unlist(columns, use.names = FALSE))
  frame <- frame[used]
  check_no_blanks(frame, c(columns$group, columns$covariates), groups = columns$group)
  complete <- stats::complete.cases(frame[setdiff(columns$predictors, columns$response)])
  if (say && !all(complete)) {
    message(sprintf(
      "saemix_data(): %s left out for want of a value of %s, first row %d.",
      counted(sum(!complete), "row is", "rows are"),
      paste0("`", names(Filter(anyNA, frame[setdiff(columns$predictors, columns$response)])), "`", collapse = ", "),
      which(!complete)[1L]
    ))
  }
  frame <- frame[complete, , drop = FALSE]
  missing <- Reduce(`|`, lapply(frame[c(columns$mdv, columns$miss)], function(flag) flag %in% 1), FALSE)
  frame[[columns$response]][missing] <- NA
  # The names of the columns that are matched to what they say.
  if (!is.null(columns$cens)) names(frame)[names(frame) == columns$cens] <- "CENS"
  coding <- list()
  for (name in setdiff(columns$covariates, c(columns$predictors, columns$response))) {
    values <- frame[[name]]
    levels <- unique(stats::na.omit(as.character(values)))
    if (length(levels) == 2L) {
      values <- factor(values)
      coding[[name]] <- levels(values)
      values <- as.numeric(values) - 1
    }
    frame[[name]] <- first_values(values, frame[[columns$group]], name, say)
  }
  rownames(frame) <- NULL
  list(frame = frame, coding = coding)
}

first_values <- function(values, group, name, say) {
  first <- values[match(group, group)]
  if (say && any(first != values, na.rm = TRUE)) {
    message(sprintf("saemix_data(): the covariate `%s` changes within a subject; its first value counts.", name))
  }
  first
}

#' @export
as.data.frame.saemix_data <- function(x, row.names = NULL, optional = FALSE, ...) x$frame

#' @export
print.saemix_data <- function(x, ...) {
  columns <- x$columns
  with_unit <- function(names, units) {
    units <- rep_len(c(units, rep("", length(names))), length(names))
    paste0(names, ifelse(nzchar(units) & units != "-", paste0(" (", units, ")"), ""), collapse = ", ")
  }
  labels <- with_unit(columns$covariates, x$units$covariates)
  coded <- sprintf("%s: 0 = %s, 1 = %s", names(x$coding), lapply(x$coding, `[`, 1L), lapply(x$coding, `[`, 2L))
  subjects <- length(unique(x$frame[[columns$group]]))
  predictors <- paste(columns$predictors, collapse = ", ")
  cat(
    sprintf(
      "Data for a model of saemix: %s of %s", counted(nrow(x$frame), "record"), counted(subjects, "subject")
    ),
    sprintf("  %s | %s, by %s", with_unit(columns$response, x$units$y), predictors, columns$group),
    if (length(columns$covariates) > 0L) paste("  covariates:", labels),
    if (length(coded) > 0L) paste("  coded", coded),
    sep = "\n"
  )
  invisible(x)
}

# nolint end
