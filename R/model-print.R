# Print a model the way it would be written on paper, with what was recognized.

#' @export
print.nlme_model <- function(x, ...) {
  title <- "Nonlinear mixed effects model"
  if (!is.null(x$title)) title <- paste0(title, ": ", x$title)
  random <- vapply(x$spec$random, `[[`, character(1L), "text")
  cat(
    title, statement_lines(x), "",
    state_lines(x),
    if (has_effects(x)) {
      c("Random effects", paste0("  ", random), "", individual_parameter_lines(x))
    } else {
      c("No random effects: fitted by maximum likelihood", "")
    },
    "Parameters", parameter_table_lines(x), "",
    paste0("Outcomes: ", outcome_text(x$described)),
    covariate_line(x),
    nlmixr2_lines(x),
    sep = "\n"
  )
  invisible(x)
}

# The statements with the level of what they assign, right of them.
statement_lines <- function(model) {
  texts <- vapply(model$spec$statements, `[[`, character(1L), "text")
  levels <- variable_levels(model)
  shown <- vapply(model$spec$statements, function(statement) {
    if (statement$kind == "outcome") return("row")
    if (statement$kind == "derivative") return("state")
    paste(unique(levels[leveled_names(statement)]), collapse = ", ")
  }, character(1L))
  # A long line keeps its level at the distance of the others.
  width <- min(max(nchar(texts)), 66L)
  paste0("  ", formatC(texts, width = -width), "  [", shown, "]")
}

# What a statement gives a value: variables, or the property of a state, named by the whole line.
leveled_names <- function(statement) {
  if (statement$kind %in% c("initial", "dosing")) return(statement$text)
  unique(statement_targets(list(statement)))
}

# The states with their compartment numbers, and the options that are not the usual ones.
state_lines <- function(model) {
  states <- model$described$states
  if (length(states) == 0L) return(NULL)
  changed <- changed_ode_options(model$spec$ode)
  c(
    paste0("States: ", paste(sprintf("%s (%d)", states, seq_along(states)), collapse = ", ")),
    if (length(changed) > 0L) paste0("Solver: ", paste(changed, collapse = ", ")),
    ""
  )
}

# Every symbol that a statement reads, those of its lines included.
statement_symbols <- function(statement) {
  inner <- unlist(lapply(inner_statements(statement), statement_symbols))
  unique(c(inner, unlist(lapply(statement_trees(statement), tree_symbols))))
}

# Level of each assigned variable: "population", a group such as "id" or "id:occ", or
# "row". An individual parameter needs its covariates constant in its group; anything
# else that reads a column which is not declared so may vary by row.
variable_levels <- function(model) {
  groups <- groups_of_effects(model)
  terms <- individual_terms(model)
  varying <- c(setdiff(model$described$columns, constant_columns(model$spec)), model$described$states)
  reached <- list()
  levels <- character()
  for (statement in model$spec$statements) {
    if (statement$kind == "outcome") next
    symbols <- statement_symbols(statement)
    symbols <- unique(c(symbols, unlist(reached[intersect(symbols, names(reached))])))
    for (target in leveled_names(statement)) {
      reached[[target]] <- unique(c(reached[[target]], symbols))
      own <- unique(groups[intersect(reached[[target]], names(groups))])
      of_subject <- statement$kind == "initial" || sub("^[.]", "", target) %in% terms
      by_row <- any(varying %in% reached[[target]]) && !of_subject
      levels[[target]] <- if (by_row) "row" else if (length(own) > 0L) paste(own, collapse = ", ") else "population"
    }
  }
  levels
}

# Assigned variables that are a typical value, covariates and a random effect. What
# reads the time is a prediction, however it looks.
individual_terms <- function(model) {
  described <- model$described
  terms <- effect_terms(model$spec, described$effects, described$individual)$term
  reads_time <- vapply(model$spec$statements, function(statement) {
    any(tolower(statement_symbols(statement)) %in% c("time", "t"))
  }, logical(1L))
  timed <- statement_targets(model$spec$statements[reads_time])
  setdiff(terms, sub("^[.]", "", timed))
}

constant_columns <- function(spec) {
  constant <- Filter(function(covariate) covariate$kind == "constant", spec$covariates)
  vapply(constant, `[[`, character(1L), "name")
}

# The group of each random effect by name.
groups_of_effects <- function(model) {
  unlist(lapply(model$spec$random, function(block) {
    # Without a group the effects belong to the subjects, named by `id` of the fit.
    group <- if (is.null(block$group)) "subject" else block$group
    stats::setNames(rep(group, length(block$names)), block$names)
  }))
}

