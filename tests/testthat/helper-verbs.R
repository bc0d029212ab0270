# Everything that works on a fit, tried on one fit.

# Families with a prediction that is a number.
predicting <- c(
  "normal", "lognormal", "student_t", "laplace", "logistic", "gamma", "beta", "exponential", "weibull", "bernoulli",
  "binomial", "poisson", "neg_binomial"
)

# The calls by name; `data` are those the fit was made with.
fit_verbs <- function(fit, data) {
  own <- nlme::getData(fit)
  effects <- length(fit$model$spec$random) > 0L
  linear <- effects && is_linearizable(fit)
  fitted <- fit$status$code != "evaluated"
  verbs <- list(
    print = function() utils::capture.output(print(fit)),
    summary = function() utils::capture.output(print(summary(fit))),
    plot = function() {
      grDevices::pdf(NULL)
      on.exit(grDevices::dev.off())
      for (type in c("fits", "observed", if (fitted) c("trace", "convergence"))) {
        suppressMessages(print(plot(fit, type)))
      }
    },
    plot_data = function() plot_data(fit, "fits", points = 5),
    population = function() predict(fit, level = 0),
    individual = function() predict(fit),
    again = function() predict(fit, own),
    again_population = function() predict(fit, own, level = 0),
    first_data = function() predict(fit, data),
    simulate = function() simulate(fit, nsim = 2, seed = 1),
    simulate_new = function() simulate(fit, seed = 1, newdata = data),
    residuals = function() residuals(fit),
    log_lik = function() logLik(fit), aic = function() stats::AIC(fit), bic = function() stats::BIC(fit),
    fixef = function() nlme::fixef(fit, scale = "both"), ranef = function() nlme::ranef(fit),
    coef = function() coef(fit),
    varcorr = function() utils::capture.output(print(nlme::VarCorr(fit))), sigma = function() stats::sigma(fit),
    health = function() utils::capture.output(print(health(fit))), subjects = function() health(fit, "subject"),
    tidy = function() tidy(fit, if (effects) c("fixed", "ran_pars", "ran_vals", "ran_coefs") else "fixed"),
    glance = function() glance(fit), augment = function() augment(fit), formula = function() stats::formula(fit),
    nobs = function() stats::nobs(fit), frame = function() stats::model.frame(fit),
    convergence = function() convergence(fit), notes = function() notes(fit),
    anova = function() utils::capture.output(print(stats::anova(fit)))
  )
  if (all(fit$model$described$families %in% nlmers:::weighted_families)) {
    verbs$iwres <- function() residuals(fit, "iwres")
  }
  if (fitted) {
    verbs$vcov <- function() vcov(fit)
    verbs$louis <- function() vcov(fit, method = "louis", draws = 200)
    verbs$sandwich <- function() vcov(fit, method = "sandwich", draws = 200)
    if (linear) verbs$linear <- function() vcov(fit, method = "linear")
    verbs$confint <- function() confint(fit)
  }
  methods <- c("quadrature", "conditional", if (effects) c("laplace", "importance"), if (linear) "linear")
  verbs[paste0("log_lik_", methods)] <- lapply(methods, function(method) {
    force(method)
    function() logLik(fit, method = method)
  })
  if (effects) verbs$samples <- function() conditional_samples(fit, nsim = 5, seed = 1)
  verbs
}

# Whether outcomes and effects are normal, on some scale the latter, and nothing is censored.
is_linearizable <- function(fit) {
  words <- vapply(fit$model$spec$random, function(block) block$dist$call, "")
  all(fit$model$described$families == "normal") && all(words %in% c("normal", "mvnormal", "lognormal")) &&
    !isTRUE(fit$model$spec$censoring) && !any(grepl("censored(", fit$model$spec$statements, fixed = TRUE))
}

# What fails of it: the name of the call and what it said. Plots take longest.
failing_verbs <- function(fit, data, plots = TRUE) {
  verbs <- fit_verbs(fit, data)
  if (!plots) verbs$plot <- NULL
  # Nothing is drawn from a density.
  own <- fit$model$described$families == "custom"
  if (all(own)) verbs[c("simulate", "simulate_new")] <- NULL
  failed <- character()
  values <- list()
  for (name in names(verbs)) {
    values[[name]] <- withCallingHandlers(
      tryCatch(verbs[[name]](), error = function(error) {
        failed <<- c(failed, sprintf("%s: %s", name, conditionMessage(error)))
        NULL
      }),
      warning = function(condition) {
        own <- inherits(condition, "nlmers_warning")
        if (!own) failed <<- c(failed, paste(name, "warns:", conditionMessage(condition)))
        invokeRestart("muffleWarning")
      }
    )
  }
  c(failed, lost_numbers(fit, values))
}

# Values that are no numbers where the data have some, and predictions for the same rows that differ.
lost_numbers <- function(fit, values) {
  observed <- !is.na(as.matrix(nlmers:::observed_values(fit)))
  predicts <- fit$model$described$families %in% predicting
  lost <- character()
  predictions <- c("population", "individual", "again", "again_population", "first_data", "residuals", "iwres")
  for (name in intersect(predictions, names(values))) {
    value <- as.matrix(values[[name]])
    if (any(is.na(value[, predicts]) & observed[, predicts])) lost <- c(lost, paste(name, "has missing values"))
  }
  for (name in grep("^log_lik|^aic|^bic", names(values), value = TRUE)) {
    if (!all(is.finite(as.numeric(values[[name]])))) lost <- c(lost, paste(name, "is not finite"))
  }
  same <- function(a, b) isTRUE(all.equal(values[[a]], values[[b]], tolerance = 1e-6, check.attributes = FALSE))
  pairs <- list(c("individual", "again"), c("individual", "first_data"), c("population", "again_population"))
  for (pair in pairs) {
    if (!same(pair[1L], pair[2L])) lost <- c(lost, sprintf("%s differs from %s", pair[1L], pair[2L]))
  }
  outcomes <- intersect(unique(fit$model$described$outcomes), names(values$simulate))
  for (outcome in outcomes) {
    drawn <- is.na(values$simulate[[outcome]])
    asked <- rep(!observed[, match(outcome, fit$model$described$outcomes)], 2L)
    if (!identical(drawn, asked)) lost <- c(lost, paste("simulate misses", outcome))
  }
  lost
}

quick_fit <- function(...) {
  suppressWarnings(fit_nlme(..., seed = 1, progress = FALSE), classes = "nlmers_warning")
}

# Theophylline as dosing records and observations, its first subjects.
dosed <- function() {
  data <- as.data.frame(datasets::Theoph)
  data <- data[data$Time > 0 & as.numeric(as.character(data$Subject)) < 7, ]
  id <- as.numeric(as.character(data$Subject))
  first <- !duplicated(id)
  doses <- data.frame(ID = id[first], TIME = 0, DV = NA, AMT = (data$Dose * data$Wt)[first], EVID = 1)
  all <- rbind(doses, data.frame(ID = id, TIME = data$Time, DV = data$conc, AMT = 0, EVID = 0))
  all[order(all$ID, all$TIME), ]
}
