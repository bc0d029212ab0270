# What the language says of doses beside equations; the core gives the words their meaning.

#' @section Input functions:
#' A dose need not come in at once. In `d/dt(depot) <- transit(n, mtt) - ka * depot` the doses into `depot` come in
#' by the function, *in place of* a bolus, and each by itself: the value is the sum over all doses of bioavailability,
#' amount and the density of the time `u` that a molecule needs.
#'
#' | function | time to come in |
#' |---|---|
#' | `transit(n, mtt)` | gamma with shape `n + 1`, rate `(n + 1) / mtt`: `n` transit compartments (Savic 2007) |
#' | `inverse_gaussian(mat, cv)` | inverse Gaussian with mean `mat` and coefficient of variation `cv` |
#' | `weibull_input(shape, scale)` | Weibull |
#' | `first_order(ka, lag)` | exponential with the rate `ka`, from `lag` on; `lag` is 0 when left out |
#' | `zero_order(duration, lag)` | uniform over `duration`, from `lag` on |
#'
#' `mtt` is the mean transit time, `n` any number, not only a whole one. Parts add up, as in
#' `d/dt(central) <- fr * zero_order(d) + (1 - fr) * first_order(ka, lag = d) - k * central` for a dose of which `fr`
#' comes in at a constant rate and the rest by first order after that. `f(x)` and `alag(x)` hold for all of them. The
#' functions stand in equations only. Doses by `zero_order()` and by densities are single or additional ones (`ADDL`);
#' those that are infusions (`RATE`) or at steady state (`SS`) are errors.
#'
#' @section Occasions of doses:
#' `occasion_of(doses)` is the number of the occasion of a row within its subject, in code and as a group
#' (`| id:occasion_of(doses)`), counted from the dosing records (`EVID` 1 or 4; without `EVID`, `AMT` above 0). Each
#' begins an occasion, those of one time one together. Rows before the first dose belong to the first
#' occasion; of one time, a record before that of the dose belongs to the occasion before. Additional doses
#' (`ADDL`) begin none: write them as records of their own where they shall.
#'
#' @section Times since doses:
#' `tad` (or `tsld`) is the time since the last dose and `tafd` that since the first, both 0 before the first dose, in
#' equations and elsewhere, and in models without equations. They are names that are no column of the data;
#' `tad()` and `tafd()` mean the same whatever the columns are called, and `tad(x)` counts doses into the state `x`.
#' Doses are those of the records (`AMT`, `EVID`, `ADDL`, `II`), at the time of their record, whatever their lag. Of one
#' time, a record before that of a dose does not know it.
#' @rdname nlme_model
#' @order 2
#' @name nlme_model
NULL
