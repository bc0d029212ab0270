# Read random(): the random effects, their distributions and their group.

random_blocks <- function(call, env) {
  args <- as.list(call)[-1L]
  if (length(args) == 0L) {
    stop_model(
      "empty_random", "random() is empty.", hint = "Write `random(eta ~ normal(0, omega) | id)`."
    )
  }
  unname(lapply(args, random_block, env = env))
}

random_block <- function(code, env) {
  text <- code_text(code)
  if (!is_call_to(code, "~") || length(code) != 3L) {
    stop_model(
      "bad_random", "A random effect is written `name ~ distribution(...) | group`.", text,
      "Write `random(eta ~ normal(0, omega) | id)`."
    )
  }
  split <- split_group(code[[3L]], text)
  distribution <- split$distribution
  check_distribution(distribution, random_words, text)
  check_constant_sd(distribution, text)
  list(
    names = effect_names(code[[2L]], text),
    dist = word_tree(
      as.character(distribution[[1L]]), distribution, new_scope(env, text)
    ),
    group = split$group,
    text = text
  )
}

# An SD that is written as a number must be above zero.
check_constant_sd <- function(distribution, text) {
  if (!is_call_to(distribution, c("normal", "lognormal")) || length(distribution) != 3L) return(invisible())
  arguments <- as.list(distribution)[-1L]
  formals <- if (is_call_to(distribution, "normal")) c("mean", "sd") else c("meanlog", "sdlog")
  place <- argument_positions(names(arguments), formals)[2L]
  if (is.na(place)) return(invisible())
  sd <- arguments[[place]]
  if (length(all.names(sd)) > sum(all.names(sd) %in% c("+", "-", "*", "/", "^", "("))) return(invisible())
  value <- tryCatch(eval(sd, baseenv()), error = function(error) NULL)
  if (!is.numeric(value) || all(is.finite(value) & value > 0)) return(invisible())
  stop_model(
    "bad_value", sprintf("The SD `%s` of a random effect is not a positive number.", code_text(sd)), text,
    "Estimate it: `positive(1)` in fixed() starts it at 1."
  )
}

# Where each of `formals` stands among arguments with these names, which match first; NA where it does not.
argument_positions <- function(names, formals) {
  if (is.null(names)) return(seq_along(formals))
  places <- match(formals, names)
  unnamed <- which(names == "")
  open <- which(is.na(places))
  places[open] <- unnamed[seq_along(open)]
  places
}

# `normal(0, omega) | id`: the distribution and the grouping, a column or an
# interaction of columns such as `id:occ`.
split_group <- function(code, text) {
  if (!is_call_to(code, "|")) return(list(distribution = code, group = NULL))
  columns <- group_columns(code[[3L]], text)
  if (columns[1L] == dose_occasions) {
    stop_model(
      "bad_group", "Occasions are those of a subject, which stands before them.", text,
      sprintf("Write `... | id:%s`.", dose_occasions)
    )
  }
  list(distribution = code[[2L]], group = paste(columns, collapse = ":"))
}

group_columns <- function(group, text) {
  if (is_call_to(group, "(")) return(group_columns(group[[2L]], text))
  if (is_call_to(group, ":")) {
    return(c(group_columns(group[[2L]], text), group_columns(group[[3L]], text)))
  }
  if (is_call_to(group, "/")) {
    outer <- code_text(group[[2L]])
    stop_model(
      "nested_group", sprintf("`%s` stands for two groupings.", code_text(group)), text,
      sprintf(
        "Write one line for each: `... | %s` and `... | %s:%s`.", outer, outer, code_text(group[[3L]])
      )
    )
  }
  if (is_call_to(group, "occasion_of")) return(dose_occasion_word(group, text))
  if (!is.symbol(group) && !is.character(group)) {
    stop_model(
      "bad_group", "The group after `|` must be the name of a column, or columns joined by `:`.",
      text
    )
  }
  as.character(group)
}

# `eta` or `c(eta_ka, eta_v)`.
effect_names <- function(code, text) {
  if (is.symbol(code)) return(as.character(code))
  elements <- as.list(code)[-1L]
  if (!is_call_to(code, "c") || !all(vapply(elements, is.symbol, logical(1L)))) {
    stop_model(
      "bad_random", "The left of `~` must be a name or `c(name, name)`.", text
    )
  }
  vapply(elements, as.character, character(1L))
}

check_distribution <- function(code, words, text) {
  name <- if (is.call(code)) code_text(code[[1L]]) else code_text(code)
  if (is.call(code) && name %in% words) return(invisible())
  if (is.symbol(code) && name %in% words) {
    stop_model(
      "unknown_distribution", sprintf("`%s` stands without its arguments.", name), text,
      sprintf("Write `%s(...)`.", name), list(name = name)
    )
  }
  stop_model(
    "unknown_distribution", sprintf("`%s` is not a distribution.", name), text,
    nearest_hint(name, words, "Known here"), list(name = name)
  )
}

# The groupings of all blocks in the order of their first lines, or NULL when none
# is named.
model_groups <- function(blocks) unique(unlist(lapply(blocks, `[[`, "group")))
