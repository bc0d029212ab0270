# Random effects that become their means (`anneal_to_fixed`): their SD, a number in the model, is made a parameter that
# the algorithm moves. It is held fixed for everyone else.

# The model with such parameters, and for each effect list(effect, parameter, sd).
annealed_model <- function(model, effects) {
  collapses <- list()
  for (effect in effects) {
    k <- annealed_block(effect, model)
    block <- model$spec$random[[k]]
    place <- sd_position(block$dist)
    sd <- block$dist$args[[place]]$num
    taken <- c(model_names(model$spec), model$described$columns, model$described$states)
    parameter <- utils::tail(make.unique(c(taken, paste0("sd_", effect)), sep = "_"), 1L)
    block$dist$args[[place]] <- list(sym = parameter)
    block$text <- annealed_text(block$text, place, parameter)
    model$spec$random[[k]] <- block
    model$spec$parameters <- c(model$spec$parameters, list(annealed_parameter(parameter, sd)))
    model$fix[[parameter]] <- sd
    collapses <- c(collapses, list(list(effect = effect, parameter = parameter, sd = sd)))
  }
  if (length(collapses) > 0L) model$described <- core_call(core_request("describe", model$spec))
  list(model = model, collapses = collapses)
}

annealed_parameter <- function(name, sd) {
  check_parameter(
    list(
      name = name, type = "real", scale = "log", value = sd, lower = NULL, upper = NULL, prior = NULL, se = FALSE,
      label = NULL, unit = NULL
    ),
    sprintf("anneal_to_fixed: %s", name)
  )
}

# Where the effect stands among the lines of random(), after checking that its SD may be moved.
annealed_block <- function(effect, model) {
  blocks <- model$spec$random
  known <- unlist(lapply(blocks, `[[`, "names"))
  k <- which(vapply(blocks, function(block) effect %in% block$names, NA))
  if (length(k) == 0L) {
    stop_option(
      "unknown_effect", sprintf("`anneal_to_fixed` names `%s`, which is not a random effect.", effect),
      hint = nearest_hint(effect, known, "Random effects"), fields = list(name = effect)
    )
  }
  block <- blocks[[k[1L]]]
  fail <- function(problem, hint) {
    stop_option(
      "not_eligible", sprintf("`anneal_to_fixed` names `%s`, %s.", effect, problem), block$text, hint,
      list(name = effect)
    )
  }
  if (block$dist$call %in% c("mvnormal", "normal") && length(block$names) > 1L) {
    fail("an effect of a matrix", "Give it a line of its own: `name ~ normal(mean, number) | group`.")
  }
  if (block$dist$call != "normal") {
    fail(sprintf("which is %s, not normal", gsub("_", " ", block$dist$call)), "Only `normal(mean, number)` can be.")
  }
  if (is.null(block$dist$args[[sd_position(block$dist)]]$num)) {
    fail("whose SD is not a number written in the model", "Write the SD it starts from, as in `normal(0, 0.8)`.")
  }
  k[1L]
}

# Which argument of normal(mean, sd) is the SD.
sd_position <- function(dist) argument_positions(dist$names, c("mean", "sd"))[2L]

# The line as the user would have written it.
annealed_text <- function(text, place, parameter) {
  code <- str2lang(text)
  right <- code[[3L]]
  if (is_call_to(right, "|")) {
    right[[2L]][[place + 1L]] <- as.symbol(parameter)
  } else {
    right[[place + 1L]] <- as.symbol(parameter)
  }
  code[[3L]] <- right
  code_text(code)
}
