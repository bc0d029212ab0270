# Blank texts: a cell that nobody filled in is no level of a factor and no identifier.

# `columns` are those that the model reads as texts, `groups` among them those that tell rows apart.
check_no_blanks <- function(data, columns, argument = "data", groups = NULL) {
  for (column in intersect(unique(columns), names(data))) {
    rows <- blank_rows(data[[column]])
    if (length(rows) == 0L) next
    shown <- as.character(data[[column]])[rows[1L]]
    stop_data(
      "blank_level",
      sprintf(
        "`%s` is blank, \"%s\", in %s, first in row %d: that is no level but a missing value.", column, shown,
        counted(length(rows), "row"), rows[1L]
      ),
      hint = if (column %in% groups) "Every row belongs to a subject or a group: fill it in." else sprintf(
        paste(
          "Fill it in, or make a level of it: `%1$s$%2$s <- as.character(%1$s$%2$s)`, then",
          "`%1$s$%2$s[trimws(%1$s$%2$s) == \"\"] <- \"unknown\"`."
        ), argument, column
      ),
      fields = list(column = column, row = rows[1L], value = shown)
    )
  }
}

blank_rows <- function(values) {
  if (!is.character(values) && !is.factor(values)) return(integer())
  which(!is.na(values) & !nzchar(trimws(as.character(values))))
}

# Columns of texts that a model reads as levels.
level_columns <- function(model) {
  # A blank that the user wrote as a level is one; the levels of a model for nlmixr2 are those of the data.
  declared <- Filter(function(covariate) {
    covariate$kind == "factor" && (!is.null(model$endpoints) || all(nzchar(trimws(covariate$levels))))
  }, model$spec$covariates)
  c(design_sources(model), vapply(declared, `[[`, "", "name"))
}

grouping_columns <- function(model) unlist(strsplit(as.character(model$groups), ":", fixed = TRUE))
