# One small model for each family, type of parameter, pattern of groups and kind of
# covariate, with its complete-data log density written again in R.

# `data` lacks the outcome `y`, which is simulated. `outcome(d, e, p)` and `effects(e, p)` give
# log densities of the rows and of the levels: `e` holds the effects by row (outcome) or by level,
# `p` the parameters.
gallery_case <- function(model, outcome, effects = normal_effects, data = gallery_data(),
                         groups = list(data$id), recovers = TRUE) {
  list(
    model = model, outcome = outcome, effects = effects, data = data, groups = groups,
    recovers = recovers
  )
}

gallery_data <- function(subjects = 60, rows = 6) {
  data <- expand.grid(row = seq_len(rows), id = seq_len(subjects))
  data$x <- (data$row - mean(seq_len(rows))) / 2
  data$w <- 50 + (data$id * 7) %% 40
  data$time <- data$row
  data$site <- 1 + data$id %% 5
  data
}

normal_effects <- function(e, p) stats::dnorm(e[, 1L], 0, p$o, log = TRUE)

# Models with one normal effect, whose outcome has family `dist`.
outcome_case <- function(fixed, dist, density, data = gallery_data(), recovers = TRUE) {
  model <- eval(bquote(nlme_model(
    .(as.call(c(quote(fixed), fixed, list(o = quote(positive(0.8)))))),
    random(e ~ normal(0, o) | id), {
      f <- a + 0.5 * x + e
      .(dist)
    }
  )))
  gallery_case(model, function(d, e, p) {
    density(d$y, p$a + 0.5 * d$x + e[, 1L], p)
  }, data = data, recovers = recovers)
}

