# nolint start: object_name_linter. The slots have the names that saemix gives them.

# Classes with the slots that the sources of saemix declare, without the package.
local_saemix_classes <- function(env = parent.frame()) {
  where <- globalenv()
  methods::setClass("SaemixModel", representation(
    model = "function", description = "character", modeltype = "character", psi0 = "matrix", transform.par = "numeric",
    fixed.estim = "numeric", error.model = "character", covariate.model = "matrix", betaest.model = "matrix",
    covariance.model = "matrix", omega.init = "matrix", error.init = "numeric", nb.parameters = "integer",
    name.modpar = "character", name.fixed = "character", name.random = "character", name.sigma = "character",
    name.predictors = "character", name.X = "character", name.response = "character", name.cov = "character",
    indx.fix = "numeric", indx.cov = "numeric", indx.omega = "numeric", indx.res = "numeric",
    Mcovariates = "data.frame"
  ), where = where)
  methods::setClass("SaemixData", representation(
    name.data = "character", header = "logical", messages = "logical", automatic = "logical", sep = "character",
    na = "character", name.group = "character", name.predictors = "character", name.response = "character",
    name.covariates = "character", name.X = "character", name.mdv = "character", name.cens = "character",
    name.occ = "character", name.ytype = "character", trans.cov = "list", units = "list", data = "data.frame",
    ocov = "data.frame", N = "numeric", yorig = "numeric", ind.gen = "logical", ntot.obs = "numeric",
    nind.obs = "numeric"
  ), where = where)
  withr::defer({
    methods::removeClass("SaemixModel", where = where)
    methods::removeClass("SaemixData", where = where)
  }, envir = env)
}

# What saemixModel() and saemixData() put into the slots.
theo_s4_model <- function(covariates = matrix(c(0, 0, 1), 1), ...) {
  named <- c("ka", "V", "CL")
  methods::new(
    "SaemixModel", model = model1cpt, description = "One compartment", modeltype = "structural",
    psi0 = rbind(Pop.CondInit = c(ka = 1, V = 20, CL = 0.5), Cov.CondInit = c(0, 0, -0.01)), transform.par = c(1, 1, 1),
    fixed.estim = c(1, 1, 1), error.model = "combined", covariate.model = covariates,
    covariance.model = matrix(diag(3), 3, dimnames = list(named, named)),
    omega.init = matrix(diag(c(0.5, 0.2, 0.1)), 3, dimnames = list(named, named)), error.init = c(0.5, 0.1),
    nb.parameters = 3L, name.modpar = named, name.sigma = c("a", "b"), name.response = "", ...
  )
}

theo_s4_data <- function() {
  frame <- transform(theo, index = as.integer(factor(Subject, unique(Subject))), mdv = 0, cens = 0, occ = 1, ytype = 1)
  heavy <- ifelse(theo$Wt > 70, "heavy", "light")
  frame$Heavy <- as.numeric(heavy == "light")
  methods::new(
    "SaemixData", name.data = "theo", name.group = "Subject", name.predictors = c("dose", "Time"),
    name.response = "conc", name.covariates = c("Wt", "Heavy"), name.X = "Time", name.mdv = "mdv", name.cens = "cens",
    name.occ = "occ", name.ytype = "ytype", units = list(x = "h", y = "mg/L", covariates = c("kg", "-")), data = frame,
    ocov = data.frame(Wt = theo$Wt, Heavy = heavy), N = 12
  )
}

test_that("objects of the saemix package are models and data of this one", {
  local_saemix_classes()
  psi0 <- matrix(c(1, 20, 0.5, 0, 0, -0.01), 2, byrow = TRUE, dimnames = list(NULL, c("ka", "V", "CL")))
  same <- saemix_model(
    model1cpt, psi0, transform.par = c(1, 1, 1), covariate.model = c(0, 0, 1), omega.init = diag(c(0.5, 0.2, 0.1)),
    error.model = "combined", error.init = c(0.5, 0.1), verbose = FALSE
  )
  data <- theo_saemix_data(name.covariates = "Wt", name.X = "Time")
  expect_silent(joined <- as_nlme_model(theo_s4_model(), theo_s4_data()))
  native <- as_nlme_model(same, data)
  statements <- function(model) vapply(model$spec$statements, `[[`, "", "text")
  expect_equal(statements(joined), statements(native))
  expect_equal(joined$spec$parameters, native$spec$parameters)
  expect_equal(joined$title, "One compartment")
  frame <- as.data.frame(theo_s4_data())
  expect_equal(log_likelihood_at(joined, frame), log_likelihood_at(native, as.data.frame(data)))
  short <- list(seed = 1, nbiter.saemix = c(30, 20), displayProgress = FALSE)
  fit <- suppressWarnings(fit_nlme(theo_s4_model(), theo_s4_data(), short))
  expect_equal(fixef(fit), fixef(suppressWarnings(fit_nlme(same, data, short))))
  expect_s3_class(fit, "saemix_fit")
  expect_equal(fit$data$time, "Time")
  # The other way round as well.
  expect_equal(statements(as_nlme_model(same, theo_s4_data())), statements(native))
})

test_that("their coded covariates keep their words, and idle columns are left out", {
  local_saemix_classes()
  made <- nlmers:::saemix_records_of(theo_s4_data())
  expect_equal(made$coding, list(Heavy = c("heavy", "light")))
  expect_named(as.data.frame(made), c("Subject", "dose", "Time", "conc", "Wt", "Heavy"), ignore.order = TRUE)
  twice <- theo_s4_data()
  twice@data$ytype <- rep(1:2, length.out = nrow(twice@data))
  expect_message(nlmers:::saemix_records_of(twice), "`name.ytype`", fixed = TRUE)
})

test_that("a likelihood of theirs has no residual error", {
  local_saemix_classes()
  model <- theo_s4_model(matrix(0, 0, 3))
  model@modeltype <- "likelihood"
  made <- nlmers:::saemix_design_of(model)
  expect_equal(made$modeltype, "likelihood")
  expect_equal(nlmers:::saemix_residual(made, character()), list(parameters = list(), call = NULL))
})

test_that("an object of saemix that is missing its half is asked for it", {
  local_saemix_classes()
  expect_equal(caught(as_nlme_model(theo_s4_model()))$reason, "bad_data")
  expect_equal(caught(fit_nlme(theo_s4_model(), theo))$reason, "bad_data")
})

# nolint end
