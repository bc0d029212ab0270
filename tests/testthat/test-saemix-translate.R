# nolint start: object_name_linter, T_and_F_symbol_linter. Names as in the documentation of saemix.

# Likelihoods, and what cannot be read for one row.
likelihood <- function(model, psi0, transform = 0 * psi0, ...) {
  saemix_model(model, psi0, modeltype = "likelihood", transform.par = transform, ..., verbose = FALSE)
}

refused <- function(model, modeltype = "structural", predictors = "age") {
  data <- saemix_data(
    orange, name.group = "Tree", name.predictors = predictors, name.response = "circumference", verbose = FALSE
  )
  caught(as_nlme_model(saemix_model(model, c(a = 1, b = 2), modeltype = modeltype, verbose = FALSE), data))
}

toenail <- data.frame(
  id = rep(1:20, each = 4), time = rep(c(0, 1, 3, 6), 20), y = rep(c(0, 1, 0, 0, 1, 1, 1), length.out = 80),
  treatment = rep(c("A", "B"), each = 40)
)

test_that("a binary likelihood is the Bernoulli model", {
  binary.model <- function(psi, id, xidep) {
    tim <- xidep[, 1]
    y <- xidep[, 2]
    inter <- psi[id, 1]
    slope <- psi[id, 2]
    logit <- inter + slope * tim
    pevent <- exp(logit) / (1 + exp(logit))
    logpdf <- rep(0, length(tim))
    P.obs <- (y == 0) * (1 - pevent) + (y == 1) * pevent
    logpdf <- log(P.obs)
    return(logpdf)
  }
  model <- saemix_model(
    model = binary.model, description = "Binary model", modeltype = "likelihood",
    psi0 = matrix(c(-0.5, -0.15, 0, 0.1), ncol = 2, byrow = TRUE, dimnames = list(NULL, c("theta1", "theta2"))),
    transform.par = c(0, 0), covariate.model = c(0, 1), covariance.model = matrix(c(1, 0, 0, 0), ncol = 2),
    omega.init = diag(c(0.5, 0.3)), simulate.function = binary.model, verbose = FALSE
  )
  data <- saemix_data(
    toenail, name.group = "id", name.predictors = c("time", "y"), name.response = "y",
    name.covariates = "treatment", name.X = "time", verbose = FALSE
  )
  native <- nlme_model(
    fixed(theta1 = -0.5, theta2 = -0.15, beta = 0.1, omega = positive(sqrt(0.5))),
    random(eta ~ normal(0, omega) | id),
    y ~ bernoulli(plogis(theta1 + eta + (theta2 + beta * treatment) * time))
  )
  expect_same_model(model, data, native)
  short <- list(seed = 1, nbiter.saemix = c(40, 20), displayProgress = FALSE)
  fit <- suppressWarnings(saemix(model, data, short))
  same <- suppressWarnings(fit_nlme(native, as.data.frame(data), saem(40, 20), seed = 1, progress = FALSE))
  expect_named(fixef(fit), c("theta1", "theta2", "beta_theta2_treatment"))
  expect_equal(unname(fixef(fit)), unname(fixef(same)), tolerance = 0.1)
})

test_that("a Poisson likelihood is the Poisson model", {
  skip_if_not_installed("MASS")
  count.poisson <- function(psi, id, xidep) {
    time <- xidep[, 1]
    y <- xidep[, 2]
    intercept <- psi[id, 1]
    slope <- psi[id, 2]
    lambda <- exp(intercept + slope * time)
    logp <- -lambda + y * log(lambda) - log(factorial(y))
    return(logp)
  }
  model <- likelihood(count.poisson, c(intercept = log(5), slope = 0.01), omega.init = diag(c(0.5, 0.1)))
  data <- saemix_data(
    MASS::epil, name.group = "subject", name.predictors = c("period", "y"), name.response = "y", verbose = FALSE
  )
  native <- nlme_model(
    fixed(m = log(5), s = 0.01, o1 = positive(sqrt(0.5)), o2 = positive(sqrt(0.1))),
    random(u ~ normal(0, o1) | subject, v ~ normal(0, o2) | subject),
    y ~ poisson(exp(m + u + (s + v) * period))
  )
  expect_same_model(model, data, native)
})

test_that("a zero-inflated likelihood sets the rows of zeros", {
  count.zip <- function(psi, id, xidep) {
    time <- xidep[, 1]
    y <- xidep[, 2]
    lambda <- exp(psi[id, 1] + psi[id, 2] * time)
    p0 <- psi[id, 3]
    logp <- log(1 - p0) + dpois(y, lambda, log = TRUE)
    logp0 <- log(p0 + (1 - p0) * exp(-lambda))
    logp[y == 0] <- logp0[y == 0]
    return(logp)
  }
  model <- likelihood(
    count.zip, c(intercept = 0.5, slope = 0.01, p0 = 0.2), c(0, 0, 3), covariance.model = diag(c(1, 1, 0)),
    omega.init = diag(c(0.5, 0.3, 0))
  )
  data <- saemix_data(
    toenail, name.group = "id", name.predictors = c("time", "y"), name.response = "y", verbose = FALSE
  )
  native <- nlme_model(
    fixed(m = 0.5, s = 0.01, p0 = probability(0.2), o1 = positive(sqrt(0.5)), o2 = positive(sqrt(0.3))),
    random(u ~ normal(0, o1) | id, v ~ normal(0, o2) | id),
    {
      lambda <- exp(m + u + (s + v) * time)
      y ~ custom(ifelse(
        y == 0, log(p0 + (1 - p0) * exp(-lambda)), log(1 - p0) - lambda + y * log(lambda) - lgamma(y + 1)
      ))
    }
  )
  expect_same_model(model, data, native)
})

