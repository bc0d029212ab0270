# Hazards that read states of differential equations, against integrate() over concentrations in closed form and
# deSolve.

hazard_model <- function(hazard, ode = ode_control(rtol = 1e-9, atol = 1e-10), conc = TRUE) {
  eval(bquote(nlme_model(
    fixed(
      ka = positive(1.1), tcl = positive(2), tv = positive(15), hz = positive(0.02), beta = 0.4, s = positive(0.3),
      o = positive(rep(0.09, 4))
    ),
    random(eta ~ mvnormal(numeric(4), diag(o)) | id), .(ode), {
      h0 <- hz * exp(eta[1])
      b <- beta + eta[2]
      v <- tv * exp(eta[3])
      cl <- tcl * exp(eta[4])
      d/dt(depot) <- -ka * depot
      d/dt(central) <- ka * depot - cl / v * central
      cp <- central / v
      .(if (conc) quote(conc ~ normal(cp, s)) else quote(unused <- 1))
      ev ~ event(.(hazard))
    }
  )))
}

# Two subjects with doses, concentrations and events; `ev` is repeated, its last row censored.
hazard_data <- function() {
  one <- function(id, doses, rows) {
    d <- data.frame(id = id, time = c(doses, rows$time), amt = c(rep(100, length(doses)), rep(0, nrow(rows))))
    d$evid <- as.numeric(d$amt > 0)
    d$conc <- c(rep(NA, length(doses)), rows$conc)
    d$ev <- c(rep(NA, length(doses)), rows$ev)
    d$x <- c(rep(0, length(doses)), seq_len(nrow(rows)) / 4)
    d[order(d$time, -d$evid), ]
  }
  rbind(
    one(1, c(0, 12), data.frame(
      time = c(1, 2, 5, 9, 13, 20, 24), conc = c(3.9, NA, 4.1, NA, 5.2, NA, NA), ev = c(NA, 1, NA, 1, NA, 0, 1)
    )),
    one(2, c(0, 6, 12), data.frame(time = c(3, 7, 30), conc = c(4, 6, 1.5), ev = c(0, NA, 0)))
  )
}

one_compartment <- function(t, doses, p, amount = 100) {
  k <- p$cl / p$v
  sum(vapply(doses[doses <= t], function(d) {
    amount * p$ka / (p$v * (p$ka - k)) * (exp(-k * (t - d)) - exp(-p$ka * (t - d)))
  }, numeric(1L)))
}

# Log density of the events of each subject: `hazard(t, cp, row)` is integrated piece by piece between doses.
event_log_density <- function(data, hazard, concentration = one_compartment) {
  vapply(split(data, data$id), function(d) {
    own <- own_values(d$id[1L])
    doses <- d$time[d$evid == 1]
    rate <- function(t, row) vapply(t, function(t) hazard(t, concentration(t, doses, own), row, own), numeric(1L))
    rows <- which(!is.na(d$ev))
    from <- c(0, d$time[rows[-length(rows)]])
    sum(mapply(function(a, row) {
      b <- d$time[row]
      cuts <- sort(unique(c(a, doses[doses > a & doses < b], b)))
      cumulative <- sum(mapply(function(l, u) {
        stats::integrate(rate, l, u, row = d[row, ], rel.tol = 1e-10)$value
      }, cuts[-length(cuts)], cuts[-1L]))
      (if (d$ev[row] == 1) log(rate(b, d[row, ])) else 0) - cumulative
    }, from, rows))
  }, numeric(1L))
}

# Concentrations over time by deSolve. `doses`: a data frame with time, state, amount.
by_lsoda <- function(times, rhs, init, doses) {
  at <- sort(unique(c(0, times, doses$time)))
  out <- deSolve::lsoda(
    init, at, rhs, NULL,
    rtol = 1e-10, atol = 1e-12,
    events = list(data = data.frame(var = doses$state, time = doses$time, value = doses$amount, method = "add"))
  )
  as.data.frame(out)[match(times, at), ]
}

