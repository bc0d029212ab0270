//! Take second derivatives of the log-likelihood by central differences of the score, at draws that move along.
//!
//! Weights then stay nearly what they are, and the information is no small difference of two large numbers, as it is in the
//! formula of Louis (1982) for draws that stay, of which this is the limit. Replicates tell its noise. How the draws move
//! is known from all of them (`steady.rs`): learned from the few that are differentiated it makes the information too small.
//!
//! Where draws ask for solutions of differential equations, coordinates on which these do not depend are differentiated at
//! draws that stay and need no solution; what is missing of them is the covariance of their score over all draws. Where
//! that is most of it the difference of the two would be noise, and their draws move as well.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::cloud::{layouts_of, Cloud};
use super::complete::open_coordinates;
use super::importance::{ImportanceSampling, WeightedDraws, REPLICATES};
use super::information::{Observed, WeightedInformation};
use super::kept::{beside_states, StoredModel};
use super::posterior::BatchPosteriors;
use super::steady::{scored, steady, Drift};
use super::stored_draws::StoredDraws;
use super::strata::{parts, Classes};
use crate::error::Result;
use crate::problem::Joint;

/// Step of the differences in standard errors: exact programs, and differential equations that were solved.
const STEP: f64 = 5e-3;
const SOLVED_STEP: f64 = 3e-2;

/// Part of the information about a coordinate that may be missing where its draws stay.
const MISSING: f64 = 0.5;

impl WeightedInformation {
    /// Fill in the second derivatives of what weighted draws say, be they fewer than those of the scores.
    ///
    /// # Errors
    /// A population distribution that does not exist.
    pub fn differentiate(
        &mut self,
        sampling: &ImportanceSampling,
        posterior: &BatchPosteriors,
    ) -> Result<()> {
        let mut differences = Differences::new(self, sampling.joint, sampling.theta);
        if differences.moving.is_empty() && differences.still.is_empty() {
            return Ok(());
        }
        differences.visit(sampling, posterior)?;
        if differences.give_up(&self.closed.all) {
            differences.visit(sampling, posterior)?;
        }
        self.observed = differences.finish(&self.closed);
        Ok(())
    }
}

/// The draws as they are in a class of the subjects, or all of them.
struct Stratum<'s, 'c> {
    cloud: &'s mut Cloud<'c>,
    ground: WeightedPoints<'s>,
    /// Log density of data and effects at each draw.
    log: Vec<f64>,
}

/// Differences of the score, a step up in each coordinate that is open less one down: differences to one side hide how
/// the likelihood curves along a ridge.
struct Differences<'a> {
    joint: &'a Joint,
    theta: &'a [f64],
    free: Vec<usize>,
    /// Of every batch, from more draws than are differentiated, in each class.
    drifts: Vec<Vec<Drift>>,
    draws: Option<Arc<Vec<StoredDraws>>>,
    /// Positions of the coordinates whose draws move with them, those that are not known yet, and of those whose draws stay.
    moving: Vec<usize>,
    wanted: Vec<usize>,
    still: Vec<usize>,
    kept: Option<StoredModel>,
    steps: Vec<f64>,
    /// From the draws of each replicate, and from all: column `k` for the coordinate that moved.
    sums: Vec<DMatrix<f64>>,
}

/// Where the draws stand, and what they weigh there.
struct WeightedPoints<'g> {
    draws: &'g [f64],
    weights: Vec<f64>,
    drift: Vec<Drift>,
}

impl<'a> Differences<'a> {
    fn new(found: &WeightedInformation, joint: &'a Joint, theta: &'a [f64]) -> Self {
        let p = found.free.len();
        // Between batches the scores vary as the observed information says.
        let mut squares = vec![0.0; p];
        for own in found.scores.chunks_exact(p.max(1)) {
            for (square, s) in squares.iter_mut().zip(own) {
                *square += s * s;
            }
        }
        let open = open_coordinates(joint);
        let beside = beside_states(joint, &open);
        let kept = StoredModel::without_solving(joint, &beside);
        let still = |k: &usize| kept.is_some() && beside.contains(k);
        let at = |wanted: &dyn Fn(&usize) -> bool| -> Vec<usize> {
            let each = found.free.iter().enumerate();
            each.filter(|(_, k)| wanted(k)).map(|(a, _)| a).collect()
        };
        let moving = at(&|k| open.contains(k) && !still(k));
        let solved = joint.main().form.dynamics.is_some();
        let part = if solved { SOLVED_STEP } else { STEP };
        let each = found.free.iter().zip(squares);
        Self {
            steps: each
                .map(|(k, square)| joint.theta.step(*k, theta[*k], square, part))
                .collect(),
            sums: vec![DMatrix::zeros(p, p); REPLICATES + 1],
            wanted: moving.clone(),
            moving,
            still: at(&still),
            kept,
            free: found.free.clone(),
            drifts: found.drifts.clone(),
            draws: found.draws.clone(),
            joint,
            theta,
        }
    }

