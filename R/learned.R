#' Learned functions of a fit
#'
#' The values of a learned function, [network, soft tree or spline][learned_functions], at the estimates.
#'
#' @param fit (`nlme_fit`) a fit of a model with learned functions.
#' @param name (character) name of the function; may be left out where there is one.
#' @param newdata (data.frame, numeric or NULL) inputs, one row a point and one column an input, in the order of the
#'   function's inputs; of a function of one input a vector will do. `NULL` takes `points` points over the range that
#'   the data visited: of each input in turn, the others at their medians.
#' @param points (integer) number of points where `newdata` is `NULL`.
#' @param level (number) the part of the subjects that lies between `lower` and `upper`.
#' @returns A data frame with the inputs in columns, `output` (number of the output, where there are several) and
#'   `value`: the function with the weights of the population. Where the weights are random effects also `lower` and
#'   `upper`, quantiles over the subjects at the modes of their effects; where `newdata` is `NULL` also `varied`, the
#'   input that varies.
#' @seealso [plot.nlme_fit()] with `type = "learned"`.
#' @examples
#' set.seed(1)
#' data <- expand.grid(id = 1:8, x = seq(-2, 2, by = 0.5))
#' data$y <- 3 * plogis(3 * data$x) + rnorm(8, 0, 0.3)[data$id] + rnorm(nrow(data), 0, 0.2)
#' model <- nlme_model(
#'   fixed(f = network(inputs = 1, hidden = 4), omega = positive(0.3), sigma = positive(0.3)),
#'   random(eta ~ normal(0, omega) | id),
#'   y ~ normal(f(x) + eta, sigma)
#' )
#' fit <- fit_nlme(model, data, seed = 1)
#' learned(fit, "f", c(-1, 0, 1))
#' plot(fit, type = "learned")
#' @export
learned <- function(fit, name = NULL, newdata = NULL, points = 100, level = 0.9) {
  check_format(fit)
  parameter <- learned_of(fit, name)
  level <- check_fraction(level, "level")
  grid <- if (is.null(newdata)) {
    visited_grid(fit, parameter, check_count(points, "points", 2))
  } else {
    given_inputs(parameter, newdata)
  }
  inputs <- as.matrix(grid[seq_len(learned_inputs(parameter$learned))])
  weights <- fit$parameters$natural[fit$parameters$base == parameter$name]
  values <- learned_values(parameter, weights, inputs)
  found <- grid[rep(seq_len(nrow(grid)), ncol(values)), , drop = FALSE]
  if (ncol(values) > 1L) found$output <- rep(seq_len(ncol(values)), each = nrow(grid))
  found$value <- as.vector(values)
  each <- subject_weights(fit, parameter)
  if (!is.null(each)) {
    all <- apply(each, 1L, function(own) as.vector(learned_values(parameter, own, inputs)))
    all <- matrix(all, nrow(found))
    tail <- (1 - level) / 2
    found$lower <- apply(all, 1L, stats::quantile, tail, na.rm = TRUE, names = FALSE)
    found$upper <- apply(all, 1L, stats::quantile, 1 - tail, na.rm = TRUE, names = FALSE)
  }
  unname_rows(found)
}

learned_parameters <- function(model) {
  functions <- Filter(function(parameter) !is.null(parameter$learned), model$spec$parameters)
  stats::setNames(functions, vapply(functions, `[[`, "", "name"))
}

learned_of <- function(fit, name) {
  functions <- learned_parameters(fit$model)
  functions <- Filter(function(parameter) parameter$learned$kind != "planar_flow", functions)
  known <- names(functions)
  if (length(known) == 0L) {
    stop_option("no_learned_function", "The model has no learned function to evaluate.", hint = paste(
      "One is declared in fixed(), as in `fixed(f = network(inputs = 1, hidden = 4))`, and called as in `f(x)`."
    ))
  }
  if (is.null(name) && length(known) == 1L) return(functions[[1L]])
  if (is.null(name)) {
    stop_option("which_function", sprintf("The model has %d learned functions.", length(known)), hint = sprintf(
      "Say which, as in `learned(fit, \"%s\")`.", known[1L]
    ))
  }
  if (!is.character(name) || length(name) != 1L || !name %in% known) {
    shown <- paste(format(name), collapse = ", ")
    stop_option(
      "unknown_function", sprintf("The model has no learned function `%s`.", shown),
      hint = nearest_hint(shown, known, "Known"), fields = list(name = shown)
    )
  }
  functions[[name]]
}

learned_inputs <- function(form) if (form$kind == "spline") 1L else form$inputs
learned_outputs <- function(form) if (form$kind == "spline") 1L else form$outputs

# Names of the inputs as columns.
input_names <- function(n) if (n == 1L) "x" else paste0("x", seq_len(n))

