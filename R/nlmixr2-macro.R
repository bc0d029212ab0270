# The arguments of `linCmt()` by exponents and coefficients: a dose of one into the central compartment leaves there
# `A exp(-alpha t) + B exp(-beta t) + C exp(-gamma t)` as its concentration. What nlmixr2 takes:
#
# | compartments | names |
# |---|---|
# | 1 | `alpha`, and `v` or `a` |
# | 2 | `alpha`, `beta`, `v`, and `k21` or `aob` (`A / B`) |
# | 2 | `alpha`, `beta`, `b`, and `a` or `v` (`A = 1 / v`) |
# | 3 | `alpha`, `beta`, `gamma`, `b`, `c`, and `a` or `v` (`A = 1 / v`) |
#
# With `ka` they are those of the compartments behind the depot.

# The arguments of linear_compartments() as code of these names.
macro_roles <- function(one, refuse) {
  words <- c("alpha", "beta", "gamma", "a", "b", "c", "aob")
  macro <- lapply(stats::setNames(words, words), function(word) there(one(word)))
  macro$v <- there(one("v", "vc", "v1"))
  macro$k21 <- there(one(rate_names$k21))
  macro <- Filter(Negate(is.null), macro)
  check_macro(macro, one, refuse)
  macro <- lapply(macro, as.symbol)
  first <- if (is.null(macro[["a"]])) call("/", 1, macro$v) else macro[["a"]]
  roles <- if (!is.null(macro$gamma)) {
    three_of_macro(macro, first)
  } else if (!is.null(macro$beta)) {
    two_of_macro(macro, first)
  } else {
    list(v = if (is.null(macro$v)) call("/", 1, macro[["a"]]) else macro$v, k = macro$alpha)
  }
  roles$ka <- there(one("ka"))
  roles
}

# One volume or coefficient for every exponent, and nothing else.
check_macro <- function(macro, one, refuse) {
  needs <- function(name, what) refuse(sprintf("`%s` needs %s beside it.", name, what))
  if (is.null(macro$beta) && !is.null(macro$gamma)) needs(macro$gamma, "`beta`")
  if (is.null(macro[["a"]]) == is.null(macro$v)) {
    if (is.null(macro$v)) needs(macro$alpha, "the volume `v` or the coefficient `a`")
    refuse(sprintf("`%s` and `%s` both say the first coefficient.", macro[["a"]], macro$v))
  }
  ways <- c("k21", "aob", "b")
  given <- ways[ways %in% names(macro)]
  if (is.null(macro$beta) && length(given) > 0L) needs(macro[[given[1L]]], "`beta`")
  if (!is.null(macro$beta) && length(given) != 1L) {
    needs(macro$beta, "one of `k21`, `aob` and `b`")
  }
  if (!is.null(macro$gamma) && (is.null(macro[["b"]]) || is.null(macro[["c"]]))) needs(macro$gamma, "`b` and `c`")
  if (is.null(macro$gamma) && !is.null(macro[["c"]])) needs(macro[["c"]], "`gamma`")
  if (!is.null(macro[["a"]]) && length(intersect(given, c("k21", "aob"))) > 0L) {
    needs(macro[[given]], "the volume `v`, not a coefficient,")
  }
  other <- one("k12", "k13", "k31", "k23", "k24", "k42", "q", "q1", "q2", "cld", "cld1", "cld2", "vp", "vt", "vp1",
               "vt1", "v2", "v3", "vss")
  if (!is.na(other)) refuse(sprintf("`%s` and `%s` are of two ways to write the compartments.", macro$alpha, other))
}

two_of_macro <- function(macro, first) {
  alpha <- macro$alpha
  beta <- macro$beta
  v <- macro$v
  if (!is.null(macro[["b"]])) {
    v <- bquote(1 / (.(first) + .(macro[["b"]])))
    k21 <- bquote((.(first) * .(beta) + .(macro[["b"]]) * .(alpha)) / (.(first) + .(macro[["b"]])))
  } else if (!is.null(macro$aob)) {
    k21 <- bquote((.(macro$aob) * .(beta) + .(alpha)) / (.(macro$aob) + 1))
  } else {
    k21 <- macro$k21
  }
  k <- bquote(.(alpha) * .(beta) / (.(k21)))
  list(v = v, k = k, k12 = bquote(.(alpha) + .(beta) - (.(k21)) - .(k)), k21 = k21)
}

# The rates back from the peripheral compartments are the roots of the numerator of the curve's transform.
three_of_macro <- function(macro, first) {
  m <- c(macro[c("alpha", "beta", "gamma", "b", "c")], list(a = first))
  put <- function(code, with = list()) do.call(substitute, list(code, c(m, with)))
  total <- put(quote(a + b + c))
  sum <- put(quote((alpha * (b + c) + beta * (a + c) + gamma * (a + b)) / (total)), list(total = total))
  product <- put(
    quote((alpha * beta * c + alpha * gamma * b + beta * gamma * a) / (total)), list(total = total)
  )
  root <- bquote(sqrt((.(sum))^2 - 4 * (.(product))))
  k21 <- bquote((.(sum) + .(root)) / 2)
  k31 <- bquote((.(sum) - .(root)) / 2)
  k <- put(quote(alpha * beta * gamma / (product)), list(product = product))
  k12 <- put(
    quote((alpha * beta + alpha * gamma + beta * gamma - (k21) * (alpha + beta + gamma) - (k) * (k31) + (k21)^2) /
            ((k31) - (k21))),
    list(k21 = k21, k31 = k31, k = k)
  )
  k13 <- put(
    quote(alpha + beta + gamma - (k) - (k12) - (k21) - (k31)), list(k21 = k21, k31 = k31, k = k, k12 = k12)
  )
  list(v = bquote(1 / (.(total))), k = k, k12 = k12, k21 = k21, k13 = k13, k31 = k31)
}
