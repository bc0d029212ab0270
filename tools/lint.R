# lintr over the R code of the project, with the rules of .lintr; and no name of the package is defined twice, as the
# later file would silently win.

folders <- Filter(dir.exists, c("R", "tests", "tools", "vignettes", "bench", "data-raw"))
lints <- lapply(folders, lintr::lint_dir, relative_path = FALSE)
lints <- do.call(c, lints)
for (lint in lints) {
  cat(sprintf("%s:%d: %s [%s]\n", lint$filename, lint$line_number, lint$message, lint$linter))
}

defined <- function(file) {
  assigned <- Filter(function(line) is.call(line) && identical(line[[1]], quote(`<-`)), as.list(parse(file)))
  targets <- Filter(is.name, lapply(assigned, `[[`, 2))
  vapply(targets, as.character, "")
}
names <- unlist(lapply(list.files("R", "[.]R$", full.names = TRUE), defined))
twice <- unique(names[duplicated(names)])
for (name in twice) cat(sprintf("R: `%s` is defined twice\n", name))

quit(status = as.integer(length(lints) + length(twice) > 0))
