//! Take second derivatives of the log-likelihood by central differences of the score, at draws that move along.
//!
//! Weights then stay nearly what they are, and the information is no small difference of two large numbers, as it is in the
//! formula of Louis (1982) for draws that stay, of which this is the limit. Replicates tell its noise. How the draws move
//! is known from all of them (`steady.rs`): learned from the few that are differentiated it makes the information too small.

use nalgebra::DMatrix;

use super::cloud::Cloud;
use super::complete::open_coordinates;
use super::importance::{Drawn, Sampling, REPLICATES};
use super::information::{priors, Information};
use super::posterior::Posterior;
use super::steady::{scored, steady, Drift};
use crate::error::Result;
use crate::problem::{Joint, Means, Prior};

/// Step of the differences in standard errors: exact programs, and differential equations that were solved.
const STEP: f64 = 5e-3;
const SOLVED_STEP: f64 = 3e-2;

impl Information {
    /// Fill in the second derivatives of what weighted draws say, be they fewer than those of the scores.
    ///
    /// # Errors
    /// A population distribution that does not exist.
    pub fn differentiate(&mut self, sampling: &Sampling, posterior: &Posterior) -> Result<()> {
        let mut differences = Differences::new(self, sampling.joint, sampling.theta);
        if differences.open.is_empty() {
            return Ok(());
        }
        let mut failed = None;
        sampling.visit(posterior, |cloud, drawn| {
            if let Err(error) = differences.add(sampling, cloud, drawn) {
                failed.get_or_insert(error);
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        differences.finish(self);
        Ok(())
    }
}

/// Differences of the score, a step up in each coordinate that is open less one down: differences to one side hide how
/// the likelihood curves along a ridge.
struct Differences<'a> {
    joint: &'a Joint,
    theta: &'a [f64],
    free: Vec<usize>,
    /// Of every batch, from more draws than are differentiated.
    drifts: Vec<Drift>,
    /// Positions of the coordinates that move.
    open: Vec<usize>,
    steps: Vec<f64>,
    /// From the draws of each replicate, and from all: column `k` for the coordinate that moved.
    sums: Vec<DMatrix<f64>>,
}

/// Where the draws stand, and what they weigh there.
struct Ground<'g> {
    draws: &'g [f64],
    weights: &'g [f64],
    drift: Vec<Drift>,
}

impl<'a> Differences<'a> {
    fn new(found: &Information, joint: &'a Joint, theta: &'a [f64]) -> Self {
        let p = found.free.len();
        // Between batches the scores vary as the observed information says.
        let mut squares = vec![0.0; p];
        for own in found.scores.chunks_exact(p.max(1)) {
            for (square, s) in squares.iter_mut().zip(own) {
                *square += s * s;
            }
        }
        let open = open_coordinates(joint);
        let solved = joint.main().form.dynamics.is_some();
        let part = if solved { SOLVED_STEP } else { STEP };
        let each = found.free.iter().zip(squares);
        Self {
            steps: each
                .map(|(k, square)| joint.theta.step(*k, theta[*k], square, part))
                .collect(),
            sums: vec![DMatrix::zeros(p, p); REPLICATES + 1],
            open: (found.free.iter().enumerate())
                .filter(|(_, k)| open.contains(k))
                .map(|(a, _)| a)
                .collect(),
            free: found.free.clone(),
            drifts: found.drifts.clone(),
            joint,
            theta,
        }
    }

    fn add(&mut self, sampling: &Sampling, cloud: &mut Cloud, drawn: &Drawn) -> Result<()> {
        let priors = priors(self.joint, self.theta)?;
        let means = cloud.means();
        let scores = cloud.draw_scores(&self.free, (&priors, &means), sampling.workers);
        let weights = scored(drawn.weights, &scores, (cloud.copies, self.free.len()));
        let drawn = &Drawn {
            weights: &weights,
            ..*drawn
        };
        let ground = Ground {
            draws: drawn.draws,
            weights: drawn.weights,
            drift: (drawn.members.iter().map(|b| self.drifts[*b].clone())).collect(),
        };
        let all = vec![true; drawn.members.len()];
        let log_lik = cloud.slopes(&all, sampling.workers).log_lik;
        let log = with_prior(log_lik, cloud, (&priors, &means));
        for k in self.open.clone() {
            for sign in [1.0, -1.0] {
                self.step((k, sign), sampling, cloud, (&ground, &log))?;
            }
        }
        Ok(())
    }

