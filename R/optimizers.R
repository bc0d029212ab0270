#' Optimizers of the M-step
#'
#' How [saem()] and [vem()] move the parameters that have no closed form.
#'
#' @param maxiters (integer or NULL) largest number of iterations. Of [saem()] they are those
#'   within one iteration of the algorithm; `NULL` is 10 for `lbfgs()` and 50 for `adam()`. Of
#'   [vem()] they are all; `NULL` is its own `maxiters`.
#' @param g_tol (number or NULL) largest element of the gradient, on the transformed scale, at
#'   which `lbfgs()` stops; `NULL` is 1e-4. [vem()] stops by its `tolerance` and refuses it.
#' @param memory (integer) pairs of steps and gradients that `lbfgs()` keeps.
#' @param f_tol (number) standard deviation of the objective over the simplex at which
#'   `nelder_mead()` stops.
#' @param rate (number) size of the steps of `adam()`, on the transformed scale.
#' @param adtype (character or NULL) `"reverse"` for exact derivatives, `"finite"` for central
#'   differences. `NULL` is `"finite"` when the objective is the user's own function
#'   (`q_from_stats` of [saem()]), which has no derivatives, and `"reverse"` otherwise.
#' @details
#' [vem()] takes `lbfgs()` and `adam()`, which maximize the bound. Of [saem()]:
#'
#' * `score()`, the default, maximizes nothing: one step of stochastic approximation on the
#'   score and the information of the complete data, of the size of the gain.
#' * `lbfgs()`, `nelder_mead()` and `adam()` maximize the objective `Q`, the complete-data
#'   log-likelihood averaged over the draws that are kept (`max_store` of [saem()]), or at the
#'   draws of the iteration when `mstep_sa_on_params = TRUE`. They are limited-memory BFGS with
#'   backtracking, the simplex of Nelder and Mead (1965), which needs no derivatives, and Adam
#'   (Kingma and Ba, 2015).
#'
#' All of them stay within `lb` and `ub` of the method and the bounds of the model.
#' @returns An object of class `nlme_optimizer`, the `optimizer` of [saem()] or [vem()].
#' @references
#' Kingma DP, Ba J (2015). Adam: a method for stochastic optimization. *International Conference
#' on Learning Representations*.
#'
#' Nelder JA, Mead R (1965). A simplex method for function minimization. *Computer Journal* 7,
#' 308-313.
#' @examples
#' saem(optimizer = lbfgs(maxiters = 120))
#' saem(optimizer = adam(0.05), optim_kwargs = list(maxiters = 150))
#' vem(optimizer = adam(0.01, maxiters = 2000), batch_size = 32)
#' @name optimizers
NULL

#' @rdname optimizers
#' @export
score <- function() new_optimizer("score", list())

#' @rdname optimizers
#' @export
lbfgs <- function(maxiters = NULL, g_tol = NULL, memory = 10, adtype = NULL) {
  new_optimizer("lbfgs", list(
    maxiters = check_maxiters(maxiters),
    g_tol = if (!is.null(g_tol)) check_positive(g_tol, "g_tol"),
    memory = check_count(memory, "memory", 1),
    adtype = check_adtype(adtype)
  ))
}

#' @rdname optimizers
#' @export
nelder_mead <- function(maxiters = 200, f_tol = 1e-6) {
  new_optimizer("nelder_mead", list(
    maxiters = check_count(maxiters, "maxiters", 1), f_tol = check_positive(f_tol, "f_tol")
  ))
}

#' @rdname optimizers
#' @export
adam <- function(rate = 0.05, maxiters = NULL, adtype = NULL) {
  new_optimizer("adam", list(
    rate = check_positive(rate, "rate"), maxiters = check_maxiters(maxiters),
    adtype = check_adtype(adtype)
  ))
}

check_maxiters <- function(maxiters) {
  if (!is.null(maxiters)) check_count(maxiters, "maxiters", 1)
}

check_adtype <- function(adtype) {
  if (!is.null(adtype)) check_word(adtype, "adtype", c("reverse", "finite"))
}

new_optimizer <- function(kind, fields) {
  structure(c(list(kind = kind), fields), class = "nlme_optimizer")
}

#' @export
print.nlme_optimizer <- function(x, ...) {
  cat("Optimizer ", call_words(x), "\n", sep = "")
  invisible(x)
}

# The optimizer with `kwargs`, arguments of its constructor, in place of its own.
with_arguments <- function(optimizer, kwargs, argument) {
  if (!is.list(kwargs)) kwargs <- as.list(kwargs)
  if (length(kwargs) == 0L) return(optimizer)
  constructor <- get(optimizer$kind, mode = "function")
  known <- names(formals(constructor))
  for (name in rlang::names2(kwargs)) {
    if (name %in% known) next
    stop_option(
      "unknown_argument",
      if (name == argument) {
        sprintf("`%s` is nothing to %s().", argument, optimizer$kind)
      } else {
        sprintf("`%s` names `%s`, which %s() does not take.", argument, name, optimizer$kind)
      },
      hint = if (length(known) == 0L) {
        sprintf("%s() has no arguments; leave `%s` out.", optimizer$kind, argument)
      } else {
        nearest_hint(name, known, "Arguments")
      },
      fields = list(name = name)
    )
  }
  fields <- unclass(optimizer)[known]
  fields[names(kwargs)] <- kwargs
  do.call(constructor, fields)
}