hazards_of_states <- list(
  "log-linear" = list(quote(h0 * exp(b * cp)), function(t, cp, row, p) p$h0 * exp(p$b * cp)),
  "linear" = list(quote(h0 * (1 + b * cp)), function(t, cp, row, p) p$h0 * (1 + p$b * cp)),
  "of time and state" = list(quote(h0 * sqrt(t + 1) * (1 + b * cp^2)), function(t, cp, row, p) {
    p$h0 * sqrt(t + 1) * (1 + p$b * cp^2)
  }),
  "with a covariate of the row" = list(quote(h0 * exp(x + b * cp)), function(t, cp, row, p) {
    p$h0 * exp(row$x + p$b * cp)
  })
)

solved_ways <- list(
  forward = ode_control(rtol = 1e-9, atol = 1e-10, max_forward = 100),
  backward = ode_control(rtol = 1e-9, atol = 1e-10, max_forward = 0),
  stepwise = ode_control(rtol = 1e-9, atol = 1e-10, linear = FALSE),
  stiff = ode_control(rtol = 1e-9, atol = 1e-10, solver = "stiff")
)

# The gradient by the effects against differences of the total.
expect_own_gradient <- function(model, data, effects, label = "", tolerance = 1e-5) {
  at <- function(effects) {
    nlmers:::complete_log_density(model, data, random = list(effects), time = "time")
  }
  gradient <- at(effects)$gradient[[1L]]
  for (i in seq_along(effects)) {
    moved <- function(h) {
      effects[i] <- effects[i] + h
      at(effects)$total
    }
    h <- 1e-3
    slope <- (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h)
    expect_lt(abs(gradient[i] - slope) / max(abs(slope), 1), tolerance, label = paste(label, i))
  }
}

some_states_effects <- rbind(c(0.1, -0.1, 0.2, 0.2), c(-0.2, 0.1, 0, -0.3))

# Parameters of a subject at these effects.
own_values <- function(i, effects = some_states_effects) {
  e <- effects[i, ]
  list(ka = 1.1, h0 = 0.02 * exp(e[1]), b = 0.4 + e[2], v = 15 * exp(e[3]), cl = 2 * exp(e[4]))
}

events_alone <- function(model, data, effects = some_states_effects) {
  got <- nlmers:::complete_log_density(model, data, random = list(effects), time = "time")
  got$total - sum(dnorm(effects, 0, 0.3, log = TRUE))
}

test_that("a hazard of a concentration is integrated with the equations", {
  data <- hazard_data()
  for (name in names(hazards_of_states)) {
    case <- hazards_of_states[[name]]
    exact <- sum(event_log_density(data, case[[2L]]))
    for (way in names(solved_ways)) {
      model <- hazard_model(case[[1L]], solved_ways[[way]], conc = FALSE)
      expect_equal(events_alone(model, data), exact, tolerance = 1e-6, label = paste(name, way))
      expect_own_gradient(model, data, some_states_effects, paste(name, way))
    }
  }
})

