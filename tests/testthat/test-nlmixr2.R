# Model functions of nlmixr2. `ini`, `model` and their words exist in no attached package: the functions are read.

theo_nlmixr2 <- function() {
  ini({
    tka <- 0.45
    label("Log ka")
    tcl <- log(c(0, 2.7, 100))
    tv <- 3.45
    eta.ka ~ 0.6
    eta.cl + eta.v ~ c(0.3, 0.01, 0.1)
    add.sd <- 0.7
  })
  model({
    ka <- exp(tka + eta.ka)
    cl <- exp(tcl + eta.cl)
    v <- exp(tv + eta.v)
    linCmt() ~ add(add.sd)
  })
}

# Theophylline with its doses as records of their own.
theo_events <- function() {
  data <- as.data.frame(datasets::Theoph)
  data <- data[data$Time > 0, ]
  id <- as.numeric(as.character(data$Subject))
  first <- !duplicated(id)
  doses <- data.frame(ID = id[first], TIME = 0, DV = 0, AMT = (data$Dose * data$Wt)[first], EVID = 1)
  all <- rbind(doses, data.frame(ID = id, TIME = data$Time, DV = data$conc, AMT = 0, EVID = 0))
  all[order(all$ID, all$TIME), ]
}

# A model with these lines in `ini()` and `model()`; those of a one-compartment model are there.
with_lines <- function(ini = NULL, model = NULL, endpoint = quote(cp ~ add(add.sd))) {
  ini <- as.call(c(quote(`{`), quote(tcl <- 1), quote(eta.cl ~ 0.1), quote(add.sd <- 0.7), ini))
  model <- as.call(c(
    quote(`{`), quote(cl <- exp(tcl + eta.cl)), quote(v <- 20), quote(d/dt(central) <- -cl / v * central),
    quote(cp <- central / v), model, endpoint
  ))
  fn <- function() NULL
  body(fn) <- bquote({
    ini(.(ini))
    model(.(model))
  })
  as_nlme_model(fn)
}
texts <- function(model) vapply(model$spec$statements, `[[`, "", "text")
parameter <- function(model, name) {
  Filter(function(parameter) parameter$name == name, model$spec$parameters)[[1]]
}
refused <- function(...) {
  error <- caught(with_lines(...))
  expect_s3_class(error, "nlmers_error_model")
  error
}

test_that("starting values may be computed by functions of rxode2", {
  model <- with_lines(ini = quote(tem <- c(logit(0.1), logit(0.8), logit(72, 0, 80))), model = quote(e <- expit(tem)))
  expect_equal(unname(unlist(parameter(model, "tem")[c("lower", "value", "upper")])), qlogis(c(0.1, 0.8, 0.9)))
})

test_that("a model with linCmt() is the model of this package", {
  model <- as_nlme_model(theo_nlmixr2)
  expect_s3_class(model, "nlme_model")
  expect_identical(model$described$states, c("depot", "central"))
  expect_equal(texts(model)[4], "DV ~ normal(linear_compartments(cl = cl, v = v, ka = ka), add.sd)")
  expect_equal(parameter(model, "tka")[c("value", "label")], list(value = 0.45, label = "Log ka"))
  expect_equal(parameter(model, "tcl")[c("value", "upper")], list(value = log(2.7), upper = log(100)))
  expect_null(parameter(model, "tcl")$lower)
  expect_equal(parameter(model, "add.sd")[c("scale", "value")], list(scale = "log", value = 0.7))
  # `~` gives variances.
  expect_equal(parameter(model, "omega_sd_eta.ka")$value, sqrt(0.6))
  expect_equal(parameter(model, "omega_eta.cl_eta.v")$value, c(0.3, 0.01, 0.01, 0.1))
  expect_equal(model$groups, "id")
  expect_snapshot(print(model))
})