outcome_gallery <- function() {
  a <- list(a = 0.3)
  s <- list(s = quote(positive(0.5)))
  list(
    normal = outcome_case(c(a, s), quote(y ~ normal(f, s)), function(y, f, p) {
      stats::dnorm(y, f, p$s, log = TRUE)
    }),
    lognormal = outcome_case(c(a, s), quote(y ~ lognormal(f, s)), function(y, f, p) {
      stats::dlnorm(y, f, p$s, log = TRUE)
    }),
    combined = outcome_case(c(a, s, list(b = quote(positive(0.2)))), quote(y ~ normal(exp(f), add_prop(s, b))),
      function(y, f, p) stats::dnorm(y, exp(f), sqrt(p$s^2 + p$b^2 * exp(f)^2), log = TRUE)
    ),
    power = outcome_case(c(a, s, list(c = 0.6)), quote(y ~ normal(exp(f), pow(s, c))),
      function(y, f, p) stats::dnorm(y, exp(f), p$s * exp(p$c * f), log = TRUE)
    ),
    combined_power = outcome_case(c(a, s), quote(y ~ normal(exp(f), add_pow(0.2, s, 0.6))),
      function(y, f, p) stats::dnorm(y, exp(f), sqrt(0.04 + p$s^2 * exp(1.2 * f)), log = TRUE)
    ),
    combined_power_sd = outcome_case(c(a, s), quote(y ~ normal(exp(f), add_pow_sd(0.2, s, 0.6))),
      function(y, f, p) stats::dnorm(y, exp(f), 0.2 + p$s * exp(0.6 * f), log = TRUE)
    ),
    box_cox = outcome_case(c(a, list(l = 0.4, s = quote(positive(0.2)))), quote(y ~ box_cox(exp(f), s, l)),
      function(y, f, p) {
        h <- function(x) (x^p$l - 1) / p$l
        stats::dnorm(h(y), h(exp(f)), p$s, log = TRUE) + (p$l - 1) * log(y)
      }
    ),
    yeo_johnson = outcome_case(c(a, s, list(l = 0.7)), quote(y ~ yeo_johnson(f, s, l)), function(y, f, p) {
      h <- function(x) {
        ifelse(x < 0, -((1 + abs(x))^(2 - p$l) - 1) / (2 - p$l), ((1 + abs(x))^p$l - 1) / p$l)
      }
      stats::dnorm(h(y), h(f), p$s, log = TRUE) + log((1 + abs(y))^(sign(y) * (p$l - 1)))
    }),
    logit_normal = outcome_case(c(a, s), quote(y ~ logit_normal(-1 + 4 * plogis(f), prop(s), -1, 3)),
      function(y, f, p) {
        sd <- p$s * abs(-1 + 4 * plogis(f))
        stats::dnorm(qlogis((y + 1) / 4), f, sd, log = TRUE) - log((y + 1) * (3 - y) / 4)
      }, recovers = FALSE
    ),
    probit_normal = outcome_case(c(a, s), quote(y ~ probit_normal(pnorm(f), s)), function(y, f, p) {
      stats::dnorm(stats::qnorm(y), f, p$s, log = TRUE) - stats::dnorm(stats::qnorm(y), log = TRUE)
    }),
    student_t = outcome_case(c(a, s), quote(y ~ student_t(5, f, s)), function(y, f, p) {
      stats::dt((y - f) / p$s, 5, log = TRUE) - log(p$s)
    }),
    laplace = outcome_case(c(a, s), quote(y ~ laplace(f, s)), function(y, f, p) {
      -abs(y - f) / p$s - log(2 * p$s)
    }),
    logistic = outcome_case(c(a, s), quote(y ~ logistic(f, s)), function(y, f, p) {
      stats::dlogis(y, f, p$s, log = TRUE)
    }),
    gamma = outcome_case(c(a, list(k = quote(positive(2)))), quote(y ~ gamma(k, exp(f) / k)), function(y, f, p) {
      stats::dgamma(y, shape = p$k, scale = exp(f) / p$k, log = TRUE)
    }),
    beta = outcome_case(c(a, list(k = quote(positive(5)))), quote(y ~ beta(k * plogis(f), k * plogis(-f))),
      function(y, f, p) stats::dbeta(y, p$k * plogis(f), p$k * plogis(-f), log = TRUE)
    ),
    exponential = outcome_case(a, quote(y ~ exponential(exp(f))), function(y, f, p) {
      stats::dexp(y, exp(-f), log = TRUE)
    }),
    weibull = outcome_case(c(a, list(k = quote(positive(1.5)))), quote(y ~ weibull(k, exp(f))), function(y, f, p) {
      stats::dweibull(y, p$k, exp(f), log = TRUE)
    }),
    bernoulli = outcome_case(a, quote(y ~ bernoulli(plogis(f))), function(y, f, p) {
      stats::dbinom(y, 1, plogis(f), log = TRUE)
    }),
    binomial = outcome_case(a, quote(y ~ binomial(10, plogis(f))), function(y, f, p) {
      stats::dbinom(y, 10, plogis(f), log = TRUE)
    }),
    poisson = outcome_case(a, quote(y ~ poisson(exp(f))), function(y, f, p) {
      stats::dpois(y, exp(f), log = TRUE)
    }),
    neg_binomial = outcome_case(c(a, list(k = quote(positive(3)))), quote(y ~ neg_binomial(exp(f), k)),
      function(y, f, p) stats::dnbinom(y, mu = exp(f), size = p$k, log = TRUE)
    ),
    categorical = outcome_case(c(a, list(b = -0.3)), quote(y ~ categorical(c(1, exp(b), exp(f)))), function(y, f, p) {
      weights <- cbind(1, exp(p$b), exp(f))
      log(weights[cbind(seq_along(y), y)] / rowSums(weights))
    }),
    ordered = outcome_case(c(a, list(gap = quote(positive(1.2)))), quote(y ~ ordered(f, c(-0.5, -0.5 + gap))),
      function(y, f, p) {
        below <- cbind(0, plogis(-0.5 - f), plogis(-0.5 + p$gap - f), 1)
        log(below[cbind(seq_along(y), y + 1)] - below[cbind(seq_along(y), y)])
      }
    ),
    custom = outcome_case(c(a, s), quote(y ~ custom(-((y - f) / s)^2 / 2 - log(s))), function(y, f, p) {
      stats::dnorm(y, f, p$s, log = TRUE) + log(2 * pi) / 2
    }, recovers = FALSE),
    censored = outcome_case(c(a, s), quote(y ~ censored(normal(f, s), lower = -0.4, upper = 1.5)), function(y, f, p) {
      ifelse(y <= -0.4, stats::pnorm(-0.4, f, p$s, log.p = TRUE), ifelse(
        y >= 1.5, stats::pnorm(1.5, f, p$s, lower.tail = FALSE, log.p = TRUE),
        stats::dnorm(y, f, p$s, log = TRUE)
      ))
    })
  )
}

