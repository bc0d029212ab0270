# Read `model()` of a model for nlmixr2, line by line, in the words of this package.

# What is known while the lines are read: `names` that have a value so far, `read` those that some line has read,
# `covariates` declared, `endpoints` by the name of their outcome, `spreads` the names that are the SD of a residual
# error, `derivatives` of states, `order` what cmt() says of them, `later` equations that end the code. `found` collects
# what expressions bring along: columns of doses, subpopulations, texts.
nlmixr2_code <- function(block, known, env, data = NULL) {
  thetas <- vapply(known$thetas, `[[`, "", "name")
  zero <- vapply(known$thetas, function(theta) theta$fixed && theta$value == 0, NA)
  state <- list(
    env = env, thetas = thetas, zeros = thetas[zero], effects = unlist(lapply(known$effects, `[[`, "names")),
    names = c(thetas, unlist(lapply(known$effects, `[[`, "names"))), read = character(), line = NULL, lines = list(),
    covariates = list(), endpoints = list(), spreads = character(), equations = has_equations(block), later = list(),
    derivatives = list(), order = character(), found = new_findings(block)
  )
  for (line in block_lines(block)) {
    state$line <- code_text(line)
    state <- nlmixr2_line(line, state)
  }
  outputs <- if (length(state$endpoints) == 0L) simulated_outputs(state)
  endpoints <- if (is.null(outputs)) vapply(state$endpoints, `[[`, "", "name") else names(outputs)
  check_endpoints(endpoints)
  columns <- if (length(endpoints) == 1L) "DV" else paste0("DV_", endpoints)
  dists <- if (is.null(outputs)) lapply(state$endpoints, `[[`, "dist") else outputs
  values <- lapply(state$endpoints, `[[`, "values")
  valued <- lengths(values) > 0L
  drawn <- lapply(dists, attr, "drawn")
  dists <- Map(with_own_column, dists, columns)
  columns[valued] <- paste0(columns[valued], "_category")
  outcomes <- Map(function(dist, column) call("~", as.symbol(column), dist), dists, columns)
  list(
    lines = c(ordered_equations(state), state$later, unname(outcomes)), covariates = state$covariates,
    spreads = state$spreads, endpoints = stats::setNames(endpoints, columns), found = state$found,
    values = stats::setNames(values[valued], columns[valued]),
    drawn = Filter(Negate(is.null), stats::setNames(drawn, columns)), only_simulated = !is.null(outputs),
    exact = state$exact,
    states = state$equations || reads_compartments(block)
  )
}

# Whether some line is an equation of its own: compartments of linCmt() then have the numbers behind it.
has_equations <- function(block) {
  any(vapply(block_lines(block), function(line) is_call_to(line, c("<-", "=")) && is_derivative(line[[2L]]), NA))
}

reads_compartments <- function(block) "linCmt" %in% all.names(block)

check_endpoints <- function(endpoints) {
  twice <- endpoints[duplicated(endpoints)]
  if (length(twice) == 0L) return(invisible())
  stop_model(
    "name_used_twice", sprintf("The endpoint `%s` has two residual errors.", twice[1L]), "model()",
    "Name endpoints after `|`, as in `cp ~ add(add.sd) | plasma`.", list(name = twice[1L])
  )
}

# `DV` in a log density is the column of its own endpoint.
with_own_column <- function(dist, column) {
  if (!is_call_to(dist, "custom")) return(dist)
  do.call(substitute, list(dist, list(DV = as.symbol(column))))
}

# Compartments have the numbers that `cmt()` gives them.
ordered_equations <- function(state) {
  if (length(state$order) == 0L) return(state$lines)
  of_state <- vapply(state$lines, function(line) is_call_to(line, "<-") && is_derivative(line[[2L]]), NA)
  names <- vapply(state$lines[of_state], function(line) as.character(line[[2L]][[3L]][[2L]]), "")
  c(state$lines[!of_state], state$lines[of_state][order(match(names, state$order), seq_along(names))])
}

