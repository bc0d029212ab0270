# Raise the error a core answer describes as a classed condition.
stop_core_error <- function(error) {
  place <- if (!is.null(error$place)) paste0("In: ", error$place)
  rlang::abort(
    c(error$problem, "x" = place, "i" = error$hint),
    class = c(paste0("nlmers_error_", error$class), "nlmers_error"),
    reason = error$reason,
    place = error$place,
    hint = error$hint,
    !!!error$fields,
    call = NULL
  )
}