test_that("starting values are read with bounds and what holds them", {
  model <- with_lines(
    ini = expression(a <- fix(2), b <- c(0, 1), d <- c(0, 1, 5, fixed), u ~ fix(0.25), s <- c(0, 0.1)),
    model = quote(w <- a + b + d + u), endpoint = quote(cp ~ prop(s))
  )
  expect_equal(model$fix, list(a = 2, d = 1, omega_sd_u = 0.5))
  expect_equal(parameter(model, "b")[c("value", "lower")], list(value = 1, lower = 0))
  expect_equal(parameter(model, "d")[c("value", "lower", "upper")], list(value = 1, lower = 0, upper = 5))
  expect_equal(parameter(model, "s")$scale, "log")
  expect_null(parameter(model, "s")$lower)
})

test_that("covariances are read in every form", {
  value <- function(...) {
    model <- with_lines(ini = list(...), model = quote(w <- u + x))
    matrix(parameter(model, "omega_u_x")$value, 2)
  }
  wanted <- matrix(c(0.04, 0.003, 0.003, 0.09), 2)
  expect_equal(value(quote(u + x ~ c(0.04, 0.003, 0.09))), wanted)
  expect_equal(value(quote(u ~ 0.04), quote(x ~ c(0.003, 0.09))), wanted)
  expect_equal(value(quote(u + x ~ sd(cor(0.2, 0.05, 0.3)))), wanted)
  expect_equal(value(quote(u + x ~ cor(0.04, 0.05, 0.09))), wanted)
  expect_equal(value(quote(u ~ sd(0.2)), quote(x ~ sd(cor(0.05, 0.3)))), wanted)
  held <- with_lines(ini = quote(u + x ~ fix(0.04, 0.003, 0.09)), model = quote(w <- u + x))
  expect_equal(held$fix, list(omega_u_x = wanted))
})

test_that("residual errors are those of nlmixr2", {
  error <- function(code) {
    model <- with_lines(
      ini = expression(b <- 0.1, p <- 0.5), model = quote(u <- p), endpoint = call("~", quote(cp), code)
    )
    utils::tail(texts(model), 1L)
  }
  expect_equal(error(quote(add(add.sd))), "DV ~ normal(cp, add.sd)")
  expect_equal(error(quote(prop(b))), "DV ~ normal(cp, prop(b))")
  expect_equal(error(quote(add(add.sd) + prop(b))), "DV ~ normal(cp, add_prop(add.sd, b))")
  expect_equal(error(quote(prop(b) + add(add.sd) + combined1())), "DV ~ normal(cp, add_prop_sd(add.sd, b))")
  expect_equal(error(quote(pow(b, p))), "DV ~ normal(cp, pow(b, p))")
  expect_equal(error(quote(lnorm(b))), "DV ~ lognormal(log(cp), b)")
  expect_equal(error(quote(add(b) + t(4))), "DV ~ student_t(4, cp, b)")
  expect_equal(error(quote(add(b) + pow(add.sd, p))), "DV ~ normal(cp, add_pow(b, add.sd, p))")
  expect_equal(error(quote(pow(b, p) + t(4))), "DV ~ student_t(4, cp, b * abs(cp)^p)")
  expect_equal(error(quote(add(b) + boxCox(p))), "DV ~ box_cox(cp, b, p)")
  expect_equal(error(quote(add(add.sd) + prop(b) + yeoJohnson(p))), "DV ~ yeo_johnson(cp, add_prop(add.sd, b), p)")
  expect_equal(error(quote(logitNorm(b, 0, 12))), "DV ~ logit_normal(cp, b, 0, 12)")
  expect_equal(error(quote(probitNorm(b))), "DV ~ probit_normal(cp, b)")
  expect_equal(error(quote(logitNorm(NA, 0, 12) + prop(b))), "DV ~ logit_normal(cp, prop(b), 0, 12)")
  expect_equal(
    error(quote(logitNorm(b, 0, 12) + pow(add.sd, p))), "DV ~ logit_normal(cp, add_pow(b, add.sd, p), 0, 12)"
  )
  expect_equal(error(quote(dpois(cp))), "DV ~ poisson(cp)")
  expect_equal(error(quote(nbinomMu(p, cp))), "DV ~ neg_binomial(cp, p)")
})

