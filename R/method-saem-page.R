#' Options of SAEM as NoLimits.jl has them
#'
#' A [saem()] whose defaults are those of the documentation of SAEM in NoLimits.jl. Where
#' they differ from those of [saem()], the latter gave better estimates or needed less time.
#'
#' @param ... options of [saem()], by name; the others take the defaults of that documentation.
#' @details
#' They are: the sampler `mh()` with 80 steps; `sa_schedule = "robbins_monro"` with `t0 = 150`,
#' `kappa = 0.65` and `maxiters = 300`; one chain; floors under variances by
#' `sa_anneal_schedule = "exponential"` with `sa_anneal_alpha = 0.9`, and `var_lb_value = 1e-5`;
#' the consecutive test of convergence with relative tolerances of 5e-5, absolute ones of
#' 5e-7 and 4 iterations in a row; the optimizer `lbfgs()`; no acceleration, and phases as long as the schedule says. The modes are found by
#' Newton's method, which ends where that documentation's L-BFGS does. `mh()` walks on the
#' unconstrained scale, as that documentation says. Draws of several chains enter the statistics
#' one by one rather than averaged, which would shrink the variances of the random effects.
#' @returns An object of class `nlme_method` for [fit_nlme()].
#' @seealso [saem()]
#' @examples
#' saem_page_defaults(maxiters = 200, t0 = 100)
#' @export
saem_page_defaults <- function(...) {
  own <- list(...)
  known <- setdiff(names(formals(saem)), "...")
  check_option_names(own, known, "saem()", "unknown_argument")
  asked <- lapply(formals(saem)[known], eval, envir = environment(saem))
  asked[names(page_defaults())] <- page_defaults()
  asked[names(own)] <- own
  new_saem(asked, names(own))
}

page_defaults <- function() {
  list(
    sampler = mh(), mcmc_steps = 80, sa_schedule = "robbins_monro", t0 = 150, kappa = 0.65, maxiters = 300,
    n_chains = 1, auto_small_n_chains = FALSE, sa_anneal_schedule = "exponential", sa_anneal_alpha = 0.9,
    var_lb_value = 1e-5, convergence_test = "consecutive", rtol_theta = 5e-5, atol_theta = 5e-7, rtol_Q = 5e-5,
    atol_Q = 5e-7, consecutive_params = 4, optimizer = lbfgs(), acceleration = FALSE, adaptive = FALSE
  )
}
