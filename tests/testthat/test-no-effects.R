fit_direct <- function(model, data, method = saem(), ...) {
  fit_nlme(model, data = data, method = method, seed = 1, progress = FALSE, ...)
}

# Estimates, SEs and log-likelihood of a fit against those of another program.
expect_same_fit <- function(fit, estimates, se, log_lik, tolerance = 1e-5, of_se = 1e-3) {
  expect_equal(fit$status$code, "converged")
  found <- c(fixef(fit), sigma(fit))[names(estimates)]
  expect_lt(max(abs(found / estimates - 1)), tolerance)
  expect_lt(max(abs(sqrt(diag(vcov(fit)))[names(se)] / se - 1)), of_se)
  expect_lt(abs(as.numeric(logLik(fit)) - log_lik), 1e-5 * (1 + abs(log_lik)))
}

cars_model <- nlme_model(fixed(a = 0, b = 1, s = positive(10)), dist ~ normal(a + b * speed, s))

test_that("a line is that of lm(), by either method", {
  known <- lm(dist ~ speed, cars)
  n <- nrow(cars)
  s <- sqrt(sum(resid(known)^2) / n)
  for (method in list(saem(), vem())) {
    fit <- fit_direct(cars_model, cars, method)
    ml <- sqrt((n - 2) / n)
    expect_same_fit(
      fit, c(a = coef(known)[[1L]], b = coef(known)[[2L]], s = s),
      c(a = ml * sqrt(vcov(known)[1L, 1L]), b = ml * sqrt(vcov(known)[2L, 2L]), s = s / sqrt(2 * n)),
      as.numeric(logLik(known))
    )
    expect_equal(AIC(fit), AIC(known))
    expect_equal(BIC(fit), BIC(known))
    expect_equal(nobs(fit), n)
  }
})

test_that("curves are those of nls(), from starts that are far off", {
  starts <- list(c(200, 0.05), c(600, 0.15), c(70, 0.02), c(600, 0.02), c(70, 0.15))
  treated <- subset(datasets::Puromycin, state == "treated")
  known <- nls(rate ~ Vm * conc / (K + conc), treated, start = list(Vm = 200, K = 0.05))
  n <- nrow(treated)
  for (start in starts) {
    fit <- fit_direct(
      rate ~ Vm * conc / (K + conc), treated, start = c(Vm = start[1L], K = start[2L]), error = add(s = 10)
    )
    expect_equal(fit$status$code, "converged")
    expect_lt(max(abs(fixef(fit) / coef(known) - 1)), 1e-4)
    expect_equal(as.numeric(logLik(fit)), as.numeric(logLik(known)), tolerance = 1e-7)
    expect_equal(unname(sigma(fit)), sqrt(deviance(known) / n), tolerance = 1e-5)
  }
  growth <- subset(datasets::ChickWeight, Chick == 1)
  known <- nls(weight ~ SSlogis(Time, Asym, xmid, scal), growth)
  for (off in c(1, 1 / 3, 3)) {
    start <- c(Asym = 900, xmid = 35, scal = 11) * off
    fit <- fit_direct(
      weight ~ Asym / (1 + exp(-(Time - xmid) / scal)), growth, start = start, transform = "log", error = add(s = 10)
    )
    expect_lt(max(abs(fixef(fit) / coef(known)[names(fixef(fit))] - 1)), 1e-3)
    expect_equal(as.numeric(logLik(fit)), as.numeric(logLik(known)), tolerance = 1e-7)
  }
})

test_that("counts and cases are those of glm()", {
  breaks <- transform(datasets::warpbreaks, b = as.numeric(wool == "B"), m = as.numeric(tension == "M"),
                      h = as.numeric(tension == "H"))
  known <- glm(breaks ~ b + m + h, poisson, breaks)
  model <- nlme_model(fixed(k = 1, kb = 0, km = 0, kh = 0), breaks ~ poisson(exp(k + kb * b + km * m + kh * h)))
  names <- c("k", "kb", "km", "kh")
  expect_same_fit(
    fit_direct(model, breaks), setNames(coef(known), names), setNames(sqrt(diag(vcov(known))), names),
    as.numeric(logLik(known))
  )
  known <- glm(case ~ spontaneous + induced, binomial, datasets::infert, control = list(epsilon = 1e-12))
  model <- nlme_model(fixed(k = 0, ks = 0, ki = 0), case ~ bernoulli(plogis(k + ks * spontaneous + ki * induced)))
  fit <- fit_direct(model, datasets::infert, vem())
  names <- c("k", "ks", "ki")
  expect_same_fit(
    fit, setNames(coef(known), names), setNames(sqrt(diag(vcov(known))), names), as.numeric(logLik(known))
  )
  expect_equal(unname(predict(fit)), unname(fitted(known)), tolerance = 1e-5)
})

