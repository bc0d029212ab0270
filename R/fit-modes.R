# The conditional modes of a fit, held in it or found when they are asked for.

# The fit with its modes and all that depends on them. A fit by
# `store_eb_modes = FALSE` finds them as its options say: from the same estimates,
# with the same random numbers, so they are those the fit would have held.
with_modes <- function(fit) {
  if (!is.null(fit$effects$modes)) return(fit)
  reply <- ask_of_fit(fit, "modes")
  for (text in reply$warnings) warn_nlmers("fit", text)
  fit$fitted[names(reply$fitted)] <- reply$fitted
  first <- reply$groups[[1L]]
  fit$effects[names(first$effects)] <- first$effects
  fit$individual <- first$individual
  for (i in seq_along(fit$others)) {
    other <- reply$groups[[i + 1L]]
    fit$others[[i]]$effects[names(other$effects)] <- other$effects
    fit$others[[i]]$individual <- other$individual
  }
  fit
}