test_that("a proportional odds likelihood is read as it stands", {
  ordinal.model <- function(psi, id, xidep) {
    y <- xidep[, 1]
    time <- xidep[, 2]
    alp1 <- psi[id, 1]
    alp2 <- psi[id, 2]
    beta <- psi[id, 3]
    logit1 <- alp1 + beta * time
    logit2 <- logit1 + alp2
    pge1 <- exp(logit1) / (1 + exp(logit1))
    pge2 <- exp(logit2) / (1 + exp(logit2))
    pobs <- (y == 1) * pge1 + (y == 2) * (pge2 - pge1) + (y == 3) * (1 - pge2)
    logpdf <- log(pobs)
    return(logpdf)
  }
  knee <- transform(toenail, y = 1 + (seq_len(80) * 7) %% 3)
  model <- likelihood(
    ordinal.model, c(alp1 = 0, alp2 = 1, beta = 0.2), c(0, 1, 0), covariance.model = diag(c(1, 0, 0))
  )
  data <- saemix_data(knee, name.group = "id", name.predictors = c("y", "time"), name.X = "time", verbose = FALSE)
  native <- nlme_model(
    fixed(alp1 = 0, alp2 = positive(1), beta = 0.2, omega = positive(1)),
    random(eta ~ normal(0, omega) | id),
    {
      l1 <- alp1 + eta + beta * time
      y ~ custom(log(ifelse(
        y == 1, plogis(l1), ifelse(y == 2, plogis(l1 + alp2) - plogis(l1), 1 - plogis(l1 + alp2))
      )))
    }
  )
  expect_same_model(model, data, native)
})

test_that("local names that the model has already get their own", {
  scaled <- function(psi, id, xidep) {
    a <- psi[id, 1]
    a <- a * 2
    age <- xidep[, 1] / 100
    b <- psi[id, 2]
    out <- a + b * age
    out
  }
  joined <- refused(scaled)
  expect_equal(
    vapply(joined$spec$statements, `[[`, "", "text"),
    c(
      "a <- a + eta_a", "b <- b + eta_b", "a_1 <- a * 2", "age_1 <- age/100", "out <- a_1 + b * age_1",
      "circumference ~ normal(out, add(sigma_a))"
    )
  )
})

test_that("settings outside the function are read, and choose branches", {
  scale <- 100
  quadratic <- FALSE
  helper <- function(x, slope) slope * x
  model <- function(psi, id, xidep) {
    if (quadratic) {
      f <- psi[id, 1] + psi[id, 2] * xidep$age^2
    } else {
      f <- psi[id, 1] + helper(xidep[["age"]] / scale, psi[id, 2])
    }
    f
  }
  text <- vapply(refused(model)$spec$statements, `[[`, "", "text")
  expect_equal(text[3L], "f <- a + helper(age/100, b)")
})

test_that("helpers inside the function are read where they are called", {
  model <- function(psi, id, xidep) {
    curve <- function(base, slope, x) {
      rise <- slope * x
      base + rise
    }
    f <- curve(psi[id, 1], psi[id, 2], xidep[, 1])
    f
  }
  plain <- function(psi, id, xidep) psi[id, 1] + psi[id, 2] * xidep[, 1]
  start <- list(a = 1, b = 0.1)
  expect_equal(log_likelihood_at(refused(model), orange, start), log_likelihood_at(refused(plain), orange, start))
})

test_that("what cannot be read names its line", {
  expect_snapshot({
    cat(conditionMessage(refused(function(psi, id, xidep) {
      f <- psi[id, 1]
      for (i in 1:3) f[i] <- 0
      f
    })))
    cat(conditionMessage(refused(function(psi, id, xidep) psi[id, 3] * xidep[, 1])))
    cat(conditionMessage(refused(function(psi, id, xidep) psi[, 1] * xidep[, 1])))
    cat(conditionMessage(refused(function(psi, id, xidep) psi[id, "aa"] * xidep[, 1])))
    cat(conditionMessage(refused(function(psi, id, xidep) psi[id, 1] * cumsum(xidep[, 1]))))
    cat(conditionMessage(refused(function(psi, id, xidep) psi[id, 1] * unheard)))
    cat(conditionMessage(refused(function(psi, id, xidep) exp(psi))))
    cat(conditionMessage(refused(function(psi, id, xidep) {
      f <- psi[id, 1]
      if (f > 2) f <- 2
      f
    })))
    cat(conditionMessage(refused(function(psi, id, xidep) {
      f <- psi[id, 1]
      f[2] <- 0
      f
    })))
    cat(conditionMessage(refused(function(psi, id, xidep) {
      f[xidep[, 1] > 2] <- 0
      f
    })))
  })
})

test_that("a word the language does not have names the line as written", {
  error <- refused(function(psi, id, xidep) besselI(psi[id, 1], 0))
  expect_equal(error[c("reason", "place")], list(reason = "unknown_function", place = "besselI(psi[id, 1], 0)"))
})

# nolint end
