//! How likely each class of a subject is, and what is computed class by class.
//!
//! Given the class the distribution of a subject's effects has one mode, where the mixture over the classes may have
//! one for each. So `log L_i = ln sum_k L_ik` is integrated class by class, `L_ik` with the probability of the class in
//! it, and `L_ik / L_i` is the probability of the class given all outcomes of the subject.

use super::climb::{Climber, End, Starts};
use super::ebe::{one_grouping, EbeOptions, EbeSearch};
use super::posterior::BatchPosteriors;
use super::proposal::around;
use super::quadrature::quadrature_by;
use crate::error::Result;
use crate::parallel::Workers;
use crate::problem::{EffectValues, Evaluator, Joint, Means, Problem};

/// `ln sum exp`; minus infinity of none.
pub fn log_sum(logs: &[f64]) -> f64 {
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !largest.is_finite() {
        return largest;
    }
    largest + logs.iter().map(|l| (l - largest).exp()).sum::<f64>().ln()
}

/// The parts of a sum: `[subject][class]` from the logarithms of the terms, `[class][subject]`.
pub fn shares(logs: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n = logs.first().map_or(0, Vec::len);
    (0..n)
        .map(|i| {
            let own: Vec<f64> = logs.iter().map(|class| class[i]).collect();
            let total = log_sum(&own);
            own.iter().map(|l| (l - total).exp()).collect()
        })
        .collect()
}

/// Probabilities of the classes of every subject given its outcomes and these effects: `[subject][class]`.
///
/// # Errors
/// A population distribution that does not exist.
pub fn probabilities_at(
    joint: &Joint,
    theta: &[f64],
    points: &EffectValues,
) -> Result<Vec<Vec<f64>>> {
    let each = 1..=joint.n_classes();
    let logs: Result<Vec<Vec<f64>>> = each
        .map(|k| log_densities(joint.in_class(k).main(), theta, &points.values[0]))
        .collect();
    Ok(shares(&logs?))
}

/// The problem with every subject in the class that is the most likely one at these effects, and these classes.
///
/// # Errors
/// A population distribution that does not exist.
pub fn in_likely_classes(
    joint: &Joint,
    theta: &[f64],
    points: &EffectValues,
) -> Result<Option<(Joint, Vec<usize>)>> {
    if joint.n_classes() == 0 {
        return Ok(None);
    }
    let shares = probabilities_at(joint, theta, points)?;
    let most = |own: &Vec<f64>| {
        let best = |k: usize, j: usize| if own[j] > own[k] { j } else { k };
        1 + (0..own.len()).fold(0, best)
    };
    let classes: Vec<usize> = shares.iter().map(most).collect();
    Ok(Some((joint.with_classes(&classes), classes)))
}

/// Log density of the outcomes and the effects of every subject at `phi`.
fn log_densities(problem: &Problem, theta: &[f64], phi: &[f64]) -> Result<Vec<f64>> {
    let layout = problem.layout(1);
    let target = Evaluator::new(problem, &layout, theta)?;
    let mut work = Vec::new();
    let mut out = vec![f64::NEG_INFINITY; problem.n_subjects()];
    for ((b, block), phi) in layout.blocks.iter().enumerate().zip(target.columns(phi)) {
        let value = target.log_density(b, &phi, &mut work);
        for (l, lane) in block.lanes.iter().enumerate() {
            out[lane.subject as usize] = value.0[l];
        }
    }
    Ok(out)
}

/// Where climbs of all subjects end in each class, from their means: `[class][subject]`.
pub fn ends_in_classes(climber: &Climber, joint: &Joint, means: &Means, tol: f64) -> Vec<Vec<End>> {
    let each = 1..=joint.n_classes();
    each.map(|k| {
        let joint = joint.in_class(k);
        let own = Climber {
            problem: joint.main(),
            ..*climber
        };
        let levels = (0..joint.main().n_subjects()).collect();
        own.climb(&Starts::one(levels, means.values.clone()), tol)
    })
    .collect()
}

/// The log-likelihood by Laplace's method in each class.
///
/// # Errors
/// A population distribution that does not exist.
pub fn log_lik_by_modes(joint: &Joint, theta: &[f64], workers: &Workers) -> Result<f64> {
    let found = modes_in_classes(joint, theta, workers, &EbeOptions::once())?;
    let logs: Result<Vec<Vec<f64>>> = (found.iter())
        .map(|(joint, modes)| {
            let start = Some(modes.values[0].as_slice());
            Ok(quadrature_by(workers, joint.main(), theta, 1, start)?.subjects)
        })
        .collect();
    let logs = logs?;
    let own = |i: usize| log_sum(&logs.iter().map(|class| class[i]).collect::<Vec<_>>());
    Ok((0..joint.main().n_subjects()).map(own).sum())
}

/// The Gaussian distributions around the modes of all batches in every class; none where these cannot be found.
pub fn posteriors_in_classes(
    joint: &Joint,
    theta: &[f64],
    workers: &Workers,
) -> Vec<BatchPosteriors> {
    if joint.n_classes() == 0 {
        return Vec::new();
    }
    let found = modes_in_classes(joint, theta, workers, &EbeOptions::once()).and_then(|modes| {
        let each = modes.iter();
        each.map(|(joint, modes)| around(joint, theta, modes))
            .collect()
    });
    found.unwrap_or_default()
}

/// Modes of all subjects in every class, each with the problem in which it is known.
///
/// # Errors
/// A population distribution that does not exist.
pub fn modes_in_classes(
    joint: &Joint,
    theta: &[f64],
    workers: &Workers,
    options: &EbeOptions,
) -> Result<Vec<(Joint, EffectValues)>> {
    let each = 1..=joint.n_classes();
    each.map(|k| {
        let joint = joint.in_class(k);
        let search = EbeSearch {
            workers,
            options,
            seed: 1,
            pinned: &[],
            candidate: None,
        };
        let modes = one_grouping(&joint, theta, &search, false)?;
        Ok((joint, modes.points))
    })
    .collect()
}
