//! Check the bound at fresh points, and judge how a run ended.

use super::ascent::Summit;
use super::bound::{local, Population};
use super::options::VemOptions;
use super::population::priors;
use super::rule::Rule;
use crate::error::Result;
use crate::fitted::FitStatus;
use crate::inference::cloud::{layouts, Cloud};
use crate::inference::posterior::Posterior;
use crate::parallel::Workers;
use crate::problem::Joint;

/// Independent sets of fresh points, and points of each.
const REPLICATES: u32 = 4;
const POINTS: usize = 64;

/// The bound at the points of the run and at fresh ones.
#[derive(Debug, Clone, Default)]
pub struct Elbo {
    /// Mean over the fresh points; one a batch.
    pub batches: Vec<f64>,
    /// Monte-Carlo error of their sum.
    pub error: f64,
    /// The sum at the points of the run.
    pub fitted: f64,
}

impl Elbo {
    pub fn value(&self) -> f64 {
        self.batches.iter().sum()
    }
}

/// What is known of a run at its end.
pub struct Run<'r> {
    pub joint: &'r Joint,
    pub tolerance: f64,
    /// Batches whose `q` was not found.
    pub lost: usize,
    pub summit: Option<Summit>,
    pub polished: Option<Summit>,
}

impl Run<'_> {
    /// Whether there is an estimate to go on from.
    pub fn is_sound(&self) -> bool {
        self.summit.as_ref().is_some_and(|summit| !summit.stopped)
    }
}

/// The bound at points that no `q` was fitted to.
///
/// # Errors
/// Points that are too few.
pub fn verify(
    joint: &Joint,
    theta: &[f64],
    (q, options, seed): (&Posterior, &VemOptions, u64),
    fitted: Vec<f64>,
    workers: &Workers,
) -> Result<Elbo> {
    let most = q.iter().map(|q| q.dim()).max().unwrap_or(0);
    let layouts = layouts(joint, POINTS.max(4 * most));
    let mut cloud = Cloud::new(joint, &layouts);
    let rule = Rule::verifying(cloud.copies, seed);
    let Some(priors) = priors(joint, theta) else {
        return Ok(Elbo::default());
    };
    cloud.prepare(theta);
    let means = cloud.means();
    let population = Population {
        priors: &priors,
        means: &means,
    };
    let mut totals = Vec::new();
    let mut batches = vec![0.0; q.len()];
    for replicate in 1..=REPLICATES {
        let points = rule.points(&cloud.batches, replicate)?;
        let values = bound_at(&mut cloud, q, (&points, &population), workers);
        totals.push(values.iter().sum::<f64>());
        for (mean, value) in batches.iter_mut().zip(values) {
            *mean += value / f64::from(REPLICATES);
        }
    }
    let n = f64::from(REPLICATES);
    let mean = totals.iter().sum::<f64>() / n;
    let variance = totals.iter().map(|t| (t - mean) * (t - mean)).sum::<f64>() / (n - 1.0);
    let _ = options;
    Ok(Elbo {
        batches,
        error: (variance / n).sqrt(),
        fitted: fitted.iter().sum(),
    })
}

/// The bound of every batch at some points.
pub fn bound_at(
    cloud: &mut Cloud,
    q: &Posterior,
    (points, population): (&super::rule::Points, &Population),
    workers: &Workers,
) -> Vec<f64> {
    let mut draws = vec![0.0; cloud.n_effects()];
    for (b, q) in q.iter().enumerate() {
        points.place(cloud, b, q, &mut draws);
    }
    cloud.set(&draws);
    let slopes = crate::inference::cloud::Slopes {
        log_lik: cloud.log_lik(workers),
        gradient: vec![0.0; draws.len()],
    };
    let value = |(b, q)| local(cloud, b, q, points, (&slopes, population)).value;
    q.iter().enumerate().map(value).collect()
}

/// Status of a run and the evidence in words.
pub fn judge(run: &Run, elbo: &Elbo, interrupted: bool) -> (FitStatus, Vec<String>) {
    if interrupted {
        return (FitStatus::Interrupted, Vec::new());
    }
    let Some(summit) = &run.summit else {
        let evidence = "The bound is not finite where the sweeps led.".to_string();
        return (FitStatus::NotFinite, vec![evidence]);
    };
    let mut evidence = Vec::new();
    let mut status = FitStatus::Converged;
    let ends = [
        ("bound", Some(summit)),
        ("likelihood", run.polished.as_ref()),
    ];
    for (what, end) in ends {
        let Some(end) = end else { continue };
        evidence.push(format!(
            "One more step on the {what} promises {:.2e} in -2 log of it.",
            end.gain
        ));
        if end.gain >= run.tolerance {
            status = if end.stuck {
                FitStatus::Stalled
            } else {
                FitStatus::MaxIterations
            };
        }
    }
    if run.lost > 0 {
        evidence.push(format!(
            "The distribution of {} batches was not found.",
            run.lost
        ));
    }
    let optimism = elbo.fitted - elbo.value();
    if optimism > 4.0 * elbo.error + 0.5 {
        evidence.push(format!(
            "At fresh points the bound is {optimism:.2} lower than at those of the run: they are too few."
        ));
    }
    let theta = run
        .polished
        .as_ref()
        .map_or(&summit.theta, |end| &end.theta);
    for (k, name) in run.joint.theta.names.iter().enumerate() {
        let bounds = &run.joint.theta;
        let open = bounds.routes[k] != crate::problem::Route::Fixed;
        if open && (theta[k] <= bounds.lower[k] || theta[k] >= bounds.upper[k]) {
            evidence.push(format!("`{name}` is at a bound."));
        }
    }
    (status, evidence)
}
