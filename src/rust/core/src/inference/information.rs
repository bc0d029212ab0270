//! Take the observed information and the scores of all batches from weighted draws.
//!
//! The score of the likelihood is the mean of those of the complete data under the weights (Fisher's identity),
//! `S(theta) = sum_b E_w[score_b]`. Its derivative is minus the observed information. In what only the Gaussian
//! distribution of the effects and residual errors hold it has a closed form, the expected information of the complete data
//! less the covariance of their score (Louis 1982). In what else the programs read it is taken by differences of the score
//! (`differences.rs`), whose draws keep still (`steady.rs`).

use nalgebra::DMatrix;

use super::cloud::{Scored, Weighted};
use super::complete::{complete, open_coordinates};
use super::importance::{Drawn, Importance, Sampling, REPLICATES};
use super::posterior::{Batches, Posterior};
use super::steady::{drift, scored, steady, Drift};
use super::strata::drifts_in_classes;
use crate::error::{Error, ErrorClass, Result};
use crate::problem::{Joint, Prior, Route};

/// Most free parameters whose information is computed.
const MAX_PARAMETERS: usize = 500;

/// What weighted draws say of the free coordinates.
#[derive(Debug, Clone)]
pub struct Information {
    /// The free coordinates of `theta`, in the order of the rows.
    pub free: Vec<usize>,
    /// Whether no coordinate needs differences: the observed information is known with the scores.
    pub is_closed: bool,
    /// Observed information of the data, and the same from the draws of each replicate alone.
    pub observed: DMatrix<f64>,
    pub replicates: Vec<DMatrix<f64>>,
    /// Sum over the batches of the expected square of each score of the complete data.
    pub squares: Vec<f64>,
    /// Monte-Carlo covariance of the total score.
    pub noise: DMatrix<f64>,
    /// Score of the log-likelihood of each batch, `batches x p`, row-major.
    pub scores: Vec<f64>,
    /// Moments of the effects of every batch given its data.
    pub moments: Vec<Weighted>,
    /// How the effects of every batch move with `theta`, in each class of the subjects; none where no coordinate needs
    /// differences.
    pub drifts: Vec<Vec<Drift>>,
    pub importance: Importance,
}

/// Coordinates of `theta` that are estimated.
pub fn free(joint: &Joint) -> Vec<usize> {
    let routes = joint.theta.routes.iter().enumerate();
    routes
        .filter(|(_, route)| **route != Route::Fixed)
        .map(|(k, _)| k)
        .collect()
}

/// Everything but the second derivatives that differences tell ([`Information::differentiate`]).
///
/// # Errors
/// Too many parameters, a population distribution that does not exist, a batch without any draw of finite density.
pub fn scores(sampling: &Sampling, posterior: &Posterior) -> Result<Information> {
    let joint = sampling.joint;
    let free = free(joint);
    if free.len() > MAX_PARAMETERS {
        return Err(Error::new(
            ErrorClass::Option,
            "too_many_parameters",
            format!(
                "The model has {} free parameters; standard errors are computed for at most {MAX_PARAMETERS}.",
                free.len()
            ),
        )
        .hint("The estimates do not need them: use se = \"none\"."));
    }
    let p = free.len();
    let mut found = Information {
        observed: DMatrix::zeros(p, p),
        replicates: vec![DMatrix::zeros(p, p); REPLICATES],
        squares: vec![0.0; p],
        noise: DMatrix::zeros(p, p),
        scores: vec![0.0; joint.n_batches * p],
        moments: Weighted::none(&Batches::new(joint)),
        drifts: Vec::new(),
        importance: Importance::default(),
        is_closed: open_coordinates(joint).is_empty(),
        free,
    };
    let open = !found.is_closed;
    let mut gradient = vec![0.0; joint.theta.len()];
    let mut failed = None;
    let importance = sampling.visit(posterior, |cloud, drawn| {
        let priors = match priors(joint, sampling.theta) {
            Ok(priors) => priors,
            Err(error) => {
                failed.get_or_insert(error);
                return;
            }
        };
        let means = cloud.means();
        let workers = sampling.workers;
        let mut draws = cloud.draw_scores(&found.free, (&priors, &means), workers);
        let weights = scored(drawn.weights, &draws, (cloud.copies, p));
        let drawn = &Drawn {
            weights: &weights,
            ..*drawn
        };
        let plain = Scored::of(&draws, (drawn.weights, cloud.copies), (p, REPLICATES));
        for (total, own) in found.squares.iter_mut().zip(&plain.squares) {
            *total += own;
        }
        found.observed -= &plain.covariance;
        for (total, own) in found.replicates.iter_mut().zip(&plain.replicates) {
            *total -= own;
        }
        for (k, own) in found.free.iter().zip(plain.total()) {
            gradient[*k] += own;
        }
        let scored = if open {
            let drifts = drift(cloud, drawn, &draws, p);
            let at = (drawn.draws, &priors[..], &means[..]);
            steady(cloud, at, &drifts, &mut draws, sampling);
            let own = drifts_in_classes(sampling, (&found.free, &priors), cloud, drawn);
            let own = if own.is_empty() { vec![drifts] } else { own };
            found.drifts.resize_with(own.len(), Vec::new);
            for (all, own) in found.drifts.iter_mut().zip(own) {
                all.extend(own);
            }
            Scored::of(&draws, (drawn.weights, cloud.copies), (p, REPLICATES))
        } else {
            plain
        };
        found.noise += &scored.noise;
        let moments = cloud.moments(drawn.draws, drawn.weights);
        for (i, b) in drawn.members.iter().enumerate() {
            found.scores[b * p..(b + 1) * p].copy_from_slice(&scored.batches[i * p..(i + 1) * p]);
            found.moments[*b].copy(&moments[i]);
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    if let Some(batch) = importance.log_lik.iter().position(|x| !x.is_finite()) {
        return Err(without_density(joint, batch));
    }
    found.importance = importance;
    let n = joint.n_batches as f64;
    let squares: Vec<f64> = found.squares.iter().map(|square| square / n).collect();
    let at = (&found.free[..], sampling.theta);
    let closed = complete(joint, at, (&found.moments, &squares), &gradient)?;
    found.observed += &closed;
    for own in &mut found.replicates {
        *own += &closed;
    }
    Ok(found)
}

impl Information {
    /// Score of the log-likelihood: the sum over the batches.
    pub fn score(&self) -> Vec<f64> {
        let p = self.free.len();
        let mut total = vec![0.0; p];
        for own in self.scores.chunks_exact(p.max(1)) {
            for (total, own) in total.iter_mut().zip(own) {
                *total += own;
            }
        }
        total
    }
}

fn without_density(joint: &Joint, batch: usize) -> Error {
    let records = &joint.main().records;
    let level = joint.batches[0].iter().position(|b| *b == batch);
    let label = level.map_or("", |level| records.labels[level].as_str());
    Error::new(
        ErrorClass::Numeric,
        "no_density",
        format!(
            "The likelihood of `{}` {label} is not finite at any draw of its random effects.",
            records.group
        ),
    )
    .field("level", label)
    .hint("Look at its data and at what the model predicts of it at the estimates.")
}

pub fn priors(joint: &Joint, theta: &[f64]) -> Result<Vec<Prior>> {
    let each = joint.parts.iter();
    each.map(|part| Prior::new(part, theta)).collect()
}
