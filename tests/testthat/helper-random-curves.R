# What random models are made of: curves of individual parameters, and families of outcomes.

# An individual parameter: the range of its typical value, the powers in which the units of response
# and time enter it, the scale on which it varies, whether it has a typical value of its own. Covariates
# of one that has none move the parameter `carrier` when they are centered, by `sign`.
curve_term <- function(low, high, r = 0, t = 0, scale = "log", typical = TRUE, carrier = NULL, sign = 1) {
  list(low = low, high = high, r = r, t = t, scale = scale, typical = typical, carrier = carrier, sign = sign)
}

# A parameter that no effect and no covariate touches.
curve_extra <- function(low, high, r = 0, t = 0, role = "fixed") {
  list(low = low, high = high, r = r, t = t, role = role)
}

# `f` is read by the package and run by R; `span` gives the first and last time of observation at values `v`;
# `sensible` says whether values are on this side of a symmetry, beyond which another maximum lies.
random_curve <- function(f, span, terms, sensible = function(v) TRUE, power = 1) {
  list(f = f, span = span, terms = terms, sensible = sensible, power = power)
}

random_curves <- function() {
  oral <- list(
    ka = curve_term(0.8, 2, t = -1), v = curve_term(10, 40, r = -1), cl = curve_term(1, 4, r = -1, t = -1)
  )
  absorbed_first <- function(v) v[["ka"]] > 4 * v[["cl"]] / v[["v"]]
  c(list(
    decay = random_curve(
      quote(A * exp(-k * time)), function(v) c(0.1, 2.5) / v[["k"]],
      list(A = curve_term(5, 50, r = 1), k = curve_term(0.1, 0.5, t = -1))
    ),
    oral = random_curve(
      quote(dose * ka / (v * ka - cl) * (exp(-cl / v * time) - exp(-ka * time))),
      function(v) c(0.3 / v[["ka"]], 2.5 * v[["v"]] / v[["cl"]]), oral, absorbed_first, power = 2
    ),
    emax = random_curve(
      quote(e0 + emax * time / (ec50 + time)), function(v) c(0.1, 6) * v[["ec50"]],
      list(e0 = curve_term(2, 5, r = 1), emax = curve_term(10, 40, r = 1), ec50 = curve_term(5, 20, t = 1)),
      power = 1.5
    ),
    hill = random_curve(
      quote(e0 + emax / (1 + (ec50 / time)^h)), function(v) c(0.1, 8) * v[["ec50"]],
      list(
        e0 = curve_term(2, 5, r = 1), emax = curve_term(10, 40, r = 1), ec50 = curve_term(5, 20, t = 1),
        h = curve_term(1.2, 2.5)
      ), power = 1.5
    ),
    biexponential = random_curve(
      quote(A * exp(-k1 * time) + B * exp(-k2 * time)), function(v) c(0.2 / v[["k1"]], 2 / v[["k2"]]),
      list(
        A = curve_term(10, 30, r = 1), k1 = curve_term(1, 2, t = -1),
        B = curve_term(4, 10, r = 1), k2 = curve_term(0.05, 0.15, t = -1)
      ),
      sensible = function(v) v[["k1"]] > 3 * v[["k2"]], power = 2.5
    ),
    michaelis = random_curve(
      quote(vm * time / (km + time)), function(v) c(0.2, 5) * v[["km"]],
      list(vm = curve_term(50, 200, r = 1), km = curve_term(1, 5, t = 1)), power = 1.5
    ),
    linear = random_curve(
      quote(a + b * time), function(v) c(0, 10),
      list(a = curve_term(10, 50, r = 1, scale = "identity"), b = curve_term(1, 4, r = 1, t = -1, scale = "identity"))
    )
  ), random_growth(), random_equations(oral, absorbed_first), random_predictors())
}

random_growth <- function() {
  list(
    logistic = random_curve(
      quote(Asym / (1 + exp(-(time - xmid) / scal))), function(v) c(0.1, 2.2) * v[["xmid"]],
      list(Asym = curve_term(50, 200, r = 1), xmid = curve_term(20, 60, t = 1), scal = curve_term(6, 12, t = 1))
    ),
    gompertz = random_curve(
      quote(A * exp(-b * exp(-k * time))), function(v) c(0.1, 4) / v[["k"]],
      list(A = curve_term(50, 400, r = 1), b = curve_term(2, 4), k = curve_term(0.05, 0.2, t = -1))
    )
  )
}