    /// Look at draws: at those that are kept, or at new ones.
    fn visit(&mut self, sampling: &ImportanceSampling, posterior: &BatchPosteriors) -> Result<()> {
        if let Some(draws) = self.draws.clone() {
            for own in draws.iter() {
                let own = own.thinned(sampling.draws);
                let layouts = layouts_of(self.joint, &own.members, own.copies);
                let mut cloud = Cloud::of((self.joint, &layouts), &own.members, self.theta)?;
                cloud.set(&own.draws);
                self.add(sampling, &mut cloud, &own.drawn())?;
            }
            return Ok(());
        }
        let mut failed = None;
        sampling.visit(posterior, |cloud, drawn| {
            if let Err(error) = self.add(sampling, cloud, drawn) {
                failed.get_or_insert(error);
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    fn add(
        &mut self,
        sampling: &ImportanceSampling,
        cloud: &mut Cloud,
        drawn: &WeightedDraws,
    ) -> Result<()> {
        let classes = Classes::of(sampling.joint, drawn.members, cloud.copies);
        let mut own = classes.clouds(cloud, drawn);
        let parts = parts(cloud, &mut own, drawn, sampling.workers);
        if let Some(kept) = self.kept.take() {
            self.stay(&kept, sampling, cloud, drawn)?;
            self.kept = Some(kept);
        }
        let about = (sampling, drawn);
        if own.is_empty() {
            let whole = self.strata(std::slice::from_mut(cloud), &parts, about)?;
            self.steps(sampling, whole)
        } else {
            let strata = self.strata(&mut own, &parts, about)?;
            self.steps(sampling, strata)
        }
    }

    fn strata<'s, 'c>(
        &self,
        clouds: &'s mut [Cloud<'c>],
        parts: &[Vec<f64>],
        (sampling, drawn): (&ImportanceSampling, &WeightedDraws<'s>),
    ) -> Result<Vec<Stratum<'s, 'c>>> {
        let each = clouds.iter_mut().zip(parts).enumerate();
        each.map(|(class, (cloud, weights))| self.stratum(cloud, weights, (sampling, drawn, class)))
            .collect()
    }

    fn steps(&mut self, sampling: &ImportanceSampling, mut strata: Vec<Stratum>) -> Result<()> {
        for k in self.wanted.clone() {
            for sign in [1.0, -1.0] {
                self.step((k, sign), sampling, &mut strata)?;
            }
        }
        Ok(())
    }

    /// Add the scores a step to both sides at draws that stay.
    fn stay(
        &mut self,
        kept: &StoredModel,
        sampling: &ImportanceSampling,
        cloud: &mut Cloud,
        drawn: &WeightedDraws,
    ) -> Result<()> {
        let copies = cloud.copies;
        let layouts = layouts_of(&kept.joint, drawn.members, copies);
        let mut cloud = cloud.beside((&kept.joint, &layouts), drawn.members);
        kept.set(&mut cloud, drawn.draws, self.theta, sampling.workers);
        for k in self.still.clone() {
            for sign in [1.0, -1.0] {
                let mut theta = self.theta.to_vec();
                theta[self.free[k]] += sign * self.steps[k];
                cloud.set_theta(&theta)?;
                let scores = cloud.draw_scores(&self.free, sampling.workers);
                self.add_means((k, sign), copies, (drawn.weights, &scores));
            }
        }
        Ok(())
    }

    /// Let the draws of coordinates move of which too much is missing; whether there are any.
    fn give_up(&mut self, closed: &DMatrix<f64>) -> bool {
        let too_much = |k: &usize| {
            let complete = self.slope(&self.sums[REPLICATES], *k, *k);
            // What is known so far is minus the covariance of the score.
            complete.is_nan() || -closed[(*k, *k)] > MISSING * complete
        };
        let (lost, still): (Vec<usize>, Vec<usize>) = self.still.iter().partition(|k| too_much(k));
        self.kept = None;
        self.still = still;
        for k in &lost {
            for sums in &mut self.sums {
                sums.column_mut(*k).fill(0.0);
            }
        }
        self.moving.extend(&lost);
        self.wanted = lost;
        !self.wanted.is_empty()
    }

    fn stratum<'s, 'c>(
        &self,
        cloud: &'s mut Cloud<'c>,
        weights: &[f64],
        (sampling, drawn, class): (&ImportanceSampling, &WeightedDraws<'s>, usize),
    ) -> Result<Stratum<'s, 'c>> {
        let (scores, slopes) = cloud.scores_and_slopes(&self.free, sampling.workers);
        let weights = scored(weights, &scores, (cloud.copies, self.free.len()));
        let own = drawn.members.iter().map(|b| self.drifts[class][*b].clone());
        Ok(Stratum {
            log: cloud.with_prior(slopes.log_lik),
            ground: WeightedPoints {
                draws: drawn.draws,
                weights,
                drift: own.collect(),
            },
            cloud,
        })
    }

    /// Add the scores a step to one side.
    fn step(
        &mut self,
        (k, sign): (usize, f64),
        sampling: &ImportanceSampling,
        strata: &mut [Stratum],
    ) -> Result<()> {
        let step = sign * self.steps[k];
        let mut theta = self.theta.to_vec();
        theta[self.free[k]] += step;
        let mut found = Vec::new();
        for Stratum { cloud, ground, log } in strata.iter_mut() {
            let mut draws = ground.draws.to_vec();
            for (b, drift) in ground.drift.iter().enumerate() {
                for c in 0..cloud.copies {
                    let first = cloud.first(b, c);
                    let own = draws[first..].iter_mut().take(drift.mean.len());
                    for (i, phi) in own.enumerate() {
                        let away = *phi - drift.mean[i];
                        *phi += step * (drift.shift[(i, k)] + drift.stretch[(i, k)] * away);
                    }
                }
            }
            cloud.set(&draws);
            cloud.set_theta(&theta)?;
            let (mut scores, slopes) = cloud.scores_and_slopes(&self.free, sampling.workers);
            steady(cloud, &draws, &ground.drift, &mut scores, &slopes.gradient);
            let logs = cloud.with_prior(slopes.log_lik);
            // A draw that moved to where no density is weighs nothing.
            let weigh = |((weight, new), old): ((&f64, f64), &f64)| {
                let weight = weight * (new - old).exp();
                if weight.is_finite() {
                    weight
                } else {
                    0.0
                }
            };
            let weights = ground.weights.iter().zip(logs).zip(&*log);
            found.push((weights.map(weigh).collect(), scores));
        }
        let copies = strata.first().map_or(1, |s| s.cloud.copies);
        let widths: Vec<Vec<f64>> = strata.iter().map(|s| widths(&s.ground, k, step)).collect();
        let (weights, scores) = together(found, &widths, (copies, self.free.len()));
        self.add_means((k, sign), copies * strata.len(), (&weights, &scores));
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
        let classes = self.drifts.len().max(1);
        let each = (copies / classes).div_ceil(REPLICATES).max(1) * classes;
        let batches = weights.chunks(copies).zip(scores.chunks(copies * p));
        for (weights, scores) in batches {
            let parts = weights.chunks(each).zip(scores.chunks(each * p));
            for (r, (weights, scores)) in parts.enumerate() {
                add_mean(&mut self.sums[r], k, sign, weights, scores);
            }
            add_mean(&mut self.sums[REPLICATES], k, sign, weights, scores);
        }
    }

    /// Minus the derivative of the score in `a` by `k`.
    fn slope(&self, sums: &DMatrix<f64>, a: usize, k: usize) -> f64 {
        -sums[(a, k)] / (2.0 * self.steps[k])
    }

    /// Second derivatives beside what is known without them.
    fn finish(&self, closed: &Observed) -> Observed {
        let mut observed = closed.clone();
        self.put(&mut observed.all, &self.sums[REPLICATES]);
        for (matrix, sums) in observed.replicates.iter_mut().zip(&self.sums) {
            self.put(matrix, sums);
        }
        observed
    }

    fn put(&self, matrix: &mut DMatrix<f64>, sums: &DMatrix<f64>) {
        let mean = |a, k| 0.5 * (self.slope(sums, a, k) + self.slope(sums, k, a));
        for k in &self.still {
            for a in &self.still {
                matrix[(*a, *k)] += mean(*a, *k);
            }
        }
        for k in &self.moving {
            for a in 0..self.free.len() {
                let value = if self.moving.contains(&a) {
                    mean(a, *k)
                } else {
                    self.slope(sums, a, *k)
                };
                matrix[(a, *k)] = value;
                matrix[(*k, a)] = value;
            }
        }
    }
}

/// By how much the draws of each batch spread out in a step.
fn widths(ground: &WeightedPoints, k: usize, step: f64) -> Vec<f64> {
    let width = |drift: &Drift| {
        let each = (0..drift.mean.len()).map(|i| 1.0 + step * drift.stretch[(i, k)]);
        each.product::<f64>().abs()
    };
    ground.drift.iter().map(width).collect()
}

/// Weights and scores of the draws in all classes, those of one draw beside each other.
fn together(
    mut classes: Vec<(Vec<f64>, Vec<f64>)>,
    widths: &[Vec<f64>],
    (copies, p): (usize, usize),
) -> (Vec<f64>, Vec<f64>) {
    if classes.len() == 1 {
        return classes.pop().unwrap_or_default();
    }
    let n = classes.first().map_or(0, |(weights, _)| weights.len());
    let (mut weights, mut scores) = (Vec::new(), Vec::new());
    for draw in 0..n {
        for ((own, all), widths) in classes.iter().zip(widths) {
            weights.push(own[draw] * widths[draw / copies.max(1)]);
            scores.extend(&all[draw * p..(draw + 1) * p]);
        }
    }
    (weights, scores)
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
