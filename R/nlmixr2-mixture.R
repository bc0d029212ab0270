# Subpopulations: `mix(a, p1, b)` is `a` for a share `p1` of the subjects and `b` for the others. Which it is hangs on
# the sign of a normal random effect that is positive with probability `p1`: the same distribution of the data, in words
# that every method knows.

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
  mixture_choice(values)
}

stop_mixture <- function(code, problem, state) {
  stop_untranslated_line(
    sprintf("`%s` %s.", code_text(code), problem), state$line,
    "Write `mix(a, p1, b)`, or `mix(a, p1, b, p2, c)`, with the same probabilities throughout.", list(name = "mix")
  )
}

# The value of the first subpopulation whose effect is positive, else the last.
mixture_choice <- function(values) {
  effects <- mixture_effects(length(values) - 1L)
  Reduce(function(rest, k) {
    call("ifelse", call(">", as.symbol(effects[k]), 0), values[[k]], rest)
  }, rev(seq_along(effects)), values[[length(values)]])
}

mixture_effects <- function(n) if (n == 1L) "mixture" else paste0("mixture", seq_len(n))

# `mixest`, the subject's subpopulation, and `mixnum`, how many there are.
mixture_symbol <- function(name, state) {
  n <- length(state$found$mixture)
  if (n == 0L) {
    stop_untranslated_line(sprintf("`%s` stands above the first `mix()`.", name), state$line, "Move it below.")
  }
  if (name == "mixnum") n + 1 else mixture_choice(as.list(as.numeric(seq_len(n + 1L))))
}

# The effect of the kth subpopulation is positive with its share of those that are left.
mixture_random <- function(shares) {
  unname(Map(function(effect, k) {
    taken <- lapply(shares[seq_len(k - 1L)], as.symbol)
    left <- if (k > 1L) Reduce(function(a, b) call("-", a, b), taken, 1)
    share <- as.symbol(shares[k])
    if (!is.null(left)) share <- call("/", share, call("(", left))
    random_term(effect, call("normal", call("qnorm", share), 1), "id")
  }, mixture_effects(length(shares)), seq_along(shares)))
}