# Differential equations; the concentration is read from the states.
random_equations <- function(oral, absorbed_first) {
  list(
    oral_ode = c(random_curve(
      quote(central / v), function(v) c(0.5, 36), oral, absorbed_first
    ), list(equations = expression(
      d/dt(depot) <- -ka * depot, # nolint: infix_spaces_linter.
      d/dt(central) <- ka * depot - cl / v * central # nolint: infix_spaces_linter.
    ))),
    saturable_ode = c(random_curve(
      quote(central / v), function(v) c(0.5, 36),
      list(vm = curve_term(8, 20, t = -1), km = curve_term(1, 4, r = 1), v = curve_term(8, 20, r = -1))
    ), list(equations = expression(
      d/dt(central) <- -vm * central / (km * v + central) # nolint: infix_spaces_linter.
    )))
  )
}

# Linear predictors of outcomes that are not continuous, and hazards.
random_predictors <- function() {
  straight <- quote(a + b * time)
  slope <- curve_term(0.1, 0.3, t = -1, scale = "identity")
  list(
    rate = random_curve(
      straight, function(v) c(0, 5), list(a = curve_term(0.5, 1.5, scale = "identity"), b = slope)
    ),
    odds = random_curve(
      straight, function(v) c(0, 5), list(a = curve_term(-1, 0.5, scale = "identity"), b = slope)
    ),
    grades = random_curve(
      quote(u + b * time), function(v) c(0, 5),
      list(b = slope, u = curve_term(0, 0, scale = "identity", typical = FALSE, carrier = "c1", sign = -1))
    ),
    hazard = random_curve(
      quote(k / lam * (t / lam)^(k - 1)), function(v) c(0, 5) * v[["lam"]], list(lam = curve_term(5, 20, t = 1))
    )
  )
}

# Normal outcomes by their residual error. `size` is a typical size of the response.
random_error <- function(kind, size) {
  a <- function(low, high) curve_extra(low * size, high * size, r = 1, role = "residual")
  b <- curve_extra(0.05, 0.2, role = "residual")
  switch(kind,
    constant = list(
      extras = list(a = a(0.03, 0.1)), outcome = quote(y ~ normal(f, a)), sd = function(f, p) p$a
    ),
    proportional = list(
      extras = list(b = b), outcome = quote(y ~ normal(f, prop(b))), sd = function(f, p) p$b * abs(f)
    ),
    combined = list(
      extras = list(a = a(0.02, 0.05), b = b), outcome = quote(y ~ normal(f, add_prop(a, b))),
      sd = function(f, p) sqrt(p$a^2 + p$b^2 * f^2)
    ),
    combined_sd = list(
      extras = list(a = a(0.02, 0.05), b = b), outcome = quote(y ~ normal(f, add_prop_sd(a, b))),
      sd = function(f, p) p$a + p$b * abs(f)
    )
  )
}

# A family of outcomes: its own parameters, its statement, and draws in R given the prediction of each row.
random_family <- function(name, error, size) {
  if (name == "normal") {
    family <- random_error(error, size)
    # Parameters of the residual error are `sd_a` and `sd_b`, since curves have an `a` and a `b`.
    renamed <- list(a = quote(sd_a), b = quote(sd_b))
    family$outcome <- do.call(substitute, list(family$outcome, renamed))
    family$draw <- function(f, p) {
      f + family$sd(f, list(a = p$sd_a, b = p$sd_b)) * stats::rnorm(length(f))
    }
    names(family$extras) <- paste0("sd_", names(family$extras))
    return(family)
  }
  families <- list(
    lognormal = list(
      extras = list(s = curve_extra(0.05, 0.2, role = "residual")), outcome = quote(y ~ lognormal(log(f), s)),
      draw = function(f, p) f * exp(p$s * stats::rnorm(length(f)))
    ),
    poisson = list(
      outcome = quote(y ~ poisson(exp(f))), draw = function(f, p) stats::rpois(length(f), exp(f))
    ),
    neg_binomial = list(
      extras = list(disp = curve_extra(2, 6, role = "residual")), outcome = quote(y ~ neg_binomial(exp(f), disp)),
      draw = function(f, p) stats::rnbinom(length(f), mu = exp(f), size = p$disp)
    ),
    bernoulli = list(
      outcome = quote(y ~ bernoulli(plogis(f))), draw = function(f, p) stats::rbinom(length(f), 1, stats::plogis(f))
    ),
    binomial = list(
      outcome = quote(y ~ binomial(10, plogis(f))), draw = function(f, p) stats::rbinom(length(f), 10, stats::plogis(f))
    ),
    ordered = list(
      extras = list(c1 = c(curve_extra(-1, 0.5), real = TRUE), d2 = curve_extra(0.8, 1.5)),
      outcome = quote(y ~ ordered(f, c(c1, c1 + d2))),
      draw = function(f, p) {
        u <- stats::runif(length(f))
        1 + (u > stats::plogis(p$c1 - f)) + (u > stats::plogis(p$c1 + p$d2 - f))
      }
    ),
    event = list(extras = list(k = curve_extra(1, 1.8)), outcome = quote(y ~ event(f)))
  )
  families[[name]]
}
