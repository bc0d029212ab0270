#' Data and formula of a fit
#'
#' `getData()` and `model.frame()` give the records the model was fitted to,
#' `formula()` the model as a formula.
#'
#' @param object,formula,x (`nlme_fit`) a fit.
#' @param ... for the generic; an argument that lands here is refused.
#' @returns `getData()` and `model.frame()` a data frame with the grouping column
#'   and the columns the model uses, in the order of the rows given; records with a
#'   missing outcome are kept. `formula()` the formula given to [fit_nlme()] or
#'   [nlme_formula()]; for a model of [nlme_model()] its outcome statement, or a list
#'   of them when there are several. Its environment is the global one.
#' @examples
#' fit <- fit_nlme(
#'   circumference ~ Asym / (1 + exp(-(age - xmid) / scal)),
#'   data = Orange, start = c(Asym = 170, xmid = 700, scal = 350),
#'   random = Asym ~ 1 | Tree, error = add(sigma = 8),
#'   seed = 1
#' )
#' head(getData(fit))
#' formula(fit)
#' @name fit-data
NULL

#' @rdname fit-data
#' @method getData nlme_fit
#' @export
getData.nlme_fit <- function(object) object$data$frame

#' @rdname fit-data
#' @importFrom stats model.frame
#' @export
model.frame.nlme_fit <- function(formula, ...) {
  refuse_dots(...)
  formula$data$frame
}

#' @rdname fit-data
#' @importFrom stats formula
#' @export
formula.nlme_fit <- function(x, ...) {
  refuse_dots(...)
  texts <- x$model$formula
  if (is.null(texts)) {
    outcomes <- Filter(function(statement) statement$kind == "outcome", x$model$spec$statements)
    texts <- vapply(outcomes, `[[`, character(1L), "text")
  }
  # A fit holds no environment, so that it can be saved.
  formulas <- lapply(texts, stats::as.formula, env = globalenv())
  if (length(formulas) == 1L) formulas[[1L]] else formulas
}
