# Models written as differential equations, and data with real dosing histories.

theo_ode <- function(...) {
  nlme_model(
    fixed(
      tka = 0, tv = log(20), tcl = log(0.5),
      omega = positive(c(1, 1, 1)), sigma = positive(1)
    ),
    random(eta ~ mvnormal(c(tka, tv, tcl), diag(omega)) | Subject),
    ...,
    {
      ka <- exp(eta[1])
      v <- exp(eta[2])
      cl <- exp(eta[3])
      d/dt(depot) <- -ka * depot
      d/dt(center) <- ka * depot - cl / v * center
      depot(0) <- dose
      conc ~ normal(center / v, sigma)
    }
  )
}

warfarin_ode <- function(error = "additive", ...) {
  parts <- switch(error,
    additive = rlang::exprs(fixed(a = positive(1)), dv ~ normal(center / v, a)),
    combined = rlang::exprs(
      fixed(a = positive(1), b = positive(1)), dv ~ normal(center / v, add_prop(a, b))
    )
  )
  nlme_model(
    fixed(ka = positive(1), V = positive(8), Cl = positive(0.13), omega = positive(c(1, 1, 1))),
    !!parts[[1]],
    random(eta ~ mvnormal(c(log(ka), log(V), log(Cl)), diag(omega)) | id),
    ...,
    {
      k <- exp(eta[1])
      v <- exp(eta[2])
      d/dt(depot) <- -k * depot
      d/dt(center) <- k * depot - exp(eta[3]) / v * center
      depot(0) <- dose
      !!parts[[2]]
    }
  )
}

# Newborns under phenobarbital, doses as they were given; nlme calls the amount `dose`.
phenobarb_model <- function() {
  nlme_model(
    fixed(
      lcl = log(0.005), lv = log(1), low_apgar = 0.1,
      omega_cl = positive(0.3), omega_v = positive(0.2), sigma = positive(3)
    ),
    random(eta_cl ~ normal(0, omega_cl) | Subject, eta_v ~ normal(0, omega_v) | Subject),
    covariates(ApgarInd = factor(c("< 5", ">= 5"), reference = ">= 5")),
    {
      cl <- exp(lcl + eta_cl) * Wt
      v <- exp(lv + low_apgar * (ApgarInd == "< 5") + eta_v) * Wt
      conc ~ normal(linear_compartments(cl, v), sigma)
    }
  )
}

# Quinidine in patients; where `interval` is given, the dose is one of many at this interval.
quinidine <- transform(as.data.frame(nlme::Quinidine), ss = as.numeric(!is.na(interval)))

quinidine_model <- function() {
  nlme_model(
    fixed(lka = -0.3, lcl = 2.5, lv = 5.4, b_glyco = -0.4, omega_cl = positive(0.3), sigma = positive(0.6)),
    random(eta_cl ~ normal(0, omega_cl) | Subject),
    {
      cl <- exp(lcl + b_glyco * glyco + eta_cl)
      conc ~ normal(linear_compartments(cl, exp(lv), ka = exp(lka)), sigma)
    }
  )
}
