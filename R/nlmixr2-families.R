# Endpoints of a model for nlmixr2 that are no residual errors: `y ~ pois(lambda)`, `y ~ c(p0, p1)`, `ll(y) ~ ...`.

# Each distribution with the call it becomes; the first arguments are those of nlmixr2.
nlmixr2_families <- list(
  pois = function(lambda) call("poisson", lambda),
  binom = function(size, prob) call("binomial", size, prob),
  bern = function(prob) call("bernoulli", prob),
  nbinomMu = function(size, mu) call("neg_binomial", mu, size),
  nbinom = function(size, prob) {
    call("neg_binomial", call("/", call("*", size, call("(", call("-", 1, prob))), prob), size)
  },
  geom = function(prob) call("neg_binomial", call("/", call("(", call("-", 1, prob)), prob), 1),
  beta = function(shape1, shape2) call("beta", shape1, shape2),
  weibull = function(shape, scale = 1) call("weibull", shape, scale),
  gamma = function(shape, rate = 1) call("gamma", shape, call("/", 1, rate)),
  chisq = function(df) call("gamma", call("/", df, 2), 2),
  exp = function(rate = 1) call("exponential", call("/", 1, rate)),
  unif = function(min = 0, max = 1) call("custom", nlmixr2_densities$llikUnif(quote(DV), min, max))
)

# The distribution of `y ~ c(p0, p1)` or `ordinal(p0, p1)`, of categories 1, 2, 3, of which the last has the probability
# that is left; or of the values that `c(p0 = 0, p1 = 0.5, 1)` names.
ordinal_endpoint <- function(code, state) {
  args <- as.list(code)[-1L]
  names <- rlang::names2(args)
  values <- NULL
  if (any(nzchar(names))) {
    numbers <- vapply(args, function(arg) if (is.numeric(arg)) as.numeric(arg) else NA_real_, 0)
    last <- length(args)
    if (any(!nzchar(names[-last])) || nzchar(names[last]) || anyNA(numbers) || anyDuplicated(numbers)) {
      stop_untranslated_line(
        sprintf("`%s` does not name its categories.", code_text(code)), state$line,
        "Write `c(p0 = 0, p1 = 1, 2)`: the value after each probability, and the last value alone."
      )
    }
    values <- unname(numbers)
    args <- lapply(names[-last], as.symbol)
    # Categories count from 1 anyway.
    if (identical(values, as.numeric(seq_along(values)))) values <- NULL
  }
  args <- lapply(unname(args), nlmixr2_expression, state = state)
  rest <- Reduce(function(a, b) call("-", a, b), args, 1)
  list(dist = call("categorical", as.call(c(quote(c), args, rest))), values = values)
}

# `ll(y) ~ log_density`; `n2ll(y)` is minus twice it.
likelihood_endpoint <- function(line, state) {
  left <- line[[2L]]
  density <- nlmixr2_expression(line[[3L]], state)
  if (is_call_to(left, "n2ll")) density <- call("/", call("-", call("(", density)), 2)
  list(name = code_text(left[[2L]]), dist = call("custom", density), values = NULL)
}
