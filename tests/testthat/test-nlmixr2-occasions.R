# Effects of occasions.

test_that("without equations occasions are a grouping of their own, as lme() has it", {
  skip_if_not_installed("nlme")
  set.seed(2)
  data <- expand.grid(rep = 1:3, occ = 1:3, ID = 1:25)
  data$time <- data$rep
  data$DV <- 5 + rep(stats::rnorm(25), each = 9) + rep(stats::rnorm(75, 0, 0.7), each = 3) + stats::rnorm(225, 0, 0.4)
  model <- as_nlme_model(function() {
    ini({
      mu <- 4
      eta.mu ~ 0.5
      iov.mu ~ 0.3 | occ
      add.sd <- 0.5
    })
    model({
      y <- mu + eta.mu + iov.mu
      y ~ add(add.sd)
    })
  })
  expect_equal(model$groups, c("id", "id:occ"))
  fit <- suppressWarnings(fit_nlme(model, data, vem(), seed = 1))
  exact <- nlme::lme(DV ~ 1, data, ~ 1 | ID / occ, method = "ML")
  expect_equal(as.numeric(logLik(fit)), as.numeric(logLik(exact)), tolerance = 1e-4)
  expect_equal(unname(fixef(fit)[["mu"]]), unname(nlme::fixef(exact)[[1]]), tolerance = 1e-3)
})

# The amount is the integral of `(a + eta + iov of the occasion)`, so data are normal with a known covariance.
iov_ode <- function() {
  ini({
    a <- 1
    eta.a ~ 0.2
    iov.a ~ 0.1 | occ
    add.sd <- fix(0.3)
  })
  model({
    d/dt(u) <- a + eta.a + iov.a
    u ~ add(add.sd)
  })
}

test_that("with equations the code takes the effect of the record's occasion", {
  set.seed(4)
  data <- expand.grid(time = 0:6, id = 1:30)
  data$occ <- ifelse(data$time < 2, 1, ifelse(data$time < 5, 2, 4))
  # Time spent in each occasion; a record's occasion lasts until the next record.
  spent <- cbind(pmin(data$time, 2), pmin(pmax(data$time - 2, 0), 3), pmax(data$time - 5, 0))
  b <- matrix(stats::rnorm(90, 0, sqrt(0.1)), 30)
  eta <- stats::rnorm(30, 0, sqrt(0.2))
  data$DV <- data$time * (1 + eta[data$id]) + rowSums(spent * b[data$id, ]) + stats::rnorm(nrow(data), 0, 0.3)
  fit <- suppressWarnings(fit_nlme(iov_ode, data, vem(), seed = 1))
  expect_equal(sum(grepl("^iov.a", fit$model$described$effects)), 3L)
  log_lik <- function(p) {
    one <- data$id == 1
    z <- spent[one, ]
    time <- data$time[one]
    v <- exp(2 * p[2]) * tcrossprod(time) + exp(2 * p[3]) * tcrossprod(z) + 0.09 * diag(7)
    r <- chol(v)
    sum(vapply(1:30, function(i) {
      e <- backsolve(r, data$DV[data$id == i] - p[1] * time, transpose = TRUE)
      -sum(e^2) / 2 - sum(log(diag(r))) - 7 * log(2 * pi) / 2
    }, 0))
  }
  best <- stats::optim(c(1, -1, -1), function(p) -log_lik(p), method = "BFGS")
  expect_equal(as.numeric(logLik(fit)), -best$value, tolerance = 1e-4)
  expect_equal(unname(fixef(fit)[["a"]]), best$par[1], tolerance = 1e-3)
})

test_that("occasions are those of the data, whatever they are called", {
  data <- data.frame(id = 1, time = c(0, 1, 2), occ = c("first", "first", "second"), DV = 1:3)
  bound <- nlmers:::nlmixr2_with_data(as_nlme_model(iov_ode), data, "data")
  expect_equal(
    vapply(bound$spec$statements, `[[`, "", "text")[1],
    "iov.a <- (occ == \"first\") * iov.a.first + (occ == \"second\") * iov.a.second"
  )
  drawn <- simulate(as_nlme_model(iov_ode), seed = 1, data = data[c("id", "time", "occ")])
  expect_true(all(is.finite(drawn$DV)))
})

test_that("effects of an occasion may correlate, and be held", {
  model <- as_nlme_model(function() {
    ini({
      a <- 1
      i1 + i2 ~ fix(0.1, 0.01, 0.2) | occ
      add.sd <- 0.3
    })
    model({
      d/dt(u) <- a + i1
      w <- u + i2
      w ~ add(add.sd)
    })
  })
  expect_equal(unlist(lapply(model$spec$random, `[[`, "names")), c("i1.1", "i2.1", "i1.2", "i2.2"))
  expect_equal(model$fix$omega_i1_i2, matrix(c(0.1, 0.01, 0.01, 0.2), 2))
})

test_that("variances of 0, bounds and distributions of effects", {
  read <- function(line) {
    fn <- function() NULL
    body(fn) <- bquote({
      ini({
        a <- 1
        add.sd <- 1
        e ~ 0.1
        .(line)
      })
      model({
        y <- a + e + u
        y ~ add(add.sd)
      })
    })
    as_nlme_model(fn)
  }
  texts <- function(model) vapply(model$spec$statements, `[[`, "", "text")
  expect_equal(texts(read(quote(u ~ fix(0))))[1], "u <- 0")
  expect_equal(unlist(lapply(read(quote(u ~ 0))$spec$random, `[[`, "names")), "e")
  bounded <- Filter(function(p) p$name == "omega_sd_u", read(quote(u ~ c(0.04, 0.09, 1)))$spec$parameters)[[1]]
  expect_equal(bounded[c("value", "lower", "upper")], list(value = 0.3, lower = 0.2, upper = 1))
  expect_equal(names(read(quote(u ~ c(fix(0.3))))$fix), "omega_sd_u")
  expect_match(caught(read(quote(u ~ dgamma(2, 3))))$problem, "`dgamma()` cannot be", fixed = TRUE)
})