test_that("covariates of a hazard of states have the value of the row that holds the outcome", {
  # The same with and without a state in it.
  data <- hazard_data()
  plain <- hazard_model(quote(h0 * exp(x) * (1 + b * t)), conc = FALSE)
  with_state <- hazard_model(quote(h0 * exp(x) * (1 + b * t) + 0 * h0 * cp + 1e-300 * cp), conc = FALSE)
  expect_equal(events_alone(with_state, data), events_alone(plain, data), tolerance = 1e-7)
  # One whose course is said runs as in equations: 0 up to time 2, then 1.
  data$x <- as.numeric(data$time >= 2)
  said <- function(interpolation) {
    eval(bquote(nlme_model(
      fixed(h0 = positive(0.02), o = positive(0.3)), random(e ~ normal(0, o) | id),
      covariates(x = time_varying(.(interpolation))), {
        d/dt(central) <- -0.1 * central
        ev ~ event(h0 * exp(x + e) + 1e-300 * central)
      }
    )))
  }
  total <- function(interpolation) {
    nlmers:::complete_log_density(said(interpolation), data, random = list(matrix(0, 2, 1)), time = "time")$total
  }
  events <- sum(data$ev == 1, na.rm = TRUE)
  at_risk <- function(jump) jump + (24 - jump) * exp(1) + jump + (30 - jump) * exp(1)
  log_hazards <- events * log(0.02) + sum(data$x[data$ev %in% 1])
  prior <- 2 * dnorm(0, 0, 0.3, log = TRUE)
  # Subject 1 has records at 0, 1 and 2, subject 2 at 0 and 3: at 3 the value is 1.
  expect_equal(total("constant") - prior, log_hazards - 0.02 * (2 + 22 * exp(1) + 3 + 27 * exp(1)), tolerance = 1e-6)
  expect_equal(total("next") - prior, log_hazards - 0.02 * (1 + 23 * exp(1) + 0 + 30 * exp(1)), tolerance = 1e-6)
})

test_that("hazards go on over resets, and states begin anew", {
  data <- data.frame(
    id = rep(1:2, each = 5), time = rep(c(0, 4, 6, 9, 12), 2), amt = rep(c(100, 0, 50, 0, 0), 2),
    evid = rep(c(1, 0, 4, 0, 0), 2), ev = c(NA, 1, NA, 1, 0, NA, 0, NA, 0, 1), x = 0, conc = NA_real_
  )
  exact <- event_log_density(
    data[data$evid != 4, ], function(t, cp, row, p) p$h0 * exp(p$b * cp),
    function(t, doses, p) if (t < 6) one_compartment(t, 0, p) else one_compartment(t, 6, p, 50)
  )
  # The integrals have a kink at 6, which the pieces of the rows do not know.
  for (way in names(solved_ways)) {
    model <- hazard_model(quote(h0 * exp(b * cp)), solved_ways[[way]], conc = FALSE)
    expect_equal(events_alone(model, data), sum(exact), tolerance = 1e-5, label = way)
    expect_own_gradient(model, data, some_states_effects, way)
  }
})

# Doses that came since ever, written out.
long_ago <- function(interval, n = 400) -interval * rev(seq_len(n) - 1)

test_that("a hazard beside a steady state begins where observation does", {
  for (ss in 1:2) {
    data <- data.frame(
      id = rep(1:2, each = 5), time = rep(c(0, 3, 8, 15, 20), 2), amt = rep(c(60, 0, 0, 60, 0), 2),
      evid = rep(c(1, 0, 0, 1, 0), 2), ss = rep(c(1, 0, 0, ss, 0), 2), ii = rep(c(8, 0, 0, 8, 0), 2),
      ev = c(NA, 1, 0, NA, 1, NA, 0, 1, NA, 0), x = 0, conc = NA_real_
    )
    concentration <- function(t, doses, p) {
      first <- one_compartment(t, long_ago(8), p, 60)
      second <- if (t < 15) 0 else one_compartment(t, 15 + long_ago(8), p, 60)
      if (t >= 15 && ss == 1) second else first + second
    }
    for (case in hazards_of_states[1:2]) {
      exact <- sum(event_log_density(data, case[[2L]], concentration))
      for (way in names(solved_ways)) {
        model <- hazard_model(case[[1L]], solved_ways[[way]], conc = FALSE)
        expect_equal(events_alone(model, data), exact, tolerance = 1e-6, label = paste(way, ss))
        if (identical(case, hazards_of_states[[1L]])) {
          expect_own_gradient(model, data, some_states_effects, paste(way, ss))
        }
      }
    }
  }
  # An infusion without end that ends at 0.
  data <- data.frame(
    id = rep(1:2, each = 3), time = rep(c(0, 5, 11), 2), amt = 0, rate = rep(c(12, 0, 0), 2), ss = rep(c(1, 0, 0), 2),
    evid = rep(c(1, 0, 0), 2), ev = c(NA, 1, 0, NA, 0, 1), x = 0, conc = NA_real_
  )
  exact <- sum(event_log_density(data, hazards_of_states[[1L]][[2L]], function(t, doses, p) {
    # At rest 12 / ka in the depot and 12 / k in the central compartment.
    k <- p$cl / p$v
    central <- 12 / k * exp(-k * t) + 12 / (p$ka - k) * (exp(-k * t) - exp(-p$ka * t))
    central / p$v
  }))
  for (way in names(solved_ways)) {
    model <- hazard_model(hazards_of_states[[1L]][[1L]], solved_ways[[way]], conc = FALSE)
    expect_equal(events_alone(model, data), exact, tolerance = 1e-6, label = way)
    expect_own_gradient(model, data, some_states_effects, way)
  }
})