given_inputs <- function(parameter, newdata) {
  n <- learned_inputs(parameter$learned)
  if (is.numeric(newdata) && !is.matrix(newdata) && n == 1L) newdata <- data.frame(x = newdata)
  frame <- tryCatch(as.data.frame(newdata), error = function(error) NULL)
  if (is.null(frame) || ncol(frame) != n || !all(vapply(frame, is.numeric, NA))) {
    stop_bad_option(
      "newdata", newdata,
      sprintf("%s of numbers, in the order of the inputs of `%s`", counted(n, "column"), parameter$name)
    )
  }
  frame
}

# The function at rows of inputs, one column an output: predictions of a model that is nothing else.
learned_values <- function(parameter, weights, inputs) {
  parameter$value <- as.numeric(weights)
  outputs <- learned_outputs(parameter$learned)
  columns <- sprintf(".x%d", seq_len(ncol(inputs)))
  frame <- stats::setNames(as.data.frame(inputs), columns)
  value <- list(call = parameter$name, args = lapply(columns, function(column) list(sym = column)))
  statements <- lapply(seq_len(outputs), function(k) {
    list(
      kind = "outcome", column = sprintf(".y%d", k), text = sprintf(".y%d ~ normal(value, 1)", k), dist = list(
        call = "normal", args = list(list(call = "[", args = list(value, list(num = k))), list(num = 1))
      )
    )
  })
  parameter$lower <- parameter$upper <- NULL
  model <- new_nlme_model(list(parameters = list(parameter), random = list(), statements = statements))
  matrix(predict(model, frame), nrow(frame))
}

# Weights of each subject, a row each, where a call reads a random effect; else NULL.
subject_weights <- function(fit, parameter) {
  effect <- unique(unlist(lapply(learned_calls(fit$model, parameter$name), function(tree) {
    if ("weights" %in% tree$names) tree$args[[match("weights", tree$names)]]$sym
  })))
  if (length(effect) != 1L || !has_effects(fit)) return(NULL)
  fit <- with_modes(fit)
  n <- n_weights(parameter$learned)
  for (group in effect_groups(fit)) {
    own <- match(sprintf("%s[%d]", effect, seq_len(n)), group$effects$name)
    if (!anyNA(own)) return(group$effects$modes[, own, drop = FALSE])
  }
  NULL
}

# The calls of a function in the statements and in the distributions of the random effects.
learned_calls <- function(model, name) {
  calls_in <- function(tree) {
    c(if (identical(tree$call, name)) list(tree), unlist(lapply(tree_parts(tree), calls_in), recursive = FALSE))
  }
  inside <- function(statement) {
    c(statement_trees(statement), unlist(lapply(inner_statements(statement), inside), recursive = FALSE))
  }
  trees <- unlist(lapply(c(model$spec$statements, model$spec$random), inside), recursive = FALSE)
  unname(unlist(lapply(trees, calls_in), recursive = FALSE))
}

# Values of the inputs at the records of the data, one column an input: what the first call reads that can be told.
visited_inputs <- function(fit, parameter) {
  n <- learned_inputs(parameter$learned)
  for (tree in learned_calls(fit$model, parameter$name)) {
    args <- if (is.null(tree$names)) tree$args else tree$args[tree$names == ""]
    if (length(args) == 1L && identical(args[[1L]]$call, "c")) args <- args[[1L]]$args
    if (length(args) != n) next
    values <- tryCatch(input_values(fit, args), error = function(error) NULL)
    if (is.null(values)) next
    values <- values[stats::complete.cases(values), , drop = FALSE]
    if (NROW(values) > 0L) return(as.data.frame(values))
  }
  NULL
}

# Expressions of the model at the records, with the effects of the subjects.
input_values <- function(fit, trees) {
  columns <- sprintf(".input%d", seq_along(trees))
  spec <- fit$model$spec
  spec$statements <- c(spec$statements, unname(Map(function(column, tree) {
    list(
      kind = "outcome", column = column, text = sprintf("%s ~ normal(input, 1)", column),
      dist = list(call = "normal", args = list(tree, list(num = 1)))
    )
  }, columns, trees)))
  fit$model <- new_nlme_model(spec)
  reply <- predict_core(fit, fit$data$frame, if (has_effects(fit)) 1 else 0)
  values <- matrix(reply$value, ncol = length(reply$outcome))[, match(columns, reply$outcome), drop = FALSE]
  colnames(values) <- input_names(length(trees))
  values
}

