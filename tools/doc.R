# Write the manual (man/, NAMESPACE) or the vignettes (doc/), as the argument says.

what <- commandArgs(TRUE)[1]
if (what == "manual") {
  # The R files are enough: nothing is compiled.
  suppressPackageStartupMessages(roxygen2::roxygenise(load_code = roxygen2::load_source))
} else {
  sources <- list.files("vignettes", "\\.Rmd$", full.names = TRUE)
  for (source in sources) rmarkdown::render(source, output_dir = "doc", quiet = TRUE)
  cat(list.files("doc", "\\.html$", full.names = TRUE), sep = "\n")
}
