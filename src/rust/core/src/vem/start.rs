//! Start every `q` at Laplace's posterior, or at the population where there is none.

use nalgebra::DMatrix;

use crate::error::Result;
use crate::inference::joint::laplace_posterior;
use crate::inference::modes::{step_curvature, Conditional, ModeOptions, Modes};
use crate::inference::posterior::{population, Batches, Gaussian, Posterior};
use crate::ir::symmetric::at;
use crate::parallel::Workers;
use crate::problem::{Joint, Means, Prior, Problem};

use std::sync::Arc;

/// Laplace's posterior of every batch at `theta`.
///
/// # Errors
/// A population distribution that does not exist.
pub fn start(
    joint: &Joint,
    batches: &Batches,
    theta: &[f64],
    workers: &Workers,
) -> Result<Posterior> {
    let priors: Result<Vec<Prior>> = joint
        .parts
        .iter()
        .map(|part| Prior::new(part, theta))
        .collect();
    let priors = priors?;
    let means: Vec<Means> = (joint.parts.iter())
        .map(|part| Means::new(part, &part.layout(1), theta))
        .collect();
    let mut found = population(batches, &means, &priors);
    if joint.parts.len() > 1 {
        let (points, precisions) = laplace_posterior(joint, theta)?;
        for (b, precision) in precisions.into_iter().enumerate() {
            let own = batches.coordinates[b].iter();
            let mean =
                own.map(|c| points.values[c.group][c.level * points.dims[c.group] + c.effect]);
            replace(&mut found[b], mean.collect(), precision);
        }
        return Ok(found);
    }
    let part = joint.main();
    let modes = modes(part, theta, &priors[0], workers);
    for (level, (mode, precision)) in modes.into_iter().enumerate() {
        let b = joint.batches[0][level];
        let free: Vec<usize> = batches.coordinates[b].iter().map(|c| c.effect).collect();
        let own = DMatrix::from_fn(free.len(), free.len(), |i, j| precision[(free[i], free[j])]);
        replace(&mut found[b], free.iter().map(|k| mode[*k]).collect(), own);
    }
    Ok(found)
}

/// Use a mode where it and its precision are sound.
fn replace(q: &mut Gaussian, mean: Vec<f64>, precision: DMatrix<f64>) {
    let d = mean.len();
    let factor = precision.cholesky().and_then(|p| p.inverse().cholesky());
    let Some(factor) = factor.map(|factor| factor.l()) else {
        return;
    };
    if mean.iter().chain(factor.iter()).all(|x| x.is_finite()) {
        let pairs = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j)));
        q.mean = mean;
        q.chol = pairs.map(|place| factor[place]).collect();
    }
}

/// Mode and posterior precision of each level.
fn modes(
    part: &Problem,
    theta: &[f64],
    prior: &Prior,
    workers: &Workers,
) -> Vec<(Vec<f64>, DMatrix<f64>)> {
    let layout = part.layout(1);
    let target = Conditional {
        problem: part,
        layout: &layout,
        theta,
        prior,
        known: Arc::default(),
    };
    let options = ModeOptions {
        max_steps: 50,
        tolerance: 1e-6,
        curvature: step_curvature(part),
    };
    let modes = Modes::find_by(workers, &target, None, options);
    let d = part.n_phi();
    let mut found = vec![(vec![f64::NAN; d], DMatrix::zeros(d, d)); part.n_subjects()];
    for (b, block) in layout.blocks.iter().enumerate() {
        for (l, lane) in block.lanes.iter().enumerate() {
            let factor = &modes.factor[b];
            let root = DMatrix::from_fn(
                d,
                d,
                |i, j| {
                    if j <= i {
                        factor[at(i, j)].0[l]
                    } else {
                        0.0
                    }
                },
            );
            let mode = modes.phi[b].iter().map(|column| column.0[l]).collect();
            found[lane.subject as usize] = (mode, &root * root.transpose());
        }
    }
    found
}
