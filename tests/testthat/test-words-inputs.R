# Input functions against convolutions by integrate(), and against deSolve where elimination is not linear.

# The typical values at the rows.
typical <- function(model, data) {
  bound <- nlmers:::bind_data(model, data, argument = "newdata")
  request <- nlmers:::core_request("predict", bound$model$spec, list(
    data = bound$fields, at = list(parameters = nlmers:::value_fields(nlmers:::start_values(model)))
  ))
  nlmers:::core_call(request, bound$columns)$value[, 1L]
}

# A state that loses its amount and takes doses by `input`; `more` are statements about the doses, `p` and `q` effects
# that its arguments may read.
fed_by <- function(input, more = list(), loss = quote(k * x)) {
  lines <- c(
    list(quote(k <- 0.3 * exp(e[1])), quote(p <- exp(e[2])), quote(q <- exp(e[3]))),
    list(call("<-", quote(d / dt(x)), call("-", input, loss))), more, list(quote(y ~ normal(x, s)))
  )
  eval(bquote(nlme_model(
    fixed(m = c(0, 0, 0), o = positive(0.3), s = positive(0.5)),
    random(e ~ mvnormal(m, diag(c(o, o, o))) | id), ode_control(rtol = 1e-9, atol = 1e-11),
    .(as.call(c(quote(`{`), lines)))
  )))
}

# Subject 1 gets four doses, one of them with two additional ones, subject 2 one.
records <- function() {
  times <- c(0.5, 1, 3, 6, 7.5, 9, 13, 20, 31)
  seen <- expand.grid(time = times, id = 1:2)
  given <- data.frame(time = c(0, 4, 10, 1), id = c(1, 1, 1, 2), amt = c(100, 50, 30, 80), addl = c(0, 0, 2, 0))
  data <- merge(seen, given, all = TRUE)
  data[is.na(data)] <- 0
  data$ii <- ifelse(data$addl > 0, 5, 0)
  data$evid <- as.integer(data$amt > 0)
  data$y <- 1
  data[order(data$id, data$time, data$evid), ]
}

# The sum over doses of the convolution of `g` with what is left after a time.
convolved <- function(g, data, f = 1, lag = 0, k = 0.3, breaks = NULL) {
  vapply(seq_len(nrow(data)), function(i) {
    own <- data[data$id == data$id[i] & data$amt > 0, ]
    given <- rep(own$time, own$addl + 1) + own$ii[rep(seq_len(nrow(own)), own$addl + 1)] * sequence(own$addl + 1, 0)
    amounts <- rep(own$amt, own$addl + 1)
    since <- data$time[i] - given - lag
    sum(vapply(which(since > 0), function(d) {
      at <- unique(c(0, breaks[breaks < since[d]], since[d]))
      parts <- vapply(seq_along(at)[-1L], function(j) {
        left <- function(u) g(u) * exp(-k * (since[d] - u))
        integrate(left, at[j - 1L], at[j], rel.tol = 1e-10, subdivisions = 1000)$value
      }, 0)
      f * amounts[d] * sum(parts)
    }, 0))
  }, 0)
}

expect_follows <- function(model, wanted, tolerance = 1e-6) {
  data <- records()
  seen <- data$evid == 0
  expect_lt(max(abs(typical(model, data)[seen] - wanted(data)[seen])), tolerance * 100)
}

waiting_time <- function(u, mat, cv) {
  ifelse(u > 0, sqrt(mat / (2 * pi * cv^2 * u^3)) * exp(-(u - mat)^2 / (2 * cv^2 * mat * u)), 0)
}

test_that("transit compartments, in any number, are a gamma density summed over the doses", {
  for (n in c(2.7, 0.6, 12)) {
    input <- bquote(transit(.(n) * p, mtt = 1.8))
    expect_follows(fed_by(input), function(data) {
      convolved(function(u) dgamma(u, n + 1, (n + 1) / 1.8), data)
    })
  }
})

test_that("an inverse Gaussian input has its mean and its coefficient of variation", {
  expect_equal(integrate(waiting_time, 0, Inf, mat = 2, cv = 0.7)$value, 1, tolerance = 1e-6)
  variance <- integrate(function(u) (u - 2)^2 * waiting_time(u, 2, 0.7), 0, Inf)$value
  expect_equal(sqrt(variance) / 2, 0.7, tolerance = 1e-5)
  expect_follows(fed_by(quote(inverse_gaussian(2 * p, 0.7))), function(data) {
    convolved(function(u) waiting_time(u, 2, 0.7), data)
  })
})

