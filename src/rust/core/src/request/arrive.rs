//! Bring the estimates of SAEM to the maximum of the likelihood, and let the fit say what fresh draws say of them.

use std::cmp::Ordering;

use crate::error::Result;
use crate::fitted::{Fit, FitStatus};
use crate::inference::information::free;
use crate::inference::laplace;
use crate::inference::posterior::BatchPosteriors;
use crate::maximum::{spreads, Arrival, MaximumSearch, Patience};
use crate::monitor::{Monitor, Progress};
use crate::parallel::Workers;
use crate::problem::{Joint, Route};
use crate::saem::SaemOptions;
use crate::vem::{self, VemOptions};

/// Steps of a climb, and the gain in twice the value at which it ends.
const STEPS: usize = 100;
const FLAT: f64 = 1e-4;

/// Part of its starting value below which no standard deviation falls where the options do not say.
pub const SMALLEST_SPREAD: f64 = 1e-5;

/// Log-likelihood by Laplace's method, in all and for each batch, by which a start must be worse to be forgotten unseen.
const CLEAR: f64 = 1.0;
const UNSURE: f64 = 0.1;

/// Draws that judge estimates, at first: so many in all, of each batch no fewer and no more than these.
const ENOUGH: usize = 9_600;
const FEWEST: usize = 100;
const MOST: usize = 300;

/// Error of `-2 log L` above which a look takes more draws, of so many batches: what a fit prints is not computed from them.
const UNSETTLED: f64 = 1.0;
const MANY: f64 = 100.0;

/// Draws that tell whether a run has left its start for something worse.
const FEW: usize = 256;

/// Change on a logarithmic scale that leads far from a start.
const FAR: f64 = 2.3;

/// Log-likelihood by which estimates of the bound's maximum may be worse than others and still lead further.
const BELOW: f64 = 1.0;

/// Draws of each batch where the options do not say.
fn usual_draws(joint: &Joint) -> usize {
    let each = ENOUGH / joint.n_batches.max(1);
    MaximumSearch::at_least(joint, each.clamp(FEWEST, MOST))
}

/// The least value of a residual error, logarithmic scale.
fn least(options: &SaemOptions, start: f64) -> Option<f64> {
    let given = options.anneal.var_lb_value.map(f64::ln);
    let kept = options.anneal.auto_var_lb;
    kept.then(|| given.unwrap_or(start + SMALLEST_SPREAD.ln()))
}

/// Keep residual errors where the options want them: a likelihood without bound has no maximum to go to.
pub fn keep_errors(joint: &mut Joint, options: &SaemOptions) {
    joint.floor(&["residual"], |start| {
        least(options, start).unwrap_or(f64::NEG_INFINITY)
    });
}

/// Judge the estimates of a run that came to its end, and go on from them where the options say so; the arrival, where
/// there is one. What keeps it from being computed becomes a warning.
pub fn arrive(
    joint: &Joint,
    fit: &mut Fit,
    options: &SaemOptions,
    (seed, workers): (u64, &Workers),
    monitor: &dyn Monitor,
) -> Option<Arrival> {
    if fit.status == FitStatus::Interrupted || !options.is_judged(joint) {
        return None;
    }
    let penalty = vec![0.0; free(joint).len()];
    let search = MaximumSearch {
        joint,
        workers,
        seed,
        draws: options
            .inference
            .draws
            .unwrap_or_else(|| usual_draws(joint)),
        unsettled: UNSETTLED * (joint.n_batches as f64 / MANY).sqrt().max(1.0),
        climbing: options.polish_draws,
        rounds: if options.goes_on(joint) {
            options.polish_rounds
        } else {
            0
        },
        hurries: false,
        trains: false,
        penalty: &penalty,
        absent: &[],
        patience: Patience {
            steps: STEPS,
            tolerance: FLAT,
            memory: None,
        },
    };
    let own = if fit.status == FitStatus::NotFinite {
        None
    } else {
        match run(&search.hurried(), fit, monitor) {
            Ok(arrival) => Some(arrival),
            Err(error) => {
                fit.warnings.push(format!(
                    "The estimates could not be judged by importance draws. {error}"
                ));
                None
            }
        }
    };
    let other = around_the_other_way(&search, fit, own.as_ref(), monitor);
    let arrival = match other {
        Some(other) => other,
        None => patiently(&search, fit, own?, monitor),
    };
    hand_over(fit, &arrival);
    doubt(joint, fit, options);
    Some(arrival)
}