test_that("functions and the time have the names of this package", {
  model <- with_lines(model = expression(
    u <- expit(tcl), w <- expit(tcl, 1, 3), x <- logit(u, 0, 2), y <- time + 1, z <- phi(time)
  ))
  expect_equal(texts(model)[5:9], c(
    "u <- plogis(tcl)", "w <- 1 + (3 - 1) * plogis(tcl)", "x <- qlogis((u - 0)/(2 - 0))", "y <- t + 1", "z <- pnorm(t)"
  ))
})

test_that("linCmt() finds its arguments by their names", {
  roles <- function(...) unlist(nlmers:::found_roles(c(...)))
  expect_equal(roles("CL", "V", "KA"), c(cl = "CL", v = "V", ka = "KA"))
  expect_equal(roles("cl", "vc", "q", "vp"), c(cl = "cl", v = "vc", q = "q", v2 = "vp"))
  expect_equal(
    roles("cl", "v1", "q", "v2", "q2", "v3"), c(cl = "cl", v = "v1", q = "q", v2 = "v2", q2 = "q2", v3 = "v3")
  )
  # The smallest number is that of the central compartment, as NONMEM numbers with a depot.
  expect_equal(roles("cl", "v2", "q", "v3", "ka"), c(cl = "cl", v = "v2", q = "q", v2 = "v3", ka = "ka"))
  expect_equal(roles("kel", "v", "k12", "k21"), c(v = "v", k = "kel", k12 = "k12", k21 = "k21"))
  # Rates beside a depot, numbered clearances, other words for flows and volumes.
  expect_equal(roles("k20", "v2", "k23", "k32", "k24", "k42", "ka"), c(
    v = "v2", k = "k20", k12 = "k23", k21 = "k32", k13 = "k24", k31 = "k42", ka = "ka"
  ))
  expect_equal(roles("cl1", "v1", "cl2", "v2"), c(cl = "cl1", v = "v1", q = "cl2", v2 = "v2"))
  expect_equal(roles("cl2", "v2", "cl3", "v3"), c(cl = "cl2", v = "v2", q = "cl3", v2 = "v3"))
  expect_equal(roles("cl", "v", "cl2", "v2"), c(cl = "cl", v = "v", q = "cl2", v2 = "v2"))
  expect_equal(roles("cl", "v", "cld", "vt"), c(cl = "cl", v = "v", q = "cld", v2 = "vt"))
  expect_equal(roles("cl", "v", "q", "vd"), c(cl = "cl", v = "v", q = "q", v2 = "vd"))
  expect_equal(roles("cl", "v1", "q", "vp"), c(cl = "cl", v = "v1", q = "q", v2 = "vp"))
  expect_equal(roles("cl", "v", "q", "vss"), c(cl = "cl", v = "v", q = "q", vss = "vss"))
  expect_equal(
    roles("cl", "v", "q1", "q2", "vp1", "vp2"), c(cl = "cl", v = "v", q = "q1", v2 = "vp1", q2 = "q2", v3 = "vp2")
  )
  # Rates that are computed beside a clearance are not read.
  expect_equal(roles("cl", "v", "kel", "k12"), c(cl = "cl", v = "v"))
})

test_that("linCmt() loses no compartment in silence", {
  half <- list(
    c("cl", "v", "q"), c("cl", "v", "vp"), c("cl", "v", "vss"), c("k", "v", "k12"), c("k", "v", "k32"),
    c("k", "v", "k13", "k31"), c("cl", "v", "q", "q1", "vp", "vp2"), c("cl", "v", "q", "cld", "vp"),
    c("cl", "v", "v2", "q", "vp"), c("cl", "v", "v1"), c("q", "v", "vp"), c("cl", "v", "q", "vp", "vp2"),
    c("cl", "v", "q", "vss", "vp")
  )
  for (names in half) expect_equal(caught(nlmers:::found_roles(names))$reason, "not_translated")
})

