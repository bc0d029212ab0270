//! Take the observed information and the scores of all batches from weighted draws.
//!
//! The score of the likelihood is the mean of those of the complete data under the weights (Fisher's identity),
//! `S(theta) = sum_b E_w[score_b]`. Its derivative is minus the observed information. In what only the Gaussian
//! distribution of the effects and residual errors hold it has a closed form, the expected information of the complete data
//! less the covariance of their score (Louis 1982). In what else the programs read it is taken by differences of the score
//! (`differences.rs`), whose draws keep still (`steady.rs`).

use std::cell::RefCell;
use std::sync::Arc;

use nalgebra::DMatrix;

use super::asked::{Answer, DerivativeQuestion};
use super::cloud::{BatchMoments, Cloud, Scored};
use super::complete::{complete, open_coordinates};
use super::importance::{Importance, ImportanceSampling, WeightedDraws, REPLICATES};
use super::posterior::{BatchPosteriors, Batches};
use super::steady::{drift, scored, steady, Drift};
use super::stored_draws::StoredDraws;
use super::strata::drifts_in_classes;
use crate::error::{Error, ErrorClass, Result};
use crate::problem::{Joint, Route};

/// Most free parameters whose information is computed.
pub const MOST_INFORMED: usize = 500;

/// What weighted draws say of the free coordinates.
#[derive(Debug, Clone)]
pub struct WeightedInformation {
    /// The free coordinates of `theta`, in the order of the rows.
    pub free: Vec<usize>,
    /// Whether no coordinate needs differences: the observed information is known with the scores.
    pub is_closed: bool,
    /// Observed information of the data.
    pub observed: Observed,
    /// Of it what is known with the scores, before second derivatives are taken.
    pub closed: Observed,
    /// Sum over the batches of the expected square of each score of the complete data.
    pub squares: Vec<f64>,
    /// Monte-Carlo covariance of the total score.
    pub noise: DMatrix<f64>,
    /// Score of the log-likelihood of each batch, `batches x p`, row-major.
    pub scores: Vec<f64>,
    /// Moments of the effects of every batch given its data.
    pub moments: Vec<BatchMoments>,
    /// How the effects of every batch move with `theta`, in each class of the subjects; none where no coordinate needs
    /// differences.
    pub drifts: Vec<Vec<Drift>>,
    /// The draws, where they are few enough to be kept and second derivatives are asked for.
    pub draws: Option<Arc<Vec<StoredDraws>>>,
    pub importance: Importance,
}

/// Observed information: from all draws, and from those of each replicate alone.
#[derive(Debug, Clone)]
pub struct Observed {
    pub all: DMatrix<f64>,
    pub replicates: Vec<DMatrix<f64>>,
}

impl Observed {
    fn none(p: usize) -> Self {
        Self {
            all: DMatrix::zeros(p, p),
            replicates: vec![DMatrix::zeros(p, p); REPLICATES],
        }
    }

    /// Change all of them alike.
    pub fn each(&mut self, change: impl Fn(&mut DMatrix<f64>)) {
        change(&mut self.all);
        self.replicates.iter_mut().for_each(change);
    }
}

/// Coordinates of `theta` that are estimated and about which information is taken.
pub fn free(joint: &Joint) -> Vec<usize> {
    let routes = joint.theta.routes.iter().enumerate();
    routes
        .filter(|(_, route)| route.is_informed())
        .map(|(k, _)| k)
        .collect()
}

/// Coordinates of `theta` that are estimated: those and weights that follow gradients.
pub fn estimated(joint: &Joint) -> Vec<usize> {
    let routes = joint.theta.routes.iter().enumerate();
    routes
        .filter(|(_, route)| **route != Route::Fixed)
        .map(|(k, _)| k)
        .collect()
}

