#' Write a nonlinear mixed effects model
#'
#' A model has three parts: the parameters to estimate with their starting
#' values, the random effects with their distributions, and the code that says
#' how the outcome comes about; `covariates()` may say more of data columns. The
#' code is read and compiled, never run by R.
#'
#' @section Parameters:
#' `fixed()` declares them. A bare number is a real parameter without bounds;
#' `positive(x)` is estimated on the log scale, `probability(x)` on the logit
#' scale, and `real(value, scale, lower, upper, prior, se, label, unit)` says more
#' (`scale` is one of `"identity"`, `"log"`, `"logit"`, `"probit"`; `se = FALSE`
#' leaves its standard error out of the tables; `prior` is for methods that have a
#' use for it, [saem()] says that it ignores it). A vector makes a vector parameter. Networks, soft trees, splines and
#' planar flows are [learned_functions].
#' Parameters whose elements are bound to each other are
#' * `covariance_matrix(M, parameterization)`, a covariance of random effects, estimated
#'   by its Cholesky factor (`"cholesky"`) or its matrix logarithm (`"matrix_log"`), and
#'   `diagonal_matrix(variances)`;
#' * `simplex(p)`, probabilities that sum to one, estimated as the logits of the parts
#'   that each breaks off what the earlier ones left, and `transition_matrix(P)`, whose
#'   rows are such;
#' * `rate_matrix(Q)`, whose rows sum to zero, estimated as the logarithms of its rates
#'   off the diagonal.
#'
#' Probabilities and rates are positive; what is known to be zero is not a parameter.
#'
#' @section Covariates:
#' A name in the code that is nothing else is a data column. `covariates(name = ...)`
#' says more of it:
#' * `constant(on = id)`: it has one value within each `id`; data in which it changes are
#'   an error;
#' * `factor(levels, reference)`: the column holds these values, texts or numbers.
#'   `sex == "F"` compares with a level; in arithmetic `sex` is the 0/1 indicators of
#'   its levels but the reference (the first when none is named), a vector when there is
#'   more than one;
#' * `vector(c("age", "weight"))`: one name for several columns, as in `sum(b * x)`,
#'   `x[1]` and `x["age"]`;
#' * `time_varying(interpolation)`: its course between records, `"constant"` (the last
#'   value carried forward), `"next"` (the value of the record that ends an interval, as
#'   in NONMEM), `"linear"`, `"cubic_spline"` or `"akima"`. At a record it
#'   has the value of the record, which is all that models without differential equations
#'   read; a hazard that reads no state, which would need the course, refuses it.
#'
#' @section Random effects:
#' `random()` takes formulas `name ~ distribution | group`. The distribution is
#' `normal(mean, sd)`, `lognormal(meanlog, sdlog)` or `mvnormal(mean,
#' covariance)`; `diag(omega)` is the covariance with *variances* `omega`. SDs, and variances in `diag()`, may depend on
#' covariates that are constant within the group, as in `normal(0, w * exp(g * age))` or, with a declared factor,
#' `normal(0, ifelse(sex == "F", wf, wm))`; [VarCorr()][estimates] says between which values they lie. Not Gaussian
#' on any scale are `exponential(scale)`, `gamma(shape, scale)`, `beta(a, b)` and
#' `student_t(df, mean, sd)`, whose `sd` is the scale. On the left stands a name, or
#' `c(eta_ka, eta_v)` to name the elements. The group is a column of the data, or
#' columns joined by `:`, as in `id:occ` for variability
#' between occasions, or `id:occasion_of(doses)` for occasions that doses begin. Lines may differ in their
#' group, nested (`| site` and `| id`) or crossed (`| id` and `| item`); a level may change from row to row.
#' Differential equations run through the rows of a subject: they may read effects of subjects, of their
#' occasions, and of what subjects lie in (`| site`); effects of any other grouping (`| assay`) may stand in the
#' lines of outcomes. The subjects are the grouping within which all effects in the equations are constant, or
#' what `id` of [fit_nlme()] says.
#'
#' A model without `random()` is fitted by maximum likelihood, whatever the method: [saem()] and
#' [vem()] have nothing to integrate out then. Its rows are independent, or hang together by the `id` of
#' [fit_nlme()].
#'
#' @section Code:
#' Assignments, equations and outcomes, in the order written: arithmetic, comparisons and logic,
#' `exp log log1p expm1 sqrt abs sin cos tan tanh atan lgamma gamma digamma trigamma
#' pnorm qnorm plogis qlogis min max pmin pmax softplus`, `if`/`else` and `ifelse()`;
#' vectors and matrices by `c : seq seq_len seq_along rep numeric matrix rbind diag t`,
#' taken
#' together by `sum prod mean length nrow ncol cumsum cumprod rev %*% crossprod
#' tcrossprod outer rowSums colSums`. Matrices with one row or column that come out of
#' `%*%` are vectors. Indices are numbers, ranges, negative or logical vectors; `m[1, ]`
#' is a row.
#'
#' `if (condition) { ... } else { ... }` may hold assignments: both branches are
#' computed and each variable takes the value of the branch that holds. `for (i in
#' 1:n)` runs over a fixed range and is written out. Parts are assigned by `x[2] <-
#' value`, and `f[x > m] <- value` means `f <- ifelse(x > m, value, f)`.
#'
#' Functions of the calling environment made of these words, with branches, loops and
#' `return()`, are read in place. A symbol that is nothing else is a column of the data;
#' `t` is the time where no column has that name, `tad`, `tsld` and `tafd` are times since doses.
#' `column ~ distribution` states an outcome; several lines make several outcomes,
#' of any mix of families.
#'
#' @section Outcomes:
#' * continuous: `normal(mean, sd)`, `lognormal(meanlog, sdlog)`,
#'   `box_cox(median, sd, lambda)`, `yeo_johnson(median, sd, lambda)`,
#'   `logit_normal(median, sd, lower, upper)`, `probit_normal(median, sd, lower, upper)`,
#'   `student_t(df, mean, sd)` (`sd` is the scale), `laplace(location, scale)`,
#'   `logistic(location, scale)`, `gamma(shape, scale)`, `exponential(scale)`,
#'   `weibull(shape, scale)`, `beta(a, b)`;
#' * counts: `poisson(rate)`, `neg_binomial(mean, size)` with the variance
#'   `mean + mean^2 / size`, `binomial(size, prob)`;
#' * categories: `bernoulli(prob)` of 0 and 1; `categorical(probs)` of `1..K`, the
#'   probabilities being divided by their sum; `ordered(eta, cutpoints)` of `1..K`
#'   with `P(y <= k) = plogis(cutpoints[k] - eta)`;
#' * times to events: `event(hazard)`, the hazard a function of the time `t` and of states of
#'   differential equations, see the section on hazards;
#' * normal ones that correlate: `c(y1, y2) ~ mvnormal(mean, cov)`, `ar1(normal(f, sd), rho)`,
#'   `exchangeable(normal(f, sd), rho)`, see the section on correlated residuals;
#' * series: `hmm()`, `continuous_time_hmm()`, `markov()`, `continuous_time_markov()`,
#'   see the section on Markov chains;
#' * any other: `custom(log_density)`.
#'
#' The SD of `normal()` may be one of these, with the mean `f`:
#'
#' | shorthand | SD |
#' |---|---|
#' | `add(a)` | `a` |
#' | `prop(b)` | `b * abs(f)` |
#' | `pow(b, c)` | `b * abs(f)^c` |
#' | `add_prop(a, b)` | `sqrt(a^2 + b^2 * f^2)` |
#' | `add_prop_sd(a, b)` | `a + b * abs(f)` |
#' | `add_pow(a, b, c)` | `sqrt(a^2 + b^2 * abs(f)^(2 * c))` |
#' | `add_pow_sd(a, b, c)` | `a + b * abs(f)^c` |
#'
#' `box_cox()`, `yeo_johnson()`, `logit_normal()` and `probit_normal()` transform both sides: with a
#' function `h` the outcome is normal on another scale, `h(y) ~ normal(h(median), sd)`. `median` is on the scale of the
#' outcome, `sd`, a number or one of the shorthands of `f = median`, on that of `h`:
#'
#' | family | `h(x)` |
#' |---|---|
#' | `box_cox` | `(x^lambda - 1) / lambda`, `log(x)` at 0, for positive `x` |
#' | `yeo_johnson` | that of `1 + x` for `x >= 0`; minus that of `1 - x` with `2 - lambda` for `x < 0` |
#' | `logit_normal` | `log((x - lower) / (upper - x))` |
#' | `probit_normal` | `qnorm((x - lower) / (upper - lower))` |
#'
#' `lambda` is a parameter to estimate or a number; `lower` and `upper` are 0 and 1 unless they are given. The
#' likelihood is that of `y` itself (it holds the slope of `h`), so `-2 log L` and AIC compare with those of any other
#' family. Where `h` has no value for a draw, as below `-1 / lambda` for `box_cox()`, [simulate()][simulate.nlme_model]
#' draws again.
#'
#' `predict()` and `fitted()` give the mean, for `lognormal()` and the four families above the median, for
#' `student_t()`, `laplace()` and `logistic()` the location, for `bernoulli()` the
#' probability, for `ordered()` the expected category, for `event()` the probability
#' of an event since the previous row, and nothing for `categorical()` and `custom()`.
#'
#' @section Correlated residuals:
#' `c(y1, y2) ~ mvnormal(c(f1, f2), Sigma)` states two to six outcomes of a row that are normal together. `Sigma` is
#' their covariance: a parameter, as in `fixed(Sigma = covariance_matrix(diag(2)))`, or any matrix, as
#' `diag(s) %*% rbind(c(1, r), c(r, 1)) %*% diag(s)` with `s <- c(b1 * f1, b2 * f2)` for proportional errors that
#' correlate; its lower triangle is read. Where some of the outcomes are missing, the others have their marginal
#' distribution. Each outcome has a column; values of one time on several rows (`DVID`) are to be brought together by
#' [stats::reshape()] first, and are refused else.
#'
#' `y ~ ar1(normal(f, sd), rho)` lets the residuals of a subject correlate along its rows: with standardized residuals
#' `z = (y - f) / sd`, neighbors have the correlation `rho`, which lies between -1 and 1, those with one value between
#' them `rho^2`, and so on (`corAR1()` of nlme). `ar1(normal(f, sd), rho, time = t)` goes by time: the correlation is
#' `rho^(time between)`, with `rho` between 0 and 1 (`corCAR1()` of nlme, `ar()` of nlmixr2); `time` is `t` or a column
#' that rises within each subject. `exchangeable(normal(f, sd), rho)` gives all pairs of a subject the correlation
#' `rho` (`corCompSymm()`). The SD may be a shorthand such as `add_prop(a, b)`, and `f` may read states. Missing
#' values are passed over: by order the next value is a neighbor of the last one, in time the time between grows. Rows
#' go in the order of time, rows of one time in the order of the data. Random effects are those of the subject.
#'
#' `predict()`, `fitted()` and `residuals()` take `f` and `sd` and do not look at other values of the subject;
#' [simulate()][simulate.nlme_model] draws residuals that correlate.
#'
#' @section Censoring:
#' `censored(distribution, lower, upper)`, with one bound or both: a value at or below
#' `lower` stands for everything below it, a value at or above `upper` for everything
#' above. Data with a column `CENS` (in any case) say it row by row: 1 if the value is
#' an upper limit, -1 if it is a lower limit, 0 if it is the value itself; a number in
#' the column `LIMIT` is the limit on the other side. Both are for `normal`,
#' `lognormal`, `box_cox`, `yeo_johnson`, `logit_normal`, `probit_normal`, `exponential`, `weibull`,
#' `logistic` and `laplace`; outcomes of other
#' families are left as they are by the columns.
#'
#' @section Hazards:
#' The column of `event(hazard)` is 1 at the time of an event, 0 at a time up to which there was none. The
#' hazard is integrated from the subject's previous row that holds the outcome, from time 0 before the first, so
#' that rows of a subject are single or repeated events, or tell in which interval there was none. Covariates in
#' it have the value of the row since the row before. A hazard of 0 up to some time is delayed entry, as in
#' `event(ifelse(t > entry, h, 0))`, and a column with the time of the event before makes gap times, as in
#' `event(k / s * ((t - last) / s)^(k - 1))`.
#'
#' Sums of powers and exponentials of `t`, and of `t` less a value of the row or the subject, are integrated in
#' closed form, also where they begin at infinity, and piece by piece where they change at a time:
#' `ifelse(t < c, a, b)`, `max(t - c, 0)`, `abs(t - c)`. The rest is integrated by a rule that bears any beginning:
#' its nodes close up to the start of the interval (double exponential), later ones are Gauss and Legendre's. A
#' fit compares it with one of twice the panels, takes as many as change nothing, and warns where that does not
#' come to an end.
#'
#' A hazard may read states and the concentration of `linear_compartments()`, as in
#' `ev ~ event(h0 * exp(beta * cp))`: it is integrated with the equations. It goes on over resets and doses at
#' steady state, and begins at time 0, or at the subject's first record where the equations begin there; doses may
#' come before time 0. Covariates of which `covariates()` says how they run have that course.
#'
#' @section Markov chains:
#' `y ~ hmm(transition, emissions, initial)` is an outcome whose distribution
#' depends on a hidden state that moves from row to row of a subject, in the order
#' of time (rows without a time, or with the same one, in the order of the data).
#' `transition` is a square matrix: row the state before, column the state after.
#' `emissions` has one distribution for each state, of any family, as in
#' `list(normal(a, s), normal(b, s))`; or it is one distribution with vectors for
#' arguments, as in `normal(c(a, b), s)`. `initial` holds the probabilities of the
#' states *before* the first row; the chain moves once before the first outcome.
#' All of them may depend on parameters, random effects and covariates of the row.
#' A missing `y` lets the chain move without saying anything about its state; records
#' that give a dose, reset, or mark a time (`EVID` other than 0) do not let it move.
#'
#' `continuous_time_hmm(rates, emissions, initial)` moves in time: element (i, j) of
#' `rates` is the rate of going from state i to state j, the diagonal follows from
#' the others. Between two rows the chain moves for the time between them, and not
#' at all before the first one. `markov(transition, initial)` and
#' `continuous_time_markov(rates, initial)` are chains whose state, 1, 2, ..., is the
#' outcome itself; a missing one may be any. The rates times the time between two
#' rows should stay below 1000 when there are more than two states.
#'
#' What is predicted at a row is the mean given the subject's earlier outcomes.
#' Random effects are those of the subject.
#'
#' @section Classes of subjects:
#' `mix(a, p1, b)` is `a` for the subjects of a first class and `b` for all others;
#' `mix(a, p1, b, p2, c)` has three classes, and so on: values with the probabilities
#' of all classes but the last between them. Which class a subject is of is not in the
#' data. All `mix()` of a model share the one class of the subject and have the same
#' probabilities: parameters, as in `p1 = probability(0.3)` or, for several, elements
#' of `p = simplex(c(0.3, 0.3, 0.4))`, or expressions of covariates that are constant
#' in the subject. The values may be anything, with random effects, covariates and
#' states in them, and `mix()` may stand wherever a value does, in the mean of a random
#' effect and in differential equations too (which are then solved once for each
#' class). The likelihood of a subject is `integral p(eta) sum_k p_k prod_rows f(y |
#' eta, k) d eta`.
#'
#' `predict()` and `fitted()` take at `level = 1` the class that is the most likely one
#' at the mode of the subject's effects, as `coef()` does, and at `level = 0` the
#' average of the classes' predictions for the typical subject, weighted by their
#' probabilities. `simulate()` draws the classes. [class_probabilities()] says how
#' likely each class is for each subject. An effect whose mean is a `mix()` is shown as
#' its deviation from the mean of the class.
#'
#' Starting values need not differ between the classes, but it helps: before the fit
#' subjects are put in classes by their random effects, and the start to which this
#' leads replaces the given one where the likelihood there is clearly larger.
#' Likelihoods of mixtures have several maxima: fits from other starting values may
#' find a better one. `mix()` cannot stand in a `hmm()` or a `markov()`, nor in the SD
#' of a random effect, and with it all random effects are those of the subject; effects
#' of occasions, `| id:occ`, are written out as one effect for each occasion.
#'
#' @section Differential equations:
#' `d/dt(x) <- expression` makes `x` a *state*: a value that changes with time at this
#' rate. The expression may read all states, the time `t`, parameters, effects,
#' variables and covariates; `if (condition) a else b` and helper functions may stand in
#' it. Variables that read a state, such as `cp <- central / v`, may stand before or
#' after its equation. Elsewhere a state is its value at the row. Equations stand at the
#' top level of the code, not inside `if` or `for`.
#'
#' * `x(0) <- expression`: the value of `x` at time 0, or at the first record of a subject
#'   that begins earlier; 0 where it is not given;
#' * `f(x)`: bioavailability, the factor on the amounts of all doses into `x`; 1 where it
#'   is not given;
#' * `alag(x)`, or `lag(x)`: time by which doses into `x` are late, in the unit of the
#'   times;
#' * `rate(x)`, `dur(x)`: rate and duration of the infusions into `x` whose records say
#'   that the model has them (`RATE` of -1 and -2).
#'
#' They read parameters, effects and covariates, but neither states nor the time. The
#' covariates of `x(0)` are constant in a subject; those of the others may change, between fed
#' and fasted days for instance: a dose has the values of its record. Random effects are
#' those of the subject and of its occasions: `kappa ~ normal(0, w) | id:occ` beside
#' `| id` gives a subject one effect, with one distribution, in each occasion of the data.
#' They are named `kappa.1`, `kappa.2`, ... after the occasions; a subject without some
#' occasion has its effect at the mean, and in new data other occasions have none.
#'
#' Doses are records of the data (`EVID`, `AMT`, `CMT`, `RATE`, `II`, `ADDL`, `SS`). Compartment
#' numbers are the order of the equations; `CMT` may also hold the names of states.
#'
#' `linear_compartments(cl, v, q, v2, q2, v3, ka)` is the concentration in the central one
#' of one to three compartments with linear elimination. It adds the states `depot` (with
#' `ka`), `central`, `peripheral1` and `peripheral2`, in this order before all other
#' states, with doses into any of them. `cl` and `v` are clearance and
#' volume of the central compartment; `q` and `v2`, `q2` and `v3` those of the first and
#' second peripheral one; `ka` is the rate of absorption from the depot. Rates may be
#' given instead: `k`, `k12`, `k21`, `k13`, `k31` with the volume `v`. Other names are `v1`
#' and `vc` for `v`, `vp` for `v2`, `vp2` for `v3`, `kel` for `k`. Its states take statements
#' such as `f(depot)` and may be read by further equations.
#'
#' A state that only adds up, `d/dt(auc) <- central / v`, has no steady value: a dose with `SS = 1` sets it to
#' its initial value, as a reset does, and one with `SS = 2` leaves it as it is. Doses at steady state into it
#' are errors.
#'
#' [ode_control()] sets tolerances and solver.
#'
#' @param ... `fixed(...)`, `random(...)`, `covariates(...)`, [ode_control()] and `{ code }`. These
#'   words are understood here only; nothing is masked. `!!x` puts the value of `x` in,
#'   `!!!list` splices one.
#' @references
#' Savic RM, Jonker DM, Kerbusch T, Karlsson MO (2007). Implementation of a transit compartment model for describing
#' drug absorption in pharmacokinetic studies. *J. Pharmacokinet. Pharmacodyn.* 34, 711-726.
#'
#' Box GEP, Cox DR (1964). An analysis of transformations. *J. R. Stat. Soc. B* 26, 211-252.
#'
#' Yeo IK, Johnson RA (2000). A new family of power transformations to improve normality or symmetry. *Biometrika* 87,
#' 954-959.
#' @returns An object of class `nlme_model`: a plain list for [fit_nlme()].
#' @seealso [nlme_formula()] for models in one formula.
#' @examples
#' theo <- nlme_model(
#'   fixed(
#'     tka = 0.5, tcl = -3.2, tv = -0.8,
#'     omega = positive(c(0.4, 0.1, 0.1)),
#'     sigma = positive(0.7)
#'   ),
#'   random(eta ~ mvnormal(c(tka, tcl, tv), diag(omega)) | Subject),
#'   {
#'     ka <- exp(eta[1])
#'     cl <- exp(eta[2])
#'     v <- exp(eta[3])
#'     k <- cl / v
#'     conc ~ normal(Dose * ka / (v * (ka - k)) * (exp(-k * Time) - exp(-ka * Time)), sigma)
#'   }
#' )
#' theo
#'
#' # The same as differential equations, with doses in records of the data.
#' nlme_model(
#'   fixed(tka = 0.5, tcl = -3.2, tv = -0.8, omega = positive(c(0.4, 0.1, 0.1)), sigma = positive(0.7)),
#'   random(eta ~ mvnormal(c(tka, tcl, tv), diag(omega)) | id),
#'   {
#'     ka <- exp(eta[1])
#'     cl <- exp(eta[2])
#'     v <- exp(eta[3])
#'     d/dt(depot) <- -ka * depot
#'     d/dt(central) <- ka * depot - cl / v * central
#'     conc ~ normal(central / v, sigma)
#'   }
#' )
#' @order 1
#' @export
nlme_model <- function(...) {
  parts <- rlang::enexprs(...)
  env <- rlang::caller_env()
  fixed <- vapply(parts, is_call_to, logical(1L), words = "fixed")
  parameters <- unlist(lapply(unname(parts[fixed]), fixed_parameters, env = env), recursive = FALSE)
  spec <- list(parameters = as.list(parameters), random = list(), statements = list())
  env <- with_learned_functions(parameters, env)
  for (part in unname(parts[!fixed])) {
    if (is_call_to(part, "random")) {
      spec$random <- c(spec$random, random_blocks(part, env))
    } else if (is_call_to(part, "covariates")) {
      spec$covariates <- c(spec$covariates, covariate_declarations(part, env))
    } else if (!is.null(options <- ode_options(part, env))) {
      if (!is.null(spec$ode)) stop_part_twice("ode_control()", part)
      spec$ode <- options
    } else if (is_call_to(part, c("{", "~", "<-"))) {
      spec$statements <- c(spec$statements, model_statements(part, env))
    } else {
      stop_model(
        "unknown_part",
        "A model is made of fixed(...), random(...), covariates(...), ode_control(...) and { code }.",
        code_text(part)
      )
    }
  }
  new_nlme_model(spec)
}

stop_part_twice <- function(name, part) {
  stop_model(
    "name_used_twice", sprintf("%s is given twice.", name), code_text(part), "Give all its options in one.",
    list(name = name)
  )
}

# Every door ends here: the core checks the specification and describes it.
new_nlme_model <- function(spec, data = NULL, id = NULL) {
  whole <- spec_by_occasion(spec, data, id)
  model <- list(
    format_version = object_format,
    spec = whole$spec,
    groups = model_groups(whole$spec$random),
    described = whole$described
  )
  if (whole$by_occasion && is.null(data)) model$by_occasion <- spec
  structure(model, class = "nlme_model")
}
