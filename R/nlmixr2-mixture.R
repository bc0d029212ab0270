# Subpopulations: `mix(a, p1, b)` is `a` for a share `p1` of the subjects and `b` for the others, as in the language
# itself.

mixture_expression <- function(code, state) {
  args <- as.list(code)[-1L]
  k <- (length(args) + 1L) / 2
  if (k < 2 || k %% 1 != 0) stop_mixture(code, "takes values with the probabilities between them", state)
  shares <- args[seq(2L, length(args), by = 2L)]
  plain <- vapply(shares, function(share) is.symbol(share) && as.character(share) %in% state$thetas, NA)
  if (!all(plain)) stop_mixture(code, "takes parameters of `ini()` for its probabilities", state)
  shares <- vapply(shares, as.character, "")
  before <- state$found$mixture
  if (!is.null(before) && !identical(before, shares)) {
    stop_mixture(code, "has other probabilities than the one before", state)
  }
  state$found$mixture <- shares
  values <- lapply(args[seq(1L, length(args), by = 2L)], nlmixr2_expression, state = state)
  mixture_choice(values, shares)
}

stop_mixture <- function(code, problem, state) {
  stop_untranslated_line(
    sprintf("`%s` %s.", code_text(code), problem), state$line,
    "Write `mix(a, p1, b)`, or `mix(a, p1, b, p2, c)`, with the same probabilities throughout.", list(name = "mix")
  )
}

# `mix()` with these values.
mixture_choice <- function(values, shares) {
  between <- c(lapply(shares, as.symbol), list(NULL))
  args <- Map(function(value, share) c(list(value), share), values, between)
  as.call(c(quote(mix), unlist(args, recursive = FALSE)))
}

# `mixest`, the subject's subpopulation, and `mixnum`, how many there are.
mixture_symbol <- function(name, state) {
  shares <- state$found$mixture
  n <- length(shares)
  if (n == 0L) {
    stop_untranslated_line(sprintf("`%s` stands above the first `mix()`.", name), state$line, "Move it below.")
  }
  if (name == "mixnum") n + 1 else mixture_choice(as.list(as.numeric(seq_len(n + 1L))), shares)
}
