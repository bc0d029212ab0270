# Many compartments in linear equations: a circulation through organs, stiff or not, against lsoda.

# Arterial and venous blood, a lung, an absorbing gut and `n` organs with flows in L/h and volumes in L.
organs <- function(n, speed, ...) {
  flow <- 300 * seq_len(n) / sum(seq_len(n))
  volume <- rep(c(0.3, 1, 3, 10, 25, 0.1), length.out = n) / speed
  organ <- sprintf("o%d", seq_len(n))
  out <- sprintf("%.15g * %s / (%.15g * kp)", flow, organ, volume)
  inflow <- ifelse(seq_len(n) == 1L, sprintf(" + ka * gut - cl * o1 / (%.15g * kp)", volume[1L]), "")
  code <- c(
    "d/dt(gut) <- -ka * gut",
    paste("d/dt(venous) <-", paste(out, collapse = " + "), "- 300 * venous / vb"),
    "d/dt(lung) <- 300 * venous / vb - 300 * lung / 0.5",
    "d/dt(arterial) <- 300 * lung / 0.5 - 300 * arterial / 1.7",
    sprintf("d/dt(%s) <- %.15g * arterial / 1.7 - %s%s", organ, flow, out, inflow)
  )
  text <- c(
    "{", "ka <- exp(lka)", "cl <- exp(lcl + eta[1])", "vb <- exp(lvb)", "kp <- exp(lkp + eta[2])", code,
    "y ~ normal(venous / vb, prop(sigma))", "}"
  )
  model <- eval(bquote(nlme_model(
    fixed(
      lka = 0, lcl = log(4), lvb = log(3.5), lkp = log(1.5), omega = positive(c(0.3, 0.3)), sigma = positive(0.1)
    ),
    random(eta ~ mvnormal(c(0, 0), diag(omega^2)) | id),
    ode_control(..(list(...))),
    .(parse(text = text)[[1L]])
  ), splice = TRUE))
  at <- function(k) 4L + k
  a <- matrix(0, n + 4L, n + 4L)
  move <- function(from, to, rate) {
    a[from, from] <<- a[from, from] - rate
    if (to > 0L) a[to, from] <<- a[to, from] + rate
  }
  move(1L, at(1L), 1)
  move(2L, 3L, 300 / 3.5)
  move(3L, 4L, 300 / 0.5)
  for (k in seq_len(n)) {
    move(4L, at(k), flow[k] / 1.7)
    move(at(k), 2L, flow[k] / (1.5 * volume[k]))
  }
  move(at(1L), 0L, 4 / (1.5 * volume[1L]))
  list(model = model, matrix = a)
}

test_that("organs of a body agree with lsoda, by steps and by their matrix, at doses of every kind", {
  skip_if_not_installed("deSolve")
  times <- c(0.05, 0.5, 2, 6, 11.9, 12.4, 18, 30, 48)
  kinds <- list(
    c(amt = 100, cmt = 1, rate = 0), c(amt = 50, cmt = 2, rate = 0), c(amt = 80, cmt = 2, rate = 20)
  )
  for (speed in c(1, 30)) {
    n <- if (speed == 1) 9L else 26L
    exact <- lapply(kinds, function(kind) {
      slope <- function(t, x, p) {
        inflow <- kind[["rate"]] * ((t < 4) + (t >= 12 && t < 16))
        list(drop(p %*% x) + inflow * (seq_along(x) == kind[["cmt"]]))
      }
      a <- organs(n, speed)$matrix
      x <- rep(0, n + 4L)
      ends <- list()
      for (part in list(c(0, 4), c(4, 12), c(12, 16), c(16, 48))) {
        if (kind[["rate"]] == 0 && part[1L] %in% c(0, 12)) x[kind[["cmt"]]] <- x[kind[["cmt"]]] + kind[["amt"]]
        at <- sort(unique(c(part, times[times > part[1L] & times < part[2L]])))
        # No step crosses a change of what flows in.
        path <- deSolve::lsoda(x, at, function(t, x, p) slope(part[1L], x, p), a, rtol = 1e-10, atol = 1e-12)
        ends <- c(ends, list(path[path[, 1L] %in% times, c(1L, 3L), drop = FALSE]))
        x <- path[nrow(path), -1L]
      }
      all <- unique(do.call(rbind, ends))
      all[order(all[, 1L]), 2L] / 3.5
    })
    data <- do.call(rbind, lapply(seq_along(kinds), function(i) {
      doses <- data.frame(id = i, time = c(0, 12), t(kinds[[i]]))
      rbind(doses, data.frame(id = i, time = times, amt = NA, cmt = NA, rate = NA))
    }))
    for (solver in c("auto", "stiff")) {
      found <- predict(organs(n, speed, solver = solver)$model, data)
      found <- split(found[is.na(data$amt)], data$id[is.na(data$amt)])
      for (i in seq_along(kinds)) {
        tolerance <- if (solver == "stiff") 1e-8 else 1e-5
        expect_equal(found[[i]], exact[[i]], tolerance = tolerance, info = c(speed, solver, i))
      }
    }
  }
})

test_that("likelihood and modes of a stiff circulation are those of implicit steps, without any", {
  data <- expand.grid(time = c(0, 0.25, 1, 4, 12), id = 1:3)
  data$amt <- ifelse(data$time == 0, 100, 0)
  data <- simulate(organs(3L, 20)$model, seed = 3, data = data)
  data$y[data$time == 0] <- NA
  evaluated <- function(...) evaluate_nlme(organs(3L, 20, ...)$model, data, seed = 1, threads = 1)
  by_matrix <- evaluated()
  expect_match(by_matrix$equations$solver, "exponential of their matrix")
  expect_equal(by_matrix$equations$implicit_steps, 0)
  by_steps <- evaluated(linear = FALSE, solver = "stiff", rtol = 1e-8, atol = 1e-10)
  expect_gt(by_steps$equations$implicit_steps, 0)
  expect_equal(c(logLik(by_matrix)), c(logLik(by_steps)), tolerance = 1e-5)
  expect_equal(ranef(by_matrix), ranef(by_steps), tolerance = 1e-3)
})
