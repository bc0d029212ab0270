# A hundred fits with a progress bar, each interrupted by Ctrl-C at a random time, as a user at a terminal does: every
# one must be returned.
# tests/slow/interrupts.R

python <- Sys.which("python3")
if (.Platform$OS.type == "windows" || !nzchar(python)) {
  message("interrupts: needs python3 and a pseudo-terminal; not run.")
} else {
  folder <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
  Sys.setenv(R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep))
  ended <- system2(
    python, c(shQuote(file.path(folder, "interrupts.py")), shQuote(file.path(R.home("bin"), "R")), "100", "1"),
    stdout = TRUE
  )
  print(table(ended))
  stopifnot(length(ended) == 100L, ended == "interrupted")
}
