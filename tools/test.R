# Run tests/testthat on the installed package and write "passed failed" (tests, not expectations) to the given file.

counts_file <- normalizePath(commandArgs(TRUE)[1], mustWork = FALSE)
unlink(counts_file)
library(testthat)
library(nlmers)
# Outside R CMD check the comparisons over seeds run too.
Sys.setenv(NOT_CRAN = "true")

results <- test_dir(
  "tests/testthat",
  package = "nlmers", load_package = "installed", reporter = "check", stop_on_failure = FALSE
)
results <- as.data.frame(results)
failed <- results$failed > 0 | results$error
passed <- !failed & !results$skipped
writeLines(paste(sum(passed), sum(failed)), counts_file)
quit(status = as.integer(any(failed)))