test_that("the names of linCmt() mean the compartments of linear_compartments()", {
  data <- data.frame(id = 1, time = c(0, 1, 4, 12), amt = c(100, 0, 0, 0))
  curve <- function(values, code) {
    model <- eval(bquote(function() {
      ini({
        tv <- 10
        e ~ 0.1
        s <- 1
      })
      model({
        ..(lapply(as.list(values)[-1L], identity))
        cp <- linCmt()
        cp ~ add(s)
      })
    }, splice = TRUE))
    as.numeric(predict(as_nlme_model(model), data))
  }
  # Two compartments: rates of 0.3, 0.2 and 0.1, eigenvalues by hand.
  total <- 0.3 + 0.2 + 0.1
  lambda <- (total + c(1, -1) * sqrt(total^2 - 4 * 0.3 * 0.1)) / 2
  share <- (lambda - 0.1) / (lambda - rev(lambda))
  known <- 10 * (share[1] * exp(-lambda[1] * data$time) + share[2] * exp(-lambda[2] * data$time))
  written <- list(
    quote({
      v2 <- tv * exp(e)
      k20 <- 0.3
      k23 <- 0.2
      k32 <- 0.1
    }),
    quote({
      v1 <- tv * exp(e)
      cl1 <- 3
      cl2 <- 2
      v2 <- 20
    }),
    quote({
      v <- tv * exp(e)
      cl <- 3
      q <- 2
      vd <- 20
    }),
    quote({
      vc <- tv * exp(e)
      cl <- 3
      cld <- 2
      vss <- 30
    })
  )
  for (values in written) expect_equal(curve(values), known, tolerance = 1e-6)
})

test_that("compartments beside equations have the numbers behind them", {
  model <- as_nlme_model(function() {
    ini({
      tcl <- 1
      eta.cl ~ 0.1
      add.sd <- 0.7
      pd.sd <- 0.1
    })
    model({
      cl <- exp(tcl + eta.cl)
      v <- 10
      ka <- 1
      cp <- linCmt()
      d/dt(effect) <- cp - effect
      cp ~ add(add.sd)
      effect ~ add(pd.sd) | pca
    })
  })
  expect_identical(model$described$states, c("effect", "depot", "central"))
  expect_equal(model$endpoints, c(DV_cp = "cp", DV_pca = "pca"))
})

test_that("times since doses have the same names", {
  model <- with_lines(model = expression(u <- tad(), w <- tafd()))
  expect_equal(texts(model)[5:6], c("u <- tad()", "w <- tafd()"))
})

test_that("what cannot be translated shows its line", {
  is_refused <- function(error, place, problem) {
    expect_equal(error$reason, "not_translated")
    expect_equal(error$place, place)
    expect_match(error$problem, problem, fixed = TRUE)
  }
  is_refused(refused(ini = quote(u ~ 0.1 | 3)), "u ~ 0.1 | 3", "no grouping")
  is_refused(refused(ini = quote(u ~ -1)), "u ~ -1", "no covariance")
  is_refused(refused(ini = quote(u + x ~ c(1, 2))), "u + x ~ c(1, 2)", "2 values are given")
  is_refused(refused(ini = quote(a <- nothing)), "a <- nothing", "cannot be computed")
  is_refused(refused(ini = quote(a <- 1:4)), "a <- 1:4", "4 values")
  is_refused(refused(ini = quote(print(2))), "print(2)", "no starting value")
  is_refused(refused(model = quote(nocb(wt))), "nocb(wt)", "cannot be translated")
  is_refused(refused(endpoint = quote(cp ~ boxCox(add.sd))), "cp ~ boxCox(add.sd)", "no residual error")
  is_refused(refused(endpoint = quote(cp ~ tweedie(add.sd))), "cp ~ tweedie(add.sd)", "no residual error")
  is_refused(refused(endpoint = quote(log(cp) ~ add(add.sd))), "log(cp) ~ add(add.sd)", "must be a variable")
  is_refused(refused(endpoint = quote(cp ~ lnorm(add.sd) + add(tcl))), "cp ~ lnorm(add.sd) + add(tcl)", "together")
  is_refused(refused(endpoint = quote(cp ~ add(add.sd, 2))), "cp ~ add(add.sd, 2)", "takes 1 argument")
  is_refused(refused(model = quote(u <- linCmt(x + 1))), "u <- linCmt(x + 1)", "names only")
  is_refused(refused(model = quote(u <- delay(central, 1))), "u <- delay(central, 1)", "no counterpart")
  expect_equal(caught(as_nlme_model(function(x) x))$reason, "not_translated")
  expect_equal(caught(as_nlme_model(function() ini({ a <- 1 })))$reason, "bad_model") # nolint
})

