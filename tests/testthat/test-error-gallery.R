# At least one case for every way to be wrong. The snapshot holds class, reason and
# the whole message of each.

gallery <- list(
  # The model as written: parameters
  "an unnamed parameter" = quote(decay(fixed = quote(fixed(5, omega = positive(1))))),
  "a parameter declared twice" = quote(
    decay(fixed = quote(fixed(a = 1, a = 2, k = 1, omega = positive(1), sigma = positive(1))))
  ),
  "a start that is text" = quote(decay(fixed = quote(fixed(a = "5", k = 1, omega = positive(1), sigma = positive(1))))),
  "a start that is missing" = quote(
    decay(fixed = quote(fixed(a = NA, k = 1, omega = positive(1), sigma = positive(1))))
  ),
  "a start that is infinite" = quote(
    decay(fixed = quote(fixed(a = Inf, k = 1, omega = positive(1), sigma = positive(1))))
  ),
  "a start without elements" = quote(
    decay(fixed = quote(fixed(a = numeric(0), k = 1, omega = positive(1), sigma = positive(1))))
  ),
  "a start that cannot be computed" = quote(
    decay(fixed = quote(fixed(a = start_of_a, k = 1, omega = positive(1), sigma = positive(1))))
  ),
  "a matrix that is no covariance" = quote(
    decay(fixed = quote(fixed(a = diag(2), k = 1, omega = positive(1), sigma = positive(1))))
  ),
  "a covariance that is not square" = quote(
    decay(fixed = quote(fixed(a = 1, k = 1, omega = covariance_matrix(matrix(1, 2, 3)), sigma = positive(1))))
  ),
  "a covariance that is not symmetric" = quote(
    decay(fixed = quote(fixed(a = 1, k = 1, omega = covariance_matrix(matrix(1:4, 2)), sigma = positive(1))))
  ),
  "a covariance that is not positive definite" = quote(
    decay(fixed = quote(fixed(a = 1, k = 1, omega = covariance_matrix(matrix(c(1, 2, 2, 1), 2)), sigma = positive(1))))
  ),
  "a parameterization that does not exist" = quote(
    decay(fixed = quote(fixed(a = 1, k = 1, omega = covariance_matrix(diag(2), "choleski"), sigma = positive(1))))
  ),
  "a scale that does not exist" = quote(
    decay(fixed = quote(fixed(a = real(1, scale = "lg"), k = 1, omega = positive(1), sigma = positive(1))))
  ),
  "an argument that real() does not have" = quote(
    decay(fixed = quote(fixed(a = real(1, lowr = 0), k = 1, omega = positive(1), sigma = positive(1))))
  ),
  "a positive start below zero" = quote(
    decay(fixed = quote(fixed(a = 1, k = positive(-1), omega = positive(1), sigma = positive(1))))
  ),
  "a probability above one" = quote(
    decay(fixed = quote(fixed(a = probability(1.5), k = 1, omega = positive(1), sigma = positive(1))))
  ),
  "a start outside its bounds" = quote(
    decay(fixed = quote(fixed(a = real(3, lower = 0, upper = 2), k = 1, omega = positive(1), sigma = positive(1))))
  ),
  "bounds the wrong way round" = quote(
    decay(fixed = quote(fixed(a = real(1, lower = 2, upper = 0), k = 1, omega = positive(1), sigma = positive(1))))
  ),
  "a bound that is text" = quote(decay(fixed = quote(fixed(a = real(1, lower = "x"), omega = positive(1))))),
  "a label that is a number" = quote(decay(fixed = quote(fixed(a = real(1, label = 3), omega = positive(1))))),
  "se that is a number" = quote(decay(fixed = quote(fixed(a = real(1, se = 3), omega = positive(1))))),
  "no parameter" = quote(nlme_model(fixed(), random(eta ~ normal(0, 1) | id), y ~ normal(eta, 1))),

  # Random effects
  "an empty random()" = quote(decay(random = quote(random()))),
  "a random effect that is no formula" = quote(decay(random = quote(random(eta = normal(0, omega))))),
  "a distribution that does not exist" = quote(decay(random = quote(random(eta ~ nromal(0, omega) | id)))),
  "a distribution without its second argument" = quote(decay(random = quote(random(eta ~ normal(0) | id)))),
  "a distribution with an argument too many" = quote(decay(random = quote(random(eta ~ normal(0, omega, 1) | id)))),
  "a distribution with a wrong name" = quote(decay(random = quote(random(eta ~ normal(mean = 0, std = omega) | id)))),
  "a distribution without its arguments" = quote(decay(random = quote(random(eta ~ normal | id)))),
  "an SD that is not positive" = quote(decay(random = quote(random(eta ~ normal(0, -1) | id)))),
  "a mean and a covariance of different size" = quote(
    decay(random = quote(random(c(eta, u) ~ mvnormal(c(0, 0, 0), diag(c(omega, omega))) | id)))
  ),
  "more names than effects" = quote(
    decay(random = quote(random(c(eta, u, v) ~ mvnormal(c(0, 0), diag(c(omega, omega))) | id)))
  ),
  "an effect in the mean of an effect" = quote(
    decay(random = quote(random(eta ~ normal(0, omega) | id, u ~ normal(eta, omega) | id)))
  ),
  "an effect with the name of a parameter" = quote(decay(random = quote(random(a ~ normal(0, omega) | id)))),
  "a group that is no name" = quote(decay(random = quote(random(eta ~ normal(0, omega) | 3)))),
  "an effect that nothing explains" = quote(
    fit_nlme(decay(random = quote(random(eta ~ normal(omgea, omega) | id))), records, seed = 1)
  ),

  # The code
  "no outcome" = quote(decay(code = quote(amp <- a + eta))),
  "a line that is nothing" = quote(decay(code = quote({
    a + eta
    y ~ normal(a + eta, sigma)
  }))),
  "an outcome that is an expression" = quote(decay(code = quote(log(y) ~ normal(a + eta, sigma)))),
  "an outcome with two distributions" = quote(decay(code = quote({
    y ~ normal(a + eta, sigma)
    y ~ normal(k, sigma)
  }))),
  "an outcome that is also a parameter" = quote(decay(code = quote(a ~ normal(k + eta, sigma)))),
  "an outcome family that does not exist" = quote(decay(code = quote(y ~ poison(a + eta)))),
  "an outcome family without an argument" = quote(decay(code = quote(y ~ normal(a + eta)))),
  "an outcome family with an argument too many" = quote(decay(code = quote(y ~ poisson(a + eta, sigma)))),
  "an outcome family with a wrong name" = quote(decay(code = quote(y ~ normal(a + eta, sdd = sigma)))),
  "an argument given twice" = quote(decay(code = quote(y ~ normal(a + eta, sd = 1, sd = sigma)))),
  "a package that is not there" = quote(decay(code = quote(y ~ normal(nosuchpackage::f(a) + eta, sigma)))),
  "a residual error without an argument" = quote(decay(code = quote(y ~ normal(a + eta, add_prop(sigma))))),
  "a residual error outside a distribution" = quote(decay(code = quote(y ~ normal(add(a) + eta, sigma)))),
  "a function that does not exist" = quote(decay(code = quote(y ~ normal(exq(a) + eta, sigma)))),
  "a function with the wrong number of arguments" = quote(decay(code = quote(y ~ normal(exp(a, 2) + eta, sigma)))),
  "a number that is called" = quote(decay(code = quote(y ~ normal(2(a) + eta, sigma)))),
  "an index out of range" = quote(decay(code = quote(y ~ normal(a + eta[4], sigma)))),
  "an index that is not whole" = quote(decay(code = quote(y ~ normal(c(a, k)[1.5] + eta, sigma)))),
  "a hazard of a covariate between rows" = quote(nlme_model(
    fixed(a = -1, o = positive(1)), covariates(w = time_varying("linear")),
    random(e ~ normal(0, o) | id), {
      y ~ event(exp(a + e + w))
    }
  )),
  "an index that is zero" = quote(decay(code = quote(y ~ normal(a + c(a, k)[0], sigma)))),
  "an index that is data" = quote(decay(code = quote(y ~ normal(c(a, k)[n] + eta, sigma)))),
  "a vector where a number belongs" = quote(decay(code = quote(y ~ normal(c(a, k) + eta, sigma)))),
  "vectors of different length" = quote(decay(code = quote({
    both <- c(a, k) + c(1, 2, 3)
    y ~ normal(both[1] + eta, sigma)
  }))),
  "matrices that do not fit" = quote(decay(code = quote({
    both <- diag(c(a, k)) %*% c(1, 2, 3)
    y ~ normal(both[1] + eta, sigma)
  }))),
  "if without else" = quote(decay(code = quote(y ~ normal(exp(if (time > 1) a) + eta, sigma)))),
  "text in the code" = quote(decay(code = quote(y ~ normal(a + "b" + eta, sigma)))),
  "an infinite constant" = quote(decay(code = quote(y ~ normal(a + Inf + eta, sigma)))),
  "an assignment to a number" = quote(decay(code = quote({
    5 <- a
    y ~ normal(a + eta, sigma)
  }))),
  "a variable with the name of a parameter" = quote(decay(code = quote({
    a <- k * 2
    y ~ normal(a + eta, sigma)
  }))),
  "a helper that calls itself" = quote({
    around <- function(x) around(x) + 1
    nlme_model(fixed(a = 1), random(eta ~ normal(0, 1) | id), y ~ normal(around(a) + eta, 1))
  }),
  "a helper that uses a name from nowhere" = quote({
    shifted <- function(x) x + from_nowhere
    nlme_model(fixed(a = 1), random(eta ~ normal(0, 1) | id), y ~ normal(shifted(a) + eta, 1))
  }),
  "a helper with a wrong argument" = quote({
    shifted <- function(x) x + 1
    nlme_model(fixed(a = 1), random(eta ~ normal(0, 1) | id), y ~ normal(shifted(a, b = 2) + eta, 1))
  }),
  "a helper that takes dots" = quote({
    shifted <- function(...) sum(...)
    nlme_model(fixed(a = 1), random(eta ~ normal(0, 1) | id), y ~ normal(shifted(a) + eta, 1))
  }),
  "a part that is no part" = quote(nlme_model(fixed(a = 1), 3)),

  # Differential equations
  "a dose into a state without equation" = quote(flowing(f(centre) <- 0.5)),
  "an initial value without any equation" = quote(decay(code = quote({
    x(0) <- 1
    y ~ normal(a + eta, sigma)
  }))),
  "two equations of one state" = quote(flowing(d/dt(central) <- 1)),
  "an initial value given twice" = quote(flowing(central(0) <- 1)),
  "a state with the name of a parameter" = quote(flowing(d/dt(k) <- 1)),
  "a state that is the time" = quote(flowing(d/dt(t) <- 1)),
  "an assignment to a state" = quote(flowing(central <- 2)),
  "a variable that is the time" = quote(flowing(t <- 2)),
  "a lag that changes with time" = quote(flowing(alag(central) <- 1 + t)),
  "an initial value that reads a state" = quote(flowing({
    d/dt(x) <- -x
    x(0) <- central
  })),
  "an equation of a vector" = quote(flowing(d/dt(x) <- c(a, k))),
  "an equation in a branch" = quote(flowing(if (wt > 70) d/dt(x) <- 1)),
  "an initial value at another time" = quote(flowing(x(1) <- 2)),
  "a dosing statement that does not exist" = quote(flowing(alg(central) <- 2)),
  "an effect that reads a state" = quote(
    flowing(NULL, random = quote(random(eta ~ normal(central, omega) | id)))
  ),
  "a chain of a state" = quote(flowing({
    p <- plogis(central)
    z ~ markov(rbind(c(p, 1 - p), c(0.5, 0.5)), c(0.5, 0.5))
  })),
  "a state that is an outcome" = quote(flowing(central ~ normal(a, sigma))),
  "compartments without a volume" = quote(decay(code = quote(y ~ normal(linear_compartments(a + eta, ka = k), sigma)))),
  "compartments of flows and rates" = quote(
    decay(code = quote(y ~ normal(linear_compartments(cl = a + eta, v = k, kel = 1), sigma)))
  ),
  "compartments with a misspelled argument" = quote(
    decay(code = quote(y ~ normal(linear_compartments(cl = a + eta, v = k, kaa = 1), sigma)))
  ),
  "compartments called twice" = quote(decay(code = quote({
    cp <- linear_compartments(a + eta, k)
    y ~ normal(linear_compartments(a + eta, k, ka = 1), sigma)
  }))),
  "a tolerance of zero" = quote(ode_control(rtol = 0)),
  "a solver that does not exist" = quote(ode_control(solver = "lsoda")),
  "an option that ode_control() does not have" = quote(flowing(NULL, ode = quote(ode_control(rtoll = 1e-3)))),
  "options of equations that are not there" = quote(
    nlme_model(fixed(a = 1), random(eta ~ normal(a, 1) | id), ode_control(atol = 1e-3), y ~ normal(eta, 1))
  ),

  # Model functions of nlmixr2
  "a function that is no model" = quote(as_nlme_model(function(x) x)),
  "a function without model()" = quote(as_nlme_model(function() ini(a <- 1))),
  "effects of a group that is no column" = quote(nlmixr2_like(ini = quote(eta.v ~ 0.1 | 3))),
  "a covariance with too few values" = quote(nlmixr2_like(ini = quote(eta.v + eta.q ~ c(0.1, 0.2)))),
  "a start of ini() that is nothing" = quote(nlmixr2_like(ini = quote(tv <- nothing_here))),
  "linCmt() without its parameters" = quote(nlmixr2_like(code = quote(cp <- linCmt()))),
  "a line that has no translation" = quote(nlmixr2_like(code = quote(nocb(wt)))),
  "a function that has no translation" = quote(nlmixr2_like(code = quote(u <- delay(central, 2)))),
  "a residual error that is not known" = quote(nlmixr2_like(code = quote(cl ~ tweedie(add.sd)))),
  "residual errors that hang together in time" = quote(nlmixr2_like(code = quote(cl ~ lnorm(add.sd) + ar(0.5)))),
  "an effect that is not normal" = quote(nlmixr2_like(ini = quote(eta.v ~ dgamma(2, 3)))),
  "an endpoint without residual error" = quote(nlmixr2_like(code = quote(cl ~ boxCox(add.sd)))),
  "endpoints of one name" = quote(nlmixr2_like(code = quote(cl ~ prop(add.sd)))),

  # The formula
  "a formula without outcome" = quote(decay_formula(~ amp * exp(-k * time))),
  "no start" = quote(nlme_formula(y ~ amp, random = amp ~ 1 | id)),
  "a start without names" = quote(decay_formula(start = c(5, 0.2))),
  "a start the formula does not use" = quote(decay_formula(start = c(amp = 5, k = 0.2, m = 1))),
  "a start given twice" = quote(decay_formula(start = c(amp = 5, k = 0.2, k = 1))),
  "a start of the residual error that cannot be computed" = quote(decay_formula(error = add(nothing_here))),
  "a start with two values for one parameter" = quote(decay_formula(start = list(amp = c(5, 6), k = 0.2))),
  "no random, correlated" = quote(nlme_formula(y ~ amp * time, c(amp = 1), correlated = TRUE)),
  "random of what is no parameter" = quote(decay_formula(random = b ~ 1 | id)),
  "random with a covariate" = quote(decay_formula(random = amp ~ wt | id)),
  "a transformation that does not exist" = quote(decay_formula(transform = "logg")),
  "a transformation of what is no parameter" = quote(decay_formula(transform = c(am = "log"))),
  "covariates of what is no parameter" = quote(decay_formula(covariates = b ~ wt)),
  "covariates that are no formula" = quote(decay_formula(covariates = "wt")),
  "a difference of covariates" = quote(decay_formula(covariates = amp ~ wt - n)),
  "covariates without an intercept" = quote(decay_formula(covariates = amp ~ wt - 1)),
  "a covariate that needs the data" = quote(decay_formula(covariates = amp ~ poly(wt, 2))),
  "a covariate with one level" = quote(decay_formula(covariates = amp ~ sex, data = one_sex)),
  "a covariate that cannot be computed" = quote(decay_formula(covariates = amp ~ poly(sex, 2), data = one_sex)),
  "a start with too few values for fixed" = quote(decay_formula(start = c(5, 0.2, 3), fixed = amp + k ~ 1)),
  "fixed of what is no parameter" = quote(decay_formula(fixed = amp + kk ~ 1)),
  "fixed that is no formula" = quote(decay_formula(fixed = "amp")),
  "fixed and covariates" = quote(decay_formula(fixed = amp + k ~ 1, covariates = amp ~ wt)),
  "groups that are no formula" = quote(decay_formula(groups = 3, random = amp ~ 1)),
  "two effects of a parameter in one grouping" = quote(
    decay_formula(random = list(nlme::pdDiag(amp ~ 1), nlme::pdSymm(amp + k ~ 1)), groups = ~id)
  ),
  "a structure that is not available" = quote(decay_formula(random = nlme::pdCompSymm(amp + k ~ 1))),
  "a structure without parameters" = quote(decay_formula(random = nlme::pdDiag(diag(2)))),
  "a variance function without a name" = quote(decay_formula(weights = nlme::varComb(nlme::varExp()))),
  "a variance function and an error" = quote(decay_formula(weights = nlme::varPower(fixed = 1), error = add(s = 1))),
  "a correlation of residuals" = quote(decay_formula(correlation = nlme::corARMA(p = 2))),
  "options of nlme" = quote(decay_formula(control = list(maxIter = 10))),
  "no parameter in a formula" = quote(nlme_formula(y ~ time, data = records)),
  "no start that is finite" = quote(nlme_formula(y ~ log(-exp(b)) + time, data = records)),
  "a method of nlme" = quote(fit_nlme(y ~ amp, records, method = "ML", random = amp ~ 1 | id)),
  "fixed by position" = quote(fit_nlme(y ~ amp, records, amp ~ 1, random = amp ~ 1 | id)),
  "a residual error that does not exist" = quote(decay_formula(error = proportional(0.1))),
  "a residual error with too many starts" = quote(decay_formula(error = add(1, 2))),
  "correlated that is no pattern" = quote(decay_formula(random = amp + k ~ 1 | id, correlated = matrix(1, 3, 3))),
  "correlated without full blocks" = quote(decay_formula(
    y ~ amp * exp(-k * time) + m, start = c(amp = 5, k = 0.2, m = 1), random = amp + k + m ~ 1 | id,
    correlated = matrix(c(1, 1, 0, 1, 1, 1, 0, 1, 1), 3)
  )),

  # The data
  "no data" = quote(fit_nlme(decay())),
  "data that are no data frame" = quote(fit_decay(as.matrix(1:3))),
  "data without rows" = quote(fit_decay(records[0, ])),
  "two columns of one name" = quote(fit_decay(stats::setNames(records, sub("^wt$", "y", names(records))))),
  "a group that is a list" = quote({
    data <- records
    data$id <- as.list(data$id)
    fit_decay(data)
  }),
  "a missing outcome column" = quote(fit_decay(stats::setNames(records, sub("^y$", "Y", names(records))))),
  "a missing covariate column" = quote(
    fit_nlme(decay(code = quote(y ~ normal((a + eta) * wgt, sigma))), records, seed = 1)
  ),
  "a number outside the data" = quote({
    shift <- 3
    fit_nlme(nlme_model(
      fixed(a = 1, s = positive(1)), random(eta ~ normal(0, 1) | id), y ~ normal(a + eta + shift, s)
    ), records, seed = 1)
  }),
  "a missing grouping column" = quote(fit_decay(records[-1])),
  "no group at all" = quote(fit_nlme(decay(random = quote(random(eta ~ normal(0, omega)))), records, seed = 1)),
  "a missing group" = quote(fit_decay(changed("id", 3, NA))),
  "a time column that is not there" = quote(fit_decay(time = "tme")),
  "a missing value in a covariate" = quote(fit_decay(changed("time", 6, NA))),
  "an infinite value in a covariate" = quote(fit_decay(changed("time", 6, Inf))),
  "an infinite outcome" = quote(fit_decay(changed("y", 7, -Inf))),
  "an outcome that is text" = quote(fit_decay(transform(records, y = as.character(y)))),
  "a covariate that is text" = quote(
    fit_nlme(decay(code = quote(y ~ normal((a + eta) * sex, sigma))), records, seed = 1)
  ),
  "a covariate that is a date" = quote(
    fit_nlme(decay(code = quote(y ~ normal((a + eta) * day, sigma))), records, seed = 1)
  ),
  "no outcome observed" = quote(fit_decay(changed("y", 1:12, NA))),
  "one subject" = quote(fit_decay(records[1:4, ])),
  "an outcome out of the support of lognormal()" = quote(
    fit_nlme(decay(code = quote(y ~ lognormal(a + eta, sigma))), changed("y", 2, 0), seed = 1)
  ),
  "an outcome out of the support of bernoulli()" = quote(
    fit_nlme(decay(code = quote(y ~ bernoulli(plogis(a + eta)))), records, seed = 1)
  ),
  "an outcome out of the support of poisson()" = quote(
    fit_nlme(decay(code = quote(y ~ poisson(exp(a + eta)))), changed("y", 2, 1.5), seed = 1)
  ),
  "a covariate of an effect that varies in its group" = quote(
    fit_nlme(decay(random = quote(random(eta ~ normal(a * time, omega) | id))), records, seed = 1)
  ),
  "an outcome without density at the start" = quote(
    fit_nlme(decay(code = quote(y ~ normal(a + eta, sigma * (time - 2)))), records, seed = 1)
  ),

  # Dosing records
  "a record that is of no kind" = quote(fit_dosed(evid = c(5, 0, 0, 0))),
  "a dose in an observation" = quote(fit_dosed(evid = c(0, 0, 0, 0))),
  "a negative dose" = quote(fit_dosed(amt = c(-100, 0, 0, 0))),
  "a dose into a state by a wrong name" = quote(fit_dosed(cmt = c("depto", ".", ".", "."))),
  "a dose into a state by a wrong number" = quote(fit_dosed(cmt = c(3, 0, 0, 0))),
  "a rate that is of no kind" = quote(fit_dosed(rate = c(-3, 0, 0, 0))),
  "a rate the model does not say" = quote(fit_dosed(rate = c(-1, 0, 0, 0))),
  "a duration the model does not say" = quote(fit_dosed(rate = c(-2, 0, 0, 0))),
  "an infusion without an amount" = quote(fit_dosed(evid = c(1, 0, 0, 0), amt = 0, rate = c(5, 0, 0, 0))),
  "additional doses without an interval" = quote(fit_dosed(addl = c(3, 0, 0, 0))),
  "half an additional dose" = quote(fit_dosed(addl = c(0.5, 0, 0, 0), ii = c(12, 0, 0, 0))),
  "an interval of nothing" = quote(fit_dosed(ii = c(12, 0, 0, 0))),
  "a steady state without an interval" = quote(fit_dosed(ss = c(1, 0, 0, 0))),
  "a steady state that is of no kind" = quote(fit_dosed(ss = c(4, 0, 0, 0), ii = c(12, 0, 0, 0))),
  "mdv that is no yes or no" = quote(fit_dosed(mdv = c(2, 0, 0, 0))),
  "a dose without a time" = quote(fit_dosed(time = c(NA, 1, 2, 3))),
  "a time that begins anew" = quote(fit_dosed(time = c(0, 24, 0, 3), evid = c(1, 0, 3, 0))),
  "amounts that are text" = quote(fit_dosed(amt = c("a lot", "0", "0", "0"))),
  "events without names" = quote(fit_dosed(events = "amt")),
  "events of what they do not have" = quote(fit_dosed(events = c(amount = "amt"))),
  "events in a column that is not there" = quote(fit_dosed(events = c(amt = "dose"))),
  "events of a model without equations" = quote(fit_decay(events = c(amt = "y"))),

  # Starts and options
  "a start of what is no parameter" = quote(fit_decay(start = c(aa = 1))),
  "a start without a name" = quote(fit_decay(start = 3)),
  "a start of text" = quote(fit_decay(start = list(a = "x"))),
  "a start of the wrong length" = quote(fit_decay(start = list(a = c(1, 2)))),
  "a start that is given twice" = quote(fit_decay(start = c(a = 1, a = 2))),
  "a covariance that is not positive definite at the start" = quote(fit_nlme(nlme_model(
    fixed(a = 1, s = positive(1)), random(eta ~ mvnormal(c(0, 0), diag(c(1, -1))) | id), y ~ normal(a + sum(eta), s)
  ), records, seed = 1)),
  "a start out of bounds" = quote(fit_decay(start = c(sigma = -1))),
  "fix of what is no parameter" = quote(fit_decay(fix = "omga")),
  "fix of everything" = quote(fit_decay(fix = c("a", "k", "omega", "sigma"))),
  "fix with a value that is missing" = quote(fit_decay(fix = c(a = NA))),
  "a method that is text" = quote(fit_decay(method = "saem")),
  "a model that is text" = quote(fit_nlme("y ~ a", records)),
  "an argument that does not exist" = quote(fit_decay(sede = 3)),
  "a seed that is text" = quote(fit_nlme(decay(), records, seed = "a")),
  "threads below one" = quote(fit_decay(threads = 0)),
  "progress that is a number" = quote(fit_nlme(decay(), records, seed = 1, progress = 2)),
  "an id that is two columns" = quote(fit_decay(id = c("id", "sex"))),
  "an option that does not exist" = quote(saem(exploation = 10)),
  "iterations that are no number" = quote(saem(exploration = "many")),
  "an option of another schedule" = quote(saem(t0 = 100)),
  "two lengths of a run" = quote(saem(nbiter = c(300, 100), smoothing = 50)),
  "nothing but burn-in" = quote(saem(maxiters = 50, sa_burnin_iters = 50)),
  "a gain that grows" = quote(saem(sa_schedule = "two_phase", sa_phase2_kappa = 1)),
  "a custom schedule without a function" = quote(saem(sa_schedule = "custom")),
  "two functions for the gain" = quote(saem(sa_schedule = identity, sa_schedule_fn = identity)),
  "a schedule that fails" = quote(saem(sa_schedule = function(iter, opts) stop("no gain today"))),
  "a gain above one" = quote(saem(sa_schedule = function(iter, opts) 2)),
  "a sampler that is a word" = quote(saem(sampler = "mh")),
  "no kernel" = quote(independence(0, 0, 0, 0)),
  "an acceptance above one" = quote(nuts(target_accept = 2)),
  "batches that are a word" = quote(saem(update_schedule = "some")),
  "an optimizer that is a word" = quote(saem(optimizer = "lbfgs")),
  "an argument the optimizer does not take" = quote(saem(optimizer = adam(), optim_kwargs = list(maxiter = 9))),
  "statistics without use" = quote(saem(suffstats = function(...) 1)),
  "an objective without statistics" = quote(saem(q_from_stats = function(...) 1)),
  "exact derivatives of a function of R" = quote(
    saem(suffstats = identity, q_from_stats = identity, adtype = "reverse")
  ),
  "a step for the score" = quote(saem(mstep_sa_on_params = TRUE)),
  "acceleration of what cannot be" = quote(saem(acceleration = TRUE, optimizer = lbfgs())),
  "bounds without names" = quote(saem(lb = 0)),
  "bounds of the M-step the wrong way round" = quote(saem(lb = c(sigma = 1), ub = c(sigma = 0))),
  "bounds of what is no parameter" = quote(fit_decay(method = saem(lb = c(sigm = 0)))),
  "too many bounds" = quote(fit_decay(method = saem(lb = list(sigma = c(0, 1))))),
  "a closed form of what is no parameter" = quote(fit_decay(method = saem(resid_var_param = "sgma"))),
  "a closed form of what is no outcome" = quote(fit_decay(method = saem(resid_var_param = c(z = "sigma")))),
  "a closed form of another's parameter" = quote(fit_decay(method = saem(re_cov_params = c(eta = "sigma")))),
  "a floor without a name" = quote(saem(sa_anneal_targets = 0.9)),
  "a function for the floor" = quote(saem(sa_anneal_fn = identity)),
  "an effect to collapse that is none" = quote(fit_decay(method = saem(anneal_to_fixed = "et"))),
  "an effect to collapse with an SD to estimate" = quote(fit_decay(method = saem(anneal_to_fixed = "eta"))),
  "an SD to end at of no effect" = quote(saem(anneal_min_sd = 1e-3)),
  "a tolerance for another test" = quote(saem(convergence_test = "windowed", rtol_theta = 1)),
  "a tolerance below zero" = quote(saem(atol_Q = -1)),
  "annealing that is a word" = quote(saem(sa_anneal_schedule = "yes")),
  "an option that is gone" = quote(saem(chains = 3)),
  "a family that is none" = quote(vem(family = "gaussian")),
  "points of a rule that has its own" = quote(vem(points = 64)),
  "layers of a flow that is none" = quote(vem(flows = 4)),
  "an optimizer that bounds no bound" = quote(vem(optimizer = nelder_mead())),
  "a tolerance of another method" = quote(vem(optimizer = lbfgs(g_tol = 1e-3))),
  "two numbers of steps" = quote(vem(optimizer = adam(maxiters = 500), maxiters = 100)),
  "some batches for all" = quote(vem(batch_size = 8)),
  "a penalty without a name" = quote(vem(penalty = 1)),
  "a penalty of what is no parameter" = quote(fit_decay(method = vem(penalty = c(sigm = 1)))),
  "draws of a polish that is none" = quote(vem(polish = FALSE, polish_draws = 100)),
  "draws that nothing reads" = quote(vem(log_lik = "laplace", se = "linear", draws = 100)),
  "nodes of another likelihood" = quote(vem(nodes = 7)),
  "a checkpoint of what keeps no state" = quote(fit_decay(method = vem(), checkpoint = tempfile()))
)

# The condition a case raises; the estimator never sees it.
refusal <- function(case) {
  tryCatch(
    {
      eval(case, new.env(parent = environment(refusal)))
      NULL
    },
    error = function(error) error
  )
}
refusals <- lapply(gallery, refusal)

test_that("every wrong input is refused by a classed error that is not internal", {
  known <- paste0("nlmers_error_", c("model", "data", "start", "option"))
  classes <- vapply(refusals, function(error) intersect(class(error), known)[1L], "")
  expect_equal(names(gallery)[is.na(classes)], character())
  expect_gte(length(gallery), 50L)
})

test_that("every message has a problem, and a place or a way out", {
  has <- function(field) vapply(refusals, function(error) any(nzchar(error[[field]])), NA)
  expect_equal(names(gallery)[!has("problem") | !has("reason")], character())
  expect_equal(names(gallery)[!has("place") & !has("hint")], character())
})

test_that("messages stay what they are", {
  expect_snapshot({
    for (name in names(gallery)) {
      error <- refusals[[name]]
      cat("\n## ", name, " [", sub("nlmers_error_", "", class(error)[1L]), ", ", error$reason, "]\n", sep = "")
      cat(conditionMessage(error), "\n")
    }
  })
})
