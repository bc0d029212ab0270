# Effects of occasions, `kappa ~ normal(0, w) | id:occ` beside `| id`, in models with differential equations or `mix()`:
# a subject is taken as a whole there, so it has an effect for each occasion, and the code takes that of the record.

# The specification and what the core says of it, with effects of occasions written out beside equations. Without data
# there are two occasions; `by_occasion` says that the data have a word in it.
spec_by_occasion <- function(spec, data, id) {
  describe <- function(spec) core_call(core_request("describe", spec))
  described <- tryCatch(describe(spec), nlmers_error = identity)
  failed <- inherits(described, "nlmers_error")
  if (failed && !identical(described$reason, "mixture_grouping")) stop(described)
  written <- if (failed || length(described$states) > 0L) written_occasions(spec, data, id)
  if (!is.null(written)) return(list(spec = written, described = describe(written), by_occasion = TRUE))
  if (failed) stop(described)
  list(spec = spec, described = described, by_occasion = FALSE)
}

# NULL where no grouping is one of occasions of the subjects.
written_occasions <- function(spec, data, id) {
  groups <- strsplit(vapply(spec$random, function(block) paste0(block$group, ""), ""), ":", fixed = TRUE)
  names <- vapply(groups, paste, "", collapse = ":")
  subject <- vapply(groups, function(group) paste(utils::head(group, -1L), collapse = ":"), "")
  occasion <- vapply(groups, function(group) utils::tail(c("", group), 1L), "")
  # `site:id` beside `site` are subjects of a site.
  own <- subject != "" & subject %in% names & !occasion %in% c(names, id) & !names_subjects(occasion)
  if (!any(own)) return(NULL)
  random <- spec$random[!own]
  lines <- list()
  for (k in which(own)) {
    block <- spec$random[[k]]
    occasions <- occasions_of(occasion[k], data)
    effects <- occasion_effects(block$names, occasions, function(names) {
      list(names = names, dist = block$dist, group = subject[k], text = block$text)
    })
    random <- c(random, effects$random)
    lines <- c(lines, effects$lines)
    spec$covariates <- with_levels(spec$covariates, occasions)
  }
  spec$random <- random
  spec$statements <- c(lapply(lines, model_statement, scope = new_scope(baseenv(), "")), spec$statements)
  spec
}

# Occasions that are texts are a factor.
with_levels <- function(covariates, occasions) {
  declared <- vapply(covariates, `[[`, "", "name")
  if (is.null(occasions$levels) || occasions$column %in% declared) return(covariates)
  levels <- as.call(c(quote(c), as.list(occasions$levels)))
  own <- list(
    name = occasions$column, kind = "factor", levels = I(occasions$levels),
    text = sprintf("covariates(%s = factor(%s))", occasions$column, code_text(levels))
  )
  c(covariates, list(own))
}

# The model with the occasions of the data.
with_occasions <- function(model, data, id = NULL) {
  if (is.null(model$by_occasion)) return(model)
  again <- new_nlme_model(model$by_occasion, data, id)
  kept <- setdiff(names(model), c(names(again), "by_occasion"))
  again[kept] <- model[kept]
  again
}

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

# list(random, lines): the effects of a block for each occasion, made by `term(names)`, and lines that choose.
occasion_effects <- function(names, occasions, term) {
  labels <- if (is.numeric(occasions$values)) group_text(occasions$values) else make.names(occasions$values)
  random <- lapply(labels, function(label) term(paste0(names, ".", label)))
  column <- as.symbol(occasions$column)
  lines <- lapply(names, function(name) {
    parts <- Map(function(value, label) {
      call("*", call("(", call("==", column, value)), as.symbol(paste0(name, ".", label)))
    }, as.list(occasions$values), labels)
    call("<-", as.symbol(name), Reduce(function(a, b) call("+", a, b), unname(parts)))
  })
  list(random = random, lines = lines)
}