test_that("times to events are those of survreg()", {
  skip_if_not_installed("survival")
  lung <- subset(survival::lung, !is.na(time))
  data <- data.frame(time = lung$time, dead = lung$status - 1, sex = lung$sex - 1)
  known <- survival::survreg(survival::Surv(time, dead) ~ sex, data)
  model <- nlme_model(
    fixed(scale = positive(100), shape = positive(1), b = 0),
    dead ~ event(shape / (scale * exp(b * sex)) * (t / (scale * exp(b * sex)))^(shape - 1))
  )
  fit <- fit_direct(model, data, time = "time")
  expect_equal(fit$status$code, "converged")
  expect_equal(
    unname(fixef(fit)), unname(c(exp(coef(known)[1L]), 1 / known$scale, coef(known)[2L])), tolerance = 1e-4
  )
  errors <- sqrt(diag(vcov(fit, scale = "transformed")))
  expect_equal(unname(errors), unname(sqrt(diag(vcov(known)))[c(1L, 3L, 2L)]), tolerance = 1e-3)
})

test_that("ordered categories are those of polr()", {
  skip_if_not_installed("MASS")
  housing <- MASS::housing
  known <- MASS::polr(Sat ~ Infl, housing, weights = Freq, Hess = TRUE)
  data <- housing[rep(seq_len(nrow(housing)), housing$Freq), ]
  data <- data.frame(sat = as.numeric(data$Sat), m = as.numeric(data$Infl == "Medium"),
                     h = as.numeric(data$Infl == "High"))
  model <- nlme_model(
    fixed(c1 = -1, gap = positive(1), bm = 0, bh = 0), sat ~ ordered(bm * m + bh * h, c(c1, c1 + gap))
  )
  fit <- fit_direct(model, data)
  wanted <- c(known$zeta[[1L]], diff(known$zeta), coef(known))
  expect_equal(unname(fixef(fit)), unname(wanted), tolerance = 1e-4)
  expect_equal(sqrt(diag(vcov(fit)))[c("bm", "bh")], sqrt(diag(vcov(known)))[1:2], tolerance = 1e-3, ignore_attr = TRUE)
})

oral <- function() {
  nlme_model(
    fixed(ka = positive(4.5), cl = positive(0.015), v = positive(1), s = positive(1)),
    {
      d / dt(depot) <- -ka * depot
      d / dt(central) <- ka * depot - cl / v * central
      conc ~ normal(central / v, s)
    }
  )
}

dosed <- function(subjects) {
  rows <- subset(as.data.frame(datasets::Theoph), Subject %in% subjects & Time > 0)
  rows <- data.frame(subject = as.numeric(as.character(rows$Subject)), time = rows$Time, conc = rows$conc,
                     amt = 0, dose = rows$Dose)
  first <- rows[!duplicated(rows$subject), ]
  first <- transform(first, time = 0, conc = NA, amt = dose)
  rows <- rbind(first, rows)
  rows[order(rows$subject, rows$time), ]
}

test_that("equations with doses are fitted to one subject and to several", {
  curve <- function(dose, time, ka, cl, v) dose * ka / (v * ka - cl) * (exp(-cl / v * time) - exp(-ka * time))
  for (subjects in list("1", c("1", "2", "5"))) {
    data <- dosed(subjects)
    plain <- subset(data, amt == 0)
    known <- nls(
      conc ~ curve(dose, time, exp(lka), exp(lcl), exp(lv)), plain,
      start = list(lka = log(1.5), lcl = log(0.04), lv = log(0.5)), control = list(tol = 1e-8, scaleOffset = 1)
    )
    fit <- if (length(subjects) == 1L) fit_direct(oral(), data) else fit_direct(oral(), data, id = "subject")
    expect_equal(fit$status$code, "converged")
    expect_equal(unname(fixef(fit)), unname(exp(coef(known))), tolerance = 1e-3)
    minus <- function(p) {
      -sum(dnorm(plain$conc, curve(plain$dose, plain$time, exp(p[1L]), exp(p[2L]), exp(p[3L])), exp(p[4L]), log = TRUE))
    }
    known_errors <- sqrt(diag(solve(optimHess(log(c(fixef(fit), sigma(fit))), minus))))
    errors <- sqrt(diag(vcov(fit, scale = "transformed")))
    expect_equal(unname(errors), unname(known_errors), tolerance = 1e-3)
    expect_equal(as.numeric(logLik(fit)), as.numeric(logLik(known)), tolerance = 1e-5)
    expect_s3_class(plot(fit), "ggplot")
  }
})

