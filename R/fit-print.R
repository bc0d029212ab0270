# Print a fit: at most 30 lines, every number from one table.

#' @export
print.nlme_fit <- function(x, digits = 4, ...) {
  cat(fit_lines(x, digits), sep = "\n")
  invisible(x)
}

# print() cuts long tables, summary() shows all and the SEs of every parameter.
fit_lines <- function(fit, digits, full = FALSE) {
  check_format(fit)
  warnings <- warning_texts(fit)
  rows <- if (full) Inf else 6L - (length(warnings) > 0L) - !is.null(fit$elbo)
  fixed <- names(population_values(fit, c("fixed", "covariate")))
  fixed <- setdiff(fixed, weight_names(fit))
  c(
    header_lines(fit),
    "", "Fixed effects",
    if (length(fixed) > 0L) first_rows(parameter_lines(fit, fixed, digits), rows),
    learned_lines(fit),
    if (has_effects(fit)) {
      c(
        "", "Random effects",
        first_rows(variability_lines(nlme::VarCorr(fit), digits, if (full) sd_table(fit)), rows)
      )
    },
    "", if (full) residual_table_lines(fit, digits) else residual_line(fit, digits),
    class_lines(fit),
    if (full) uncertainty_line(fit),
    likelihood_lines(fit),
    if (length(warnings) > 0L) {
      c("", paste("Warning:", first_rows(warnings, if (full) Inf else 1L)))
    }
  )
}

header_lines <- function(fit) {
  if (is_evaluated(fit)) {
    title <- if (has_effects(fit)) "Nonlinear mixed effects model" else "Model without random effects"
    return(c(title, observation_words(fit), status_sentence(fit)))
  }
  if (!has_effects(fit)) return(direct_lines(fit))
  c(
    sprintf("Nonlinear mixed effects model fitted by %s", method_words(fit)),
    observation_words(fit),
    unfitted_words(fit$data$rows),
    sprintf("%s, %s, seed %s", status_sentence(fit), effort_words(fit), format(fit$seed, scientific = FALSE))
  )
}

method_words <- function(fit) {
  options <- fit$method$options
  if (options$name != "vem") return(toupper(options$name))
  sprintf("VEM (%s%s)", family_words(options$family), if (options$polish) ", polished" else "")
}

# Chains or points: what the expectations over the random effects are computed with.
effort_words <- function(fit) {
  if (fit$method$options$name == "vem") {
    return(point_words(fit$chains, fit$method$options$rule))
  }
  sprintf("%d chain%s", fit$chains, if (fit$chains == 1) "" else "s")
}

parameter_lines <- function(fit, names, digits) {
  row <- match(names, fit$parameters$name)
  table <- estimate_table(fit)[row, ]
  shown <- data.frame(estimate = format_numbers(table$estimate, digits), row.names = names)
  if (!is.null(fit$uncertainty)) {
    shown$SE <- format_numbers(table$se, digits)
    shown[["RSE %"]] <- format_numbers(relative_se(table), 3)
    shown[["95 % interval"]] <- format_intervals(table, digits)
  }
  fixed <- !fit$parameters$free[row]
  if (any(fixed)) shown[[" "]] <- ifelse(fixed, "(fixed)", "")
  labels <- parameter_labels(fit$model, fit$parameters$base[row])
  if (any(nzchar(labels))) shown[["  "]] <- labels
  table_lines(shown)
}

weight_names <- function(fit) fit$parameters$name[fit$parameters$base %in% names(learned_parameters(fit$model))]

# SEs in percent of the estimates; an estimate of 0 has none.
relative_se <- function(table) {
  ifelse(table$estimate == 0, NA, 100 * table$se / abs(table$estimate))
}

format_intervals <- function(table, digits) {
  shown <- sprintf(
    "[%s, %s]", format_numbers(table$lower, digits), format_numbers(table$upper, digits)
  )
  ifelse(is.na(table$lower), "", shown)
}

# "label (unit)" of each parameter, "" when the model gives none.
parameter_labels <- function(model, names) {
  described <- vapply(model$spec$parameters, function(parameter) {
    unit <- if (!is.null(parameter$unit)) paste0("(", parameter$unit, ")")
    paste(c(parameter$label, unit), collapse = " ")
  }, character(1L))
  known <- vapply(model$spec$parameters, `[[`, character(1L), "name")
  described[match(names, known)]
}

