# The ways in which `linCmt()` of nlmixr2 may be written, against equations that deSolve integrates.

# The concentration after 100 units at time 0: rates between the compartments, absorption where there is one.
compartments_by_desolve <- function(times, v, k, k12 = 0, k21 = 0, k13 = 0, k31 = 0, ka = NULL) {
  slopes <- function(t, x, p) {
    absorbed <- if (is.null(ka)) 0 else ka * x[4]
    list(c(
      absorbed - (k + k12 + k13) * x[1] + k21 * x[2] + k31 * x[3], k12 * x[1] - k21 * x[2],
      k13 * x[1] - k31 * x[3], -absorbed
    ))
  }
  start <- if (is.null(ka)) c(100, 0, 0, 0) else c(0, 0, 0, 100)
  deSolve::lsoda(start, times, slopes, NULL, rtol = 1e-11, atol = 1e-11)[, 2] / v
}

# Rates of three compartments, and the curve that they make, `sum A exp(-lambda t)`, by the eigenvalues of the matrix.
macro_constants <- function(v, k, k12, k21, k13 = NULL, k31 = NULL) {
  m <- if (is.null(k13)) {
    matrix(c(-k - k12, k12, k21, -k21), 2)
  } else {
    matrix(c(-k - k12 - k13, k12, k13, k21, -k21, 0, k31, 0, -k31), 3)
  }
  parts <- eigen(m)
  lambda <- -parts$values
  coefficients <- parts$vectors[1, ] * solve(parts$vectors)[, 1] / v
  order <- order(-lambda)
  list(lambda = lambda[order], coefficients = coefficients[order])
}

lincmt_table <- function() {
  one <- list(v = 20, k = 0.15)
  two <- list(v = 20, k = 0.15, k12 = 0.3, k21 = 0.2)
  three <- c(two, list(k13 = 0.08, k31 = 0.03))
  m2 <- do.call(macro_constants, two)
  m3 <- do.call(macro_constants, three)
  e2 <- list(alpha = m2$lambda[1], beta = m2$lambda[2])
  e3 <- list(alpha = m3$lambda[1], beta = m3$lambda[2], gamma = m3$lambda[3])
  q <- 0.3 * 20
  cl <- 0.15 * 20
  v2 <- q / 0.2
  q2 <- 0.08 * 20
  v3 <- q2 / 0.03
  flows <- function(names) {
    stats::setNames(list(cl, 20, q, v2, q2, v3)[seq_along(names)], names)
  }
  list(
    list(one, flows(c("cl", "v"))), list(one, flows(c("CL", "Vc"))), list(one, list(k = 0.15, v = 20)),
    list(one, list(ke = 0.15, v = 20)), list(one, list(kel = 0.15, vc = 20)), list(one, list(k10 = 0.15, v1 = 20)),
    list(one, list(alpha = 0.15, v = 20)), list(one, list(alpha = 0.15, a = 1 / 20)),
    list(two, flows(c("cl", "v", "q", "vp"))), list(two, flows(c("cl", "v1", "q", "v2"))),
    list(two, flows(c("cl", "v", "cld", "vt"))), list(two, flows(c("cl", "v", "q1", "vp1"))),
    list(two, flows(c("cl", "v2", "q", "v3"))), list(two, flows(c("cl", "v", "cl2", "v2"))),
    list(two, flows(c("cl", "v", "q", "vd"))), list(two, list(cl = cl, v = 20, q = q, vss = 20 + v2)),
    list(two, list(k = 0.15, v = 20, k12 = 0.3, k21 = 0.2)), list(two, list(k20 = 0.15, v2 = 20, k23 = 0.3, k32 = 0.2)),
    list(two, c(e2, list(v = 20, k21 = 0.2))), list(two, c(e2, list(v = 20, k32 = 0.2))),
    list(two, c(e2, list(v = 20, aob = m2$coefficients[1] / m2$coefficients[2]))),
    list(two, c(e2, list(a = m2$coefficients[1], b = m2$coefficients[2]))),
    list(two, c(e2, list(v = 1 / m2$coefficients[1], b = m2$coefficients[2]))),
    list(three, flows(c("cl", "v", "q", "vp", "q2", "vp2"))), list(three, flows(c("cl", "v1", "q", "v2", "q2", "v3"))),
    list(three, flows(c("cl", "v", "cld", "vt", "cld2", "vt2"))),
    list(three, list(k = 0.15, v = 20, k12 = 0.3, k21 = 0.2, k13 = 0.08, k31 = 0.03)),
    list(three, list(k20 = 0.15, v2 = 20, k23 = 0.3, k32 = 0.2, k24 = 0.08, k42 = 0.03)),
    list(three, c(e3, list(A = m3$coefficients[1], B = m3$coefficients[2], C = m3$coefficients[3]))),
    list(three, c(e3, list(v = 1 / m3$coefficients[1], b = m3$coefficients[2], c = m3$coefficients[3])))
  )
}

