# How the modes of the random effects are found at the end of a fit: the options `ebe_*` of a method.

ebe_options <- function(asked, given) {
  rescue <- check_flag(asked$ebe_rescue_on_high_grad, "ebe_rescue_on_high_grad")
  rescued <- grep("^ebe_rescue_(?!on_high_grad)", names(asked), value = TRUE, perl = TRUE)
  if (!rescue) refuse_idle(given, rescued, "`ebe_rescue_on_high_grad` is FALSE")
  if (!identical(asked$ebe_adtype, "reverse")) {
    stop_bad_option("ebe_adtype", asked$ebe_adtype, "\"reverse\": the modes are found with exact derivatives")
  }
  kwargs <- as.list(asked$ebe_optim_kwargs)
  for (name in setdiff(rlang::names2(kwargs), "maxiters")) {
    stop_option(
      "unknown_argument", sprintf("`ebe_optim_kwargs` names `%s`; it takes `maxiters`.", name),
      hint = "Write `ebe_optim_kwargs = list(maxiters = 200)`.", fields = list(name = name)
    )
  }
  counts <- c(
    "ebe_multistart_n", "ebe_multistart_k", "ebe_multistart_max_rounds",
    "ebe_rescue_multistart_n", "ebe_rescue_multistart_k", "ebe_rescue_max_rounds"
  )
  sampling <- c("ebe_multistart_sampling", "ebe_rescue_multistart_sampling")
  tolerances <- c("ebe_grad_tol", "ebe_rescue_grad_tol")
  c(
    list(
      ebe_optimizer = check_word(asked$ebe_optimizer, "ebe_optimizer", c("newton", "lbfgs", "nelder_mead")),
      ebe_maxiters = if (is.null(kwargs$maxiters)) 200 else check_count(kwargs$maxiters, "ebe_optim_kwargs$maxiters", 1)
    ),
    Map(function(value, name) check_count(value, name, 1), asked[counts], counts),
    Map(function(value, name) check_word(value, name, c("lhs", "random")), asked[sampling], sampling),
    gradient_tolerances(asked[tolerances]),
    list(ebe_rescue_on_high_grad = rescue, store_eb_modes = check_flag(asked$store_eb_modes, "store_eb_modes"))
  )
}

# "auto" is 1e-4; that of the rescue is that of the search. 0 asks for other starts everywhere.
gradient_tolerances <- function(values) {
  one <- function(value, name, auto) {
    if (identical(value, "auto")) return(auto)
    if (is.numeric(value) && isTRUE(value == 0)) 0 else check_positive(value, name)
  }
  first <- one(values$ebe_grad_tol, "ebe_grad_tol", 1e-4)
  list(
    ebe_grad_tol = first,
    ebe_rescue_grad_tol = one(values$ebe_rescue_grad_tol, "ebe_rescue_grad_tol", first)
  )
}