/// The estimates of a run, or its start where that is more likely, taken on by Newton steps.
fn run(search: &MaximumSearch, fit: &mut Fit, monitor: &dyn Monitor) -> Result<Arrival> {
    let first = search.joint.points(fit.cond_mean.clone());
    let q = search.laplace(&fit.theta, Some(&first))?;
    let (theta, q) = better_start(search, (fit.theta.clone(), q));
    go_on(search, fit, (&theta, &q), monitor)
}

/// Go on from some estimates; the trace and the monitor see every step.
fn go_on(
    search: &MaximumSearch,
    fit: &mut Fit,
    (theta, q): (&[f64], &BatchPosteriors),
    monitor: &dyn Monitor,
) -> Result<Arrival> {
    let total = fit.trace.len();
    let objective = fit.trace.objective.last().copied().unwrap_or(f64::NAN);
    let trace = &mut fit.trace;
    search.arrive(theta, q, &mut |theta, value| {
        trace.push(theta, 0.0, "polish", objective);
        monitor.report(&Progress {
            iteration: trace.len(),
            total: trace.len().max(total),
            phase: "polish",
            gain: 0.0,
            objective: value,
        });
        !monitor.interrupted()
    })
}

/// Whether there is nothing more to do for some estimates.
fn is_done(search: &MaximumSearch, arrival: &Arrival, monitor: &dyn Monitor) -> bool {
    let there = arrival.status == FitStatus::Converged && arrival.look.is_there();
    let done = arrival.hidden || there;
    done || search.rounds == 0 || monitor.interrupted()
}

/// Whether a run has led a parameter of its model tenfold from the start: on such a way there are other maxima.
fn has_strayed(joint: &Joint, theta: &[f64]) -> bool {
    let spreads = spreads(joint);
    let residuals = &joint.main().form.residuals;
    let scale = |k: usize| {
        let is_spread = spreads.iter().any(|s| s.coordinate == k);
        is_spread || residuals.iter().any(|r| r.theta == k)
    };
    let start = &joint.theta;
    let mut own = free(joint).into_iter();
    own.any(|k| start.is_transformed(k) && !scale(k) && (theta[k] - start.start[k]).abs() > FAR)
}

/// Where Newton steps lead a run no further, to a doubtful maximum or far from its start, what variational steps from
/// there lead to, if that is more likely: they need no draws far from the data, where those of a run may lose their way.
fn around_the_other_way(
    search: &MaximumSearch,
    fit: &mut Fit,
    own: Option<&Arrival>,
    monitor: &dyn Monitor,
) -> Option<Arrival> {
    let settled = |own: &Arrival| {
        let doubtful = own.doubtful || has_strayed(search.joint, &own.theta);
        !doubtful && (own.status == FitStatus::Converged || is_done(search, own, monitor))
    };
    // Variational steps would train weights of learned functions otherwise than the run has.
    let trains = search.joint.theta.routes.contains(&Route::Gradient);
    if trains || own.is_some_and(settled) || search.rounds == 0 || monitor.interrupted() {
        return None;
    }
    let mut joint = search.joint.clone();
    joint.floor_spreads(SMALLEST_SPREAD);
    let options = VemOptions::default();
    let way = (search.seed, search.workers);
    let (theta, q, trace) = vem::bring(&joint, &options, way, monitor).ok()?;
    let least = own.map_or(f64::NEG_INFINITY, |own| own.look.log_lik());
    let elsewhere = |own: &Arrival| own.status != FitStatus::Converged || !own.is_near(&theta);
    // The maximum of the bound is not that of the likelihood, but not far below it.
    let (value, noise) = by_few_draws(search, &theta, &q);
    if !own.is_none_or(elsewhere) || value + noise < least - BELOW {
        return None;
    }
    let kept = fit.trace.len();
    let objective = fit.trace.objective.last().copied().unwrap_or(f64::NAN);
    for theta in &trace.theta {
        fit.trace.push(theta, 0.0, "polish", objective);
    }
    let patience = match own {
        Some(own) if is_done(search, own, monitor) => search.hurried(),
        _ => *search,
    };
    let found = go_on(&patience, fit, (&theta, &q), monitor).ok();
    let arrived = |at: &Arrival| at.status == FitStatus::Converged;
    let better = |found: &Arrival| match own {
        Some(own) if arrived(own) && !arrived(found) => own.look.falls_from(&found.look),
        Some(own) if arrived(found) && !arrived(own) => !found.look.falls_from(&own.look),
        _ => found.look.log_lik().partial_cmp(&least) == Some(Ordering::Greater),
    };
    let Some(mut other) = found.filter(better) else {
        fit.trace.truncate(kept);
        return None;
    };
    other
        .evidence
        .push("The iterations ended short of it, in doubt or far from the start; variational steps from there led further.".into());
    Some(other)
}

