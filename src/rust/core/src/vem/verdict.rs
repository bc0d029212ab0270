//! Judge how a run ended, and say on what evidence.

use super::check::Elbo;
use crate::fitted::FitStatus;
use crate::maximum::{Arrival, Summit};
use crate::problem::{Joint, Route};

/// Gain in twice the bound that one more step may promise after noisy ones, beside twice their noise; and the noise
/// above which nothing can be said.
const DRIFT: f64 = 0.1;
const MOST_NOISE: f64 = 0.5;

/// How much more than at fresh points the bound may be at those of the run, for each batch.
const OPTIMISM: f64 = 0.1;

/// What is known of a run at its end.
pub struct EndedRun<'r> {
    pub joint: &'r Joint,
    pub tolerance: f64,
    /// Batches whose `q` was not found.
    pub lost: usize,
    /// Whether every `q` is the population.
    pub still: bool,
    pub summit: Option<Summit>,
    /// What noise leaves open of twice the bound, where steps were noisy.
    pub noise: Option<f64>,
    pub polished: Option<Summit>,
}

impl EndedRun<'_> {
    /// Whether there is an estimate to go on from.
    pub fn is_sound(&self) -> bool {
        self.summit.as_ref().is_some_and(|summit| !summit.stopped)
    }
}

/// Status of a run and the evidence in words.
///
/// `arrival`: what fresh draws say, where estimates no longer depend on the bound.
pub fn judge(
    run: &EndedRun,
    elbo: &Elbo,
    arrival: Option<&Arrival>,
    interrupted: bool,
) -> (FitStatus, Vec<String>) {
    if interrupted {
        return (FitStatus::Interrupted, Vec::new());
    }
    if let Some(arrival) = arrival {
        return (arrival.status, arrival.evidence.clone());
    }
    let Some(summit) = &run.summit else {
        let evidence = "The bound is not finite where the sweeps led.".to_string();
        return (FitStatus::NotFinite, vec![evidence]);
    };
    let mut evidence = Vec::new();
    let mut status = FitStatus::Converged;
    let of_bound = (run.noise).map_or(run.tolerance, |noise| {
        DRIFT.max(run.tolerance) + 2.0 * noise
    });
    let ends = [
        ("bound", Some(summit), of_bound),
        ("likelihood", run.polished.as_ref(), run.tolerance),
    ];
    for (what, end, tolerance) in ends {
        let Some(end) = end else { continue };
        evidence.push(format!(
            "One more step on the {what} promises {:.2e} in -2 log of it.",
            end.gain
        ));
        if end.gain >= tolerance || end.gain.is_nan() {
            status = if end.stuck {
                FitStatus::Stalled
            } else {
                FitStatus::MaxIterations
            };
        }
    }
    if let Some(noise) = run.noise {
        evidence.push(format!(
            "The noise of the steps leaves {noise:.2e} of it open."
        ));
        // Below its own noise nothing is known.
        if noise.is_nan() || noise > MOST_NOISE {
            status = FitStatus::MaxIterations;
        }
    }
    if run.lost > 0 {
        status = FitStatus::MaxIterations;
        evidence.push(format!(
            "The distribution of {} batches was not found.",
            run.lost
        ));
    }
    let optimism = elbo.fitted - elbo.value();
    let room = 0.5 + OPTIMISM * elbo.batches.len() as f64;
    if optimism.is_nan() || optimism > 4.0 * elbo.error + room {
        status = FitStatus::Stalled;
        evidence.push(format!(
            "At fresh points the bound is {optimism:.2} lower than at those of the run: they are too few."
        ));
    }
    if run.still {
        status = FitStatus::Stalled;
        evidence.push(
            "No random effect moves from its mean for any subject: the data say nothing about them at these estimates."
                .into(),
        );
    }
    let theta = run
        .polished
        .as_ref()
        .map_or(&summit.theta, |end| &end.theta);
    let roles = run.joint.roles();
    for (k, name) in run.joint.theta.names.iter().enumerate() {
        let bounds = &run.joint.theta;
        let open = bounds.routes[k] != Route::Fixed;
        if open && (theta[k] <= bounds.lower[k] || theta[k] >= bounds.upper[k]) {
            // No estimate of a spread is the bound that keeps it from vanishing.
            if matches!(roles[k], "residual" | "random") {
                status = FitStatus::Stalled;
            }
            evidence.push(format!("`{name}` is at a bound."));
        }
    }
    (status, evidence)
}