# The curve of a model with these values; `named`: whether `linCmt()` is given their names, `beside`: another state.
lincmt_curve <- function(values, times, named, beside = FALSE) {
  lines <- Map(function(name, value) call("<-", as.symbol(name), value), names(values), values)
  curve <- as.call(c(quote(linCmt), if (named) lapply(unname(sample(names(values))), as.symbol)))
  model <- function() NULL
  body(model) <- bquote({
    ini({
      s <- 1
    })
    model({
      ..(unname(lines))
      ..(if (beside) list(quote(d/dt(other) <- -0.1 * other)) else list())
      cp <- .(curve)
      cp ~ add(s)
    })
  }, splice = TRUE)
  environment(model) <- globalenv()
  data <- data.frame(id = 1, time = times, amt = c(100, numeric(length(times) - 1)), DV = 0)
  data$evid <- as.integer(data$amt > 0)
  if (beside) data$cmt <- ifelse(data$amt > 0, if ("ka" %in% names(values)) "depot" else "central", NA)
  as.numeric(predict(as_nlme_model(model), data))
}

test_that("every way to write linCmt() is the curve that deSolve integrates", {
  skip_if_not_installed("deSolve")
  times <- c(0, 0.5, 2, 6, 12, 30, 72)
  set.seed(1)
  for (row in lincmt_table()) {
    for (ka in list(NULL, 0.9)) {
      truth <- do.call(compartments_by_desolve, c(list(times, ka = ka), row[[1]]))
      values <- c(row[[2]], if (!is.null(ka)) list(ka = ka))
      shown <- paste(names(values), collapse = ", ")
      for (named in c(TRUE, FALSE)) {
        expect_equal(lincmt_curve(values, times, named)[-1], truth[-1], tolerance = 1e-7, label = shown)
      }
    }
  }
})

test_that("the same beside other states", {
  skip_if_not_installed("deSolve")
  times <- c(0, 0.5, 6, 30)
  set.seed(2)
  for (row in lincmt_table()[c(1, 7, 16, 21, 22, 29)]) {
    truth <- do.call(compartments_by_desolve, c(list(times, ka = 0.9), row[[1]]))
    curve <- lincmt_curve(c(row[[2]], list(ka = 0.9)), times, TRUE, beside = TRUE)
    expect_equal(curve[-1], truth[-1], tolerance = 1e-5, label = paste(names(row[[2]]), collapse = ", "))
  }
})

test_that("exponents without what they need are refused", {
  half <- list(
    c("alpha", "ka"), c("alpha", "beta", "v"), c("alpha", "beta", "a"), c("alpha", "gamma", "v", "b"),
    c("alpha", "beta", "gamma", "v", "b"), c("alpha", "beta", "v", "b", "c"), c("alpha", "v", "aob"),
    c("alpha", "beta", "a", "aob"), c("alpha", "beta", "v", "k21", "aob"), c("alpha", "v", "a"),
    c("alpha", "v", "q", "vp"), c("alpha", "beta", "gamma", "v", "k21")
  )
  for (names in half) {
    expect_equal(caught(nlmers:::found_roles(names))$reason, "not_translated", label = paste(names, collapse = ", "))
  }
})
