# What a model asks of doses, records of RxODE, and models to simulate from.

doses <- data.frame(
  ID = rep(1:2, each = 7), TIME = rep(c(0, 1, 2, 2, 3, 4.5, 6), 2),
  AMT = c(0, 100, 0, 40, 0, 0, 0, 0, 50, 0, 20, 0, 0, 0), EVID = rep(c(0, 1, 0, 1, 0, 0, 0), 2), CMT = 1
)

test_that("podo() and tad() are those of the last dose, also between records", {
  model <- as_nlme_model(function() {
    ini({
      k <- 0.3
    })
    model({
      cp <- podo(auc) * exp(-k * tad(auc))
      d/dt(auc) <- cp
      f(auc) <- 0
      n <- dosenum()
      since <- tafd()
    })
  })
  drawn <- simulate(model, seed = 1, data = doses)
  last <- list(c(100, 40, 1, 2), c(50, 20, 1, 2))
  for (id in 1:2) {
    # Rows of doses have no outcome.
    here <- drawn[drawn$ID == id, ]
    expect_equal(is.na(here$DV_cp), here$EVID == 1)
    d <- last[[id]]
    time <- here$TIME
    seen <- here$EVID == 0
    second <- cumsum(here$AMT > 0) == 2
    given <- cumsum(here$AMT > 0)
    cp <- ifelse(given == 0, 0, ifelse(second, d[2] * exp(-0.3 * (time - 2)), d[1] * exp(-0.3 * (time - 1))))
    expect_equal(here$DV_cp[seen], (cp)[seen])
    # The integral of what was given, piece by piece.
    part <- function(dose, length) dose * (1 - exp(-0.3 * length)) / 0.3
    auc <- ifelse(given == 0, 0, ifelse(second, part(d[1], 1) + part(d[2], time - 2), part(d[1], time - 1)))
    expect_equal(here$DV_auc[seen], auc[seen], tolerance = 1e-5)
    expect_equal(here$DV_n[seen], (given)[seen])
    expect_equal(here$DV_since[seen], (time - c(0, 1)[(given > 0) + 1])[seen])
  }
  more <- caught(simulate(model, seed = 1, data = transform(doses, ADDL = 2, II = 1)))
  expect_equal(more$reason, "additional_doses")
})

one_cmt <- function() {
  ini({
    lcl <- 0
    lv <- 1
  })
  model({
    cl <- exp(lcl)
    v <- exp(lv)
    d/dt(depot) <- -depot
    d/dt(central) <- depot - cl / v * central
    cp <- central / v
  })
}

test_that("a model without endpoints is simulated, and not fitted", {
  model <- as_nlme_model(one_cmt)
  data <- data.frame(id = 1, time = c(0, 0:5), amt = c(10, rep(0, 6)), evid = c(1, rep(0, 6)))
  drawn <- simulate(model, seed = 1, data = data)
  k <- 1 / exp(1)
  time <- data$time[-1]
  central <- 10 / (1 - k) * (exp(-k * time) - exp(-time))
  expect_equal(drawn$DV_central[-1], central, tolerance = 1e-5)
  expect_equal(drawn$DV_cp[-1], central * k, tolerance = 1e-5)
  expect_equal(drawn$DV_depot[-1], 10 * exp(-time), tolerance = 1e-5)
  error <- caught(fit_nlme(one_cmt, transform(data, DV = 1)))
  expect_equal(error$reason, "no_outcome")
  expect_match(error$problem, "nothing to fit")
})

test_that("records of RxODE mean what their numbers say", {
  model <- as_nlme_model(one_cmt)
  classic <- data.frame(
    id = 1, time = c(0, 0, 1, 2, 3, 4, 5), amt = c(10, 4, 0, -4, 0, 7, 0), evid = c(101, 10201, 0, 10201, 0, 201, 0)
  )
  modern <- data.frame(
    id = 1, time = classic$time, amt = c(10, 8, 0, 0, 0, 7, 0), evid = c(1, 1, 0, 2, 0, 1, 0),
    cmt = c(1, 2, 0, 2, 0, 2, 0), rate = c(0, 4, 0, 0, 0, 0, 0)
  )
  a <- simulate(model, seed = 1, data = classic)
  b <- simulate(model, seed = 1, data = modern)
  expect_equal(a$DV_central, b$DV_central)
  # An infusion of 4 an hour up to 2, then its decay.
  k <- 1 / exp(1)
  oral <- function(t) 10 / (1 - k) * (exp(-k * t) - exp(-t))
  infused <- 4 / k * (1 - exp(-2 * k))
  expect_equal(a$DV_central[5], oral(3) + infused * exp(-k), tolerance = 1e-5)
  expect_equal(caught(simulate(model, seed = 1, data = transform(classic, evid = 60101)))$reason, "bad_event")
  expect_equal(caught(simulate(model, seed = 1, data = classic[-4, ]))$reason, "bad_event")
})

