# Ten seeds with default settings against the exact maximum of the likelihood:
# minus twice the log-likelihood at the estimate, computed by the same quadrature,
# exceeds that at the maximum by little, and no estimate varies more over seeds than
# saemix's does (saemix 3.4, default settings, SD over 5 seeds; `omega` are
# variances, in the order of the random effects).
#
# The maxima were found by Newton's method on the quadrature log-likelihood with 25
# nodes per dimension (linear model: any number). Those published for 7 nodes lie
# within 0.03 of them; the difference is the error of 7 nodes.

expect_steadier_than <- function(fits, saemix) {
  estimates <- vapply(fits, function(fit) {
    c(fixef(fit), omega = VarCorr(fit)$variance, sigma(fit))
  }, saemix)
  ratio <- apply(estimates, 1L, stats::sd) / saemix
  cat("SD over that of saemix:", paste(names(saemix), round(ratio, 2), collapse = ", "), "\n")
  expect_true(all(ratio < 1))
}

test_that("theophylline", {
  skip_on_cran()
  made <- fits(theo_formula(), theo)
  expect_near_maximum(made, -172.717417, 25)
  expect_steadier_than(made, c(
    ka = 0.00427, V = 0.0601, Cl = 0.00791,
    omega1 = 0.00581, omega2 = 0.0014, omega3 = 0.00335, a = 0.00178
  ))
})

test_that("theophylline in blocks", {
  skip_on_cran()
  expect_near_maximum(fits(theo_blocks(), theo), -172.717417, 25)
})

test_that("theophylline with weight on clearance", {
  skip_on_cran()
  made <- fits(theo_formula(covariates = Cl ~ Wt), theo)
  expect_near_maximum(made, -172.373354, 25)
  expect_steadier_than(made, c(
    ka = 0.0113, V = 0.128, Cl = 0.0563, beta_Cl_Wt = 0.000534,
    omega1 = 0.00537, omega2 = 0.00206, omega3 = 0.00337, a = 0.00315
  ))
})

test_that("warfarin with constant error", {
  skip_on_cran()
  made <- fits(warfarin_formula(), warfarin())
  expect_near_maximum(made, -450.893878, 25)
  expect_steadier_than(made, c(
    ka = 0.0254, V = 0.0224, Cl = 0.000251,
    omega1 = 0.0529, omega2 = 0.00148, omega3 = 0.00145, a = 0.00121
  ))
})

test_that("warfarin with combined error", {
  skip_on_cran()
  model <- warfarin_formula(error = add_prop(a = 1, b = 1))
  made <- fits(model, warfarin())
  expect_near_maximum(made, -443.150061, 25)
  expect_steadier_than(made, c(
    ka = 0.0263, V = 0.0243, Cl = 0.000144,
    omega1 = 0.0765, omega2 = 0.00144, omega3 = 0.00121, a = 0.0068, b = 0.000834
  ))
})

test_that("orange trees", {
  skip_on_cran()
  expect_near_maximum(fits(orange_growth(), orange), -140.185758, 25)
})

test_that("growth of Oxford boys", {
  skip_on_cran()
  model <- nlme_formula(
    height ~ base + slope * age, start = c(base = 140, slope = 1),
    random = base + slope ~ 1 | Subject, correlated = TRUE
  )
  made <- fits(model, as.data.frame(nlme::Oxboys))
  expect_near_maximum(made, -362.983844550387, 3, 0.05, 0.05)
  expect_steadier_than(made, c(
    base = 0.00495, slope = 0.00591, omega1 = 0.0466, omega2 = 0.00934, a = 0.00093
  ))
})

test_that("seizure counts", {
  skip_on_cran()
  made <- fits(counts(), MASS::epil)
  expect_near_maximum(made, -701.093673400881, 15, 0.05, 0.05)
  expect_steadier_than(made, c(lambda = 0.0256, omega = 0.00963))
})
