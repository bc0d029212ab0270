# Functions and constants of rxode2 by the names they have here.

# The optional bounds of `expit()` and its relatives are 0 and 1.
nlmixr2_words <- list(
  expit = function(x, low = 0, high = 1) scaled_back(call("plogis", x), low, high),
  probitInv = function(x, low = 0, high = 1) scaled_back(call("pnorm", x), low, high),
  logit = function(x, low = 0, high = 1) call("qlogis", scaled(x, low, high)),
  probit = function(x, low = 0, high = 1) call("qnorm", scaled(x, low, high)),
  phi = function(x) call("pnorm", x),
  gammafn = function(x) call("gamma", x),
  lgammafn = function(x) call("lgamma", x),
  loggamma = function(x) call("lgamma", x),
  lgamma1p = function(x) bquote(lgamma(.(x) + 1)),
  R_pow = function(x, y) call("^", x, y),
  R_pow_di = function(x, y) call("^", x, y),
  Rx_pow = function(x, y) call("^", x, y),
  Rx_pow_di = function(x, y) call("^", x, y),
  pow = function(x, y) call("^", x, y),
  fabs = function(x) call("abs", x),
  abs0 = function(x) call("abs", x),
  sinh = function(x) bquote((exp(.(x)) - exp(-.(x))) / 2),
  cosh = function(x) bquote((exp(.(x)) + exp(-.(x))) / 2),
  asin = function(x) bquote(atan(.(x) / sqrt(1 - .(x)^2))),
  acos = function(x) bquote(.(pi / 2) - atan(.(x) / sqrt(1 - .(x)^2))),
  erf = function(x) bquote(2 * pnorm(.(sqrt(2)) * .(x)) - 1),
  erfc = function(x) bquote(2 * pnorm(-.(sqrt(2)) * .(x))),
  sign = function(x) bquote(ifelse(.(x) > 0, 1, ifelse(.(x) < 0, -1, 0))),
  factorial = function(n) bquote(gamma(.(n) + 1)),
  lfactorial = function(n) bquote(lgamma(.(n) + 1)),
  lchoose = function(n, k) bquote(lgamma(.(n) + 1) - lgamma(.(k) + 1) - lgamma(.(n) - .(k) + 1)),
  choose = function(n, k) bquote(exp(lgamma(.(n) + 1) - lgamma(.(k) + 1) - lgamma(.(n) - .(k) + 1))),
  lbeta = function(a, b) bquote(lgamma(.(a)) + lgamma(.(b)) - lgamma(.(a) + .(b))),
  beta = function(a, b) bquote(exp(lgamma(.(a)) + lgamma(.(b)) - lgamma(.(a) + .(b)))),
  log1pexp = function(x) call("softplus", x),
  log10p1 = function(x) bquote(log10(.(x) + 1)),
  ReLU = function(x) bquote(ifelse(.(x) > 0, .(x), 0))
)

# Log densities `llikPois(x, lambda)`; parameters as in R's d*().
nlmixr2_densities <- list(
  llikNorm = function(x, mean, sd) bquote(-(.(x) - .(mean))^2 / (2 * .(sd)^2) - log(.(sd)) - .(log(2 * pi) / 2)),
  llikPois = function(x, lambda) bquote(.(x) * log(.(lambda)) - .(lambda) - lgamma(.(x) + 1)),
  llikBinom = function(x, size, prob) {
    bquote(.(nlmixr2_words$lchoose(size, x)) + .(x) * log(.(prob)) + (.(size) - .(x)) * log(1 - .(prob)))
  },
  llikNbinom = function(x, size, prob) {
    bquote(lgamma(.(x) + .(size)) - lgamma(.(size)) - lgamma(.(x) + 1) + .(size) * log(.(prob)) +
             .(x) * log(1 - .(prob)))
  },
  llikNbinomMu = function(x, size, mu) {
    bquote(lgamma(.(x) + .(size)) - lgamma(.(size)) - lgamma(.(x) + 1) + .(size) * log(.(size) / (.(size) + .(mu))) +
             .(x) * log(.(mu) / (.(size) + .(mu))))
  },
  llikGeom = function(x, prob) bquote(log(.(prob)) + .(x) * log(1 - .(prob))),
  llikBeta = function(x, shape1, shape2) {
    bquote((.(shape1) - 1) * log(.(x)) + (.(shape2) - 1) * log(1 - .(x)) - (.(nlmixr2_words$lbeta(shape1, shape2))))
  },
  llikT = function(x, df, mean = 0, sd = 1) {
    bquote(.(t_log_density(bquote((.(x) - .(mean)) / .(sd)), df)) - log(.(sd)))
  },
  llikCauchy = function(x, location = 0, scale = 1) {
    bquote(-log(.(pi) * .(scale)) - log1p(((.(x) - .(location)) / .(scale))^2))
  },
  llikExp = function(x, rate) bquote(log(.(rate)) - .(rate) * .(x)),
  llikGamma = function(x, shape, rate) {
    bquote(.(shape) * log(.(rate)) + (.(shape) - 1) * log(.(x)) - .(rate) * .(x) - lgamma(.(shape)))
  },
  llikChisq = function(x, df) {
    bquote((.(df) / 2 - 1) * log(.(x)) - .(x) / 2 - .(df) / 2 * .(log(2)) - lgamma(.(df) / 2))
  },
  llikWeibull = function(x, shape, scale) {
    bquote(log(.(shape) / .(scale)) + (.(shape) - 1) * log(.(x) / .(scale)) - (.(x) / .(scale))^.(shape))
  },
  llikUnif = function(x, alpha, beta) {
    bquote(log(ifelse(.(x) >= .(alpha) & .(x) <= .(beta), 1 / (.(beta) - .(alpha)), 0)))
  }
)

