//! Bring the estimates of SAEM to the maximum of the likelihood, and let the fit say what fresh draws say of them.

use crate::error::Result;
use crate::fitted::{Fit, FitStatus};
use crate::inference::posterior::Posterior;
use crate::maximum::{free, Arrival, Patience, Search};
use crate::monitor::{Monitor, Progress};
use crate::mstep::MAX_PARAMETERS;
use crate::parallel::Workers;
use crate::problem::Joint;
use crate::saem::SaemOptions;

/// Steps of a climb, and the gain in twice the value at which it ends.
const STEPS: usize = 100;
const FLAT: f64 = 1e-4;

/// Draws that tell whether a run has left its start for something worse.
const FEW: usize = 128;

/// Part of its starting value below which a residual error does not fall where the options do not say.
const SMALLEST: f64 = 1e-5;

/// The least value of a residual error, logarithmic scale.
fn least(options: &SaemOptions, start: f64) -> Option<f64> {
    let given = options.anneal.var_lb_value.map(f64::ln);
    let kept = options.anneal.auto_var_lb;
    kept.then(|| given.unwrap_or(start + SMALLEST.ln()))
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
    let ended = !matches!(fit.status, FitStatus::NotFinite | FitStatus::Interrupted);
    let n_free = free(joint).len();
    if !ended || n_free > MAX_PARAMETERS || options.maximizes_otherwise() {
        return None;
    }
    let penalty = vec![0.0; n_free];
    let search = Search {
        joint,
        workers,
        seed,
        draws: options.draws,
        climbing: options.polish_draws,
        rounds: if options.polish {
            options.polish_rounds
        } else {
            0
        },
        penalty: &penalty,
        absent: &[],
        patience: Patience {
            steps: STEPS,
            tolerance: FLAT,
            memory: None,
        },
    };
    match run(&search, fit, monitor) {
        Ok(arrival) => {
            hand_over(fit, &arrival);
            doubt(joint, fit, options);
            Some(arrival)
        }
        Err(error) => {
            fit.warnings.push(format!(
                "The estimates could not be judged by importance draws. {error}"
            ));
            None
        }
    }
}

fn run(search: &Search, fit: &mut Fit, monitor: &dyn Monitor) -> Result<Arrival> {
    let first = search.joint.points(fit.cond_mean.clone());
    let q = search.laplace(&fit.theta, Some(&first))?;
    let theta = fit.theta.clone();
    let total = fit.trace.len();
    let objective = fit.trace.objective.last().copied().unwrap_or(f64::NAN);
    let trace = &mut fit.trace;
    let (theta, q) = better_start(search, (theta, q));
    search.arrive(&theta, &q, &mut |theta, value| {
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

/// The estimates, or the values from which the run started where these are more likely.
fn better_start(search: &Search, (theta, q): (Vec<f64>, Posterior)) -> (Vec<f64>, Posterior) {
    let start = search.joint.theta.start.clone();
    let Ok(other) = search.laplace(&start, None) else {
        return (theta, q);
    };
    let value = |theta: &[f64], q: &Posterior| {
        let sampling = search.sampling(theta, 0, FEW);
        let found = sampling.moved(q).and_then(|q| sampling.run(&q));
        found.map_or(f64::NEG_INFINITY, |found| {
            found.total() - 3.0 * found.total_error()
        })
    };
    if value(&start, &other) > value(&theta, &q) {
        (start, other)
    } else {
        (theta, q)
    }
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