# Areas under curves, of which one is of the other and one begins at a value of its own.
areas_model <- function(ode) {
  eval(bquote(nlme_model(
    fixed(
      ka = positive(1.1), tcl = positive(2), tv = positive(15), start = positive(3), o = positive(rep(0.09, 3)),
      s = positive(0.1)
    ),
    random(eta ~ mvnormal(numeric(3), diag(o)) | id), .(ode), {
      v <- tv * exp(eta[1])
      k <- tcl * exp(eta[2]) / v
      d/dt(depot) <- -ka * depot
      d/dt(central) <- ka * depot - k * central
      d/dt(auc) <- central / v
      d/dt(moment) <- auc
      d/dt(over) <- start * exp(eta[3]) * central / (v + central)
      over(0) <- start * exp(eta[3])
      y ~ normal(auc + 0.1 * moment + over, s)
    }
  )))
}

test_that("areas under curves begin anew at a steady state", {
  eta <- rbind(c(0.1, -0.2, 0.3), c(0, 0.1, -0.1))
  data <- data.frame(
    id = rep(1:2, each = 7), time = rep(c(0, 0, 3, 8, 15, 15, 20), 2), amt = rep(c(60, 0, 0, 0, 60, 0, 0), 2),
    evid = rep(c(1, 0, 0, 0, 1, 0, 0), 2), ii = rep(c(8, 0, 0, 0, 8, 0, 0), 2)
  )
  for (ss in 1:2) {
    data$ss <- rep(c(1, 0, 0, 0, ss, 0, 0), 2)
    # What deSolve makes of doses over 50 intervals before, with areas set back at 0 and, where the second steady state
    # takes the place of what was there, at 15.
    exact <- unlist(lapply(1:2, function(i) {
      v <- 15 * exp(eta[i, 1])
      k <- 2 * exp(eta[i, 2]) / v
      begin <- 3 * exp(eta[i, 3])
      rhs <- function(t, x, parms) {
        list(c(-1.1 * x[1], 1.1 * x[1] - k * x[2], x[2] / v, x[3], begin * x[2] / (v + x[2])))
      }
      run <- function() {
        before <- c(depot = 0, central = 0, auc = 0, moment = 0, over = 0)
        doses <- data.frame(state = "depot", time = 8 * (0:50), amount = 60)
        at <- by_lsoda(400, rhs, before, doses[-51, ])
        steady <- unlist(at[1, c("depot", "central")])
        steady + c(60, 0)
      }
      steady <- run()
      areas <- c(auc = 0, moment = 0, over = begin)
      none <- data.frame(state = "depot", time = 0, amount = 0)
      first <- by_lsoda(c(0, 3, 8, 15), rhs, c(steady, areas), none)
      last <- unlist(first[4, -1])
      second <- if (ss == 1) c(steady, areas) else last + c(steady, 0, 0, 0)
      second <- by_lsoda(c(0, 5), rhs, second, none)
      value <- function(at) at$auc + 0.1 * at$moment + at$over
      c(value(first)[1:3], value(second))
    }))
    for (way in names(solved_ways)) {
      model <- areas_model(solved_ways[[way]])
      data$y <- NA
      data$y[data$evid == 0] <- exact
      got <- nlmers:::complete_log_density(model, data, random = list(eta), time = "time")
      best <- 10 * dnorm(0, 0, 0.1, log = TRUE) + sum(dnorm(eta, 0, 0.3, log = TRUE))
      expect_equal(got$total, best, tolerance = 1e-5, label = paste(way, ss))
      data$y <- data$y + 0.2
      expect_own_gradient(model, data, eta, paste(way, ss))
    }
  }
  into <- transform(data, cmt = ifelse(evid == 1, 3, 0))
  expect_error(nlmers:::complete_log_density(areas_model(ode_control()), into, time = "time"), "only adds up")
})