test_that("a Weibull input is one, rising or falling", {
  expect_follows(fed_by(quote(weibull_input(1.6, 2 * p))), function(data) {
    convolved(function(u) dweibull(u, 1.6, 2), data)
  })
  # Below 1 the rate is infinite at first.
  expect_follows(fed_by(quote(weibull_input(0.8, 2))), function(data) {
    convolved(function(u) dweibull(u, 0.8, 2), data)
  }, 1e-5)
})

test_that("first and zero order inputs are exact, alone and mixed, each with its lag", {
  expect_follows(fed_by(quote(first_order(0.9))), function(data) convolved(function(u) dexp(u, 0.9), data))
  expect_follows(fed_by(quote(zero_order(2.5))), function(data) {
    convolved(function(u) dunif(u, 0, 2.5), data, breaks = 2.5)
  })
  mixed <- quote(0.4 * zero_order(2.5 * q) + 0.6 * first_order(0.9 * p, lag = 1.2))
  expect_follows(fed_by(mixed), function(data) {
    0.4 * convolved(function(u) dunif(u, 0, 2.5), data, breaks = 2.5) +
      0.6 * convolved(function(u) dexp(u - 1.2, 0.9), data, breaks = 1.2)
  })
})

test_that("bioavailability and lag are those of the doses, wherever they are stated", {
  more <- list(quote(f(x) <- 0.8), quote(alag(x) <- 0.7 * p))
  for (input in list(quote(transit(2.7, 1.8)), quote(weibull_input(1.6, 1.8)))) {
    g <- if (input[[1L]] == "transit") {
      function(u) dgamma(u, 3.7, 3.7 / 1.8)
    } else {
      function(u) dweibull(u, 1.6, 1.8)
    }
    expect_follows(fed_by(input, more), function(data) convolved(g, data, f = 0.8, lag = 0.7))
  }
  expect_follows(fed_by(quote(0.5 * zero_order(2) + 0.5 * transit(2.7, 1.8)), more), function(data) {
    0.5 * convolved(function(u) dunif(u, 0, 2), data, f = 0.8, lag = 0.7, breaks = 2) +
      0.5 * convolved(function(u) dgamma(u, 3.7, 3.7 / 1.8), data, f = 0.8, lag = 0.7)
  })
})

test_that("elimination that is not linear follows deSolve", {
  skip_if_not_installed("deSolve")
  model <- fed_by(quote(transit(2.7, 1.8)), loss = quote(9 * x / (20 + x)))
  data <- records()
  wanted <- numeric(nrow(data))
  for (subject in 1:2) {
    here <- data$id == subject
    given <- if (subject == 1) cbind(c(0, 4, 10, 15, 20), c(100, 50, 30, 30, 30)) else cbind(1, 80)
    rate <- function(t, x, p) {
      list(sum(given[, 2L] * dgamma(t - given[, 1L], 3.7, 3.7 / 1.8)) - 9 * x / (20 + x))
    }
    times <- sort(unique(c(0, data$time[here])))
    known <- deSolve::ode(0, times, rate, NULL, rtol = 1e-11, atol = 1e-11, hmax = 0.05)
    wanted[here] <- known[match(data$time[here], known[, 1L]), 2L]
  }
  seen <- data$evid == 0
  expect_lt(max(abs(typical(model, data) - wanted)[seen]), 1e-5)
})

test_that("a reset takes what is still to come with it", {
  data <- records()
  reset <- transform(data[1L, ], id = 1, time = 5, amt = 0, addl = 0, ii = 0, evid = 3)
  data <- rbind(data, reset)
  data <- data[order(data$id, data$time), ]
  for (input in list(quote(transit(2.7, 1.8)), quote(zero_order(2.5)))) {
    found <- typical(fed_by(input), data)
    # The subject begins anew: as if earlier doses had not been.
    other <- subset(data, !(amt > 0 & time < 5 & id == 1))
    without <- typical(fed_by(input), other)
    after <- function(rows) rows$evid == 0 & (rows$time > 5 | rows$id == 2)
    expect_equal(found[after(data)], without[after(other)], tolerance = 1e-7)
  }
})

