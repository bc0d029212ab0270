# Does a fit notice the units? tests/slow/invariance.R [MODELS] [FIRST]
#
# Random models (tests/testthat/helper-random-*.R), each fitted by VEM and by SAEM in all changes of units it has. The
# estimates, mapped back, and -2 log L up to the Jacobian must be the same. One line a model and estimator, one more for
# each change that was noticed; the status is 1 when there is one. Some minutes.

library(nlmers)
options(nlmers.threads = 1)

script <- sub("--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1L])
for (helper in Sys.glob(file.path(dirname(script), "..", "testthat", "helper-random-*.R"))) source(helper)

arguments <- as.integer(commandArgs(TRUE))
n <- if (length(arguments) > 0L) arguments[1L] else 30L
first <- if (length(arguments) > 1L) arguments[2L] else 1L

try_model <- function(k, name, method) {
  design <- invariance_design(k)
  changes <- unit_changes(design)
  fitted <- function(units) {
    setTimeLimit(elapsed = 60, transient = TRUE)
    on.exit(setTimeLimit())
    tryCatch(fit_in_units(design, units, method), error = function(error) conditionMessage(error))
  }
  base <- fitted(design$units)
  found <- lapply(changes, function(units) {
    changed <- fitted(units)
    if (is.character(base)) base else if (is.character(changed)) changed else noticed(design, base, changed)
  })
  bad <- Filter(length, found)
  cat(sprintf(
    "%2d %-4s %-11s %-9s %d of %d changes noticed\n", k, name, design$kind$family, design$kind$curve, length(bad),
    length(found)
  ))
  for (change in names(bad)) cat("      ", change, ": ", paste(bad[[change]], collapse = "; "), "\n", sep = "")
  data.frame(method = name, change = names(found), noticed = lengths(found) > 0L)
}

rows <- do.call(rbind, lapply(seq(first, length.out = n), function(k) {
  rbind(try_model(k, "vem", vem()), try_model(k, "saem", saem()))
}))
print(with(rows, tapply(noticed, list(change, method), sum)))
if (any(rows$noticed)) quit(status = 1L)
