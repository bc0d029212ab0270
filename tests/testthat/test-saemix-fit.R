# nolint start: object_name_linter. Names as in the documentation of saemix.

short <- list(seed = 1, nbiter.saemix = c(60, 40), displayProgress = FALSE, save = FALSE, save.graphs = FALSE)

test_that("theophylline is the model of the formula", {
  native <- nlme_formula(
    conc ~ one_compartment(dose, Time, ka, V, CL), start = c(ka = 1, V = 20, CL = 0.5), transform = "log",
    random = ka + V + CL ~ 1 | Subject
  )
  model <- theo_saemix_model()
  expect_same_model(model, theo_saemix_data(), native)
  fit <- suppressWarnings(fit_nlme(model, theo_saemix_data(), short))
  method <- saem(60, 40, sa_anneal_schedule = "rate")
  same <- suppressWarnings(fit_nlme(native, theo, method, seed = 1, progress = FALSE))
  expect_equal(fixef(fit), fixef(same), tolerance = 1e-6)
  expect_equal(as.numeric(logLik(fit)), as.numeric(logLik(same)), tolerance = 1e-6)
  expect_equal(fit$settings$seed, 1)
  expect_equal(fit$data$time, "dose")
})

test_that("covariates, covariances and fixed parameters mean what they mean in saemix", {
  data <- theo_saemix_data(name.covariates = c("Wt"), name.X = "Time")
  model <- saemix_model(
    model1cpt, matrix(c(1, 20, 0.5, 0, 0, -0.01), 2, byrow = TRUE, dimnames = list(NULL, c("ka", "V", "CL"))),
    transform.par = c(1, 1, 1), covariate.model = c(0, 0, 1), fixed.estim = c(1, 0, 1),
    covariance.model = matrix(c(1, 0, 0, 0, 1, 1, 0, 1, 1), 3), omega.init = diag(c(0.5, 0.2, 0.1)),
    error.model = "combined", error.init = c(0.5, 0.1), verbose = FALSE
  )
  joined <- as_nlme_model(model, data)
  native <- nlme_formula(
    conc ~ one_compartment(dose, Time, ka, V, CL),
    start = list(
      ka = 1, V = 20, CL = 0.5, beta_CL_Wt = -0.01, omega_sd_ka = sqrt(0.5), omega = c(0.2, 0, 0, 0.1)
    ),
    transform = "log", random = ka + V + CL ~ 1 | Subject, covariates = CL ~ Wt,
    correlated = matrix(c(1, 0, 0, 0, 1, 1, 0, 1, 1), 3), error = add_prop(a = 0.5, b = 0.1)
  )
  expect_same_model(model, data, native)
  expect_equal(joined$fix, list(V = 20))
  fit <- suppressWarnings(fit_nlme(model, data, short))
  expect_equal(fixef(fit)[["V"]], 20)
  expect_equal(fit$data$time, "Time")
})

test_that("starting covariances are those of saemix", {
  line <- function(psi, id, xidep) psi[id, 1] + psi[id, 2] * xidep[, 1]
  expect_equal(saemix_model(line, c(base = 140, slope = 0.5))$omega.init, diag(c(140^2, 1)))
  expect_equal(saemix_model(line, c(base = 140, slope = 2), transform.par = c(1, 0))$omega.init, diag(c(1, 4)))
})

test_that("growth of Oxford boys, a linear model with a full covariance", {
  oxboys <- as.data.frame(nlme::Oxboys)
  growth.linear <- function(psi, id, xidep) {
    x <- xidep[, 1]
    base <- psi[id, 1]
    slope <- psi[id, 2]
    f <- base + slope * x
    return(f)
  }
  model <- saemix_model(
    model = growth.linear, description = "Linear model", psi0 = psi_row(base = 140, slope = 1),
    transform.par = c(1, 0), covariance.model = matrix(1, 2, 2), error.model = "constant"
  )
  data <- saemix_data(
    oxboys, name.group = "Subject", name.predictors = "age", name.response = "height",
    units = list(x = "yr", y = "cm"), verbose = FALSE
  )
  native <- nlme_formula(
    height ~ base + slope * age, start = c(base = 140, slope = 1), transform = c(base = "log"),
    random = base + slope ~ 1 | Subject, correlated = TRUE
  )
  expect_same_model(model, data, native)
  expect_output(print(as_nlme_model(model, data)), "Linear model")
})

test_that("an Emax model with every kind of residual error", {
  emax <- function(psi, id, xidep) {
    dose <- xidep[, 1]
    e0 <- psi[id, 1]
    emax <- psi[id, 2]
    e50 <- psi[id, 3]
    f <- e0 + emax * dose / (e50 + dose)
    return(f)
  }
  dose <- rep(c(0, 10, 90), 8)
  pd <- data.frame(subject = rep(1:8, each = 3), dose = dose, response = 20 + dose / 2 + (1:24 %% 5))
  data <- saemix_data(pd, name.predictors = "dose", verbose = FALSE)
  errors <- list(
    constant = quote(normal(f, add(a))), proportional = quote(normal(f, prop(b))),
    combined = quote(normal(f, add_prop(a, b))), exponential = quote(lognormal(log(f), a))
  )
  for (kind in names(errors)) {
    model <- saemix_model(
      emax, psi_row(E0 = 20, Emax = 100, EC50 = 30), transform.par = c(1, 1, 1), error.model = kind,
      covariance.model = diag(c(1, 1, 0)), verbose = FALSE
    )
    residual <- lapply(intersect(c("a", "b"), all.names(errors[[kind]])), function(name) quote(positive(1)))
    names(residual) <- intersect(c("a", "b"), all.names(errors[[kind]]))
    native <- nlme_model(
      fixed(
        E0 = positive(20), Emax = positive(100), EC50 = positive(30), o1 = positive(1), o2 = positive(1), !!!residual
      ),
      random(u ~ normal(0, o1) | subject, v ~ normal(0, o2) | subject),
      {
        f <- E0 * exp(u) + Emax * exp(v) * dose / (EC50 + dose)
        response ~ !!errors[[kind]]
      }
    )
    expect_same_model(model, data, native)
  }
})