test_that("gradients are those of the convolution, jumps that move with a lag among them", {
  data <- records()
  seen <- data$evid == 0
  cases <- list(
    list(quote(transit(2 * p, 1.8 * q)), function(e) {
      shape <- 2 * exp(e[2]) + 1
      convolved(function(u) dgamma(u, shape, shape / (1.8 * exp(e[3]))), data, k = 0.3 * exp(e[1]))
    }, list()),
    list(quote(weibull_input(p, 2 * q)), function(e) {
      convolved(function(u) dweibull(u, exp(e[2]), 2 * exp(e[3])), data, k = 0.3 * exp(e[1]), lag = 0.7 * exp(e[3]))
    }, list(quote(alag(x) <- 0.7 * q))),
    list(quote(0.4 * zero_order(2.5 * q) + 0.6 * first_order(0.9 * p, 1.2 * q)), function(e) {
      d <- 2.5 * exp(e[3])
      l <- 1.2 * exp(e[3])
      0.4 * convolved(function(u) dunif(u, 0, d), data, breaks = d, k = 0.3 * exp(e[1])) +
        0.6 * convolved(function(u) dexp(u - l, 0.9 * exp(e[2])), data, breaks = l, k = 0.3 * exp(e[1]))
    }, list())
  )
  for (case in cases) {
    data$y <- case[[2L]](c(0, 0, 0)) + 0.3
    total <- function(e) sum(dnorm(data$y, case[[2L]](e), 0.5, log = TRUE)[seen])
    slope <- vapply(1:3, function(k) {
      at <- function(h) total(replace(numeric(3), k, h))
      (8 * (at(1e-3) - at(-1e-3)) - (at(2e-3) - at(-2e-3))) / 12e-3
    }, 0)
    got <- nlmers:::complete_log_density(fed_by(case[[1L]], case[[3L]]), data, random = list(matrix(0, 2, 3)))
    gap <- max(abs(colSums(got$gradient[[1L]]) - slope) / pmax(abs(slope), 1))
    expect_lt(gap, 1e-3, label = deparse(case[[1L]])[1L])
  }
})

test_that("a fit with transit compartments recovers what was drawn", {
  skip_on_cran()
  model <- nlme_model(
    fixed(lmtt = log(1.5), lk = log(0.3), n = positive(3), o = positive(c(0.3, 0.2)), s = positive(0.8)),
    random(c(e_mtt, e_k) ~ mvnormal(c(lmtt, lk), diag(c(o[1]^2, o[2]^2))) | id), {
      d/dt(x) <- transit(n, exp(e_mtt)) - exp(e_k) * x
      y ~ normal(x, s)
    }
  )
  design <- expand.grid(time = c(0.5, 1, 1.5, 2, 3, 4, 6, 8), id = 1:25)
  design <- rbind(transform(design, amt = 0), data.frame(time = 0, id = 1:25, amt = 50))
  drawn <- simulate(model, data = design, seed = 5)
  made <- fit_nlme(model, drawn, vem(), seed = 1, progress = FALSE)
  table <- made$parameters
  error <- sqrt(diag(vcov(made)))[table$name]
  expect_true(converged(made))
  expect_lt(max(abs(table$natural - table$start) / error), 3.5)
  # New data may have more doses than those of the fit.
  more <- data.frame(time = c(0, 2, 4, 5), id = 1, amt = c(50, 50, 50, 0))
  expect_true(all(is.finite(predict(made, more, level = 0))))
})

test_that("errors name the place of an input function and the doses it takes", {
  expect_equal(caught(fed_by(quote(transit(3))))$reason, "argument_count")
  error <- caught(nlme_model(fixed(a = 1, s = positive(1)), {
    u <- transit(a, 2)
    d/dt(x) <- u - x
    y ~ normal(x, s)
  }))
  expect_equal(error$reason, "input_outside_equation")
  expect_match(error$hint, "d/dt(depot) <- transit(n, mtt)", fixed = TRUE)
  infused <- transform(records(), rate = ifelse(amt > 0, 5, 0))
  expect_match(caught(typical(fed_by(quote(transit(3, 2))), infused))$problem, "come in by transit()", fixed = TRUE)
  steady <- transform(records(), ss = as.integer(amt == 50), ii = ifelse(amt == 50, 12, ii))
  expect_match(caught(typical(fed_by(quote(zero_order(2))), steady))$problem, "no steady state", fixed = TRUE)
  expect_equal(caught(fed_by(quote(zero_order(2 * x))))$reason, "not_of_subject")
  expect_equal(caught(fed_by(quote(first_order(2, delay = 1))))$reason, "unknown_argument")
})

test_that("a steady state of a first order input is that of a depot", {
  data <- transform(records(), ss = as.integer(amt == 50), ii = ifelse(amt == 50, 12, ii))
  depot <- nlme_model(
    fixed(m = 0, o = positive(0.3), s = positive(0.5)), random(e ~ normal(m, o) | id),
    ode_control(rtol = 1e-9, atol = 1e-11), {
      d/dt(depot) <- -0.9 * depot
      d/dt(x) <- 0.9 * depot - 0.3 * x
      y ~ normal(x + 0 * e, s)
    }
  )
  expect_equal(typical(fed_by(quote(first_order(0.9))), data), typical(depot, data), tolerance = 1e-6)
})