/// The estimates taken on by climbs, where nothing else has led to a maximum.
fn patiently(
    search: &MaximumSearch,
    fit: &mut Fit,
    from: Arrival,
    monitor: &dyn Monitor,
) -> Arrival {
    if is_done(search, &from, monitor) {
        return from;
    }
    let Ok(q) = search.laplace(&from.theta, None) else {
        return from;
    };
    let found = go_on(search, fit, (&from.theta, &q), monitor);
    found.unwrap_or(from)
}

/// The estimates, or the values from which the run started where these are more likely.
fn better_start(
    search: &MaximumSearch,
    (theta, q): (Vec<f64>, BatchPosteriors),
) -> (Vec<f64>, BatchPosteriors) {
    let start = search.joint.theta.start.clone();
    let Ok(other) = search.laplace(&start, None) else {
        return (theta, q);
    };
    let about = |theta: &[f64], q: &BatchPosteriors| laplace::log_lik(search.joint, theta, q);
    if let (Ok(run), Ok(start)) = (about(&theta, &q), about(&start, &other)) {
        // Two approximations of one kind hardly tell otherwise.
        if start < run - CLEAR - UNSURE * search.joint.n_batches as f64 {
            return (theta, q);
        }
    }
    let surely = |(value, noise): (f64, f64)| value - noise;
    let at_start = surely(by_few_draws(search, &start, &other));
    if at_start > surely(by_few_draws(search, &theta, &q)) {
        (start, other)
    } else {
        (theta, q)
    }
}

/// The log-likelihood by a few draws, and what may be noise of it; minus infinity where there is none.
fn by_few_draws(search: &MaximumSearch, theta: &[f64], q: &BatchPosteriors) -> (f64, f64) {
    let sampling = search.sampling(theta, 0, FEW);
    let found = sampling.moved(q).and_then(|q| sampling.run(&q));
    found.map_or((f64::NEG_INFINITY, 0.0), |found| {
        (found.total(), 3.0 * found.total_error())
    })
}

/// What the arrival says replaces what the run said of itself.
fn hand_over(fit: &mut Fit, arrival: &Arrival) {
    fit.theta.clone_from(&arrival.theta);
    fit.status = arrival.status;
    fit.evidence.clone_from(&arrival.evidence);
    fit.covariance.clone_from(&arrival.covariance);
    (fit.cond_mean, fit.cond_sd) = arrival.conditional.iter().cloned().unzip();
}

/// A residual error that has fallen to its floor explains nothing: the likelihood has no bound.
fn doubt(joint: &Joint, fit: &mut Fit, options: &SaemOptions) {
    let theta = &joint.theta;
    for k in joint.main().form.residuals.iter().map(|r| r.theta) {
        let floor = least(options, theta.start[k]).unwrap_or(f64::NEG_INFINITY);
        if !theta.free[k] || fit.theta[k] > floor + 1e-6 {
            continue;
        }
        fit.evidence
            .push(format!("`{}` has fallen to its floor.", theta.names[k]));
        if fit.status == FitStatus::Converged {
            fit.status = FitStatus::Stalled;
        }
    }
}