test_that("logistic growth of orange trees, with a parameter of its own name in the data", {
  logistic.model <- function(psi, id, xidep) {
    age <- xidep[, 1]
    lambda1 <- psi[id, 1]
    lambda2 <- psi[id, 2]
    lambda3 <- psi[id, 3]
    resp <- lambda1 / (1 + exp(-(age - lambda2) / lambda3))
    return(resp)
  }
  model <- saemix_model(
    logistic.model, psi_row(lambda1 = 200, lambda2 = 800, lambda3 = 400),
    covariance.model = diag(c(1, 0, 0)), omega.init = diag(c(900, 1, 1)), error.init = c(8, 0)
  )
  data <- saemix_data(
    orange, name.group = "Tree", name.predictors = "age", name.response = "circumference", verbose = FALSE
  )
  native <- nlme_formula(
    circumference ~ l1 / (1 + exp(-(age - l2) / l3)),
    start = c(l1 = 200, l2 = 800, l3 = 400, omega_sd_l1 = 30), random = l1 ~ 1 | Tree, error = add(sigma = 8)
  )
  expect_same_model(model, data, native)
  fit <- suppressWarnings(saemix(model, data, short))
  same <- suppressWarnings(fit_nlme(native, orange, saem(60, 40), seed = 1, progress = FALSE))
  expect_equal(unname(fixef(fit)), unname(fixef(same)), tolerance = 1e-5)
  expect_equal(fit$call[[1L]], quote(saemix))
})

test_that("a masked assignment holds where its condition does", {
  lagged <- function(psi, id, xidep) {
    tim <- xidep[, "Time"]
    lag <- 0.2
    ypred <- psi[id, "A"] * exp(-psi[id, "k"] * tim)
    late <- which(tim > 5)
    ypred[tim < lag] <- 0
    ypred[late] <- ypred[late] / 2
    ypred
  }
  model <- saemix_model(lagged, psi_row(A = 10, k = 0.1), transform.par = c(1, 1), verbose = FALSE)
  data <- saemix_data(
    theo, name.group = "Subject", name.predictors = "Time", name.response = "conc", verbose = FALSE
  )
  native <- nlme_model(
    fixed(A = positive(10), k = positive(0.1), o1 = positive(1), o2 = positive(1), a = positive(1)),
    random(u ~ normal(0, o1) | Subject, v ~ normal(0, o2) | Subject),
    {
      f <- A * exp(u) * exp(-k * exp(v) * Time)
      conc ~ normal(ifelse(Time > 5, ifelse(Time < 0.2, 0, f) / 2, ifelse(Time < 0.2, 0, f)), a)
    }
  )
  expect_same_model(model, data, native)
})

test_that("records below the limit of quantification are censored", {
  limited <- transform(theo, blq = as.numeric(conc < 2), conc = pmax(conc, 2))
  data <- saemix_data(
    limited, name.group = "Subject", name.predictors = c("dose", "Time"), name.response = "conc", name.cens = "blq",
    verbose = FALSE
  )
  native <- nlme_model(
    fixed(
      ka = positive(1), V = positive(20), CL = positive(0.5), o1 = positive(1), o2 = positive(1), o3 = positive(1),
      a = positive(1)
    ),
    random(u ~ normal(0, o1) | Subject, v ~ normal(0, o2) | Subject, w ~ normal(0, o3) | Subject),
    conc ~ censored(
      normal(one_compartment(dose, Time, ka * exp(u), V * exp(v), CL * exp(w)), a), lower = 2
    )
  )
  joined <- as_nlme_model(theo_saemix_model(), data)
  expect_equal(
    log_likelihood_at(joined, as.data.frame(data)),
    log_likelihood_at(native, transform(as.data.frame(data), CENS = NULL))
  )
})

test_that("objects of the saemix package are handed on to it", {
  skip_if_not_installed("saemix")
  expect_error(saemix(structure(list(), class = "SaemixModel"), NULL))
})

test_that("what belongs together is asked for", {
  model <- theo_saemix_model()
  expect_equal(caught(fit_nlme(model, theo))$reason, "bad_data")
  expect_equal(caught(as_nlme_model(model))$reason, "bad_data")
  expect_equal(caught(as_nlme_model(1))$reason, "bad_model")
  error <- caught(fit_nlme(model, theo_saemix_data(), list(nbiter.saemx = 3)))
  expect_equal(error[c("reason", "hint")], list(reason = "unknown_option", hint = "Did you mean `nbiter.saemix`?"))
  error <- caught(fit_nlme(theo_saemix_model(covariate.model = c(0, 0, 1)), theo_saemix_data()))
  expect_match(conditionMessage(error), "names 0 covariates")
})

# nolint end
