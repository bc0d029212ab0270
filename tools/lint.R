# lintr over the R code of the project, with the rules of .lintr.

folders <- Filter(dir.exists, c("R", "tests", "tools", "vignettes", "bench", "data-raw"))
lints <- lapply(folders, lintr::lint_dir, relative_path = FALSE)
lints <- do.call(c, lints)
for (lint in lints) {
  cat(sprintf("%s:%d: %s [%s]\n", lint$filename, lint$line_number, lint$message, lint$linter))
}
quit(status = as.integer(length(lints) > 0))