    /// Add the scores a step to one side.
    fn step(
        &mut self,
        (k, sign): (usize, f64),
        sampling: &Sampling,
        cloud: &mut Cloud,
        (ground, log): (&Ground, &[f64]),
    ) -> Result<()> {
        let step = sign * self.steps[k];
        let mut theta = self.theta.to_vec();
        theta[self.free[k]] += step;
        let mut draws = ground.draws.to_vec();
        for (b, drift) in ground.drift.iter().enumerate() {
            for c in 0..cloud.copies {
                let first = cloud.first(b, c);
                for (i, phi) in draws[first..].iter_mut().take(drift.mean.len()).enumerate() {
                    let away = *phi - drift.mean[i];
                    *phi += step * (drift.shift[(i, k)] + drift.stretch[(i, k)] * away);
                }
            }
        }
        cloud.set(&draws);
        cloud.prepare(&theta);
        let priors = priors(self.joint, &theta)?;
        let means: Vec<Means> = cloud.means();
        let mut scores = cloud.draw_scores(&self.free, (&priors, &means), sampling.workers);
        let at = (&draws[..], &priors[..], &means[..]);
        let logs = steady(cloud, at, &ground.drift, &mut scores, sampling);
        let logs = with_prior(logs, cloud, (&priors, &means));
        // A draw that moved to where no density is weighs nothing.
        let weigh = |((weight, new), old): ((&f64, f64), &f64)| {
            let weight = weight * (new - old).exp();
            if weight.is_finite() {
                weight
            } else {
                0.0
            }
        };
        let weights = ground.weights.iter().zip(logs).zip(log);
        let weights: Vec<f64> = weights.map(weigh).collect();
        self.add_means((k, sign), cloud.copies, (&weights, &scores));
        Ok(())
    }

    /// Add the mean scores of all batches to the column of a coordinate, those of each replicate to its own.
    fn add_means(
        &mut self,
        (k, sign): (usize, f64),
        copies: usize,
        (weights, scores): (&[f64], &[f64]),
    ) {
        let p = self.free.len().max(1);
        let each = copies.div_ceil(REPLICATES).max(1);
        let batches = weights.chunks(copies).zip(scores.chunks(copies * p));
        for (weights, scores) in batches {
            let parts = weights.chunks(each).zip(scores.chunks(each * p));
            for (r, (weights, scores)) in parts.enumerate() {
                add_mean(&mut self.sums[r], k, sign, weights, scores);
            }
            add_mean(&mut self.sums[REPLICATES], k, sign, weights, scores);
        }
    }

    /// Put minus the derivatives in the rows and columns of the coordinates that moved.
    fn finish(self, found: &mut Information) {
        let slope = |sums: &DMatrix<f64>, a: usize, k: usize| -sums[(a, k)] / (2.0 * self.steps[k]);
        let into = |matrix: &mut DMatrix<f64>, sums: &DMatrix<f64>| {
            for k in &self.open {
                for a in 0..self.free.len() {
                    let value = if self.open.contains(&a) {
                        0.5 * (slope(sums, a, *k) + slope(sums, *k, a))
                    } else {
                        slope(sums, a, *k)
                    };
                    matrix[(a, *k)] = value;
                    matrix[(*k, a)] = value;
                }
            }
        };
        into(&mut found.observed, &self.sums[REPLICATES]);
        for (matrix, sums) in found.replicates.iter_mut().zip(&self.sums) {
            into(matrix, sums);
        }
    }
}

/// Log density of data and effects at each draw, from that of the data.
fn with_prior(log_lik: Vec<f64>, cloud: &Cloud, (priors, means): (&[Prior], &[Means])) -> Vec<f64> {
    let each = log_lik.into_iter().zip(cloud.log_prior(priors, means));
    each.map(|(y, prior)| y + prior).collect()
}

/// Add the weighted mean of the scores of some draws to a column.
fn add_mean(sums: &mut DMatrix<f64>, k: usize, sign: f64, weights: &[f64], scores: &[f64]) {
    let p = sums.nrows();
    let total: f64 = weights.iter().sum();
    if total.is_nan() || total <= 0.0 {
        return;
    }
    for (weight, score) in weights.iter().zip(scores.chunks_exact(p.max(1))) {
        if *weight > 0.0 && score.iter().all(|s| s.is_finite()) {
            for (a, s) in score.iter().enumerate() {
                sums[(a, k)] += sign * weight / total * s;
            }
        }
    }
}
