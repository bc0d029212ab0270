# A fit in other units is the same fit: responses, times and covariates in other units, covariates from another zero,
# typical values as themselves or by their logarithms. tests/slow/invariance.R tries all changes of all models.

expect_unnoticed <- function(k, method) {
  design <- invariance_design(k)
  base <- fit_in_units(design, design$units, method)
  changes <- some_changes(design, k, 2L)
  for (name in names(changes)) {
    changed <- fit_in_units(design, changes[[name]], method)
    expect_identical(noticed(design, base, changed), character(), label = paste0("what is noticed of ", name))
  }
}

for (k in 1:30) {
  kind <- paste(unlist(invariance_design(k)$kind), collapse = " ")
  test_that(sprintf("by VEM in other units: model %d, %s", k, kind), {
    skip_on_cran()
    expect_unnoticed(k, vem())
  })
}

for (k in 1:30) {
  kind <- paste(unlist(invariance_design(k)$kind), collapse = " ")
  test_that(sprintf("by SAEM in other units: model %d, %s", k, kind), {
    skip_on_cran()
    expect_unnoticed(k, saem())
  })
}
