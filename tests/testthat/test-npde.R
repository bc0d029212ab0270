# A line with a random intercept, evaluated at the values by which its data are drawn.
npde_line <- nlme_model(
  fixed(a = 10, b = -1, o = positive(2), s = positive(1)), random(e ~ normal(0, o) | id), {
    y ~ normal(a + e + b * time, s)
  }
)
npde_design <- data.frame(id = rep(1:30, each = 4), time = rep(c(0, 1, 2, 4), 30))

# Decorrelation and ranks as npde defines them, in the words of linear algebra.
errors_of <- function(y, draws) {
  apart <- sweep(draws, 1L, rowMeans(draws))
  lower <- t(chol(stats::cov(t(draws))))
  z <- solve(lower, y - rowMeans(draws))
  zs <- solve(lower, apart)
  k <- ncol(draws)
  share <- vapply(seq_along(z), function(i) sum(zs[i, ] < z[i]) / k, 1)
  qnorm(ifelse(share == 0, 1 / (2 * k), ifelse(share == 1, 1 - 1 / (2 * k), share)))
}

test_that("npde are the ranks of decorrelated observations among decorrelated simulations", {
  fit <- evaluate_nlme(theo_formula(error = add(sigma = 0.7)), theo, start = c(
    ka = 1.6, V = 31.6, Cl = 2.75, omega_sd_ka = 0.63, omega_sd_V = 0.13, omega_sd_Cl = 0.27
  ), seed = 1)
  found <- npde(fit, nsim = 400, seed = 3)
  draws <- matrix(simulate(fit, nsim = 400, seed = 3)$conc, nrow(theo))
  expected <- double(nrow(theo))
  for (rows in split(seq_len(nrow(theo)), as.character(theo$Subject))) {
    expected[rows] <- errors_of(theo$conc[rows], draws[rows, ])
  }
  expect_equal(found$errors$npde, expected, tolerance = 1e-6)
  expect_equal(residuals(fit, "npde", nsim = 400, seed = 3), expected, tolerance = 1e-6)
  pd <- rowMeans(draws < theo$conc)
  expect_equal(residuals(fit, "pit", nsim = 400, seed = 3), pmin(pmax(pd, 1 / 800), 1 - 1 / 800))
  expect_equal(found$errors$npd, qnorm(pmin(pmax(pd, 1 / 800), 1 - 1 / 800)))
  expect_equal(found$tests$p_normal, shapiro.test(expected)$p.value, tolerance = 1e-6)
  expect_equal(found$tests$p_mean, wilcox.test(expected)$p.value, tolerance = 0.02)
  expect_output(print(found), "Shapiro and Wilk")
})

test_that("under the true model tests reject at their level, under a wrong one they reject", {
  made <- simulate(npde_line, nsim = 200, seed = 11, data = npde_design)
  rejected <- vapply(1:200, function(i) {
    fit <- evaluate_nlme(npde_line, made[made$sim == i, -1], seed = 1)
    unlist(npde(fit, nsim = 500, seed = i)$tests[c("p_mean", "p_variance", "p_normal")]) < 0.05
  }, logical(3L))
  # 200 tests at 5 %: 2 to 20 with probability .998.
  expect_true(all(rowSums(rejected) >= 2 & rowSums(rejected) <= 20))
  wrong <- evaluate_nlme(npde_line, made[made$sim == 1, -1], start = c(a = 13, s = 3), seed = 1)
  expect_lt(npde(wrong, nsim = 500, seed = 1)$tests$p_adjusted, 1e-3)
})

test_that("censored observations are spread over the share beyond their limit", {
  design <- npde_design[rep(seq_len(120), 8), ]
  design$id <- rep(1:240, each = 4)
  made <- simulate(npde_line, seed = 4, data = design)
  for (side in c(1, -1)) {
    beyond <- if (side == 1) made$y < 7 else made$y > 11
    data <- transform(made, CENS = side * beyond, y = ifelse(beyond, if (side == 1) 7 else 11, y))
    fit <- evaluate_nlme(npde_line, data[-1], seed = 1)
    pd <- residuals(fit, "pit", nsim = 500, seed = 2)
    # The distribution of each row is known: N(10 - time, 5).
    edge <- pnorm(if (side == 1) 7 else 11, 10 - data$time, sqrt(5))
    outside <- if (side == 1) pd[beyond] - edge[beyond] else edge[beyond] - pd[beyond]
    expect_lt(max(outside), 4 * sqrt(0.25 / 500))
    # One row a subject: those of a subject correlate.
    first <- data$time == 0
    expect_gt(ks.test(pd[first], "punif")$p.value, 1e-3)
    expect_true(all(is.finite(npde(fit, nsim = 500, seed = 2)$errors$npde)))
  }
})

test_that("what has no prediction errors says so", {
  many <- fit_nlme(counts(), MASS::epil, short_saem(), seed = 1, progress = FALSE)
  expect_equal(caught(npde(many))$reason, "no_simulated_residual")
  expect_equal(caught(npde(1))$reason, "bad_option")
  crossed <- expand.grid(g = 1:6, h = 1:6)
  crossed$y <- rnorm(36)
  model <- nlme_model(
    fixed(a = 0, o = positive(1), p = positive(1), s = positive(1)),
    random(u ~ normal(0, o) | g), random(v ~ normal(0, p) | h), {
      y ~ normal(a + u + v, s)
    }
  )
  both <- evaluate_nlme(model, crossed, seed = 1)
  expect_equal(caught(npde(both))$reason, "crossed_groups")
  expect_equal(caught(residuals(both, "pwres"))$reason, "crossed_groups")
  expect_equal(caught(residuals(both, "cwres"))$reason, "no_conditional_residual")
  expect_length(residuals(both, "npd", nsim = 200, seed = 1), 36L)
})
