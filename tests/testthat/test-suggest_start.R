# Starting values beside least squares of the pooled data by nls().

suggested <- function(...) {
  # One thread: the time of the processor is that of a machine that does nothing else.
  time <- system.time(start <- suggest_start(...))[["user.self"]]
  expect_lt(time, 2)
  start
}

expect_nls <- function(formula, data, start, ...) {
  found <- suggested(formula, data, ...)
  by_nls <- stats::coef(stats::nls(formula, data, start = start))
  expect_equal(unlist(found[names(by_nls)]), by_nls, tolerance = 1e-2)
}

test_that("what stats knows of a self-starting model is the start", {
  expected <- stats::getInitial(height ~ SSasymp(age, Asym, R0, lrc), as.data.frame(Loblolly))
  start <- suggested(height ~ SSasymp(age, Asym, R0, lrc), Loblolly)
  expect_equal(unlist(start[names(expected)]), unlist(expected))
})

test_that("a curve written out is found without a start", {
  expect_nls(circumference ~ Asym / (1 + exp((xmid - age) / scal)), Orange, list(Asym = 190, xmid = 700, scal = 350))
  expect_nls(uptake ~ Asym * (1 - exp(-exp(lrc) * (conc - c0))), CO2, list(Asym = 32, lrc = -4.5, c0 = 50))
  expect_nls(
    conc ~ Dose * ka / (V * (ka - Cl / V)) * (exp(-Cl / V * Time) - exp(-ka * Time)), Theoph,
    list(ka = 1.5, V = 0.5, Cl = 0.04), transform = "log"
  )
  two <- conc ~ A1 * exp(-exp(lrc1) * time) + A2 * exp(-exp(lrc2) * time)
  pooled <- stats::nls(two, Indometh, start = list(A1 = 2.8, lrc1 = 0.9, A2 = 0.6, lrc2 = -1.1))
  # Either exponential may be the first.
  expect_equal(suggested(two, Indometh)$a, sqrt(mean(stats::residuals(pooled)^2)), tolerance = 1e-3)
})

test_that("the same data give the same values, and R's random numbers stay", {
  set.seed(1)
  before <- .Random.seed
  formula <- weight ~ Asym / (1 + exp((xmid - Time) / scal))
  expect_identical(suggest_start(formula, nlme::Soybean), suggest_start(formula, nlme::Soybean))
  expect_identical(.Random.seed, before)
})

dosed <- function() {
  theoph <- as.data.frame(Theoph)
  theoph$Subject <- as.character(theoph$Subject)
  doses <- theoph[!duplicated(theoph$Subject), ]
  rows <- rbind(
    data.frame(id = theoph$Subject, time = theoph$Time, amt = NA, conc = theoph$conc),
    data.frame(id = doses$Subject, time = 0, amt = doses$Dose, conc = NA)
  )
  rows[order(rows$id, rows$time, is.na(rows$amt)), ]
}
one_compartment <- function(start) {
  nlme_model(
    fixed(tka = !!start, tcl = !!start, tv = !!start, omega = positive(c(0.4, 0.1, 0.1)), sigma = positive(0.7)),
    random(eta ~ mvnormal(c(tka, tcl, tv), diag(omega)) | id),
    {
      ka <- exp(eta[1])
      cl <- exp(eta[2])
      v <- exp(eta[3])
      d/dt(depot) <- -ka * depot
      d/dt(central) <- ka * depot - cl / v * central
      conc ~ normal(central / v, sigma)
    }
  )
}

test_that("doses and areas say where a model of compartments starts", {
  closed <- stats::nls(
    conc ~ SSfol(Dose, Time, lKe, lKa, lCl), Theoph, start = list(lKe = -2.4, lKa = 0.5, lCl = -3.2)
  )
  theirs <- stats::coef(closed)
  expected <- c(
    tka = theirs[["lKa"]], tcl = theirs[["lCl"]], tv = theirs[["lCl"]] - theirs[["lKe"]]
  )
  for (start in c(0, 5)) {
    found <- suggested(one_compartment(start), dosed())
    expect_equal(unlist(found[names(expected)]), expected, tolerance = 0.01)
  }
  found <- suggested(conc ~ linear_compartments(cl = cl, v = v, ka = ka), dosed(), transform = "log")
  expect_equal(log(unlist(found[c("ka", "cl", "v")])), unname(expected), ignore_attr = TRUE, tolerance = 0.01)
})

test_that("a model with starts that lead nowhere gets better ones", {
  far <- nlme_formula(
    height ~ Asym + (R0 - Asym) * exp(-exp(lrc) * age), start = c(Asym = 1, R0 = 1, lrc = 1), random = Asym ~ 1 | Seed
  )
  by_nls <- stats::coef(stats::nls(height ~ SSasymp(age, Asym, R0, lrc), Loblolly))
  expect_equal(unlist(suggested(far, Loblolly)[names(by_nls)]), by_nls, tolerance = 1e-3)
})

test_that("the numbers of a curve are those of its formula", {
  k <- 0.2
  ka <- 1.1
  time <- seq(0, 40, 0.05)
  y <- 100 * ka / (5 * (ka - k)) * (exp(-k * time) - exp(-ka * time))
  numbers <- nlmers:::subject_numbers(c(0, time), c(NA, y), c(100, rep(NA, length(time))))
  expect_equal(numbers[["area"]], 100 / (5 * k), tolerance = 1e-3)
  expect_equal(numbers[["k"]], k, tolerance = 1e-3)
  expect_equal(nlmers:::absorption_rate(k, log(ka / k) / (ka - k)), ka, tolerance = 1e-4)
})

test_that("a fit without a start says where it starts", {
  growth <- circumference ~ Asym / (1 + exp((xmid - age) / scal))
  expect_message(
    fit <- fit_nlme(growth, Orange, random = Asym ~ 1 | Tree, seed = 1, progress = FALSE),
    "start = c(Asym = 193, xmid = 729, scal = 354", fixed = TRUE, class = "nlmers_message_start"
  )
  reference <- nlme::nlme(
    circumference ~ SSlogis(age, Asym, xmid, scal), Orange, fixed = Asym + xmid + scal ~ 1, random = Asym ~ 1,
    start = c(Asym = 192, xmid = 728, scal = 350)
  )
  expect_equal(as.numeric(logLik(fit)), as.numeric(logLik(reference)), tolerance = 1e-3)
})