# The log density of a t distribution at the standardized `z`.
t_log_density <- function(z, df) {
  bquote(
    lgamma((.(df) + 1) / 2) - lgamma(.(df) / 2) - log(.(pi) * .(df)) / 2 - (.(df) + 1) / 2 * log1p((.(z))^2 / .(df))
  )
}

nlmixr2_constants <- c(
  M_PI = pi, M_E = exp(1), M_LN2 = log(2), M_LN10 = log(10), M_LOG2E = 1 / log(2), M_LOG10E = 1 / log(10),
  M_PI_2 = pi / 2, M_PI_4 = pi / 4, M_1_PI = 1 / pi, M_2_PI = 2 / pi, M_2PI = 2 * pi, M_SQRT2 = sqrt(2),
  M_SQRT1_2 = sqrt(0.5), M_SQRT_PI = sqrt(pi), M_2_SQRTPI = 2 / sqrt(pi), M_1_SQRT_2PI = 1 / sqrt(2 * pi),
  M_LN_SQRT_2PI = log(2 * pi) / 2, M_LN_SQRT_PI = log(pi) / 2
)

# What has no counterpart, with the nearest way. Several words of one kind share it.
untranslated_words <- local({
  ways <- list(
    "The times and amounts of doses are `tad()`, `tlast()`, `podo()` and `dosenum()`; write the absorption with them." =
      c("transit", "transit2", "evid_", "bolus", "infuse", "infuseDur", "reset", "replace", "multiply", "phantom"),
    "Make a column of the data that holds it, or write the rhythm with `sin()` and `cos()`." =
      c("floor", "ceiling", "ceil", "round", "trunc", "fmod", "%%", "%/%"),
    "Give the model states that pass it on, as in `d/dt(a1) <- k * (x - a1)`." = "delay",
    "Make a column of the data that holds the value of the other record." =
      c("lag", "lead", "diff", "first", "last", "lag0", "lead0", "newind"),
    "Fill in the column of the data; a model has no missing values." = c("is.na", "is.nan", "is.finite", "is.infinite"),
    "Random numbers are random effects here: give it a variance in `ini()`, as in `eta.u ~ 1`." = c(
      "rxnorm", "rxunif", "rxbinom", "rxpois", "rxt", "rxgamma", "rxbeta", "rxexp", "rxweibull", "rxcauchy", "rxchisq",
      "rxgeom", "rxnormV", "rinorm", "riunif", "ribinom", "ripois", "rnorm", "runif", "rpois", "rbinom", "simeta",
      "simeps"
    ),
    "Write the number it stands for." = c("rxTBS", "rxTBSi", "mtime", "linCmtA", "linCmtB", "linCmtC")
  )
  stats::setNames(rep(names(ways), lengths(ways)), unlist(ways))
})

scaled_back <- function(code, low, high) {
  if (identical(low, 0) && identical(high, 1)) return(code)
  call("+", low, call("*", call("(", call("-", high, low)), code))
}

scaled <- function(code, low, high) {
  if (identical(low, 0) && identical(high, 1)) return(code)
  call("/", call("(", call("-", code, low)), call("(", call("-", high, low)))
}
