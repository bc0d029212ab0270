# Objects of the saemix package itself, S4 with the slots that its sources declare, in the form
# of saemix_model() and saemix_data(). saemix need not be installed.

# A slot, or NULL: versions of saemix differ in the slots they have. Slots are attributes.
slot_of <- function(object, name) attr(object, name, exact = TRUE)

saemix_design_of <- function(model) {
  name.sigma <- slot_of(model, "name.sigma")
  error.model <- unique(slot_of(model, "error.model"))
  given <- list(
    model = slot_of(model, "model"), psi0 = slot_of(model, "psi0"), description = slot_of(model, "description"),
    modeltype = slot_of(model, "modeltype"), error.model = error.model,
    transform.par = slot_of(model, "transform.par"), fixed.estim = slot_of(model, "fixed.estim"),
    covariate.model = slot_of(model, "covariate.model"), covariance.model = slot_of(model, "covariance.model"),
    omega.init = slot_of(model, "omega.init"), error.init = slot_of(model, "error.init"),
    name.modpar = slot_of(model, "name.modpar"),
    # Its default has names that say nothing more, also for an outcome without residual error.
    name.sigma = if (!all(name.sigma %in% c("a", "b"))) name.sigma
  )
  # A likelihood has no residual error, though its object names one.
  if (identical(given$modeltype, "likelihood")) given[c("error.model", "error.init", "name.sigma")] <- NULL
  do.call(saemix_model, c(Filter(function(value) length(value) > 0L, given), verbose = FALSE))
}

saemix_records_of <- function(data) {
  frame <- slot_of(data, "data")
  names <- c("group", "predictors", "response", "covariates", "X", "mdv", "cens")
  given <- lapply(stats::setNames(names, paste0("name.", names)), function(name) {
    columns <- slot_of(data, paste0("name.", name))
    columns[columns %in% names(frame)]
  })
  # Columns that saemix adds where the data have none: nothing missing, nothing censored.
  for (flag in c("name.mdv", "name.cens")) {
    if (!any(frame[[given[[flag]][1L]]] %in% 1)) given[[flag]] <- NULL
  }
  said <- c(
    name.ytype = if (has_several(frame, slot_of(data, "name.ytype"))) "write several outcomes with nlme_model()",
    name.occ = if (has_several(frame, slot_of(data, "name.occ"))) "a model of saemix has no occasions"
  )
  say_without_meaning("SaemixData", said)
  # The first covariate that has two values is coded already; its words are in the original columns.
  made <- do.call(saemix_data, c(
    list(name.data = as.data.frame(frame)), Filter(length, given), units = list(slot_of(data, "units")),
    verbose = FALSE
  ))
  made$coding <- coding_of(slot_of(data, "ocov"), made)
  made
}

has_several <- function(frame, column) {
  length(column) == 1L && column %in% names(frame) && length(unique(frame[[column]])) > 1L
}

# What 0 and 1 were.
coding_of <- function(original, made) {
  coding <- made$coding
  for (name in intersect(names(coding), names(original))) {
    levels <- levels(factor(original[[name]]))
    if (length(levels) == 2L) coding[[name]] <- levels
  }
  coding
}

# Objects of either form; others come back as they are.
as_saemix_model <- function(model) if (inherits(model, "SaemixModel")) saemix_design_of(model) else model
as_saemix_data <- function(data) if (inherits(data, "SaemixData")) saemix_records_of(data) else data

#' @rdname as_nlme_model
#' @export
as_nlme_model.SaemixModel <- function(x, data, ...) { # nolint: object_name_linter.
  as_nlme_model(saemix_design_of(x), if (missing(data)) NULL else as_saemix_data(data), ...)
}

#' @export
as.data.frame.SaemixData <- function(x, row.names = NULL, optional = FALSE, ...) { # nolint: object_name_linter.
  as.data.frame(saemix_records_of(x))
}