test_that("doses may come before time 0, events are counted from there", {
  data <- data.frame(
    id = rep(1:2, each = 5), time = c(-12, -4, 2, 7, 10, -12, -4, 3, 4, 9), amt = rep(c(100, 100, 0, 0, 0), 2),
    evid = rep(c(1, 1, 0, 0, 0), 2), ev = c(NA, NA, 1, 0, 1, NA, NA, NA, 1, 0), x = 0, conc = NA_real_
  )
  exact <- sum(event_log_density(data, hazards_of_states[[1L]][[2L]]))
  for (way in names(solved_ways)) {
    model <- hazard_model(hazards_of_states[[1L]][[1L]], solved_ways[[way]], conc = FALSE)
    expect_equal(events_alone(model, data), exact, tolerance = 1e-6, label = way)
    expect_own_gradient(model, data, some_states_effects, way)
  }
  early <- transform(
    data,
    ev = ifelse(time == -4, 0, ev), evid = ifelse(time == -4, 0, evid), amt = ifelse(time == -4, 0, amt)
  )
  expect_error(events_alone(model, early), "counted from time 0")
})

# Concentrations and the time to a dropout of 40 subjects whose hazard grows with the concentration.
joint_data <- function(n = 40) {
  set.seed(3)
  rows <- lapply(seq_len(n), function(i) {
    p <- list(ka = 1.1, cl = 2 * exp(0.3 * rnorm(1)), v = 15)
    dose <- c(50, 100, 200)[1 + i %% 3]
    cp <- function(t) vapply(t, one_compartment, numeric(1L), doses = c(0, 24), p = p, amount = dose)
    cumulative <- function(to) stats::integrate(function(t) 0.01 * exp(0.35 * cp(t)), 0, to, subdivisions = 500)$value
    mark <- rexp(1)
    out <- cumulative(48) > mark
    end <- if (out) uniroot(function(t) cumulative(t) - mark, c(1e-6, 48))$root else 48
    times <- c(1, 3, 8, 23, 30, 47)
    data.frame(
      id = i, time = c(0, 24, times, end), amt = c(dose, dose, rep(0, 7)), evid = rep(1:0, c(2, 7)),
      y = c(NA, NA, cp(times) * exp(0.1 * rnorm(6)), NA), ev = c(rep(NA, 8), as.numeric(out))
    )
  })
  data <- do.call(rbind, rows)
  data[order(data$id, data$time, -data$evid), ]
}

joint_model <- function() {
  nlme_model(
    fixed(
      ka = positive(1), tcl = positive(2), v = positive(12), h0 = positive(0.02), b = 0.1, o = positive(0.2),
      s = positive(0.1)
    ),
    random(e ~ normal(0, o) | id), {
      cp <- linear_compartments(cl = tcl * exp(e), v = v, ka = ka)
      y ~ lognormal(log(cp), s)
      ev ~ event(h0 * exp(b * cp))
    }
  )
}

