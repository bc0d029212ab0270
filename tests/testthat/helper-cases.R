# Small cases on which fits used to go wrong. Each has a model, data, the maximum of the log-likelihood (`max`; how it
# is known: `by`), right standard errors of some parameters (`se`), or a right estimate whatever the unit (`value`).

hard_case <- function(name) {
  make <- hard_cases[[name]]
  withr::with_preserve_seed(make())
}

case_data <- function(file) utils::read.csv(test_path("cases", file))

hard_cases <- list(
  gompertz_zero_start = function() {
    set.seed(1)
    data <- expand.grid(x = seq(1, 60, 5), animal = 1:16)
    data$female <- as.numeric(data$animal > 8)
    b <- exp(log(1.1) + 0.25 * stats::rnorm(16))[data$animal]
    data$y <- (430 - 50 * data$female) * exp(-b * exp(-0.1 * data$x)) + 8 * stats::rnorm(nrow(data))
    model <- nlme_formula(
      y ~ Linf * exp(-b * exp(-k * x)), start = c(Linf = 400, b = 1, k = 0.1), transform = c(b = "log"),
      random = b ~ 1 | animal, covariates = list(Linf ~ female, k ~ female), error = add(s = 10)
    )
    list(model = model, data = data, max = -695.07, by = "nlme from the same start")
  },
  ordered_cut_at_zero = function() {
    set.seed(8)
    n <- 80
    data <- expand.grid(week = 1:6, id = 1:n)
    data$auc <- rep(exp(stats::rnorm(n, 0, 0.5)), each = 6)
    u <- rep(1.2 * stats::rnorm(n), each = 6)
    p <- stats::plogis(outer(0.8 * data$auc + u, c(0.5, 2, 3.5), function(a, b) b - a))
    data$grade <- 1 + rowSums(stats::runif(nrow(data)) > p)
    model <- nlme_model(
      fixed(b = 0, c1 = 0, d2 = positive(1), d3 = positive(1), o = positive(1)), random(u ~ normal(0, o) | id),
      {
        grade ~ ordered(b * auc + u, c(c1, c1 + d2, c1 + d2 + d3))
      }
    )
    list(model = model, data = data, max = -555.84, by = "ordinal::clmm, 11 nodes", se = c(b = 0.322, c1 = 0.405))
  },
  small_intercept = function() {
    set.seed(1)
    data <- data.frame(id = rep(1:30, each = 5))
    data$y <- 10 + 0.3 * stats::rnorm(30)[data$id] + stats::rnorm(150)
    model <- nlme_formula(y ~ a, start = c(a = 9), random = a ~ 1 | id, error = add(s = 1))
    list(model = model, data = data, by = "lme4", se = c(a = 0.0960))
  },
  loblolly = function() {
    data <- as.data.frame(datasets::Loblolly)
    data$Seed <- as.character(data$Seed)
    model <- nlme_formula(
      height ~ Asym + (R0 - Asym) * exp(-exp(lrc) * age), start = c(Asym = 103, R0 = -8.5, lrc = -3.3),
      random = Asym ~ 1 | Seed, error = add(s = 1)
    )
    list(model = model, data = data, max = -114.697, by = "quadrature, 15 nodes", se = c(lrc = 0.0338), time = "age")
  },
  no_frailty = function() {
    set.seed(12)
    k <- 1.4
    rows <- lapply(1:120, function(i) {
      trt <- i %% 2
      frailty <- exp(0.5 * stats::rnorm(1))
      t <- 10 * (-log(stats::runif(1)) / (frailty * exp(-0.6 * trt)))^(1 / k)
      data.frame(id = i, time = min(t, 25), ev = as.numeric(t < 25), trt = trt)
    })
    model <- nlme_model(
      fixed(lam = positive(8), k = positive(1), b = 0, o = positive(0.5)), random(u ~ normal(0, o) | id),
      {
        h <- k / lam * (t / lam)^(k - 1) * exp(b * trt + u)
        ev ~ event(h)
      }
    )
    list(
      model = model, data = do.call(rbind, rows), max = -373.43,
      by = "survival::survreg (the frailty is 0 at the maximum)", se = c(b = 0.193)
    )
  },
  one_variance_zero = function() {
    set.seed(11)
    data <- expand.grid(t = c(1, 2, 4, 7, 10, 15, 20), plant = 1:12)
    a <- 30 + 4 * stats::rnorm(12)[data$plant]
    data$y <- a * (1 - exp(-0.2 * data$t)) + 1.2 * stats::rnorm(nrow(data))
    data$plant <- paste0("p", data$plant)
    model <- nlme_formula(
      y ~ A * (1 - exp(-exp(lk) * t)), start = c(A = 28, lk = -1.5), random = A + lk ~ 1 | plant, error = add(s = 1)
    )
    list(
      model = model, data = data, max = -151.382, by = "nlme without the second effect and quadrature",
      se = c(A = 1.06, lk = 0.0283)
    )
  },
  epil_period = function() {
    model <- nlme_model(
      fixed(b0 = 1, bt = 0, om = positive(0.5)), random(eta ~ normal(0, om) | subject),
      {
        lam <- exp(b0 + bt * period + eta)
        y ~ poisson(lam)
      }
    )
    list(model = model, data = MASS::epil, by = "lme4::glmer, 25 nodes", se = c(bt = 0.0203), time = "period")
  },
  effect_site_three_subjects = function() {
    model <- nlme_model(
      fixed(
        cl = positive(5), v = positive(50), ka = positive(1), ke0 = positive(0.3), e0 = 2, emax = positive(40),
        ec50 = positive(5), gam = positive(1), o = positive(c(0.09, 0.09)), sp = positive(0.1), sa = positive(1)
      ),
      random(eta ~ mvnormal(c(0, 0), diag(o)) | ID),
      {
        cp <- linear_compartments(cl * exp(eta[1]), v * exp(eta[2]), ka = ka)
        d/dt(ce) <- ke0 * (cp - ce)
        conc ~ normal(cp, prop(sp))
        effect ~ normal(e0 + emax * ce^gam / (ec50^gam + ce^gam), sa)
      }
    )
    list(
      model = model, data = case_data("emax_own3.csv"), max = 3.435, by = "vem() with polish, quadrature",
      start = list(cl = 2, v = 9, ka = 2)
    )
  },
  michaelis_menten = function() {
    model <- nlme_model(
      fixed(
        vm = positive(3.5), km = positive(5.5), v = positive(11), ka = positive(1.3), o = positive(c(0.25, 0.2)),
        s = positive(0.04)
      ),
      random(e ~ mvnormal(c(0, 0), diag(o)) | ID),
      {
        v_i <- v * exp(e[2])
        d/dt(depot) <- -ka * depot
        d/dt(central) <- ka * depot / v_i - vm * exp(e[1]) * central / (km + central)
        DV ~ normal(central, prop(s))
      }
    )
    list(model = model, data = case_data("mm_own.csv"), max = 128.924, by = "vem() with polish, quadrature, 9 nodes")
  },
  inverse_gaussian_absorption = function() {
    model <- nlme_model(
      fixed(
        cl = positive(5), v = positive(50), mat = positive(2), cv2 = positive(0.3), o = positive(c(0.09, 0.09)),
        s = positive(0.15)
      ),
      random(e ~ mvnormal(c(0, 0), diag(o)) | ID),
      {
        x <- max(t, 1e-6)
        inp <- 100 * sqrt(mat / (6.283185 * cv2 * x^3)) * exp(-(x - mat)^2 / (2 * cv2 * mat * x))
        d/dt(cen) <- inp - cl * exp(e[1]) / (v * exp(e[2])) * cen
        y ~ normal(cen / (v * exp(e[2])), prop(s))
      }
    )
    list(model = model, data = case_data("ig_own.csv"), max = 197.651, by = "vem() with polish, quadrature, 9 nodes")
  },
  plateau_wide_start = function() {
    set.seed(1)
    n <- 40
    data <- expand.grid(dose = c(0, 50, 100, 150, 200, 250), site = 1:n)
    top <- 9 + 1.1 * stats::rnorm(n)
    x <- 130 + 40 * stats::rnorm(n)
    s <- 0.027 + 0.005 * stats::rnorm(n)
    rise <- s[data$site] * pmin(data$dose - x[data$site], 0)
    data$y <- top[data$site] + rise + 0.3 * stats::rnorm(nrow(data))
    model <- nlme_formula(
      y ~ ifelse(dose > Xmax, Ymax, Ymax + slope * (dose - Xmax)),
      start = c(
        Ymax = 8, Xmax = 100, slope = 0.2, omega_sd_Ymax = 8, omega_sd_Xmax = 100, omega_sd_slope = 1
      ),
      random = Ymax + Xmax + slope ~ 1 | site, error = add(a = 1)
    )
    list(model = model, data = data, max = -211.7, by = "trapezoid rule over the three effects", time = "dose")
  },
  growth_fixed_shape = function() {
    set.seed(2)
    n <- 300
    data <- expand.grid(time = c(0, 110, 220, 370, 550, 740, 920, 1100, 1460, 1830), id = 1:n)
    a <- 750 * exp(0.08 * stats::rnorm(n))
    k <- 0.0016 * exp(0.12 * stats::rnorm(n))
    data$w <- a[data$id] * (1 - 0.94 * exp(-k[data$id] * data$time)) + 27 * stats::rnorm(nrow(data))
    model <- nlme_formula(
      w ~ A * (1 - B * exp(-k * time)), start = c(A = 700, B = 0.9, k = 0.02), transform = "log",
      random = A + B + k ~ 1 | id, error = add(s = 30)
    )
    list(model = model, data = data, by = "observed information by quadrature", se = c(B = 0.0016))
  }
)

# The same rate whatever the unit of the response.
unit_case <- function(unit) {
  withr::with_seed(2, {
    data <- data.frame(id = rep(1:12, each = 4), t = rep(c(0.5, 2, 4, 8), 12))
    data$y <- unit * (10 * exp(0.2 * stats::rnorm(12))[data$id] * exp(-0.3 * data$t) + 0.2 * stats::rnorm(48))
    data
  })
}
