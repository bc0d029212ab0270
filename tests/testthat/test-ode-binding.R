# Drugs that bind their target: exact, whatever the rates, and without work that is not needed.

# A model of the kind `form` with these values; L in amounts, R and P in concentrations.
binding_model <- function(form, values, ...) {
  lines <- Map(function(name, value) call("<-", as.symbol(name), value), names(values), values)
  equations <- binding_equations[[form]]
  code <- as.call(c(quote(`{`), unname(lines), equations, quote(y ~ normal(L + 10 * total, s))))
  eval(bquote(
    nlme_model(
      fixed(s = positive(0.1), m = 0), random(e ~ normal(m, 0.1) | id), ode_control(..(list(...))), .(code)
    ),
    splice = TRUE
  ))
}

# nolint start: object_name_linter, brace_linter.
binding_equations <- list(
  full = expression(
    bind <- kon * L / v * R - koff * P,
    d/dt(L) <- -(cl + q) / v * L + q / vp * Lp - v * bind, d/dt(Lp) <- q / v * L - q / vp * Lp,
    d/dt(R) <- ksyn - kdeg * R - bind, d/dt(P) <- bind - kint * P, R(0) <- ksyn / kdeg, total <- R + P
  ),
  equilibrium = expression(
    kd <- koff / kon, a <- L / v - RT - kd, free <- (a + sqrt(a^2 + 4 * kd * L / v)) / 2,
    bound <- RT * free / (kd + free),
    d/dt(L) <- -(cl + q) * free + q / vp * Lp - kint * bound * v, d/dt(Lp) <- q * free - q / vp * Lp,
    d/dt(RT) <- ksyn - kdeg * (RT - bound) - kint * bound, RT(0) <- ksyn / kdeg, total <- RT
  ),
  saturable = expression(
    d/dt(L) <- -(cl + q) / v * L + q / vp * Lp - vmax * L / v / (km + L / v), d/dt(Lp) <- q / v * L - q / vp * Lp,
    total <- L + Lp
  )
)

# The same by lsoda.
binding_by_desolve <- function(form, p, dose, times) {
  slopes <- list(
    full = function(t, x, p) with(p, {
      bind <- kon * x[1] / v * x[3] - koff * x[4]
      list(c(
        -(cl + q) / v * x[1] + q / vp * x[2] - v * bind, q / v * x[1] - q / vp * x[2],
        ksyn - kdeg * x[3] - bind, bind - kint * x[4]
      ))
    }),
    equilibrium = function(t, x, p) with(p, {
      kd <- koff / kon
      a <- x[1] / v - x[3] - kd
      free <- (a + sqrt(a^2 + 4 * kd * x[1] / v)) / 2
      bound <- x[3] * free / (kd + free)
      list(c(
        -(cl + q) * free + q / vp * x[2] - kint * bound * v, q * free - q / vp * x[2],
        ksyn - kdeg * (x[3] - bound) - kint * bound
      ))
    }),
    saturable = function(t, x, p) with(p, list(c(
      -(cl + q) / v * x[1] + q / vp * x[2] - vmax * x[1] / v / (km + x[1] / v), q / v * x[1] - q / vp * x[2]
    )))
  )
  # nolint end.
  start <- with(p, list(
    full = c(dose, 0, ksyn / kdeg, 0), equilibrium = c(dose, 0, ksyn / kdeg), saturable = c(dose, 0)
  ))[[form]]
  x <- deSolve::lsoda(start, c(0, times), slopes[[form]], p, rtol = 1e-11, atol = 1e-14, maxsteps = 1e6)[-1, -1]
  total <- if (form == "full") x[, 3] + x[, 4] else if (form == "equilibrium") x[, 3] else x[, 1] + x[, 2]
  x[, 1] + 10 * total
}

# Rates that are apart by one to six orders of magnitude.
binding_values <- function(kon) {
  list(
    cl = 0.2 * exp(stats::rnorm(1, 0, 0.3)), v = 3, q = 0.4, vp = 2.5, ksyn = exp(stats::rnorm(1, 0, 0.3)), kdeg = 0.3,
    kint = 0.1, kon = kon, koff = kon * 0.02, vmax = 2, km = 0.05
  )
}

binding_data <- function(times, doses) {
  design <- expand.grid(time = c(0, times), id = seq_along(doses))
  design$amt <- ifelse(design$time == 0, doses[design$id], 0)
  design$cmt <- "L"
  design$evid <- as.integer(design$amt > 0)
  design
}

test_that("binding of any speed is what deSolve integrates", {
  skip_if_not_installed("deSolve")
  times <- c(0.04, 0.5, 2, 7, 14, 28, 56)
  doses <- c(3, 30, 300)
  data <- binding_data(times, doses)
  rows <- data$time > 0
  set.seed(1)
  for (form in names(binding_equations)) {
    for (kon in if (form == "full") c(0.1, 2, 30, 1000) else 2) {
      values <- binding_values(kon)
      truth <- unlist(lapply(doses, function(dose) binding_by_desolve(form, values, dose, times)))
      for (solver in c("auto", "stiff")) {
        model <- binding_model(form, values, rtol = 1e-9, atol = 1e-11, solver = solver)
        curve <- as.numeric(predict(model, data))[rows]
        expect_lt(max(abs(curve / truth - 1)), 1e-6, label = paste(form, kon, solver))
      }
    }
  }
})

test_that("the implicit solver begins once a dose, in steps that are few, and only where it is needed", {
  times <- c(0.04, 0.5, 2, 7, 14, 28, 56)
  set.seed(2)
  fitted <- function(kon) {
    values <- binding_values(kon)
    made <- simulate(binding_model("full", values), seed = 1, data = binding_data(times, c(3, 300, 3, 300)))
    made$y[made$time == 0] <- NA
    few <- saem(exploration = 3, smoothing = 3, log_lik = FALSE)
    suppressWarnings(fit_nlme(binding_model("full", values), made, few, seed = 1, progress = FALSE))$equations
  }
  slow <- fitted(0.1)
  expect_equal(c(slow$implicit, slow$implicit_steps, slow$implicit_starts), c(0, 0, 0))
  fast <- fitted(1000)
  expect_gt(fast$implicit, 0)
  # Observations on the way are read off; one dose is one start.
  expect_equal(fast$implicit_starts, fast$implicit)
  expect_lt(fast$implicit_steps / fast$implicit, 800)
})