# Models with a normal outcome, whose effect has family `dist`.
effect_case <- function(fixed, dist, density, data = gallery_data()) {
  model <- eval(bquote(nlme_model(
    .(as.call(c(quote(fixed), fixed, list(a = 0.3, s = quote(positive(0.4)))))),
    random(.(dist)), {
      y ~ normal(a * x + e, s)
    }
  )))
  gallery_case(
    model, function(d, e, p) stats::dnorm(d$y, p$a * d$x + e[, 1L], p$s, log = TRUE),
    function(e, p) density(e[, 1L], p), data
  )
}

effect_gallery <- function() {
  wide <- gallery_data(150)
  by_weight <- function(p) p$m + p$b * log(unique(wide[c("id", "w")])$w / 70)
  list(
    normal = effect_case(list(m = 1, o = quote(positive(0.4))), quote(e ~ normal(m, o) | id), function(e, p) {
      stats::dnorm(e, p$m, p$o, log = TRUE)
    }),
    lognormal = effect_case(list(m = 0.2, o = quote(positive(0.4))), quote(e ~ lognormal(m, o) | id), function(e, p) {
      stats::dlnorm(e, p$m, p$o, log = TRUE)
    }),
    exponential = effect_case(list(m = quote(positive(2))), quote(e ~ exponential(m) | id), function(e, p) {
      stats::dexp(e, 1 / p$m, log = TRUE)
    }, wide),
    gamma = effect_case(list(k = quote(positive(3)), m = quote(positive(0.7))), quote(e ~ gamma(k, m) | id),
      function(e, p) stats::dgamma(e, p$k, scale = p$m, log = TRUE), wide
    ),
    beta = effect_case(list(k = quote(positive(2)), m = quote(positive(3))), quote(e ~ beta(k, m) | id),
      function(e, p) stats::dbeta(e, p$k, p$m, log = TRUE), wide
    ),
    student_t = effect_case(list(m = 1, o = quote(positive(0.6))), quote(e ~ student_t(4, m, o) | id), function(e, p) {
      stats::dt((e - p$m) / p$o, 4, log = TRUE) - log(p$o)
    }, wide),
    covariate = effect_case(list(m = 1, b = 0.8, o = quote(positive(0.4))),
      quote(e ~ normal(m + b * log(w / 70), o) | id),
      function(e, p) stats::dnorm(e, by_weight(p), p$o, log = TRUE), wide
    ),
    gamma_covariate = effect_case(list(m = 0.2, b = 0.8, k = quote(positive(3))),
      quote(e ~ gamma(k, exp(m + b * log(w / 70)) / k) | id),
      function(e, p) stats::dgamma(e, p$k, scale = exp(by_weight(p)) / p$k, log = TRUE), wide
    )
  )
}

# Two correlated effects, with the covariance written in each way there is.
matrix_case <- function(omega, covariance, sigma_of) {
  data <- gallery_data(120)
  model <- eval(bquote(nlme_model(
    fixed(m = c(1, -0.5), omega = .(omega), s = positive(0.4)),
    random(c(e1, e2) ~ mvnormal(m, .(covariance)) | id), {
      y ~ normal(e1 + e2 * x, s)
    }
  )))
  gallery_case(
    model, function(d, e, p) stats::dnorm(d$y, e[, 1L] + e[, 2L] * d$x, p$s, log = TRUE),
    function(e, p) mvtnorm::dmvnorm(e, p$m, sigma_of(p$omega), log = TRUE), data
  )
}

matrix_gallery <- function() {
  full <- matrix(c(0.3, 0.1, 0.1, 0.2), 2L)
  # The core counts the lower triangle by rows.
  square <- function(omega) matrix(omega[c(1L, 2L, 2L, 3L)], 2L)
  list(
    cholesky = matrix_case(bquote(covariance_matrix(.(full))), quote(omega), square),
    matrix_log = matrix_case(
      bquote(covariance_matrix(.(full), parameterization = "matrix_log")), quote(omega), square
    ),
    diagonal_matrix = matrix_case(quote(diagonal_matrix(c(0.3, 0.2))), quote(omega), diag),
    variances = matrix_case(quote(positive(c(0.3, 0.2))), quote(diag(omega)), diag)
  )
}