test_that("units of the outcome and parameters that start at 0 do not matter", {
  for (unit in c(1e-6, 1e6)) {
    data <- transform(cars, dist = dist * unit)
    known <- lm(dist ~ speed, data)
    model <- nlme_model(fixed(a = 0, b = 0, s = positive(1)), dist ~ normal(a + b * speed, s))
    fit <- fit_direct(model, data)
    expect_equal(fit$status$code, "converged")
    expect_lt(max(abs(fixef(fit) / coef(known) - 1)), 1e-5)
  }
})

test_that("what the data do not tell apart is said", {
  model <- nlme_model(fixed(a = 0, b = 1, c = 1, s = positive(10)), dist ~ normal(a + b * c * speed, s))
  fit <- suppressWarnings(fit_direct(model, cars))
  expect_equal(fit$status$code, "stalled")
  expect_match(paste(fit$status$evidence, collapse = " "), "`b`, `c`")
  expect_true(all(is.na(diag(vcov(fit))[c("b", "c")])))
})

test_that("every method of a fit works without random effects", {
  fit <- fit_direct(cars_model, cars)
  known <- lm(dist ~ speed, cars)
  expect_equal(predict(fit), unname(fitted(known)), tolerance = 1e-6)
  new <- data.frame(speed = c(5, 30))
  expect_equal(predict(fit, new), unname(predict(known, new)), tolerance = 1e-6)
  expect_equal(predict(fit, new, level = 0), predict(fit, new))
  expect_equal(residuals(fit), unname(resid(known)), tolerance = 1e-6)
  expect_equal(residuals(fit, "iwres"), unname(resid(known)) / sigma(fit)[[1L]], tolerance = 1e-6)
  made <- simulate(fit, nsim = 200, seed = 1, newdata = data.frame(speed = 10))
  expect_named(made, c("sim", "speed", "dist"))
  expect_lt(abs(mean(made$dist) - predict(fit, data.frame(speed = 10))), 4 * sigma(fit) / sqrt(200))
  expect_equal(nrow(simulate(fit, nsim = 2, seed = 1)), 100L)
  expect_equal(coef(fit), fixef(fit))
  expect_equal(dim(ranef(fit)), c(0L, 0L))
  expect_equal(nrow(VarCorr(fit)), 0L)
  expect_output(print(VarCorr(fit)), "no random effects")
  expect_error(conditional_samples(fit), "no random effects", class = "nlmers_error_option")
  expect_error(elbo(fit), "no random effects", class = "nlmers_error_option")
  bounds <- confint(fit, level = 0.9)
  reach <- qt(0.95, 48) * sqrt(diag(vcov(fit)))[1:2]
  expect_equal(bounds[1:2, 2L], fixef(fit) + reach, ignore_attr = TRUE)
  expect_equal(tidy(fit)$term, c("a", "b", "s"))
  expect_equal(nrow(tidy(fit, effects = "ran_vals")), 0L)
  expect_equal(glance(fit)$ngrps, 0L)
  expect_equal(glance(fit)$logLik, as.numeric(logLik(known)), tolerance = 1e-8)
  expect_equal(nrow(augment(fit)), 50L)
  expect_true(all(health(fit)$status == "ok"))
  expect_equal(sum(health(fit, by = "subject")$log_lik), as.numeric(logLik(fit)))
  for (type in c("fits", "observed", "trace", "convergence")) expect_s3_class(plot(fit, type), "ggplot")
  expect_equal(unique(as.character(plot_data(fit)$series)), c("observed", "population"))
  for (method in c("quadrature", "importance", "laplace", "linear", "conditional")) {
    expect_equal(as.numeric(logLik(fit, method = method)), as.numeric(logLik(fit)))
  }
  expect_equal(objective(fit), as.numeric(logLik(fit)))
  expect_false(notes(fit)$closed_form_mstep_used)
  expect_equal(unique(mstep_routes(fit)$route), "newton")
  expect_output(print(summary(fit)), "maximum likelihood")
})

