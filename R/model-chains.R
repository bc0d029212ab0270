# Read outcomes that follow a Markov chain over the rows of a subject. The
# emissions of a hidden chain are distributions inside a distribution: the one
# place where `list()` is a word.

chain_words <- c("hmm", "continuous_time_hmm", "markov", "continuous_time_markov")

chain_tree <- function(code, scope) {
  name <- as.character(code[[1L]])
  emissions <- if (name %in% c("hmm", "continuous_time_hmm")) emissions_position(code) else 0L
  args <- as.list(code)[-1L]
  read <- function(arg, position) {
    if (position == emissions) emissions_tree(arg, scope) else expression_tree(arg, scope)
  }
  tree <- list(call = name, args = unname(Map(read, args, seq_along(args))))
  if (any(nzchar(names(args)))) tree$names <- names(args)
  tree
}

# Where the argument `emissions`, the second of three, stands; 0 if nowhere.
emissions_position <- function(code) {
  names <- names(as.list(code)[-1L])
  if (is.null(names)) names <- character(length(code) - 1L)
  if ("emissions" %in% names) return(match("emissions", names))
  before <- sum(!c("transition", "rates") %in% names) - 1L
  position <- which(!nzchar(names))[before + 1L]
  if (is.na(position)) 0L else position
}

emissions_tree <- function(code, scope) {
  if (!is_call_to(code, c("list", "c"))) return(emission_tree(code, scope))
  list(call = "list", args = unname(lapply(as.list(code)[-1L], emission_tree, scope = scope)))
}

emission_tree <- function(code, scope) {
  check_distribution(code, setdiff(outcome_words, c(chain_words, serial_words, "mvnormal")), scope$text)
  distribution_tree(code, scope)
}
