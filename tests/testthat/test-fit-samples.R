counts_data <- data.frame(subject = rep(1:5, each = 2), y = c(0, 1, 3, 2, 5, 4, 1, 0, 9, 7))
counted <- suppressWarnings(fit_nlme(counts(), counts_data, short_saem(), seed = 1, progress = FALSE))
samples <- conditional_samples(counted, nsim = 3000, seed = 2)

test_that("draws of counts have the moments of their distribution", {
  theta <- fixef(counted)
  omega <- VarCorr(counted)$sd
  for (subject in 1:5) {
    y <- counts_data$y[counts_data$subject == subject]
    density <- function(eta) {
      rate <- theta[["lambda"]] * exp(eta)
      stats::dnorm(eta, 0, omega) * stats::dpois(y[1], rate) * stats::dpois(y[2], rate)
    }
    moment <- function(f) stats::integrate(function(eta) f(eta) * density(eta), -9, 9, rel.tol = 1e-10)$value
    mean <- moment(identity) / moment(function(eta) 1)
    sd <- sqrt(moment(function(eta) (eta - mean)^2) / moment(function(eta) 1))
    draws <- samples$eta[samples$level == subject]
    expect_lt(abs(mean(draws) - mean), 4 * sd / sqrt(3000))
    expect_lt(abs(stats::sd(draws) - sd), 4 * sd / sqrt(2 * 3000))
  }
})

test_that("draws are a long table that says how they were made", {
  expect_s3_class(samples, c("nlme_samples", "data.frame"), exact = TRUE)
  expect_named(samples, c("draw", "level", "eta"))
  expect_equal(samples$draw, rep(1:3000, 5))
  expect_equal(unique(samples$level), as.character(1:5))
  expect_equal(attributes(samples)[c("group", "seed")], list(group = "subject", seed = 2))
  expect_lt(attr(samples, "autocorrelation"), 0.1)
  expect_output(print(samples, n = 2), "3000 draws of `eta` for 5 levels of `subject`.*\n.*14998 more rows")
  expect_output(print(samples[1:3, ]), "for 1 level of `subject`, given the data\n draw")
  expect_output(print(samples[1:2, "eta", drop = FALSE]), "^ +eta\n1")
  expect_s3_class(as.data.frame(samples), "data.frame", exact = TRUE)
})

test_that("the same seed gives the same draws, whatever the threads, and R's generator is left alone", {
  again <- counted
  again$settings$threads <- 2
  withr::local_seed(5)
  before <- .Random.seed
  expect_identical(conditional_samples(again, nsim = 3000, seed = 2), samples)
  expect_identical(.Random.seed, before)
  expect_false(identical(conditional_samples(counted, nsim = 3000, seed = 3)$eta, samples$eta))
  expect_equal(caught(conditional_samples(counted, nsim = 0))$name, "nsim")
  expect_equal(caught(conditional_samples(counts()))$reason, "bad_fit")
})

test_that("the method that made the fit does not matter", {
  expect_equal(conditional_samples(as_if_by_vem(counted), nsim = 3000, seed = 2)$eta, samples$eta)
})

test_that("several groupings have a table each, and levels that are held their value", {
  model <- nlme_model(
    fixed(a = 0.5, sigma = positive(0.3), omega = positive(c(0.5, 0.5))),
    random(eta_id ~ normal(0, omega[1]) | id), random(eta_site ~ normal(0, omega[2]) | site),
    y ~ normal(a + eta_id + eta_site, sigma)
  )
  data <- expand.grid(t = 1:3, id = 1:8)
  data$site <- rep(c("north", "east", "south", "west"), each = 6)
  data$y <- withr::with_seed(1, stats::rnorm(24, 0.5 + stats::rnorm(8, 0, 0.5)[data$id], 0.3))
  fit <- suppressWarnings(fit_nlme(
    model, data, short_saem(), id = "id", fix = list(eta_id = c("2" = 0.1)), seed = 1, progress = FALSE
  ))
  samples <- suppressWarnings(conditional_samples(fit, 50, seed = 1))
  expect_named(samples, c("id", "site"))
  expect_equal(dim(samples$site), c(200L, 3L))
  expect_equal(samples$id$eta_id[samples$id$level == "2"], rep(0.1, 50))
})

test_that("posterior's draws are named by effect and level", {
  draws <- nlmers:::draw_matrix(samples)
  expect_equal(dim(draws), c(3000L, 5L))
  expect_equal(colnames(draws)[2L], "eta[2]")
  expect_equal(draws[, "eta[3]"], samples$eta[samples$level == "3"])
  expect_equal(nlmers:::element_names("eta[2]", c("a", "b")), c("eta[2,a]", "eta[2,b]"))
  skip_if_not_installed("posterior")
  expect_equal(dim(posterior::as_draws(samples)), c(3000L, 5L))
})
