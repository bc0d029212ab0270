# Run tests/testthat on the installed package and write "passed failed" (tests, not expectations) to the given file.

counts_file <- normalizePath(commandArgs(TRUE)[1], mustWork = FALSE)
unlink(counts_file)
library(testthat)
library(nlmers)

results <- test_dir(
  "tests/testthat",
  package = "nlmers", load_package = "installed", reporter = "check", stop_on_failure = FALSE
)
results <- as.data.frame(results)
failed <- results$failed > 0 | results$error
passed <- !failed & !results$skipped
writeLines(paste(sum(passed), sum(failed)), counts_file)
quit(status = as.integer(any(failed)))
