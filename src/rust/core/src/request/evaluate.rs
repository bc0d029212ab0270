//! Say what holds at given values: random effects and likelihood, with nothing fitted.

use super::direct::{self, is_direct};
use super::fitted::sampling;
use super::method::Method;
use super::modes::ModesAsked;
use crate::error::Result;
use crate::fitted::{Fit, FitStatus, Trace};
use crate::inference::cloud::LevelMoments;
use crate::inference::importance::Importance;
use crate::inference::options::Inference;
use crate::inference::posterior::Batches;
use crate::inference::proposal::around;
use crate::parallel::Workers;
use crate::problem::Joint;

/// Means and standard deviations of `phi` given the data, one pair a grouping.
type EffectMoments = Vec<(Vec<f64>, Vec<f64>)>;

/// The starting values as a fit that has made no step, and the log-likelihood of a model without random effects.
///
/// # Errors
/// A population distribution that does not exist, too many effects that hang together.
pub fn evaluate(
    joint: &Joint,
    method: &Method,
    (seed, workers): (u64, &Workers),
) -> Result<(Fit, Option<Importance>)> {
    let theta = joint.theta.start.clone();
    let (conditional, log_lik, exact) = if is_direct(joint) {
        let nothing = vec![(Vec::new(), Vec::new()); joint.parts.len()];
        let exact = direct::log_lik(joint, &theta, workers)?;
        (nothing, exact.total(), Some(exact))
    } else {
        let (moments, log_lik) = conditional(joint, method, (seed, workers))?;
        (moments, log_lik, None)
    };
    let (cond_mean, cond_sd) = conditional.into_iter().unzip();
    let mut trace = Trace::default();
    trace.push(&theta, 0.0, "evaluation", log_lik);
    let fit = Fit {
        theta,
        status: FitStatus::Evaluated,
        evidence: Vec::new(),
        trace,
        chains: 0,
        acceptance: Vec::new(),
        not_finite: 0,
        cond_mean,
        cond_sd,
        covariance: None,
        seconds: 0.0,
        state: None,
        warnings: Vec::new(),
    };
    Ok((fit, exact))
}

/// Moments and the log-likelihood, both by importance draws. A batch of which no draw has a density keeps Laplace's approximation.
fn conditional(
    joint: &Joint,
    method: &Method,
    (seed, workers): (u64, &Workers),
) -> Result<(EffectMoments, f64)> {
    let theta = &joint.theta.start;
    let modes = ModesAsked::new(joint, method, seed)?.find(joint, theta, workers)?;
    let laplace = around(joint, theta, &modes.points)?;
    let sampling = sampling(joint, theta, (seed, workers), &Inference::default());
    let mut moments = LevelMoments::of(&laplace);
    let found = sampling.visit(&sampling.moved(&laplace)?, |cloud, drawn| {
        let own = cloud.moments(drawn.draws, drawn.weights);
        let weights = drawn.weights.chunks(cloud.copies);
        for ((b, own), weights) in drawn.members.iter().zip(&own).zip(weights) {
            if weights.iter().sum::<f64>() > 0.0 {
                moments[*b].copy(own);
            }
        }
    })?;
    let batches = Batches::new(joint);
    let levels = LevelMoments {
        joint,
        batches: &batches,
        moments: &moments,
    };
    let each = (0..joint.parts.len()).map(|group| levels.conditional(group));
    Ok((each.collect(), found.total()))
}