test_that("columns are found in any case, endpoints by DVID or CMT", {
  model <- as_nlme_model(theo_nlmixr2)
  data <- data.frame(ID = c(2, 2, 1), TIME = c(0, 1, 1), AMT = c(100, 0, 0), EVID = c(1, 0, 0), DV = c(0, 3, 4))
  named <- nlmers:::nlmixr2_columns(model, data)
  expect_equal(named$id, data$ID)
  model <- with_lines(endpoint = expression(cp ~ add(add.sd), central ~ add(pd) | other), ini = quote(pd <- 2))
  data <- data.frame(DV = 1:4, DVID = c("cp", "other", "cp", "other"))
  split <- nlmers:::outcomes_apart(model, data)
  expect_equal(split$DV_cp, c(1, NA, 3, NA))
  expect_equal(split$DV_other, c(NA, 2, NA, 4))
  split <- nlmers:::outcomes_apart(model, transform(data, DVID = c(1, 2, 2, 1)))
  expect_equal(split$DV_cp, c(1, NA, NA, 4))
  # One state, so `cp` is compartment 2 and `other` compartment 3.
  by_compartment <- data.frame(DV = 1:4, CMT = c(2, 3, 3, 2))
  split <- nlmers:::outcomes_apart(model, by_compartment)
  expect_equal(split$DV_cp, c(1, NA, NA, 4))
  expect_equal(split$DV_other, c(NA, 2, 3, NA))
  # The state itself is no endpoint of this model: its rows would be lost.
  unknown <- transform(by_compartment, CMT = c(2, 3, 3, 1))
  expect_error(nlmers:::outcomes_apart(model, unknown, argument = "data"), class = "nlmers_error_data")
})

test_that("a function of nlmixr2 is fitted like a model of this package", {
  data <- theo_events()
  native <- nlme_model(
    fixed(
      tka = 0.45, tcl = log(2.7), tv = 3.45, add.sd = positive(0.7),
      omega_sd_eta.ka = positive(sqrt(0.6)), Omega = covariance_matrix(matrix(c(0.3, 0.01, 0.01, 0.1), 2))
    ),
    random(eta.ka ~ normal(0, omega_sd_eta.ka) | id, c(eta.cl, eta.v) ~ mvnormal(c(0, 0), Omega) | id),
    {
      ka <- exp(tka + eta.ka)
      cl <- exp(tcl + eta.cl)
      v <- exp(tv + eta.v)
      d/dt(depot) <- -ka * depot
      d/dt(central) <- ka * depot - cl / v * central
      DV ~ normal(central / v, add.sd)
    }
  )
  method <- saem(exploration = 20, smoothing = 10)
  suppressWarnings({
    fit <- fit_nlme(theo_nlmixr2, data, method, seed = 1)
    other <- fit_nlme(native, transform(data, id = ID), method, seed = 1)
  })
  expect_equal(unname(fixef(fit)), unname(fixef(other)), tolerance = 1e-6)
  expect_gt(fit$equations$solved, 0)
})

test_that("options of the solver go with a model function", {
  decline <- function() {
    ini({
      tk <- log(0.3)
      eta.k ~ 0.1
      add.sd <- 0.1
    })
    model({
      k <- exp(tk + eta.k)
      d/dt(x) <- -k * x * x / (1 + x)
      x ~ add(add.sd)
    })
  }
  coarse <- as_nlme_model(decline, ode = ode_control(rtol = 1e-2, atol = 1e-2))
  expect_identical(coarse$spec$ode$rtol, 1e-2)
  expect_null(as_nlme_model(decline)$spec$ode)
  expect_error(as_nlme_model(decline, ode = list(rtol = 1)), "ode_control(rtol = 1e-8)", fixed = TRUE)
})