# One line an individual parameter: its distribution between the members of its
# group, and the parameters of its mean that the mu-reference found.
individual_parameter_lines <- function(model) {
  described <- model$described
  terms <- effect_terms(model$spec, described$effects, described$individual)
  mu <- described$mu_referenced
  groups <- groups_of_effects(model)
  kinds <- c(identity = "normal", log = "lognormal", logit = "logit-normal", probit = "probit-normal")
  mean <- mu$mean[match(terms$effect, mu$effect)]
  family <- vapply(terms$effect, effect_family, character(1L), model$spec$random)
  gaussian <- family %in% c("normal", "mvnormal", "lognormal")
  shown <- data.frame(
    distribution = ifelse(gaussian, kinds[terms$scale], gsub("_", " ", family)),
    effect = terms$effect,
    group = groups[sub("\\[.*", "", terms$effect)],
    `mu-reference` = ifelse(nzchar(mean), mean, "-"),
    check.names = FALSE
  )
  # One line for the elements of a long vector.
  more <- nrow(shown) - 12L
  shown <- utils::head(shown, 12L)
  names <- utils::head(terms$term, 12L)
  # A parameter that several effects vary, such as one of subjects and one of
  # occasions, has several lines.
  rownames(shown) <- make.unique(names, sep = " ")
  c("Individual parameters", table_lines(shown), if (more > 0L) sprintf("  ... and %d more", more), "")
}

parameter_table_lines <- function(model) {
  parameters <- model$spec$parameters
  names <- vapply(parameters, `[[`, character(1L), "name")
  shown <- data.frame(
    start = vapply(parameters, start_text, character(1L)),
    scale = vapply(parameters, scale_text, character(1L)),
    update = ifelse(names %in% names(model$fix), "held fixed", route_text(model$described)[names]),
    row.names = names
  )
  table_lines(shown)
}

# How the M-step moves each parameter; elements that go different ways are joined.
route_text <- function(described) {
  routes <- described$routes$route
  routes[routes == "score"] <- "numerical (score)"
  if (length(described$effects) == 0L) routes[routes != "fixed"] <- "newton"
  routes[routes == "fixed"] <- "held fixed"
  vapply(
    split(routes, factor(described$parameters$base, unique(described$parameters$base))),
    function(part) paste(unique(part), collapse = ", "), character(1L)
  )
}

start_text <- function(parameter) {
  value <- parameter$value
  if (!is.null(parameter$learned)) {
    return(sprintf("%s (%s)", learned_text(parameter$learned), counted(length(value), "weight")))
  }
  if (parameter$type %in% square_types) {
    value <- value[seq(1L, by = parameter$dim + 1L, length.out = parameter$dim)]
    return(paste("diagonal", number_text(value)))
  }
  number_text(value)
}

number_text <- function(value) {
  shown <- paste(signif(utils::head(value, 4L), 4), collapse = ", ")
  if (length(value) > 4L) sprintf("%s, ... (%d)", shown, length(value)) else shown
}

scale_text <- function(parameter) {
  if (parameter$type != "real") return(gsub("_", " ", parameter$type))
  parameter$scale
}

outcome_text <- function(described) {
  paste(sprintf("%s (%s)", described$outcomes, gsub("_", " ", described$families)), collapse = ", ")
}

# Data columns the model reads, with their kind: declared, constant because an
# individual parameter needs them so, or free to vary by row.
covariate_line <- function(model) {
  columns <- model$described$covariates
  if (length(columns) == 0L) return(NULL)
  declared <- stats::setNames(
    vapply(model$spec$covariates, `[[`, character(1L), "kind"),
    vapply(model$spec$covariates, `[[`, character(1L), "name")
  )
  kinds <- vapply(columns, function(column) {
    if (column %in% names(declared)) return(gsub("_", " ", declared[[column]]))
    level <- column_level(column, model)
    if (level == "row") "by row" else paste("constant in", level)
  }, character(1L))
  paste0("Covariates: ", paste(sprintf("%s (%s)", columns, kinds), collapse = ", "))
}

# The level of the individual parameters that read a column, "row" when anything
# else does.
column_level <- function(column, model) {
  reads <- vapply(model$spec$statements, function(statement) {
    column %in% c(statement_symbols(statement), tree_symbols(statement$dist))
  }, logical(1L))
  readers <- lapply(model$spec$statements[reads], function(statement) {
    if (statement$kind %in% c("outcome", "derivative", "dosing")) "" else statement_targets(list(statement))[1L]
  })
  readers <- unlist(readers)
  # Read by `x(0)` alone.
  if (length(readers) == 0L) return(c(model$groups, "subject")[1L])
  if (!all(sub("^[.]", "", readers) %in% individual_terms(model))) return("row")
  paste(unique(variable_levels(model)[readers]), collapse = ", ")
}