# Effects of several groupings; `e` holds one matrix a grouping.
group_gallery <- function() {
  data <- gallery_data(40, 8)
  data$occ <- 1 + data$row %% 2
  data$school <- (data$id - 1) %/% 4
  grouped <- function(second, codes) {
    model <- eval(bquote(nlme_model(
      fixed(m = 1, o = positive(0.5), k = positive(0.4), s = positive(0.3)),
      random(e ~ normal(m, o) | id, u ~ normal(0, k) | .(second)), {
        y ~ normal(e * (1 + 0.3 * x) + u, s)
      }
    )))
    gallery_case(
      model, function(d, e, p) stats::dnorm(d$y, e[[1L]][, 1L] * (1 + 0.3 * d$x) + e[[2L]][, 1L], p$s, log = TRUE),
      list(
        function(e, p) stats::dnorm(e[, 1L], p$m, p$o, log = TRUE),
        function(e, p) stats::dnorm(e[, 1L], 0, p$k, log = TRUE)
      ), data, groups = list(data$id, codes)
    )
  }
  list(
    nested = grouped(quote(school), data$school),
    crossed = grouped(quote(row), data$row),
    occasions = grouped(quote(id:occ), interaction(data$occ, data$id, drop = TRUE))
  )
}

# Parameters with constraints of their own, and covariates that are declared.
declared_gallery <- function() {
  data <- gallery_data(80)
  data$arm <- c("placebo", "low", "high")[1 + data$id %% 3]
  data$age <- (data$id * 11) %% 30 / 30
  levels <- c("placebo", "low", "high")
  list(
    simplex = gallery_case(nlme_model(
      fixed(p = simplex(c(0.2, 0.5, 0.3)), o = positive(0.4)),
      random(e ~ normal(0, o) | id), {
        y ~ categorical(c(p[1], p[2], p[3] * exp(e)))
      }
    ), function(d, e, p) {
      weights <- cbind(p$p[1L], p$p[2L], p$p[3L] * exp(e[, 1L]))
      log(weights[cbind(seq_along(d$y), d$y)] / rowSums(weights))
    }, data = data),
    probability = gallery_case(nlme_model(
      fixed(q = probability(0.3), o = positive(0.5)), random(e ~ normal(0, o) | id), {
        y ~ bernoulli(plogis(qlogis(q) + e))
      }
    ), function(d, e, p) stats::dbinom(d$y, 1, plogis(qlogis(p$q) + e[, 1L]), log = TRUE), data = data),
    bounds = gallery_case(nlme_model(
      fixed(m = real(0.5, lower = 0, upper = 2), o = positive(0.4), s = positive(0.3)),
      random(e ~ normal(0, o) | id), {
        y ~ normal(m + e, s)
      }
    ), function(d, e, p) stats::dnorm(d$y, p$m + e[, 1L], p$s, log = TRUE), data = data),
    factor = gallery_case(nlme_model(
      fixed(m = 1, b = c(0.5, 1), o = positive(0.4), s = positive(0.3)),
      covariates(arm = factor(levels = c("placebo", "low", "high"), reference = "placebo")),
      random(e ~ normal(m + sum(b * arm), o) | id), {
        y ~ normal(e, s)
      }
    ), function(d, e, p) stats::dnorm(d$y, e[, 1L], p$s, log = TRUE), function(e, p) {
      arm <- match(data$arm[!duplicated(data$id)], levels)
      stats::dnorm(e[, 1L], p$m + c(0, p$b)[arm], p$o, log = TRUE)
    }, data),
    vector = gallery_case(nlme_model(
      fixed(b = c(0.5, 1), o = positive(0.4), s = positive(0.3)),
      covariates(z = vector(c("x", "age"))),
      random(e ~ normal(0, o) | id), {
        y ~ normal(sum(b * z) + e, s)
      }
    ), function(d, e, p) {
      stats::dnorm(d$y, p$b[1L] * d$x + p$b[2L] * d$age + e[, 1L], p$s, log = TRUE)
    }, data = data),
    time_varying = gallery_case(nlme_model(
      fixed(b = 0.5, o = positive(0.4), s = positive(0.3)), covariates(x = time_varying("linear")),
      random(e ~ normal(0, o) | id), {
        y ~ normal(b * x + e, s)
      }
    ), function(d, e, p) stats::dnorm(d$y, p$b * d$x + e[, 1L], p$s, log = TRUE), data = data),
    # Draws say whether an event happened since the row before, not when: nothing to recover.
    event = gallery_case(nlme_model(
      fixed(l = 1, k = positive(1.3), o = positive(0.4)), random(e ~ normal(0, o) | id), {
        scale <- exp(l + e)
        y ~ event(k / scale * (t / scale)^(k - 1))
      }
    ), function(d, e, p) {
      scale <- exp(p$l + e[, 1L])
      before <- ifelse(d$row == 1, 0, d$time - 1)
      d$y * log(p$k / scale * (d$time / scale)^(p$k - 1)) - (d$time / scale)^p$k + (before / scale)^p$k
    }, data = data, recovers = FALSE),
    constant = gallery_case(nlme_model(
      fixed(b = 0.5, o = positive(0.4), s = positive(0.3)), covariates(age = constant(on = id)),
      random(e ~ normal(b * age, o) | id), {
        y ~ normal(e, s)
      }
    ), function(d, e, p) stats::dnorm(d$y, e[, 1L], p$s, log = TRUE), function(e, p) {
      stats::dnorm(e[, 1L], p$b * data$age[!duplicated(data$id)], p$o, log = TRUE)
    }, data)
  )
}