residual_line <- function(fit, digits) {
  residual <- population_values(fit, "residual")
  if (length(residual) == 0L) return(NULL)
  values <- paste(names(residual), "=", format_numbers(residual, digits))
  c(paste("Residual error:", paste(values, collapse = ", ")), "")
}

residual_table_lines <- function(fit, digits) {
  residual <- names(population_values(fit, "residual"))
  if (length(residual) == 0L) return(NULL)
  c("Residual error", parameter_lines(fit, residual, digits), "")
}

uncertainty_line <- function(fit) {
  if (is.null(fit$uncertainty)) return(NULL)
  how <- switch(fit$uncertainty$method,
    louis = paste0("inverse of the observed information", if (has_effects(fit)) " (Louis)"),
    linear = "inverse of the expected information of the linearized model",
    sandwich = "sandwich of observed information and scores"
  )
  sprintf("Standard errors: %s, intervals: Wald", how)
}

likelihood_lines <- function(fit) {
  if (is.null(fit$log_lik)) return(c("Log-likelihood not computed; see `logLik()`.", bound_line(fit)))
  log_lik <- stats::logLik(fit)
  c(
    sprintf(
      "Log-likelihood %.2f (%s)", as.numeric(log_lik), likelihood_method(log_lik)
    ),
    bound_line(fit),
    sprintf("AIC %.2f, BIC %.2f", stats::AIC(log_lik), stats::BIC(log_lik))
  )
}

bound_line <- function(fit) {
  if (is.null(fit$elbo)) return(NULL)
  sprintf("ELBO %.2f (lower bound of the log-likelihood)", fit$elbo$value)
}

likelihood_method <- function(log_lik) {
  nodes <- attr(log_lik, "nodes")
  sampled <- attr(log_lik, "sampled")
  words <- switch(attr(log_lik, "method"),
    laplace = "Laplace approximation",
    linear = "linearized model",
    exact = "exact",
    importance = paste("importance sampling,", counted(attr(log_lik, "draws"), "draw")),
    if (nodes == 1) "Laplace approximation" else sprintf("quadrature, %d nodes per dimension", as.integer(nodes))
  )
  mixed <- attr(log_lik, "method") == "quadrature+importance"
  paste0(words, if (mixed) sprintf(", %s by importance sampling", counted(sampled, "term")), error_shown(log_lik))
}

# The Monte-Carlo error is always shown, that of quadrature where it is seen in two digits of the value.
error_shown <- function(log_lik) {
  shown <- function(x) format(signif(x, 2), scientific = FALSE)
  monte_carlo <- attr(log_lik, "mc_error")
  error <- attr(log_lik, "error")
  if (!is.null(monte_carlo)) return(paste0(", Monte-Carlo error ", shown(monte_carlo)))
  if (isTRUE(error > 0.01)) paste0(", error ", shown(error))
}

warning_texts <- function(fit) {
  c(if (!converged(fit) && !is_evaluated(fit)) status_advice(fit), fit$warnings)
}

first_rows <- function(lines, rows) {
  # One more line than allowed is shown rather than replaced by a note.
  if (length(lines) <= rows + 2L) return(lines)
  c(lines[seq_len(rows + 1L)], sprintf("  ... %d more, see summary()", length(lines) - rows - 1L))
}

# Significant digits with their trailing zeros; missing is blank.
format_numbers <- function(values, digits) {
  shown <- sub("[.]$", "", formatC(as.double(values), digits = digits, format = "g", flag = "#"))
  unname(ifelse(is.na(values), "", shown))
}

# The lines of a table of text, indented, with row names at the left.
table_lines <- function(frame) {
  columns <- lapply(names(frame), function(name) {
    cells <- trimws(c(name, as.character(frame[[name]])))
    formatC(cells, width = max(nchar(cells)))
  })
  rows <- formatC(c("", rownames(frame)), flag = "-", width = max(0L, nchar(rownames(frame))))
  sub("\\s+$", "", paste0("  ", do.call(paste, c(list(rows), columns, list(sep = "  ")))))
}
