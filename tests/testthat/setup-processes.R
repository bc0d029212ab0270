# Run a function without arguments in an R process of its own; what it printed.
output_of_own_process <- function(name, env = parent.frame()) {
  skip_on_os("windows")
  script <- withr::local_tempfile(fileext = ".R")
  dump(name, script, envir = env)
  write(sprintf("%s()", name), script, append = TRUE)
  withr::local_envvar(R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep))
  rscript <- file.path(R.home("bin"), "Rscript")
  system2(rscript, shQuote(script), stdout = TRUE, stderr = FALSE, timeout = 60)
}
