# The gallery of wrong models and data: each case is an expression that must be
# refused before any iteration, by a message that names the user's own thing.

records <- data.frame(
  id = rep(c("a", "b", "c"), each = 4), time = rep(0:3, 3), y = c(5, 4, 3, 2, 6, 5, 4, 3, 4, 3, 2, 1),
  wt = rep(c(60, 70, 80), each = 4), sex = rep(c("m", "f", "m"), each = 4), n = rep(0:3, 3),
  day = as.Date("2024-01-01") + 0:11
)
one_sex <- transform(records, sex = "m")
changed <- function(column, rows, value) {
  records[[column]][rows] <- value
  records
}

# A decay with one part replaced by what is wrong.
decay <- function(fixed = NULL, random = NULL, code = NULL) {
  fixed <- if (is.null(fixed)) quote(fixed(a = 5, k = 0.2, omega = positive(1), sigma = positive(1))) else fixed
  random <- if (is.null(random)) quote(random(eta ~ normal(0, omega) | id)) else random
  code <- if (is.null(code)) quote({
    amp <- a + eta
    y ~ normal(amp * exp(-k * time), sigma)
  }) else code
  nlme_model(!!fixed, !!random, !!code)
}
# A model of one differential equation with one line more.
flowing <- function(line, random = NULL, ode = quote(ode_control())) {
  line <- substitute(line)
  random <- if (is.null(random)) quote(random(eta ~ normal(0, omega) | id)) else random
  code <- quote({
    d/dt(central) <- -k * central
    central(0) <- a + eta
    y ~ normal(central, sigma)
  })
  more <- if (is_block(line)) as.list(line)[-1L] else Filter(Negate(is.null), list(line))
  code <- as.call(append(as.list(code), more, 3L))
  nlme_model(fixed(a = 5, k = 0.2, omega = positive(1), sigma = positive(1)), !!random, !!ode, !!code)
}
is_block <- function(code) is.call(code) && identical(code[[1L]], quote(`{`))

# A model function for nlmixr2 with one line more in `ini()` or in `model()`.
nlmixr2_like <- function(ini = quote(tv <- 1), code = quote(v <- 20)) {
  fn <- function() NULL
  body(fn) <- bquote({
    ini({
      tcl <- 1
      eta.cl ~ 0.1
      add.sd <- 0.7
      .(ini)
    })
    model({
      cl <- exp(tcl + eta.cl)
      .(code)
      cl ~ add(add.sd)
    })
  })
  as_nlme_model(fn)
}
fit_decay <- function(data = records, ...) fit_nlme(decay(), data, ..., seed = 1, progress = FALSE)
decay_formula <- function(formula = y ~ amp * exp(-k * time), start = c(amp = 5, k = 0.2), random = amp ~ 1 | id,
                          ...) {
  nlme_formula(formula, start = start, random = random, ...)
}

# A model with differential equations and the rows of two subjects: a dose and three observations.
dosed_decay <- function() {
  nlme_model(
    fixed(k = positive(0.3), omega = positive(0.2), sigma = positive(1)),
    random(eta ~ normal(0, omega) | id),
    {
      d/dt(depot) <- -depot
      d/dt(center) <- depot - k * exp(eta) * center
      y ~ normal(center, sigma)
    }
  )
}

# `...` are columns of a subject, the same for both.
fit_dosed <- function(..., events = NULL) {
  columns <- utils::modifyList(list(time = 0:3, amt = c(100, 0, 0, 0), y = c(NA, 30, 40, 35)), list(...))
  subject <- do.call(data.frame, columns)
  data <- rbind(cbind(id = 1, subject), cbind(id = 2, subject))
  fit_nlme(dosed_decay(), data, events = events, seed = 1, progress = FALSE)
}
