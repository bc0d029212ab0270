anneal <- function(effects, model = nlme_model(
                     fixed(a = 0.5, b = 0.2, sigma = positive(0.3), tau = positive(1), sd_site = positive(1)),
                     random(
                       eta_id ~ normal(0, tau) | id, site ~ normal(a, 0.8) | place, other ~ normal(sd = 0.5, 0) | id,
                       c(u, v) ~ mvnormal(c(0, 0), diag(c(0.1, 0.1))) | id, w ~ lognormal(0, 0.1) | id
                     ),
                     y ~ normal(b * time + eta_id + site + other + u + v + w, sigma * sd_site)
                   )) {
  nlmers:::annealed_model(model, effects)
}

test_that("the SD of the effect becomes a parameter of its own, held fixed", {
  made <- anneal(c("site", "other"))
  expect_equal(made$collapses, list(
    list(effect = "site", parameter = "sd_site_1", sd = 0.8), list(effect = "other", parameter = "sd_other", sd = 0.5)
  ))
  expect_equal(made$model$fix, list(sd_site_1 = 0.8, sd_other = 0.5))
  expect_equal(vapply(made$model$spec$random[2:3], `[[`, "", "text"), c(
    "site ~ normal(a, sd_site_1) | place", "other ~ normal(sd = sd_other, 0) | id"
  ))
  expect_true(all(c("sd_site_1", "sd_other") %in% made$model$described$parameters$base))
  untouched <- anneal(character())
  expect_length(untouched$collapses, 0L)
})

test_that("an effect whose SD cannot be moved is refused", {
  expect_equal(caught(anneal("sit"))$hint, "Did you mean `site`?")
  problems <- c(
    eta_id = "whose SD is not a number written in the model", u = "an effect of a matrix", w = "which is lognormal"
  )
  for (effect in names(problems)) {
    error <- caught(anneal(effect))
    expect_equal(error[c("reason", "name")], list(reason = "not_eligible", name = effect))
    expect_match(error$problem, problems[[effect]])
  }
})

sites <- function() {
  withr::local_seed(4)
  data <- expand.grid(t = 0:3, SITE = 1:4, k = 1:5)
  data$ID <- paste(data$SITE, data$k)
  eta <- stats::rnorm(20)[as.integer(factor(data$ID))]
  data$y <- 0.5 + 0.2 * data$t + eta + stats::rnorm(nrow(data), 0, 0.3)
  data
}
crossed <- nlme_model(
  fixed(a = 0.5, b = 0.2, sigma = positive(0.3)),
  random(eta_id ~ normal(0, 1.2) | ID, eta_site ~ normal(0, 0.8) | SITE),
  {
    mu <- a + b * t + eta_id + eta_site
    y ~ normal(mu, sigma)
  }
)

test_that("an annealed effect ends at its mean, whatever the schedule", {
  for (schedule in c("exponential", "linear", "gamma")) {
    method <- saem(
      exploration = 160, smoothing = 40, anneal_to_fixed = "eta_site", anneal_schedule = schedule, log_lik = FALSE
    )
    fit <- suppressWarnings(fit_nlme(crossed, sites(), method, seed = 1, progress = FALSE))
    expect_equal(notes(fit)$anneal_to_fixed, "eta_site")
    effects <- ranef(fit)
    expect_lt(max(abs(effects$SITE$eta_site)), 1e-8)
    expect_gt(stats::sd(effects$ID$eta_id), 0.1)
    expect_equal(fit$parameters$natural[fit$parameters$name == "sd_eta_site"], 1e-5)
    trace <- fit$trace$value[, fit$trace$names == "sd_eta_site"]
    expect_equal(trace[1L], 0.8)
    expect_true(all(diff(trace) <= 1e-12))
    expect_equal(trace[161:200], rep(1e-5, 40))
    # The gamma schedule goes in the exploration the way of all 200 iterations, to 50^-0.65 of its start.
    expect_equal(trace[160L], if (schedule == "gamma") 0.8 * 50^-0.65 else 1e-5)
  }
})

# Models whose only effect collapses, so that they are those of least squares, with data: where the mean is that of the
# distribution, where it is written beside the effect, on the scale of a logarithm, and with another effect that stays.
collapsing <- function() {
  withr::local_seed(3)
  data <- data.frame(id = rep(1:10, each = 8), t = rep(1:8 / 1, 10))
  between <- rep(stats::rnorm(10), each = 8)
  decay <- transform(data, y = 10 * exp(-0.3 * t) + between + stats::rnorm(80, 0, 0.4))
  slopes <- transform(data, y = 2 + 0.7 * t + 2 * between + stats::rnorm(80))
  level <- transform(data, y = 50 + 2 * stats::rnorm(80))
  squares <- function(formula, data, start) as.numeric(stats::logLik(stats::nls(formula, data, start = start)))
  list(
    list(
      nlme_model(
        fixed(A = 6, k = 0.5, s = positive(1)), random(eta ~ normal(A, 0.8) | id), y ~ normal(eta * exp(-k * t), s)
      ),
      decay, squares(y ~ A * exp(-k * t), decay, c(A = 6, k = 0.5))
    ),
    list(
      nlme_model(
        fixed(A = 6, k = 0.5, s = positive(1)), random(eta ~ normal(0, 0.8) | id),
        y ~ normal((A + eta) * exp(-k * t), s)
      ),
      decay, squares(y ~ A * exp(-k * t), decay, c(A = 6, k = 0.5))
    ),
    list(
      nlme_model(
        fixed(A = 6, lk = -1, s = positive(1)), random(eta ~ normal(lk, 0.5) | id),
        y ~ normal(A * exp(-exp(eta) * t), s)
      ),
      decay, squares(y ~ A * exp(-exp(lk) * t), decay, c(A = 6, lk = -1))
    ),
    list(
      nlme_model(fixed(m = 20, s = positive(3)), random(eta ~ normal(m, 2) | id), y ~ normal(eta, s)),
      level, squares(y ~ m, level, c(m = 20))
    ),
    list(
      nlme_model(
        fixed(a = 8, b = 0, om = positive(1), s = positive(1)),
        random(eta ~ normal(a, 1.5) | id, v ~ normal(b, om) | id), y ~ normal(eta + v * t, s)
      ),
      slopes, as.numeric(stats::logLik(nlme::lme(y ~ t, random = ~ 0 + t | id, data = slopes, method = "ML")))
    )
  )
}

test_that("the mean of an effect that collapses is that of least squares", {
  skip_on_cran()
  methods <- list(
    function(...) saem(anneal_to_fixed = "eta", ...),
    function(...) saem_page_defaults(anneal_to_fixed = "eta", mcmc_steps = 20, ...)
  )
  for (case in collapsing()) {
    for (method in methods) {
      for (schedule in c("exponential", "linear", "gamma")) {
        lost <- vapply(1:2, function(seed) {
          fit <- suppressMessages(suppressWarnings(fit_nlme(
            case[[1L]], case[[2L]], method(anneal_schedule = schedule), seed = seed, progress = FALSE
          )))
          2 * (case[[3L]] - as.numeric(logLik(fit)))
        }, numeric(1L))
        # One chain estimates the variance of the effect that stays with noise of its own.
        expect_lt(max(abs(lost)), if ("om" %in% case[[1L]]$described$parameters$base) 0.5 else 0.05)
      }
    }
  }
})
