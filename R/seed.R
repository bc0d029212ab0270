# Draw numbers from a seed alone: the same on every machine, whatever generator the user chose, which is left as it was.

with_draws <- function(seed, code) {
  global <- globalenv()
  users <- global$.Random.seed
  kinds <- RNGkind()
  on.exit({
    # R says of some generators that they are poor; the user knows.
    suppressWarnings(do.call(RNGkind, as.list(kinds)))
    if (is.null(users)) rm(".Random.seed", envir = global) else global$.Random.seed <- users
  })
  set.seed(seed %% .Machine$integer.max, "Mersenne-Twister", "Inversion", "Rejection")
  force(code)
}
