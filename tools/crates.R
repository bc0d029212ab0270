# Which crates the package needs, from the lock file.

manifest <- "src/rust/Cargo.toml"
targets <- c(
  "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu",
  "x86_64-pc-windows-gnu",
  "x86_64-apple-darwin", "aarch64-apple-darwin"
)

cargo <- function(...) {
  output <- system2("cargo", c(..., "--locked", "--manifest-path", manifest), stdout = TRUE)
  if (!is.null(attr(output, "status"))) stop("cargo ", ..1, " failed")
  Encoding(output) <- "UTF-8"
  output
}

# "name-version" of every crate that is compiled for one of the targets, the project's own left out.
needed_crates <- function() {
  trees <- lapply(targets, function(target) {
    cargo(
      "tree", "--package", "nlmers", "--edges", "normal,build", "--target", target,
      "--prefix", "none", "--format", "{p}"
    )
  })
  lines <- grep("^nlmers", unlist(trees), value = TRUE, invert = TRUE)
  sort(unique(sub("^(\\S+) v(\\S+).*", "\\1-\\2", lines)), method = "radix")
}
