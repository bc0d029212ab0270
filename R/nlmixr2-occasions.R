# Effects of occasions, `iov.cl ~ 0.1 | occ`: a subject has one in each occasion. In a closed form their group is
# `id:occ`; in differential equations, whose effects are those of the subject, there is an effect for each occasion, and
# the code takes the one of the record.

# The occasions of a column: those of the data, else two.
occasions_of <- function(column, data) {
  there <- if (!is.null(data)) names(data)[tolower(names(data)) == tolower(column)]
  if (length(there) == 0L) return(list(column = column, values = c(1, 2), levels = NULL))
  column <- if (column %in% there) column else there[1L]
  values <- data[[column]]
  if (is.numeric(values) && !is.factor(values)) {
    return(list(column = column, values = sort(unique(values[!is.na(values)])), levels = NULL))
  }
  levels <- group_labels(values[!is.na(values)])
  list(column = column, values = levels, levels = levels)
}

# list(random, lines): the effects of a block for each occasion, and lines that choose.
occasion_effects <- function(block, distribution, occasions) {
  labels <- if (is.numeric(occasions$values)) group_text(occasions$values) else make.names(occasions$values)
  random <- lapply(labels, function(label) random_term(paste0(block$names, ".", label), distribution, "id"))
  column <- as.symbol(occasions$column)
  lines <- lapply(block$names, function(name) {
    parts <- Map(function(value, label) {
      call("*", call("(", call("==", column, value)), as.symbol(paste0(name, ".", label)))
    }, as.list(occasions$values), labels)
    call("<-", as.symbol(name), Reduce(function(a, b) call("+", a, b), unname(parts)))
  })
  list(random = random, lines = lines)
}