# A model without endpoints is one to simulate from: its outcomes are the states and the variables that follow from
# them or from the time, without any error.
simulated_outputs <- function(state) {
  states <- names(state$derivatives)
  moving <- c(states, "t", clock_words, names(state$found$doses))
  assigned <- character()
  for (line in state$lines) {
    targets <- assigned_names(line)
    if (is_call_to(line, "<-") && is_derivative(line[[2L]])) next
    assigned <- c(assigned, targets)
    words <- all.names(line)
    if (any(moving %in% words) || "linear_compartments" %in% words) moving <- c(moving, targets)
  }
  outputs <- unique(c(states, intersect(assigned, moving)))
  if (length(outputs) == 0L) outputs <- unique(assigned)
  if (length(outputs) == 0L) {
    stop_model("no_outcome", "`model()` is empty.", "model()", "Add a line such as `cp ~ add(add.sd)`.")
  }
  lapply(stats::setNames(nm = outputs), function(name) call("normal", as.symbol(name), 0))
}

nlmixr2_line <- function(line, state) {
  if (is_call_to(line, c("<-", "="))) return(nlmixr2_assignment(line, state))
  if (is_call_to(line, "~") && length(line) == 3L) return(nlmixr2_endpoint(line, state))
  if (is_call_to(line, "if")) return(nlmixr2_branch(line, state))
  word <- if (is.call(line)) code_text(line[[1L]]) else ""
  if (word %in% c("linear", "locf")) return(nlmixr2_interpolation(line, word, state))
  if (word == "cmt") {
    state$order <- c(state$order, vapply(as.list(line)[-1L], function(name) as.character(name)[1L], ""))
    return(state)
  }
  # Names of parameters, and numbers of endpoints in the order they have anyway.
  if (word == "param" || word == "dvid" && !is.unsorted(as.numeric(as.list(line)[-1L]))) return(state)
  stop_untranslated_line(
    "This line of `model()` cannot be translated.", state$line,
    if (word %in% c("nocb", "midpoint")) {
      "Between records a covariate keeps its last value, `locf()`, or goes straight on, `linear()`."
    } else {
      "Assignments, differential equations, `if` and endpoints such as `cp ~ add(add.sd)` can."
    }
  )
}

nlmixr2_interpolation <- function(line, word, state) {
  interpolation <- c(linear = "linear", locf = "constant")[[word]]
  state$covariates <- c(state$covariates, lapply(as.list(line)[-1L], function(column) {
    list(name = as.character(column), kind = "time_varying", interpolation = interpolation, text = state$line)
  }))
  state
}

nlmixr2_assignment <- function(line, state) {
  target <- line[[2L]]
  name <- if (is.symbol(target)) as.character(target) else ""
  value <- if (is.character(line[[3L]])) {
    text_code(name, line[[3L]], state)
  } else {
    nlmixr2_expression(line[[3L]], state)
  }
  # Compartments of linCmt() beside equations are written out.
  state$later <- c(state$later, attr(value, "equations"))
  attr(value, "equations") <- NULL
  state$lines <- c(state$lines, list(call("<-", target, value)))
  state$read <- c(state$read, all.names(value))
  if (nzchar(name)) state$names <- c(state$names, name)
  if (is_derivative(target)) state$derivatives[[as.character(target[[3L]][[2L]])]] <- value
  state
}

# A variable that only some branches give a value is 0 in the others, unless it is a column of the data.
nlmixr2_branch <- function(line, state) {
  state <- branch_endpoints(line, state)
  line <- without_endpoints(line)
  if (is.null(line)) return(state)
  code <- nlmixr2_expression(line, state)
  new <- setdiff(assigned_names(line), c(state$names, state$read, all.names(line[[2L]]), always_assigned(line)))
  state$lines <- c(state$lines, lapply(new, function(name) call("<-", as.symbol(name), 0)), list(code))
  state$names <- c(state$names, assigned_names(line))
  state$read <- c(state$read, all.names(code))
  state
}

# Names that get a value whichever branch holds.
always_assigned <- function(code) {
  if (is_call_to(code, c("<-", "="))) return(if (is.symbol(code[[2L]])) as.character(code[[2L]]))
  if (is_call_to(code, "{")) return(unlist(lapply(as.list(code)[-1L], always_assigned)))
  if (is_call_to(code, "if") && length(code) == 4L) {
    return(intersect(always_assigned(code[[3L]]), always_assigned(code[[4L]])))
  }
  NULL
}