/// Everything but the second derivatives that differences tell ([`WeightedInformation::differentiate`]).
///
/// # Errors
/// Too many parameters, a population distribution that does not exist, a batch without any draw of finite density.
pub fn scores(
    sampling: &ImportanceSampling,
    posterior: &BatchPosteriors,
) -> Result<WeightedInformation> {
    let joint = sampling.joint;
    let free = free(joint);
    if free.len() > MOST_INFORMED {
        return Err(Error::new(
            ErrorClass::Option,
            "too_many_parameters",
            format!(
                "The model has {} free parameters; standard errors are computed for at most {MOST_INFORMED}.",
                free.len()
            ),
        )
        .hint("The estimates do not need them: use se = \"none\"."));
    }
    let p = free.len();
    let mut found = WeightedInformation {
        observed: Observed::none(p),
        closed: Observed::none(p),
        squares: vec![0.0; p],
        noise: DMatrix::zeros(p, p),
        scores: vec![0.0; joint.n_batches * p],
        moments: BatchMoments::none(&Batches::new(joint)),
        drifts: Vec::new(),
        draws: None,
        importance: Importance::default(),
        is_closed: open_coordinates(joint).is_empty(),
        free,
    };
    let question = DerivativeQuestion {
        joint,
        free: found.free.clone(),
        slopes: !found.is_closed,
        workers: sampling.workers,
    };
    let mut gradient = vec![0.0; joint.theta.len()];
    let mut kept = question.slopes.then(Vec::new);
    let asked = RefCell::new(Answer::default());
    let log_lik = |cloud: &mut Cloud| {
        let answer = question.ask(cloud);
        let log_lik = answer.slopes.log_lik.clone();
        asked.replace(answer);
        log_lik
    };
    let importance = sampling.visit_by(posterior, log_lik, |cloud, drawn, better| {
        let mut answer = asked.take();
        question.renew(&mut answer, cloud, drawn, better);
        let weights = scored(drawn.weights, &answer.scores, (cloud.copies, p));
        let drawn = WeightedDraws {
            weights: &weights,
            ..*drawn
        };
        for (k, own) in found.add(cloud, &drawn, &question, answer) {
            gradient[k] += own;
        }
        StoredDraws::keep(&mut kept, cloud, &drawn);
    })?;
    if let Some(batch) = importance.log_lik.iter().position(|x| !x.is_finite()) {
        return Err(without_density(joint, batch));
    }
    found.importance = importance;
    found.draws = kept.map(Arc::new);
    let n = joint.n_batches as f64;
    let squares: Vec<f64> = found.squares.iter().map(|square| square / n).collect();
    let at = (&found.free[..], sampling.theta);
    let closed = complete(joint, at, (&found.moments, &squares), &gradient)?;
    found.closed.each(|own| *own += &closed);
    found.observed = found.closed.clone();
    Ok(found)
}

impl WeightedInformation {
    /// Add what the draws of a cloud say; the sum of their scores.
    fn add(
        &mut self,
        cloud: &mut Cloud,
        drawn: &WeightedDraws,
        question: &DerivativeQuestion,
        mut answer: Answer,
    ) -> Vec<(usize, f64)> {
        let p = self.free.len();
        let plain = Scored::of(
            &answer.scores,
            (drawn.weights, cloud.copies),
            (p, REPLICATES),
        );
        for (total, own) in self.squares.iter_mut().zip(&plain.squares) {
            *total += own;
        }
        self.closed.all -= &plain.covariance;
        for (total, own) in self.closed.replicates.iter_mut().zip(&plain.replicates) {
            *total -= own;
        }
        let total = self.free.iter().copied().zip(plain.total()).collect();
        let scored = if question.slopes {
            let drifts = drift(cloud, drawn, &answer.scores, p);
            let slopes = &answer.slopes.gradient;
            steady(cloud, drawn.draws, &drifts, &mut answer.scores, slopes);
            let own = drifts_in_classes((&self.free, question.workers), cloud, drawn);
            let own = if own.is_empty() { vec![drifts] } else { own };
            self.drifts.resize_with(own.len(), Vec::new);
            for (all, own) in self.drifts.iter_mut().zip(own) {
                all.extend(own);
            }
            Scored::of(
                &answer.scores,
                (drawn.weights, cloud.copies),
                (p, REPLICATES),
            )
        } else {
            plain
        };
        self.noise += &scored.noise;
        let moments = cloud.moments(drawn.draws, drawn.weights);
        for (i, b) in drawn.members.iter().enumerate() {
            self.scores[b * p..(b + 1) * p].copy_from_slice(&scored.batches[i * p..(i + 1) * p]);
            self.moments[*b].copy(&moments[i]);
        }
        total
    }

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
