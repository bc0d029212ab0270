# Individual and population curves through the data of each subject.

chosen_subjects <- function(fit, subjects) {
  if (is.null(subjects)) return(utils::head(fit$data$labels, 16L))
  unknown <- setdiff(group_text(subjects), fit$data$labels)
  if (length(unknown) > 0L) {
    stop_option(
      "unknown_level", sprintf("`subjects` names `%s`, which the fit has not seen.", unknown[1L]),
      hint = nearest_hint(unknown[1L], fit$data$labels, "Subjects")
    )
  }
  group_text(subjects)
}

curve_data <- function(fit, subjects, points) {
  axis <- curve_axis(fit)
  frame <- fit$data$frame
  frame$.x <- if (is.null(axis)) record_number(frame[[fit$data$group]]) else frame[[axis]]
  kept <- group_text(frame[[fit$data$group]]) %in% subjects
  states <- length(fit$model$described$states) > 0L
  if (states || reads_axis(fit, axis)) {
    grid <- if (states) {
      dosed_grid(frame[kept, ], axis, fit$data, points)
    } else {
      curve_grid(frame[kept, ], axis, fit$data$group, points)
    }
    predicted <- lapply(c(individual = 1, population = 0), function(level) {
      as.matrix(stats::predict(fit, grid, level = level))
    })
  } else {
    grid <- frame[kept, ]
    predicted <- lapply(fit$fitted[c("individual", "population")], function(values) {
      values[kept, , drop = FALSE]
    })
  }
  observed <- as.matrix(observed_values(fit))[kept, , drop = FALSE]
  data <- rbind(
    series_rows(fit, frame[kept, ], observed, "observed"),
    series_rows(fit, grid, predicted$individual, "individual"),
    series_rows(fit, grid, predicted$population, "population")
  )
  data$group <- factor(data$group, subjects)
  unname_rows(data[!is.na(data$value), ])
}

series_rows <- function(fit, frame, values, series) {
  outcomes <- fit$fitted$outcome
  data.frame(
    group = rep(group_text(frame[[fit$data$group]]), length(outcomes)),
    x = rep(frame$.x, length(outcomes)),
    outcome = rep(outcomes, each = nrow(frame)),
    series = series,
    value = as.vector(values)
  )
}

# The column along which the curves run, or NULL for the number of the record.
curve_axis <- function(fit) {
  if (!is.null(fit$data$time)) return(fit$data$time)
  frame <- fit$data$frame
  varies <- vapply(fit$model$described$covariates, function(column) {
    any(tapply(frame[[column]], frame[[fit$data$group]], function(x) length(unique(x)) > 1L))
  }, logical(1L))
  if (any(varies)) names(varies)[varies][1L]
}

# The same with its values; the number of the record where there is no other.
axis_of <- function(fit) {
  axis <- curve_axis(fit)
  group <- fit$data$frame[[fit$data$group]]
  if (is.null(axis)) list(name = "Record", x = record_number(group)) else list(name = axis, x = fit$data$frame[[axis]])
}

# Whether the model reads the axis, the time perhaps as `t`.
reads_axis <- function(fit, axis) {
  read <- fit$model$described$covariates
  as_t <- identical(axis, fit$data$time) && "t" %in% read && !"t" %in% names(fit$data$frame)
  isTRUE(axis %in% read) || (!is.null(axis) && as_t)
}

record_number <- function(group) stats::ave(seq_along(group), group, FUN = seq_along)

# `points` rows a subject along the axis; other columns keep the last value at or
# before each point (the first one before the first record).
curve_grid <- function(frame, axis, group, points) {
  parts <- lapply(split(frame, group_text(frame[[group]])), function(rows) {
    rows <- rows[order(rows[[axis]]), ]
    # Records themselves are on the grid: covariates jump there.
    x <- sort(unique(c(
      seq(rows[[axis]][1L], rows[[axis]][nrow(rows)], length.out = points), rows[[axis]]
    )))
    grid <- rows[pmax(1L, findInterval(x, rows[[axis]])), ]
    grid[[axis]] <- x
    grid$.x <- x
    grid
  })
  unname_rows(do.call(rbind, parts))
}

# The records themselves, doses among them, and between them `points` times without a dose.
dosed_grid <- function(frame, axis, data, points) {
  doses <- stats::na.omit(data$events[setdiff(names(data$events), "CMT")])
  parts <- lapply(split(frame, group_text(frame[[data$group]])), function(rows) {
    rows <- rows[order(rows[[axis]]), ]
    x <- setdiff(seq(rows[[axis]][1L], rows[[axis]][nrow(rows)], length.out = points), rows[[axis]])
    between <- rows[findInterval(x, rows[[axis]]), ]
    between[doses] <- 0
    for (time in intersect(c(axis, ".x", "t"), names(between))) between[[time]] <- x
    grid <- rbind(rows, between)
    grid[order(grid[[axis]]), ]
  })
  unname_rows(do.call(rbind, parts))
}

draw_fits <- function(data, fit) {
  curves <- data[data$series != "observed", ]
  axis <- curve_axis(fit)
  ggplot2::ggplot(data, ggplot2::aes(x = .data$x, y = .data$value)) +
    ggplot2::geom_line(
      ggplot2::aes(color = .data$series, linetype = .data$series), data = curves
    ) +
    ggplot2::geom_point(
      data = data[data$series == "observed", ], color = observed_color, size = 1.2
    ) +
    subject_panels(data) +
    ggplot2::scale_color_manual(
      values = c(individual = individual_color, population = population_color)
    ) +
    ggplot2::scale_linetype_manual(values = c(individual = 1, population = 2)) +
    ggplot2::labs(
      x = if (is.null(axis)) "Record" else axis,
      y = paste(fit$fitted$outcome, collapse = ", "), color = NULL, linetype = NULL,
      caption = shown_subjects(data, fit)
    ) +
    ggplot2::theme_bw() +
    ggplot2::theme(legend.position = "bottom")
}

# One panel a subject and outcome; those of a subject are in one row.
subject_panels <- function(data) {
  n_outcomes <- length(unique(data$outcome))
  if (n_outcomes == 1L) return(ggplot2::facet_wrap("group", scales = "fixed"))
  ggplot2::facet_wrap(
    c("group", "outcome"), scales = "free_y", drop = FALSE,
    ncol = n_outcomes * max(1L, 4L %/% n_outcomes)
  )
}

shown_subjects <- function(data, fit) {
  shown <- length(unique(data$group))
  if (shown == fit$n_subjects) return(NULL)
  sprintf("%d of %d subjects; see `subjects =`", shown, as.integer(fit$n_subjects))
}

# One axis lets panels be compared; several outcomes have their own.
facet_scales <- function(data, several) {
  if (length(unique(data$outcome)) > 1L) several else "fixed"
}