test_that("concentrations and events are fitted together, and the fit does what others do", {
  skip_on_cran()
  data <- joint_data()
  fit <- fit_nlme(joint_model(), data, saem(), id = "id", time = "time", seed = 1, progress = FALSE)
  expect_identical(fit$status$code, "converged")
  truth <- c(ka = 1.1, tcl = 2, v = 15, h0 = 0.01, b = 0.35, o = 0.3, s = 0.1)
  expect_lt(max(abs(log(fit$parameters$natural / truth))), 0.8)
  # The log-likelihood is that of densities integrated over the effect.
  values <- as.list(stats::setNames(fit$parameters$natural, fit$parameters$name))
  exact <- sum(vapply(unique(data$id), function(i) {
    d <- data[data$id == i, ]
    total <- function(e) {
      p <- list(ka = values$ka, cl = values$tcl * exp(e), v = values$v)
      cp <- function(t) vapply(t, one_compartment, numeric(1L), doses = c(0, 24), p = p, amount = d$amt[1L])
      rate <- function(t) values$h0 * exp(values$b * cp(t))
      end <- max(d$time[!is.na(d$ev)])
      piece <- function(a, b) if (b > a) stats::integrate(rate, a, b)$value else 0
      cumulative <- sum(mapply(piece, c(0, 24), c(min(24, end), end)))
      seen <- !is.na(d$y)
      sum(dlnorm(d$y[seen], log(cp(d$time[seen])), values$s, log = TRUE)) - cumulative +
        (if (any(d$ev %in% 1)) log(rate(end)) else 0) + dnorm(e, 0, values$o, log = TRUE)
    }
    mode <- optimize(total, c(-2, 2), maximum = TRUE, tol = 1e-8)
    f <- function(e) exp(vapply(e, total, numeric(1L)) - mode$objective)
    log(stats::integrate(f, mode$maximum - 0.5, mode$maximum + 0.5, rel.tol = 1e-8)$value) + mode$objective
  }, numeric(1L)))
  expect_equal(as.numeric(logLik(fit)), exact, tolerance = 1e-4)
  by_vem <- fit_nlme(joint_model(), data, vem(), id = "id", time = "time", seed = 1, progress = FALSE)
  expect_equal(unname(fixef(by_vem)), unname(fixef(fit)), tolerance = 1e-2)
  # Predicted is the probability of an event since the row before.
  new <- data.frame(id = 1, time = c(0, 5, 30), amt = c(100, 0, 0), evid = c(1, 0, 0))
  cumulative <- function(a, b) {
    stats::integrate(function(t) {
      p <- list(ka = values$ka, cl = values$tcl, v = values$v)
      values$h0 * exp(values$b * vapply(t, one_compartment, numeric(1L), doses = 0, p = p))
    }, a, b, rel.tol = 1e-10)$value
  }
  shown <- predict(fit, new, level = 0)
  expect_equal(unname(shown[2:3, "ev"]), 1 - exp(-c(cumulative(0, 5), cumulative(5, 30))), tolerance = 1e-4)
  # The share of drawn events is that probability.
  many <- new[rep(1:3, 300), ]
  many$id <- rep(1:300, each = 3)
  start <- utils::modifyList(values, list(o = 1e-6))
  drawn <- simulate(joint_model(), nsim = 4, seed = 2, data = many, id = "id", time = "time", start = start)
  share <- tapply(drawn$ev, drawn$time, mean)
  expect_true(is.na(share[["0"]]))
  expect_lt(max(abs(share[c("5", "30")] - shown[2:3, "ev"])), 0.05)
  expect_s3_class(plot(fit), "ggplot")
  expect_output(print(summary(fit)), "3 states")
  expect_s3_class(health(fit), "nlme_health")
  path <- withr::local_tempfile()
  saveRDS(fit, path)
  again <- fit_nlme(data = data, start_from = readRDS(path), seed = 2, progress = FALSE)
  expect_equal(unname(fixef(again)), unname(fixef(fit)), tolerance = 1e-2)
})
