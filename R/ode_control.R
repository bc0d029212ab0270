#' How differential equations are solved
#'
#' A part of [nlme_model()] that sets options of the solver of its differential
#' equations. Options left out have the defaults shown, which suit most models.
#'
#' Between two records (doses, resets, observations) the states follow the explicit
#' Runge-Kutta pair of Tsitouras (2011), of order 5 with an error estimate of order 4, in
#' steps that keep the estimated error of each state `x` below `atol + rtol * |x|`. Stiff
#' equations, which have parts that run much faster than what is looked at, would take it
#' too many steps; they go to an implicit solver. Equations that are linear in the states
#' with coefficients that are constant between two records need no steps where they have a
#' closed form, are at most four, or are too stiff: the exponential of their matrix takes
#' them, up to 40 states, from record to record.
#'
#' A fit compares its likelihood with that at smaller tolerances. Where it changes by more than
#' 0.02 (a proportional error on values near zero asks for more than the defaults), the fit
#' begins, or goes on from its estimates, with `rtol` a hundredth and `atol` a ten-thousandth
#' of what they were, until it does not, and `summary()` names them. Tolerances that are given stay; a
#' warning says where they do not suffice.
#'
#' A solution that fails makes a draw of the random effects one without a density, which
#' is rejected and counted, never a value that is quietly wrong.
#'
#' @param rtol (number in (0, 1)) relative tolerance of the error of one step. Smaller is
#'   more precise and slower; the error of the solution is of the same order.
#' @param atol (number in (0, 1)) absolute tolerance, in units of the states. What is much
#'   smaller than `atol` counts as zero: with amounts in units in which they are tiny,
#'   take it smaller.
#' @param max_steps (integer) steps of one subject's solution, rejected ones included, after
#'   which it has failed.
#' @param stiff_after (integer) steps of the explicit solver after which `solver = "auto"`
#'   takes the implicit one, or the exponential of the matrix, for that solution.
#' @param solver (character) `"auto"` tries the explicit solver first, `"explicit"` takes
#'   no other, `"stiff"` takes the implicit one, or the exponential, at once.
#' @param linear (logical) recognize linear equations, or the linear ones among the equations,
#'   and solve them in closed form or by the matrix exponential; `FALSE` takes steps for all,
#'   which is slower and tells nothing but how well the two agree.
#' @param max_forward (integer) up to how many values that a solution depends on (clearances,
#'   volumes, ...) its derivatives are carried along; for more they are found backward, by
#'   the adjoint. The results agree; only the time differs.
#' @returns An object of class `nlme_ode_control`: the options given. It can be put into a
#'   model with `!!`.
#' @references
#' Tsitouras C (2011). Runge-Kutta pairs of order 5(4) satisfying only the first column
#' simplifying assumption. *Computers & Mathematics with Applications* 62, 770-775.
#' @seealso [nlme_model()], its section on differential equations.
#' @examples
#' ode_control(rtol = 1e-8, atol = 1e-10)
#'
#' nlme_model(
#'   fixed(tk = -1, tv = 2, omega = positive(0.3), sigma = positive(0.2)),
#'   random(eta ~ normal(0, omega) | id),
#'   ode_control(rtol = 1e-8),
#'   {
#'     k <- exp(tk + eta)
#'     d/dt(central) <- -k * central
#'     conc ~ normal(central / exp(tv), prop(sigma))
#'   }
#' )
#' @export
ode_control <- function(rtol = 1e-6, atol = 1e-8, max_steps = 20000, stiff_after = 3000,
                        solver = c("auto", "explicit", "stiff"), linear = TRUE, max_forward = 8) {
  given <- names(as.list(match.call()))[-1L]
  options <- list(
    rtol = check_fraction(rtol, "rtol"), atol = check_fraction(atol, "atol"),
    max_steps = check_count(max_steps, "max_steps", 1), stiff_after = check_count(stiff_after, "stiff_after", 1),
    solver = check_word(solver, "solver", ode_solvers), linear = check_flag(linear, "linear"),
    max_forward = check_count(max_forward, "max_forward", 0)
  )
  structure(options[names(options) %in% given], class = "nlme_ode_control")
}

ode_solvers <- c("auto", "explicit", "stiff")

# The options of a part of nlme_model(), as code or as a value put in with `!!`; NULL for any other part.
ode_options <- function(part, env) {
  if (inherits(part, "nlme_ode_control")) return(unclass(part))
  if (!is.call(part) || !code_text(part[[1L]]) %in% c("ode_control", "nlmers::ode_control")) return(NULL)
  part[[1L]] <- ode_control
  check_option_names(
    as.list(part)[-1L], c("", names(formals(ode_control))), "ode_control()", "unknown_argument"
  )
  unclass(eval(part, env))
}

# The model, solved with the options that a verb was given beside it.
with_ode_control <- function(model, given) {
  if (is.null(given)) return(model)
  if (!inherits(given, "nlme_ode_control")) {
    stop_bad_option("ode_control", given, "options of the solver, as in `ode_control(rtol = 1e-8)`")
  }
  if (length(model$described$states) == 0L) {
    stop_option(
      "unused_option", "`ode_control` has no use here: the model has no differential equations.",
      hint = "Leave `ode_control` out."
    )
  }
  if (length(model$spec$ode) > 0L) {
    stop_option(
      "unused_option",
      sprintf(
        "`ode_control` stands beside a model that holds its own: ode_control(%s).",
        paste(changed_ode_options(model$spec$ode), collapse = ", ")
      ),
      hint = "Give one of the two."
    )
  }
  model$spec$ode <- unclass(given)
  # A model that is read again with other data keeps them.
  if (!is.null(model$source)) model$source$ode <- given
  model
}

# The options that differ from their defaults, as they are written.
changed_ode_options <- function(options) {
  usual <- lapply(as.list(formals(ode_control)), function(default) eval(default)[1L])
  changed <- Filter(function(name) !identical(options[[name]], usual[[name]]), names(options))
  vapply(changed, function(name) {
    value <- options[[name]]
    sprintf("%s = %s", name, if (is.character(value)) dQuote(value, FALSE) else format(value))
  }, character(1L), USE.NAMES = FALSE)
}

#' @export
print.nlme_ode_control <- function(x, ...) {
  options <- lapply(as.list(formals(ode_control)), function(default) eval(default)[1L])
  options[names(x)] <- unclass(x)
  shown <- vapply(options, function(value) {
    if (is.character(value)) dQuote(value, FALSE) else format(value)
  }, character(1L))
  mark <- ifelse(names(options) %in% names(x), "", "  (default)")
  cat("Options of the differential equations", paste0("  ", format(names(options)), "  ", shown, mark), sep = "\n")
  invisible(x)
}
