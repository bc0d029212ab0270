# All that works on a fit, over the gallery of models: none stops, none forgets a number.

few_subjects <- function(data, n = 12) data[data$id %in% unique(data$id)[seq_len(n)], ]

# Draws of a case, its time under another name than models read.
gallery_draws <- function(case, own) {
  data <- few_subjects(case$data)
  data <- if (own) transform(data, y = x) else simulate(case$model, data = data, seed = 1)
  data$sim <- NULL
  names(data)[names(data) == "time"] <- "TIME"
  data
}

plotted <- c("normal", "categorical", "custom", "crossed", "event", "hmm")

test_that("every model of the gallery has all its verbs", {
  gallery <- whole_gallery()
  for (name in names(gallery)) {
    data <- gallery_draws(gallery[[name]], name == "custom")
    fit <- quick_fit(gallery[[name]]$model, data, method = saem(exploration = 30, smoothing = 30))
    expect_identical(failing_verbs(fit, data, name %in% plotted), character(), label = name)
  }
})

test_that("models of every kind have them when evaluated", {
  gallery <- whole_gallery()
  some <- c(
    "lognormal", "ordered", "custom", "censored", "effect_gamma", "cholesky", "nested", "simplex", "factor", "event",
    "hmm", "markov"
  )
  for (name in some) {
    data <- gallery_draws(gallery[[name]], name == "custom")
    fit <- evaluate_nlme(gallery[[name]]$model, data, seed = 1)
    expect_identical(failing_verbs(fit, data, FALSE), character(), label = name)
  }
})

two_outcomes <- function() {
  data <- dosed()
  more <- transform(data[data$EVID == 0, ], DV = 1 + DV / 2)
  data <- rbind(transform(data, DVID = "cp"), transform(more, DVID = "pd"))
  data[order(data$ID, data$TIME), ]
}
with_t <- function() {
  nlme_model(
    fixed(k = positive(0.1), v = positive(30), o = positive(0.2), sigma = positive(1)),
    random(eta ~ normal(0, o) | ID), {
      d/dt(central) <- -k * exp(eta) * central * (1 + 0.1 * exp(-t))
      DV ~ normal(central / v, sigma)
    }
  )
}

test_that("a time that equations read as `t` may have any name", {
  data <- dosed()
  fit <- quick_fit(with_t(), data)
  expect_false("t" %in% names(nlme::getData(fit)))
  expect_identical(failing_verbs(fit, data), character())
  # What is asked later is what is in the column, not a copy made before.
  later <- transform(nlme::getData(fit), TIME = TIME + 1)
  expect_equal(predict(fit, later), predict(fit, transform(data, TIME = TIME + 1)))
})

test_that("so may one that a model without equations reads", {
  model <- nlme_model(
    fixed(a = positive(8), k = positive(0.1), o = positive(0.2), sigma = positive(1)),
    random(eta ~ normal(0, o) | ID), {
      DV ~ normal(a * exp(eta - k * t), sigma)
    }
  )
  data <- dosed()
  data <- data[data$EVID == 0, ]
  fit <- quick_fit(model, data)
  expect_identical(failing_verbs(fit, data), character())
  moved <- transform(nlme::getData(fit), TIME = TIME + 2)
  expected <- with(c(nlme::fixef(fit), list()), a * exp(-k * moved$TIME))
  expect_equal(predict(fit, moved, level = 0), expected, tolerance = 1e-10)
})

test_that("several outcomes, doses and censored values have them", {
  data <- two_outcomes()
  model <- nlme_model(
    fixed(k = positive(0.1), v = positive(30), e0 = 1, o = positive(0.2), sigma = positive(1), s2 = positive(1)),
    random(eta ~ normal(0, o) | ID), {
      d/dt(central) <- -k * exp(eta) * central
      cp ~ normal(central / v, sigma)
      pd ~ normal(e0 + central / v * (1 - exp(-t)), s2)
    }
  )
  expect_identical(failing_verbs(quick_fit(model, data), data, FALSE), character())
  data <- transform(dosed(), CENS = as.numeric(!is.na(DV) & DV < 2))
  data$DV <- pmax(data$DV, 2)
  expect_identical(failing_verbs(quick_fit(with_t(), data), data, FALSE), character())
})

test_that("models without effects have them", {
  data <- dosed()
  model <- nlme_model(fixed(k = positive(0.1), v = positive(30), sigma = positive(1)), {
    d/dt(central) <- -k * central * (1 + 0.1 * exp(-t))
    DV ~ normal(central / v, sigma)
  })
  expect_identical(failing_verbs(quick_fit(model, data), data), character())
  expect_identical(failing_verbs(evaluate_nlme(model, data, seed = 1), data, FALSE), character())
})

test_that("models of other packages and formulas have them", {
  code <- function() {
    ini({
      tcl <- log(2.7)
      tv <- 3.45
      eta.cl ~ 0.1
      add.sd <- 0.7
    })
    model({
      cl <- exp(tcl + eta.cl)
      v <- exp(tv)
      d/dt(central) <- -cl / v * central * (1 + 0.1 * exp(-t))
      cp <- central / v
      cp ~ add(add.sd)
    })
  }
  data <- stats::setNames(dosed(), tolower(names(dosed())))
  expect_identical(failing_verbs(quick_fit(code, data), data, FALSE), character())
  own <- saemix_data(
    theo, name.group = "Subject", name.predictors = c("dose", "Time"), name.response = "conc", verbose = FALSE
  )
  expect_identical(failing_verbs(quick_fit(theo_saemix_model(), own), as.data.frame(own), FALSE), character())
  expect_identical(failing_verbs(quick_fit(theo_formula(), theo), theo, FALSE), character())
})

test_that("a fit is fitted again by update()", {
  data <- dosed()
  model <- with_t()
  fit <- suppressWarnings(fit_nlme(model, data, seed = 1, progress = FALSE))
  again <- suppressWarnings(stats::update(fit, data = nlme::getData(fit)))
  expect_equal(nlme::fixef(again), nlme::fixef(fit))
  known <- evaluate_nlme(data = data, start_from = fit, seed = 1)
  expect_equal(as.numeric(logLik(stats::update(known, start = c(k = 0.2)))),
               as.numeric(logLik(evaluate_nlme(model, data, start_from = fit, start = c(k = 0.2), seed = 1))))
})
