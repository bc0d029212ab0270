#' @keywords internal
#' @importFrom jsonlite toJSON
#' @useDynLib nlmers, .registration = TRUE
"_PACKAGE"