# Chains: the density of a row is that given the rows before it.
chain_gallery <- function() {
  data <- gallery_data(60, 8)
  data$time <- data$row + (data$row > 4)
  steps <- function(p, f) unlist(lapply(split(seq_len(nrow(data)), data$id), f), use.names = FALSE)
  filter <- function(y, emission, initial, transition) {
    state <- initial
    vapply(seq_along(y), function(j) {
      joint <- as.vector(state %*% transition(j)) * emission(j)
      state <<- joint / sum(joint)
      log(sum(joint))
    }, 0)
  }
  jump <- function(q, t) {
    total <- q[1L] + q[2L]
    stay <- exp(-total * t)
    rbind(c(q[2L] + q[1L] * stay, q[1L] * (1 - stay)), c(q[2L] * (1 - stay), q[1L] + q[2L] * stay)) / total
  }
  list(
    hmm = gallery_case(nlme_model(
      fixed(
        P = transition_matrix(rbind(c(0.85, 0.15), c(0.25, 0.75))), a = c(0, 2), o = positive(0.4), s = positive(0.5)
      ),
      random(e ~ normal(0, o) | id), {
        y ~ hmm(P, list(normal(a[1] + e, s), normal(a[2] + e, s)), c(0.6, 0.4))
      }
    ), function(d, e, p) {
      transition <- matrix(p$P, 2L, byrow = TRUE)
      steps(p, function(rows) {
        filter(d$y[rows], function(j) {
          stats::dnorm(d$y[rows[j]], p$a + e[rows[j], 1L], p$s)
        }, c(0.6, 0.4), function(j) transition)
      })
    }, data = data),
    continuous = gallery_case(nlme_model(
      fixed(Q = rate_matrix(rbind(c(-0.3, 0.3), c(0.5, -0.5))), a = c(0, 2), o = positive(0.4), s = positive(0.5)),
      random(e ~ normal(0, o) | id), {
        y ~ continuous_time_hmm(Q, list(normal(a[1] + e, s), normal(a[2] + e, s)), c(0.6, 0.4))
      }
    ), function(d, e, p) {
      steps(p, function(rows) {
        filter(d$y[rows], function(j) {
          stats::dnorm(d$y[rows[j]], p$a + e[rows[j], 1L], p$s)
        }, c(0.6, 0.4), function(j) {
          if (j == 1L) diag(2L) else jump(abs(p$Q[2:3]), d$time[rows[j]] - d$time[rows[j - 1L]])
        })
      })
    }, data = data),
    markov = gallery_case(nlme_model(
      fixed(a = -0.5, b = 0.5, o = positive(0.5)), random(e ~ normal(0, o) | id), {
        up <- plogis(a + e)
        down <- plogis(b)
        y ~ markov(rbind(c(1 - up, up), c(down, 1 - down)), c(0.5, 0.5))
      }
    ), function(d, e, p) {
      down <- plogis(p$b)
      steps(p, function(rows) {
        filter(d$y[rows], function(j) as.numeric(1:2 == d$y[rows[j]]), c(0.5, 0.5), function(j) {
          up <- plogis(p$a + e[rows[j], 1L])
          rbind(c(1 - up, up), c(down, 1 - down))
        })
      })
    }, data = data)
  )
}

whole_gallery <- function() {
  c(
    outcome_gallery(), stats::setNames(effect_gallery(), paste0("effect_", names(effect_gallery()))),
    matrix_gallery(), group_gallery(), declared_gallery(), chain_gallery()
  )
}
