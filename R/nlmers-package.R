#' @keywords internal
#' @useDynLib nlmers, .registration = TRUE
"_PACKAGE"
