# Write inst/AUTHORS and LICENSE.note from the lock file; with --check, fail when they are out of date.

source("tools/crates.R")

metadata <- jsonlite::fromJSON(
  paste(cargo("metadata", "--format-version", "1"), collapse = ""),
  simplifyVector = FALSE
)
ids <- vapply(metadata$packages, function(crate) paste0(crate$name, "-", crate$version), "")
crates <- metadata$packages[match(needed_crates(), ids)]

people <- function(crate) {
  if (length(crate$authors)) paste(unlist(crate$authors), collapse = ", ") else paste("the", crate$name, "developers")
}
license <- function(crate) if (is.null(crate$license)) "see its sources" else crate$license

# Addresses of people are left out.
authors <- gsub(" *<[^>]*>", "", vapply(crates, function(crate) {
  sprintf("%s %s: %s", crate$name, crate$version, people(crate))
}, ""))
licenses <- vapply(crates, function(crate) sprintf("%s %s: %s", crate$name, crate$version, license(crate)), "")

files <- list(
  "inst/AUTHORS" = c(
    "The compiled library of nlmers contains the following Rust crates, written by the people named.",
    "", authors
  ),
  "LICENSE.note" = c(
    "nlmers itself is under the MIT license, see the file LICENSE.",
    "Its compiled library contains the following Rust crates under their own licenses.",
    "", licenses
  )
)
outdated <- Filter(function(file) {
  !file.exists(file) || !identical(readLines(file, encoding = "UTF-8"), enc2utf8(unname(files[[file]])))
}, names(files))

if ("--check" %in% commandArgs(TRUE)) {
  if (length(outdated)) stop("out of date, run `Rscript tools/authors.R`: ", toString(outdated))
} else {
  dir.create("inst", showWarnings = FALSE)
  for (file in outdated) writeLines(enc2utf8(files[[file]]), file, useBytes = TRUE)
}
