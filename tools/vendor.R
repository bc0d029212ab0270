# Write the sources of the needed crates to one archive, the same bytes each time.
#
# The resolver of cargo wants to see every crate of the lock file, so those that are never compiled stay as an empty
# library with their manifest. Of the others, tests, benchmarks, examples and import libraries of Windows are left out.

source("tools/crates.R")

archive <- normalizePath(commandArgs(TRUE)[1], mustWork = FALSE)
folder <- file.path(dirname(archive), "vendor")
unlink(folder, recursive = TRUE)
dir.create(dirname(archive), recursive = TRUE, showWarnings = FALSE)
invisible(cargo("vendor", "--quiet", "--versioned-dirs", folder))

# Manifest and an empty library, wherever the manifest wants it.
empty <- function(crate) {
  manifest <- readLines(file.path(crate, "Cargo.toml"))
  lib <- which(manifest == "[lib]")
  path <- if (length(lib)) grep("^path = ", manifest[seq(lib[1], length(manifest))], value = TRUE)[1] else NA
  path <- if (is.na(path)) "src/lib.rs" else sub('^path = "(.*)"$', "\\1", path)
  unlink(setdiff(all_files(crate), file.path(crate, c("Cargo.toml", ".cargo-checksum.json"))))
  dir.create(dirname(file.path(crate, path)), recursive = TRUE, showWarnings = FALSE)
  file.create(file.path(crate, path))
}

strip <- function(crate) {
  unlink(file.path(crate, c("tests", "benches", "examples", "docs", "ci", ".github")), recursive = TRUE)
  unlink(grep("\\.(a|lib|dll|png|svg|gif)$", all_files(crate), value = TRUE))
  unlink(file.path(crate, c("Cargo.lock", "Cargo.toml.orig", ".gitignore", ".cargo_vcs_info.json")))
}

all_files <- function(crate) list.files(crate, all.files = TRUE, recursive = TRUE, full.names = TRUE)

# cargo refuses a crate of which a listed file is missing or changed.
fix_checksums <- function(crate, keep) {
  file <- file.path(crate, ".cargo-checksum.json")
  sums <- jsonlite::fromJSON(file, simplifyVector = FALSE)
  sums$files <- if (keep) Filter(nzchar, sums$files[file.exists(file.path(crate, names(sums$files)))])
  if (!length(sums$files)) sums$files <- stats::setNames(list(), character())
  jsonlite::write_json(sums, file, auto_unbox = TRUE)
}

needed <- needed_crates()
for (crate in list.dirs(folder, recursive = FALSE)) {
  keep <- basename(crate) %in% needed
  if (keep) strip(crate) else empty(crate)
  fix_checksums(crate, keep)
}
missing <- setdiff(needed, list.files(folder))
if (length(missing)) stop("not vendored: ", toString(missing))

status <- system2("tar", c(
  "--create", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX",
  "--use-compress-program=xz\\ -9e\\ -T1", paste0("--file=", shQuote(archive)),
  "--directory", shQuote(dirname(folder)), "vendor"
))
if (status != 0) stop("tar failed")
cat(sprintf("%s: %.1f MB, %d crates\n", archive, file.size(archive) / 1e6, length(needed)))
