growth <- nlme_formula(
  circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
  start = c(Asym = 170, xmid = 700, scal = 350, omega_sd_Asym = 30), random = Asym ~ 1 | Tree,
  error = add(sigma = 8)
)

test_that("a model simulates from its starting values without a fit", {
  design <- data.frame(Tree = rep(1:400, each = 2), age = c(700, 1e6))
  made <- simulate(growth, nsim = 2, seed = 3, data = design)
  expect_named(made, c("sim", "Tree", "age", "circumference"))
  expect_equal(made$sim, rep(1:2, each = 800))
  expect_equal(made[c("Tree", "age")], rbind(design, design), ignore_attr = TRUE)
  late <- made$circumference[made$age == 1e6]
  # 800 draws of N(170, 30^2 + 8^2): mean within 4 of its standard errors, and so the SD.
  expect_lt(abs(mean(late) - 170), 4 * sqrt(964 / 800))
  expect_lt(abs(sd(late) - sqrt(964)), 4 * sqrt(964 / 1600))
  # Both rows of a tree share its random effect: correlation 30^2 / 2 / sqrt((15^2 + 64) * 964).
  early <- made$circumference[made$age == 700]
  expect_lt(abs(cor(early, late) - 450 / sqrt(289 * 964)), 0.06)
})

test_that("the same seed gives the same draws, and R's generator is left alone", {
  design <- data.frame(Tree = rep(1:3, each = 2), age = c(500, 1000))
  set.seed(1)
  before <- .Random.seed
  first <- simulate(growth, seed = 5, data = design)
  expect_identical(.Random.seed, before)
  expect_identical(simulate(growth, seed = 5, data = design), first)
  expect_false(identical(simulate(growth, seed = 6, data = design)$circumference, first$circumference))
  expect_equal(attr(first, "seed"), 5)
})

test_that("a missing outcome stays missing, an absent one is drawn everywhere", {
  partly <- orange
  partly$circumference[c(2, 9)] <- NA
  made <- simulate(growth, nsim = 2, seed = 1, data = partly)
  expect_equal(which(is.na(made$circumference)), c(2L, 9L, 37L, 44L))
  partly$circumference <- NULL
  expect_false(anyNA(simulate(growth, seed = 1, data = partly)$circumference))
})

test_that("a fit simulates from its estimates", {
  fit <- suppressWarnings(fit_orange(method = short_saem(), seed = 1))
  made <- simulate(fit, nsim = 3, seed = 2)
  expect_equal(nrow(made), 105L)
  far <- simulate(fit, nsim = 300, seed = 2, newdata = data.frame(Tree = 1:2, age = 1e6))
  spread <- sqrt(VarCorr(fit)$variance + sigma(fit)^2)
  expect_lt(abs(mean(far$circumference) - fixef(fit)[["Asym"]]), 4 * spread / sqrt(600))
})

test_that("counts are drawn as counts", {
  made <- simulate(counts(), seed = 1, data = data.frame(subject = rep(1:500, each = 2)), start = c(lambda = 4))
  expect_true(all(made$y >= 0 & made$y == round(made$y)))
  # E y = 4 exp(1/2), with variance of the mean over 500 subjects below (4^2 (e^2 - e) + 4 e^0.5 / 2) / 500.
  expect_lt(abs(mean(made$y) - 4 * exp(0.5)), 4 * sqrt((16 * (exp(2) - exp(1)) + 2 * exp(0.5)) / 500))
})

test_that("a model of saemix simulates after it is joined with its data", {
  data <- theo_saemix_data()
  made <- simulate(as_nlme_model(theo_saemix_model(), data), nsim = 2, seed = 1, data = as.data.frame(data))
  expect_equal(dim(made), c(240L, 5L))
  expect_false(anyNA(made$conc))
})

test_that("wrong arguments are refused", {
  expect_equal(caught(simulate(growth))$reason, "missing_argument")
  expect_equal(caught(simulate(growth, nsim = 0, data = orange))$reason, "bad_option")
  expect_equal(caught(simulate(growth, data = orange, start = c(Asim = 1)))$hint, "Did you mean `Asym`?")
  expect_equal(caught(simulate(growth, data = orange[-2]))$reason, "unknown_symbol")
  expect_equal(caught(simulate(growth, data = orange, nsims = 3))$hint, "Did you mean `nsim`?")
})