# Points over the visited range of each input in turn, the others at their medians.
visited_grid <- function(fit, parameter, points) {
  visited <- visited_inputs(fit, parameter)
  if (is.null(visited)) {
    stop_option(
      "unknown_range", sprintf("It cannot be told from the data where `%s` was called.", parameter$name),
      hint = sprintf("Give the inputs, as in `learned(fit, \"%s\", newdata = c(0, 1, 2))`.", parameter$name),
      fields = list(name = parameter$name)
    )
  }
  middle <- as.data.frame(lapply(visited, stats::median))
  parts <- lapply(names(visited), function(input) {
    grid <- middle[rep(1L, points), , drop = FALSE]
    reach <- range(visited[[input]])
    grid[[input]] <- seq(reach[1L], reach[2L], length.out = points)
    grid$varied <- input
    grid
  })
  grid <- do.call(rbind, parts)
  if (ncol(visited) == 1L) grid$varied <- NULL
  grid
}

# The curves of all learned functions, and the inputs that the data visited as rows with `series` "visited".
learned_data <- function(fit) {
  functions <- Filter(
    function(parameter) parameter$learned$kind != "planar_flow", learned_parameters(fit$model)
  )
  if (length(functions) == 0L) learned_of(fit, NULL)
  parts <- lapply(functions, function(parameter) {
    curves <- learned(fit, parameter$name)
    inputs <- input_names(learned_inputs(parameter$learned))
    varied <- if (is.null(curves$varied)) rep("x", nrow(curves)) else curves$varied
    at <- as.matrix(curves[inputs])[cbind(seq_len(nrow(curves)), match(varied, inputs))]
    output <- if (is.null(curves$output)) 1L else curves$output
    shown <- data.frame(
      name = parameter$name, input = varied, output = output, series = "curve", x = at, value = curves$value,
      lower = if (is.null(curves$lower)) NA_real_ else curves$lower,
      upper = if (is.null(curves$upper)) NA_real_ else curves$upper
    )
    visited <- visited_inputs(fit, parameter)
    rug <- data.frame(
      name = parameter$name, input = rep(names(visited), each = nrow(visited)), output = 1L, series = "visited",
      x = unlist(visited, use.names = FALSE), value = NA_real_, lower = NA_real_, upper = NA_real_
    )
    rbind(shown, unique(rug))
  })
  unname_rows(do.call(rbind, parts))
}

draw_learned <- function(data) {
  data$panel <- ifelse(data$input == "x", data$name, paste0(data$name, ": ", data$input))
  data$panel <- factor(data$panel, unique(data$panel))
  curves <- data[data$series == "curve", ]
  several <- length(unique(curves$output)) > 1L
  curves$output <- factor(curves$output)
  plot <- ggplot2::ggplot(curves, ggplot2::aes(x = .data$x, y = .data$value))
  if (any(is.finite(curves$lower))) {
    plot <- plot + ggplot2::geom_ribbon(
      ggplot2::aes(ymin = .data$lower, ymax = .data$upper, group = .data$output),
      data = curves[is.finite(curves$lower), ], fill = individual_color, alpha = 0.2
    )
  }
  plot <- plot + if (several) {
    ggplot2::geom_line(ggplot2::aes(linetype = .data$output), color = individual_color)
  } else {
    ggplot2::geom_line(color = individual_color)
  }
  plot +
    ggplot2::geom_rug(ggplot2::aes(x = .data$x), data = data[data$series == "visited", ], inherit.aes = FALSE,
                      sides = "b", alpha = 0.3) +
    ggplot2::facet_wrap("panel", scales = "free") +
    ggplot2::labs(x = "Input", y = "Value", linetype = "Output") +
    ggplot2::theme_bw()
}

# One line a learned function in place of its weights.
learned_lines <- function(fit) {
  functions <- learned_parameters(fit$model)
  if (length(functions) == 0L) return(NULL)
  vapply(functions, function(parameter) {
    own <- fit$parameters$base == parameter$name
    route <- fit$parameters$route[own]
    how <- if (!any(fit$parameters$free[own])) {
      ", fixed"
    } else if (all(route == "closed form")) {
      ", means of random effects"
    } else if (any(route == "gradient")) {
      ", trained along gradients: other errors hold them"
    }
    weights <- counted(sum(own), "weight")
    sprintf("  %s: %s, %s%s", parameter$name, learned_text(parameter$learned), weights, c(how, "")[1L])
  }, "", USE.NAMES = FALSE)
}

# `fixef()` of a model with learned functions: a function's name picks all of its weights.
#' @export
`$.nlme_fixef` <- function(x, name) {
  own <- attr(x, "base") == name
  if (!any(own)) return(NULL)
  unname(unclass(x)[own])
}

#' @export
print.nlme_fixef <- function(x, ...) {
  long <- attr(x, "learned")
  base <- attr(x, "base")
  values <- unclass(x)
  attributes(values) <- list(names = names(x))
  if (any(!base %in% long)) print(values[!base %in% long], ...)
  for (name in long) cat(sprintf("`%s`: %s, see fixef(fit)$%s\n", name, counted(sum(base == name), "weight"), name))
  invisible(x)
}
