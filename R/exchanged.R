# Data where the model belongs: the call in the right order.

# `model` and `data` are what the user gave for them, `call` the call as matched.
check_order <- function(model, data, call) {
  if (!is_records(model)) return(invisible())
  word <- utils::tail(all.names(call[[1L]]), 1L)
  shown <- function(code, other) {
    text <- if (is.language(code)) code_text(code) else other
    if (nchar(text) > 60L) other else text
  }
  exchanged <- !missing(data) && is_model(data)
  # Further arguments stay where they are.
  more <- if (any(!names(call)[-1L] %in% c("model", "data", "formula", "start", ""))) ", ..." else ""
  stop_option(
    "exchanged_arguments",
    sprintf(
      "`%s()` takes the model first, then the data; %s.", word,
      if (exchanged) "here they are exchanged" else "here the data stand first"
    ),
    hint = sprintf(
      "Write `%s(%s, %s%s)`.", word,
      if (exchanged) shown(if ("data" %in% names(call)) call$data else call[[3L]], "model") else "model",
      shown(if ("model" %in% names(call)) call$model else call[[2L]], "data"), more
    )
  )
}

is_records <- function(x) is.data.frame(x) || inherits(x, c("saemix_data", "SaemixData"))

is_model <- function(x) {
  inherits(x, c("nlme_model", "formula", "saemix_model", "SaemixModel", "nlsList")) || is.function(x)
}
