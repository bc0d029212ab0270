//! Give every batch Laplace's posterior at a `theta`, or the population where there is none.

use super::joint::{joint_modes, log_density};
use super::modes::{step_curvature, ModeOptions, Modes};
use super::posterior::{population, BatchGaussian, BatchPosteriors, Batches};
use super::proposal::around;
use crate::distributions::LN_SQRT_2PI;
use crate::error::Result;
use crate::parallel::Workers;
use crate::problem::{EffectValues, Evaluator, Joint, Prior, Problem};

/// Laplace's posterior of every batch at `theta`; `first`: where modes are searched first, NaN for the mean.
///
/// # Errors
/// A population distribution that does not exist.
pub fn posterior(
    joint: &Joint,
    batches: &Batches,
    theta: &[f64],
    first: Option<&EffectValues>,
    workers: &Workers,
) -> Result<BatchPosteriors> {
    let (priors, means) = (joint.priors(theta)?, joint.means(theta));
    let (points, found) = modes(joint, theta, &priors, first, workers)?;
    let laplace = around(joint, theta, &points)?;
    let each = laplace
        .into_iter()
        .zip(population(batches, &means, &priors));
    let chosen = each.enumerate().map(|(b, (laplace, population))| {
        let own = &batches.coordinates[b];
        let is_found = own.iter().all(|c| found[c.group][c.level]);
        if is_found && is_finite(&laplace) {
            laplace
        } else {
            population
        }
    });
    Ok(chosen.collect())
}

/// Laplace's approximation of the log-likelihood, with the posteriors that [`posterior`] has found at `theta`.
///
/// # Errors
/// A population distribution that does not exist.
pub fn log_lik(joint: &Joint, theta: &[f64], posterior: &BatchPosteriors) -> Result<f64> {
    let at_modes: f64 = log_density(joint, theta, &centers(joint, posterior))?
        .iter()
        .sum();
    let volume = |q: &BatchGaussian| q.dim() as f64 * LN_SQRT_2PI + q.log_det();
    Ok(at_modes + posterior.iter().map(volume).sum::<f64>())
}

/// Where the posteriors have their means.
pub fn centers(joint: &Joint, posterior: &BatchPosteriors) -> EffectValues {
    let batches = Batches::new(joint);
    let parts = joint.parts.iter();
    let mut values: Vec<Vec<f64>> = parts
        .map(|part| {
            let held = part.held.clone();
            held.unwrap_or_else(|| vec![0.0; part.n_subjects() * part.n_phi()])
        })
        .collect();
    for (q, own) in posterior.iter().zip(&batches.coordinates) {
        for (c, x) in own.iter().zip(&q.mean) {
            values[c.group][c.level * joint.parts[c.group].n_phi() + c.effect] = *x;
        }
    }
    joint.points(values)
}

fn is_finite(q: &BatchGaussian) -> bool {
    q.mean.iter().chain(&q.chol).all(|x| x.is_finite())
}

/// Modes of all levels, and whether they were found.
fn modes(
    joint: &Joint,
    theta: &[f64],
    priors: &[Prior],
    first: Option<&EffectValues>,
    workers: &Workers,
) -> Result<(EffectValues, Vec<Vec<bool>>)> {
    if joint.parts.len() > 1 {
        let modes = joint_modes(joint, theta)?;
        return Ok((modes.points, modes.converged));
    }
    let part: &Problem = joint.main();
    let layout = part.layout(1);
    let target = Evaluator::of((part, &layout), theta, priors[0].clone());
    let options = ModeOptions {
        max_steps: 50,
        tolerance: 1e-6,
        curvature: step_curvature(part),
    };
    let from = first.map(|first| {
        let each = first.values[0].iter().zip(&target.means().values);
        let values: Vec<f64> = each
            .map(|(x, m)| if x.is_nan() { *m } else { *x })
            .collect();
        target.columns(&values)
    });
    let modes = Modes::find(&target, from.as_deref(), options, workers);
    let (values, found) = modes.by_subject(&layout);
    Ok((joint.points(vec![values]), vec![found]))
}
