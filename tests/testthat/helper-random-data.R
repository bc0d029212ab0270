# Data of random designs, drawn in R; those of differential equations by the package.

drawn_data <- function(design) {
  n <- design$size$subjects
  subjects <- data.frame(id = seq_len(n), wt = round(stats::runif(n, 50, 90)), sex = stats::rbinom(n, 1, 0.5))
  # Both sexes are there however few the subjects are.
  subjects$sex[1:2] <- 0:1
  subjects$lwt <- log(subjects$wt / 70)
  individual <- individual_values(design, subjects)
  extras <- lapply(design$extras, `[[`, "value")
  if (design$kind$curve == "hazard") {
    return(drawn_events(subjects, individual$lam, extras$k, if (design$kind$family == "event_once") 1L else 10L))
  }
  rows <- drawn_rows(design, subjects)
  if (!is.null(design$curve$equations)) {
    # The model is written in the unit 1, from the truth.
    return(stats::simulate(write_model(design, "truth"), seed = design$seed, data = dosed_rows(rows))[-1L])
  }
  place <- match(rows$id, subjects$id)
  prediction <- eval(design$curve$f, c(lapply(individual, function(value) value[place]), rows))
  # Some families name their linear predictor where others name the mean.
  rows$y <- design$outcome$draw(prediction, extras)
  rows
}

individual_values <- function(design, subjects) {
  n <- nrow(subjects)
  effects <- random_terms(design)
  # chol() refuses variances of 0, and correlations are those of standardized effects.
  eta <- matrix(stats::rnorm(n * length(effects)), n) %*% chol(design$correlation)
  colnames(eta) <- names(effects)
  sapply(names(design$terms), function(name) {
    term <- design$terms[[name]]
    moved <- at_zero_weight(term)
    if (term$scale == "log") moved <- log(moved)
    for (covariate in names(term$beta)) moved <- moved + term$beta[[covariate]] * subjects[[covariate]]
    if (!is.na(term$sd)) moved <- moved + term$sd * eta[, name]
    rep_len(if (term$scale == "log") exp(moved) else moved, n)
  }, simplify = FALSE)
}

# Regular times or times of each subject's own; some subjects lack some rows.
drawn_rows <- function(design, subjects) {
  values <- vapply(design$terms, `[[`, 0, "value")
  span <- design$curve$span(values)
  n <- design$size$rows
  grid <- span[1L] + diff(span) * ((seq_len(n) - 1) / max(1, n - 1))^design$curve$power
  rows <- expand.grid(j = seq_len(n), id = subjects$id)
  rows$time <- grid[rows$j]
  if (stats::runif(1) < 0.3) rows$time <- rows$time * stats::runif(nrow(rows), 0.85, 1.15)
  rows$time <- signif(rows$time, 3)
  if (n > 4L && stats::runif(1) < 0.3) rows <- rows[stats::runif(nrow(rows)) > 0.2 | rows$j < 3L, ]
  rows <- cbind(rows[c("id", "time")], dose = c(100, 50)[1 + rows$id %% 2], subjects[rows$id, c("wt", "sex", "lwt")])
  rows <- rows[order(rows$id, rows$time), ]
  rownames(rows) <- NULL
  rows
}

# A dose at time 0, another after 12.
dosed_rows <- function(rows) {
  first <- rows[!duplicated(rows$id), ]
  doses <- rbind(transform(first, time = 0), transform(first, time = 12))
  doses$amt <- doses$dose
  rows$amt <- 0
  rows <- rbind(doses, rows)
  rows$evid <- as.numeric(rows$amt > 0)
  rows <- rows[order(rows$id, rows$time, -rows$evid), ]
  rownames(rows) <- NULL
  rows
}

# Events of a Weibull process, at most `most` a subject, up to a last time that censors.
drawn_events <- function(subjects, lam, k, most) {
  last <- signif(if (most == 1L) stats::median(lam) * 1.5 else stats::median(lam) * 4^(1 / k), 2)
  rows <- lapply(seq_len(nrow(subjects)), function(i) {
    times <- lam[i] * cumsum(stats::rexp(most))^(1 / k)
    times <- signif(times[times < last], 6)
    # After the last event that is counted nothing is observed.
    open <- length(times) < most
    data.frame(
      subjects[i, ], time = c(times, if (open) last), y = c(rep(1, length(times)), if (open) 0), row.names = NULL
    )
  })
  do.call(rbind, rows)
}
