# Print a model the way it would be written on paper, with what was recognized.

#' @export
print.nlme_model <- function(x, ...) {
  spec <- x$spec
  random <- vapply(spec$random, `[[`, character(1L), "text")
  cat(
    "Nonlinear mixed effects model",
    paste0("  ", vapply(spec$statements, `[[`, character(1L), "text")),
    "",
    "Random effects",
    paste0("  ", random),
    "",
    "Parameters and starting values",
    parameter_table_lines(spec$parameters),
    "",
    "Recognized",
    paste0("  ", recognized_lines(x$described)),
    sep = "\n"
  )
  invisible(x)
}

parameter_table_lines <- function(parameters) {
  shown <- data.frame(
    start = vapply(parameters, start_text, character(1L)),
    scale = vapply(parameters, scale_text, character(1L)),
    row.names = vapply(parameters, `[[`, character(1L), "name")
  )
  table_lines(shown)
}

start_text <- function(parameter) {
  value <- parameter$value
  if (parameter$type %in% square_types) {
    value <- value[seq(1L, by = parameter$dim + 1L, length.out = parameter$dim)]
    return(sprintf("diagonal %s", paste(signif(value, 4), collapse = ", ")))
  }
  paste(signif(value, 4), collapse = ", ")
}

scale_text <- function(parameter) {
  if (parameter$type != "real") return(gsub("_", " ", parameter$type))
  parameter$scale
}

# What the core read out of the model, one line a fact.
recognized_lines <- function(described) {
  # A vector or matrix is one name unless its elements take different routes.
  names <- described$parameters$base
  mixed <- names %in% names[tapply(described$routes$route, names, function(x) length(unique(x)))[names] > 1L]
  names[mixed] <- described$routes$parameter[mixed]
  routes <- tapply(
    names, factor(described$routes$route, unique(described$routes$route)),
    function(part) paste(unique(part), collapse = ", ")
  )
  mu <- as.data.frame(described$mu_referenced)
  mu <- mu[nzchar(mu$mean), ]
  facts <- c(
    "outcome" = paste(sprintf("%s (%s)", described$outcomes, described$families), collapse = ", "),
    "data columns" = paste(described$covariates, collapse = ", "),
    "mu-referenced effects" = paste(sprintf("%s (%s)", mu$effect, mu$mean), collapse = ", ")
  )
  if (length(routes) > 0L) {
    facts <- c(facts, stats::setNames(routes, paste("updated by", names(routes))))
  }
  facts <- facts[nzchar(facts)]
  paste0(names(facts), ": ", facts)
}
