# Self-starting models, those of stats and a user's own: read their value in place of a
# call, as of any helper, and ask them for starting values.

is_self_start <- function(helper) inherits(helper, "selfStart")

# The function without its gradient, which `deriv()` writes behind the value and which
# reads the call itself.
self_start_value <- function(helper) {
  steps <- as.list(body(helper))
  if (!is_call_to(body(helper), "{")) return(unclass(helper))
  steps <- steps[-1L]
  found <- vapply(steps, function(step) is_call_to(step, "<-") && identical(step[[2L]], quote(.value)), logical(1L))
  if (!any(found)) return(unclass(helper))
  steps <- unlist(lapply(steps[seq_len(which(found)[1L])], flat_steps))
  rlang::new_function(formals(helper), as.call(c(quote(`{`), steps, quote(.value))), environment(helper))
}

# `.e3 <- exp(.e2 <- a / b)` as two steps.
flat_steps <- function(step) {
  before <- list()
  flatten <- function(code) {
    if (!is.call(code)) return(code)
    code[-1L] <- lapply(as.list(code)[-1L], flatten)
    if (!is_call_to(code, "<-")) return(code)
    before <<- c(before, list(code))
    code[[2L]]
  }
  flatten(step)
  before
}

# The self-starting model that a formula's right side is, or NULL.
self_start_of <- function(code, env) {
  if (!is.call(code) || !is.symbol(code[[1L]])) {
    package <- is.call(code) && is_call_to(code[[1L]], "::")
    if (!package) return(NULL)
  }
  helper <- tryCatch(eval(code[[1L]], env), error = function(error) NULL)
  if (is_self_start(helper)) helper
}

# What the model itself says of the parameters that are its arguments, as numbers by name,
# or NULL where it fails.
self_start_values <- function(formula, data, parameters) {
  helper <- self_start_of(formula[[3L]], environment(formula))
  if (is.null(helper)) return(NULL)
  call <- as.list(match.call(helper, formula[[3L]]))
  own <- attr(helper, "pnames")
  if (is.null(own)) own <- intersect(names(formals(helper)), names(call))
  given <- call[own]
  if (!all(vapply(given, is.symbol, logical(1L)))) return(NULL)
  data <- stats::na.omit(as.data.frame(data)[intersect(names(data), all.vars(formula))])
  values <- tryCatch(
    suppressWarnings(attr(helper, "initial")(mCall = call, LHS = formula[[2L]], data = data)),
    error = function(error) NULL
  )
  names <- vapply(given, as.character, character(1L))
  values <- unlist(values)
  if (!is.numeric(values) || length(values) != length(names) || !all(is.finite(values))) return(NULL)
  values <- stats::setNames(as.list(unname(values)), if (all(names %in% names(values))) names(values) else names)
  if (all(parameters %in% names(values))) values[parameters]
}