test_that("standard errors that hold when the model does not", {
  fit <- fit_direct(cars_model, cars)
  known <- lm(dist ~ speed, cars)
  x <- model.matrix(known)
  bread <- solve(crossprod(x))
  white <- bread %*% crossprod(x * resid(known)) %*% bread
  expect_equal(vcov(fit, method = "sandwich")[1:2, 1:2], white, tolerance = 1e-4, ignore_attr = TRUE)
  expect_equal(
    vcov(fit_direct(cars_model, cars, vem(se = "sandwich")))[1:2, 1:2], white, tolerance = 1e-4, ignore_attr = TRUE
  )
  expect_equal(vcov(fit, method = "linear"), vcov(fit), tolerance = 1e-3, ignore_attr = TRUE)
})

test_that("a fit says that the model has no random effects", {
  expect_snapshot(print(fit_direct(cars_model, cars)))
  expect_snapshot(cars_model)
  by_vem <- fit_direct(dist ~ a + b * speed, cars, vem(), start = c(a = 0, b = 1), error = add(s = 1))
  expect_snapshot(summary(by_vem)$routes)
})

test_that("rows belong to the subjects of `id`, of a column called so, or to none", {
  data <- transform(cars, ID = rep(1:10, 5))
  expect_equal(fit_direct(cars_model, data)$n_subjects, 10L)
  data$who <- rep(1:5, 10)
  expect_equal(fit_direct(cars_model, data, id = "who")$n_subjects, 5L)
  expect_equal(fit_direct(cars_model, cars)$n_subjects, 50L)
  expect_error(fit_direct(cars_model, cars, id = "who"), class = "nlmers_error_data")
})

test_that("wrong data and options are told", {
  expect_error(fit_direct(cars_model, transform(cars, speed = NA)), "`speed` is missing", class = "nlmers_error_data")
  expect_error(fit_direct(cars_model, transform(cars, dist = NULL)), "`dist`", class = "nlmers_error_data")
  expect_error(
    fit_direct(cars_model, cars, checkpoint = tempfile()), "takes no iterations", class = "nlmers_error_option"
  )
  expect_error(
    fit_direct(dist ~ a + b * speed, cars, start = c(a = 0, b = 1), error = add(s = 1), correlated = TRUE),
    "there are none", class = "nlmers_error_option"
  )
  expect_error(fit_direct(cars_model, cars[0L, ]), class = "nlmers_error_data")
})

test_that("a model function of nlmixr2 needs no eta", {
  model <- as_nlme_model(function() {
    ini({
      a <- 0
      b <- 1
      s <- 10
    })
    model({
      mu <- a + b * speed
      mu ~ add(s)
    })
  })
  data <- data.frame(TIME = seq_along(cars$speed), DV = cars$dist, speed = cars$speed)
  expect_equal(unname(fixef(fit_direct(model, data))), unname(coef(lm(dist ~ speed, cars))), tolerance = 1e-5)
})

test_that("effects whose SD is a small number do not hold the means where they start", {
  data <- transform(cars, id = rep(1:10, 5))
  known <- lm(dist ~ speed, cars)
  model <- nlme_model(
    fixed(a = 0, b = 1, s = positive(10)), random(e ~ normal(0, 1e-4) | id), dist ~ normal(a + b * speed + e, s)
  )
  for (method in list(saem(), vem())) {
    fit <- fit_direct(model, data, method)
    expect_equal(fit$status$code, "converged")
    expect_equal(unname(fixef(fit)), unname(coef(known)), tolerance = 1e-3)
    expect_equal(unname(sigma(fit)), sqrt(mean(resid(known)^2)), tolerance = 1e-3)
    errors <- sqrt(diag(vcov(fit)))[1:2]
    expect_equal(unname(errors), unname(sqrt(diag(vcov(known)) * 48 / 50)), tolerance = 0.01)
  }
})