test_that("an outcome that is missing in all rows is drawn, as one without a column is", {
  model <- nlme_model(fixed(a = 10, o = positive(1), s = positive(0.1)), random(e ~ normal(0, o) | id), {
    y ~ normal(a + e, s)
  })
  design <- data.frame(id = rep(1:3, each = 4), time = rep(0:3, 3))
  absent <- simulate(model, seed = 1, data = design)
  expect_equal(simulate(model, seed = 1, data = transform(design, y = NA))$y, absent$y)
  expect_false(anyNA(absent$y))
  some <- simulate(model, seed = 1, data = transform(design, y = c(NA, rep(1, 11))))
  expect_equal(which(is.na(some$y)), 1L)
})

test_that("outcomes in one column are drawn in their own rows, doses hold none", {
  model <- nlme_model(
    fixed(k = positive(0.1), v = positive(10), o = positive(0.2), s = positive(0.01)), random(e ~ normal(0, o) | ID), {
      d/dt(central) <- -k * exp(e) * central
      cp ~ normal(central / v, s)
      pd ~ normal(100 + central / v, s)
    }
  )
  design <- data.frame(
    ID = rep(1:2, each = 5), TIME = rep(c(0, 1, 1, 2, 2), 2), AMT = rep(c(100, 0, 0, 0, 0), 2),
    EVID = rep(c(1, 0, 0, 0, 0), 2), DVID = rep(c("cp", "cp", "pd", "cp", "pd"), 2)
  )
  for (data in list(design, transform(design, DV = NA))) {
    drawn <- simulate(model, seed = 1, data = data)
    expect_equal(is.na(drawn$DV), design$EVID == 1)
    expect_equal(drawn$DV > 50, ifelse(design$EVID == 1, NA, design$DVID == "pd"))
    expect_equal(is.na(drawn$cp), design$EVID == 1 | design$DVID == "pd")
  }
})

test_that("what the user calls dv is drawn there", {
  model <- as_nlme_model(function() {
    ini({
      ta <- 3
      eta.a ~ 0.1
      add.sd <- 0.1
    })
    model({
      a <- exp(ta + eta.a)
      a ~ add(add.sd)
    })
  })
  drawn <- simulate(model, seed = 1, data = data.frame(id = 1:4, time = 0, dv = NA))
  expect_named(drawn, c("sim", "id", "time", "dv"))
  expect_false(anyNA(drawn$dv))
})

test_that("a density of one's own says that nothing can be drawn", {
  model <- nlme_model(fixed(a = 10, o = positive(1)), random(e ~ normal(0, o) | id), {
    y ~ custom(-(y - a - e)^2)
  })
  expect_equal(caught(simulate(model, data = data.frame(id = 1:3)))$reason, "not_drawable")
})

test_that("draws of several outcomes in one column DV can be fitted again as they came", {
  two <- nlme_model(
    fixed(k = positive(0.3), s = positive(0.5)), random(eta ~ normal(0, 0.2) | id),
    {
      d/dt(a) <- -k * exp(eta) * a
      cp ~ normal(a, s)
      effect ~ normal(100 - a, s)
    }
  )
  d <- data.frame(
    id = rep(1:4, each = 5), time = c(0, 1, 1, 2, 2), amt = c(10, 0, 0, 0, 0), evid = c(1, 0, 0, 0, 0),
    DV = c(NA, 7, 92, 5, 95), DVID = c(NA, "cp", "effect", "cp", "effect")
  )
  for (data in list(d, transform(d, DVID = NULL, cmt = c(1, 2, 3, 2, 3)), transform(d, dv = DV, DV = NULL))) {
    fit <- suppressWarnings(fit_nlme(two, data, seed = 1))
    drawn <- simulate(fit, seed = 2)
    expect_true(all(names(data) %in% names(drawn)))
    value <- intersect(c("DV", "dv"), names(data))
    expect_equal(is.na(drawn[[value]]), is.na(data[[value]]))
    expect_false(any(drawn[[value]] == data[[value]], na.rm = TRUE))
    # In the columns of the data alone, without those of the outcomes.
    again <- suppressWarnings(fit_nlme(two, drawn[names(data)], seed = 1))
    expect_equal(again$n_obs, fit$n_obs)
    by_outcome <- suppressWarnings(fit_nlme(two, drawn[setdiff(names(drawn), c("DV", "dv", "DVID"))], seed = 1))
    expect_equal(as.numeric(logLik(again)), as.numeric(logLik(by_outcome)), tolerance = 1e-8)
  }
})