test_that("names of compartments may be a factor", {
  model <- as_nlme_model(one_cmt)
  data <- data.frame(
    id = 1, time = c(0, 1, 2), amt = c(10, 0, 0), evid = c(1, 0, 0), cmt = factor(c("central", "cp", "cp"))
  )
  drawn <- simulate(model, seed = 1, data = data)
  expect_equal(drawn$DV_central[2:3], 10 * exp(-c(1, 2) / exp(1)), tolerance = 1e-5)
})

test_that("texts are numbers of their variable, and levels of a column", {
  model <- as_nlme_model(function() {
    ini({
      a <- 1
      b <- 10
    })
    model({
      if (crcl < 60) renal <- "impaired" else renal <- "normal"
      y <- ifelse(renal == "impaired", a, b) + 100 * (sex == "male")
      if (sex != "male") z <- 2
      w <- y + z
    })
  })
  data <- data.frame(id = 1:3, time = 0, crcl = c(50, 90, 50), sex = c("male", "female", "female"))
  drawn <- simulate(model, seed = 1, data = data)
  expect_equal(drawn$DV_y, c(101, 10, 1))
  expect_equal(drawn$DV_w, c(101, 12, 3))
})

test_that("cmt() gives compartments their numbers, and d/dt() of a state may be read", {
  model <- as_nlme_model(function() {
    ini({
      k <- 1
    })
    model({
      cmt(a)
      d/dt(b) <- -k * b
      d/dt(a) <- -d/dt(b)
    })
  })
  expect_equal(model$described$states, c("a", "b"))
  drawn <- simulate(model, seed = 1, data = data.frame(
    id = 1, time = c(0, 1), amt = c(3, 0), evid = c(1, 0), cmt = c(2, 0)
  ))
  expect_equal(drawn$DV_a[2], 3 * (1 - exp(-1)), tolerance = 1e-5)
})

test_that("linCmt() takes the volume at steady state", {
  model <- as_nlme_model(function() {
    ini({
      s <- 1
    })
    model({
      cl <- 2
      v <- 20
      vss <- 50
      q <- 3
      linCmt() ~ add(s)
    })
  })
  expect_equal(
    utils::tail(vapply(model$spec$statements, `[[`, "", "text"), 1),
    "DV ~ normal(linear_compartments(cl = cl, v = v, q = q, v2 = vss - v), s)"
  )
})

test_that("what has no counterpart is named with the nearest way", {
  refused <- function(line) {
    fn <- function() NULL
    body(fn) <- bquote({
      ini({
        a <- 1
      })
      model({
        y <- .(line)
      })
    })
    caught(as_nlme_model(fn))
  }
  expect_match(refused(quote(transit(3, a)))$hint, "podo()", fixed = TRUE)
  expect_match(refused(quote(time %% 24))$problem, "`%%`", fixed = TRUE)
  expect_match(refused(quote(floor(time)))$hint, "column of the data")
  expect_match(refused(quote(is.na(wt)))$hint, "Fill in")
  expect_match(refused(quote(rxnorm(0, 1)))$hint, "random effects")
  expect_match(refused(quote(delay(y, 2)))$problem, "`delay()`", fixed = TRUE)
  expect_match(refused(quote(mixest))$problem, "above the first")
})

test_that("EVID of RxODE are doses, infusions and compartments beyond 99", {
  read <- nlmers:::without_classic_events(data.frame(
    ID = 1, TIME = 0:5, EVID = c(101, 100201, 10201, 10201, 20101, 20101), AMT = c(1, 1, 2, -2, 8, -8)
  ))
  expect_equal(read$EVID, c(1, 1, 1, 2, 1, 2))
  expect_equal(read$CMT[c(1, 2, 3, 5)], c(1, 102, 2, 1))
  # The amount of a rate is what it gives until its end; that of a duration stands there.
  expect_equal(read$AMT, c(1, 1, 2, 0, 8, 0))
  expect_equal(read$RATE[c(3, 5)], c(2, 8))
  # Text is refused in our words, not coerced by R.
  expect_no_warning(error <- caught(nlmers:::without_classic_events(data.frame(
    ID = 1, TIME = 0:1, EVID = c(101, 0), AMT = c("1", "."), RATE = "."
  ))))
  expect_equal(error$reason, "not_numeric")
})
