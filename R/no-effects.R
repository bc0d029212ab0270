# Models without random effects: fitted by maximum likelihood, whichever method was asked.

# Of a model or a fit.
has_effects <- function(x) {
  spec <- if (is.null(x$spec)) x$model$spec else x$spec
  is.null(spec) || length(spec$random) > 0L
}

# Families whose rows hang together in the order of time.
sequential_families <- c(
  "hmm", "continuous_time_hmm", "markov", "continuous_time_markov", "ar1", "exchangeable"
)

# What tells subjects apart where no effect says it: a column called id, else every row is by itself; with equations or
# chains all rows are the course of one subject.
rows_grouped <- function(model, data, argument) {
  column <- column_like(data, "ID")
  if (!is.null(column)) return(list(subjects = grouping(column, data, argument), groups = NULL))
  one <- has_states(model) || any(model$described$families %in% sequential_families)
  n <- nrow(data)
  name <- utils::tail(make.unique(c(names(data), if (one) "subject" else "row")), 1L)
  subjects <- list(
    name = name, columns = character(), labels = if (one) "1" else as.character(seq_len(n)),
    codes = if (one) rep(1, n) else as.double(seq_len(n))
  )
  list(subjects = subjects, groups = NULL)
}

# Whether every row is a subject, in which nothing can be drawn along.
rows_alone <- function(fit) !has_effects(fit) && length(fit$data$labels) == nrow(fit$data$frame)

# The fit with all rows as one subject, for plots along a column.
as_one_subject <- function(fit) {
  if (!rows_alone(fit)) return(fit)
  fit$data$frame[[fit$data$group]] <- "all"
  fit$data$labels <- "all"
  fit$n_subjects <- 1L
  fit
}

# Observations and the subjects they come from, where these are told apart.
observation_words <- function(fit) {
  outcomes <- paste0("`", fit$fitted$outcome, "`", collapse = ", ")
  censored <- censored_words(fit$data$rows$censored)
  censored <- if (length(censored) > 0L) sprintf(" (%s)", paste(censored, collapse = ", ")) else ""
  words <- sprintf("%s of %s%s", counted(fit$n_obs, "observation"), outcomes, censored)
  if (!has_effects(fit) && (rows_alone(fit) || length(fit$data$labels) == 1L)) return(words)
  sprintf("%s in %s (`%s`)", words, counted(fit$n_subjects, "subject"), fit$data$group)
}

# The title of a fit, and what became of the method that was asked.
direct_lines <- function(fit) {
  c(
    "Model without random effects fitted by maximum likelihood",
    observation_words(fit),
    unfitted_words(fit$data$rows),
    sprintf("%s; %s() has nothing to integrate out", status_sentence(fit), fit$method$options$name)
  )
}

advice_for_direct <- function(fit) {
  switch(fit$status$code,
    converged = "None needed.",
    not_finite = advice_not_finite(fit),
    interrupted = "The estimates are those of the last step; `start_from` this fit begins there.",
    "Start elsewhere, or hold with `fix` what the data do not tell apart; see health()."
  )
}

no_varcorr <- function() {
  nothing <- matrix(0, 0L, 0L)
  structure(
    data.frame(
      effect = character(), term = character(), variance = double(), sd = double(), cv = double(), shrinkage = double()
    ),
    covariance = nothing, correlation = nothing, class = c("nlme_varcorr", "data.frame")
  )
}

stop_no_effects <- function(what) {
  stop_option(
    "no_random_effect", sprintf("The model has no random effects: there is nothing to %s.", what),
    hint = "Its parameters are `fixef(fit)` and `sigma(fit)`."
  )
}
