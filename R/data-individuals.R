# Subjects whose rows do not stand together: for NONMEM an ID that comes back is another individual, here it is the
# same one.

# The blocks of rows of one identifier: `label` of each row, and of which block of its identifier the row is, from 1.
identifier_blocks <- function(values) {
  label <- group_text(values)
  begins <- c(TRUE, label[-1L] != label[-length(label)])
  # The beginnings of the blocks of each identifier, counted.
  list(label = label, block = stats::ave(as.numeric(begins), label, FUN = cumsum))
}

# The data with an identifier for each individual where NONMEM's conventions count, and what was renamed.
individuals_apart <- function(model, data, id) {
  column <- if (!is.null(model$conventions)) subject_column(model, data, id)
  if (is.null(column) || anyNA(data[[column]]) || is.list(data[[column]])) return(list(data = data))
  blocks <- identifier_blocks(data[[column]])
  if (all(blocks$block == 1)) return(list(data = data))
  names <- individual_names(blocks)
  # Blocks stand beside the first of their identifier, in the order the labels have anyhow.
  first <- match(blocks$label, group_labels(data[[column]]))
  again <- blocks$block > 1
  data[[column]] <- factor(names, levels = unique(names[order(first, blocks$block)]))
  list(data = data, renamed = list(
    column = column, from = unique(blocks$label[again]), to = unique(names[again]),
    row = which(again)[1L]
  ))
}

# "3" and "3.2", unless another subject is called so.
individual_names <- function(blocks) {
  taken <- unique(blocks$label)
  pairs <- unique(data.frame(label = blocks$label, block = blocks$block))
  pairs$name <- pairs$label
  for (k in which(pairs$block > 1)) {
    name <- paste(pairs$label[k], pairs$block[k], sep = ".")
    while (name %in% taken) name <- paste0(name, "'")
    taken <- c(taken, name)
    pairs$name[k] <- name
  }
  pairs$name[match(paste(blocks$label, blocks$block), paste(pairs$label, pairs$block))]
}

# The column that tells subjects apart: `id`, else among the groupings of the model ID, else the one with the most
# levels.
subject_column <- function(model, data, id) {
  like <- function(name) if (name %in% names(data)) name else column_like(data, toupper(name))
  if (is.character(id) && length(id) == 1L && !is.na(id)) return(like(id))
  columns <- unique(unlist(strsplit(as.character(model$groups), ":", fixed = TRUE)))
  own <- columns[toupper(columns) == "ID"]
  if (length(own) > 0L) return(like(own[1L]))
  columns <- Filter(Negate(is.null), lapply(intersect(columns, model$groups), like))
  if (length(columns) == 0L) return(NULL)
  columns[[which.max(vapply(columns, function(column) length(unique(data[[column]])), 1L))]]
}

# What was done with identifiers that come back, in words; NULL where none does. Rows in the order of time, whoever's
# they are, are no sign of anything.
returning_words <- function(bound, data, saemix = FALSE) {
  renamed <- bound$renamed
  if (!is.null(renamed)) {
    return(sprintf(
      paste(
        "`%s` %s %s back after other subjects, first in row %d: as in NONMEM %s, called %s."
      ),
      renamed$column, listed_few(renamed$from), if (length(renamed$from) == 1L) "comes" else "come", renamed$row,
      if (length(renamed$to) == 1L) "that is another individual" else "those are other individuals",
      listed_few(renamed$to)
    ))
  }
  column <- bound$fields$group
  time <- bound$fields$time
  if (is.null(time) || length(column) != 1L || !column %in% names(bound$frame)) return(NULL)
  blocks <- identifier_blocks(bound$frame[[column]])
  again <- blocks$block > 1
  if (!any(again, na.rm = TRUE) || !is.unsorted(bound$columns[[time]], na.rm = TRUE)) return(NULL)
  own <- if (column %in% names(data)) column else column_like(data, toupper(column))
  if (is.null(own)) return(NULL)
  line <- sprintf("`data$%1$s <- cumsum(c(TRUE, data$%1$s[-1] != data$%1$s[-nrow(data)]))`", own)
  sprintf(
    "`%s` %s %s back after other subjects, first in row %d: rows of one identifier are those of one subject. %s",
    own, listed_few(unique(blocks$label[again])), if (length(unique(blocks$label[again])) == 1L) "comes" else "come",
    which(again)[1L],
    if (saemix) {
      sprintf("If they are other subjects, number them: %s.", line)
    } else {
      sprintf("If they are other subjects, as in NONMEM, write `events = nonmem()`, or number them: %s.", line)
    }
  )
}

listed_few <- function(values, most = 5L) {
  paste0(paste(utils::head(values, most), collapse = ", "), if (length(values) > most) ", ...")
}
