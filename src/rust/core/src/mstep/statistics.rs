//! Keep the smoothed sufficient statistics of the Gaussian population and of the residual errors.
//!
//! `S <- S + gain (S_new - S)`; the chains enter through the mean of their statistics, never through mean draws.

use serde::{Deserialize, Serialize};

use crate::data::Block;
use crate::ir::column::{add_products, LANES};
use crate::ir::symmetric::at;
use crate::problem::Means;
use crate::samplers::LaneMoments;

/// Statistics of `phi`, relative to a fixed `origin` so that no digits cancel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Statistics {
    pub dim: usize,
    /// `n_subjects x d`, row-major: mean of `phi - origin` for each subject.
    pub first: Vec<f64>,
    /// `d x d`: sum over subjects of `(phi - origin)(phi - origin)'`.
    pub second: Vec<f64>,
    pub origin: Vec<f64>,
    /// `n_subjects x d`, row-major: mean of `(phi - origin)^2` for each subject.
    square: Vec<f64>,
    seeded: bool,
}

impl Statistics {
    pub fn new(means: &Means) -> Self {
        let d = means.dim;
        let n = means.values.len() / d.max(1);
        let origin = (0..d)
            .map(|k| (0..n).map(|i| means.values[i * d + k]).sum::<f64>() / n.max(1) as f64)
            .collect();
        Self {
            dim: d,
            first: vec![0.0; n * d],
            second: vec![0.0; d * d],
            origin,
            square: vec![0.0; n * d],
            seeded: false,
        }
    }

    /// Move toward the statistics of the current draws; the first time, jump there.
    ///
    /// `blocks`: the moments of the draws of each block; `copies`: chains of each level.
    pub fn update<'m>(
        &mut self,
        blocks: impl Iterator<Item = (&'m Block, &'m LaneMoments)>,
        copies: usize,
        gain: f64,
    ) {
        let gain = if self.seeded { gain } else { 1.0 };
        self.seeded = true;
        let d = self.dim;
        let weight = gain / copies as f64;
        for value in self
            .first
            .iter_mut()
            .chain(&mut self.second)
            .chain(&mut self.square)
        {
            *value *= 1.0 - gain;
        }
        let mut triangle: Vec<f64> = pairs(d).map(|(a, b)| self.second[a * d + b]).collect();
        for (block, moments) in blocks {
            let (lanes, weight) = (&block.lanes, weight / moments.n as f64);
            for a in 0..d {
                let (first, square) = (&moments.first[a].0, &moments.second[at(a, a)].0);
                for (l, lane) in lanes.iter().enumerate() {
                    let place = lane.subject as usize * d + a;
                    self.first[place] += weight * first[l];
                    self.square[place] += weight * square[l];
                }
            }
            let weights = [weight; LANES];
            add_products(&mut triangle, &weights, moments.second.iter(), lanes.len());
        }
        for ((a, b), value) in pairs(d).zip(triangle) {
            self.second[a * d + b] = value;
        }
    }

    /// Forget all levels.
    pub fn clear(&mut self) {
        let all = self.first.iter_mut().chain(&mut self.second);
        all.chain(&mut self.square).for_each(|value| *value = 0.0);
        self.seeded = true;
    }

    /// Add a level whose `phi` has these moments: `mean` of length `d`, `covariance` `d x d`.
    pub fn add(&mut self, level: usize, mean: &[f64], covariance: &[f64]) {
        let d = self.dim;
        for a in 0..d {
            let left = mean[a] - self.origin[a];
            self.first[level * d + a] = left;
            self.square[level * d + a] = left * left + covariance[a * d + a];
            for b in 0..=a {
                let product = left * (mean[b] - self.origin[b]) + covariance[a * d + b];
                self.second[a * d + b] += product;
            }
        }
    }

    /// Smoothed `E[phi]` of one coordinate of a subject.
    pub fn mean(&self, subject: usize, k: usize) -> f64 {
        self.origin[k] + self.first[subject * self.dim + k]
    }

    /// Conditional means and standard deviations of `phi`, `n_subjects x d`, row-major.
    pub fn conditional(&self) -> (Vec<f64>, Vec<f64>) {
        let d = self.dim;
        let mean = self
            .first
            .iter()
            .enumerate()
            .map(|(k, x)| self.origin[k % d] + x)
            .collect();
        let variance = self
            .first
            .iter()
            .zip(&self.square)
            .map(|(x, x2)| x2 - x * x);
        (mean, variance.map(|v| v.max(0.0).sqrt()).collect())
    }

    /// `E[(phi_a - m_a)(phi_b - m_b)]`, mean over subjects, about the given means.
    pub fn covariance(&self, means: &Means, a: usize, b: usize) -> f64 {
        let (a, b) = (a.max(b), a.min(b));
        let d = self.dim;
        let n = self.first.len() / d;
        let mut sum = self.second[a * d + b];
        let subjects = means.values.chunks_exact(d).zip(self.first.chunks_exact(d));
        for (mean, first) in subjects {
            let (ma, mb) = (mean[a] - self.origin[a], mean[b] - self.origin[b]);
            sum += ma * mb - first[a] * mb - first[b] * ma;
        }
        sum / n as f64
    }
}

/// Elements `(a, b)` of a lower triangle, by rows.
fn pairs(d: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..d).flat_map(|a| (0..=a).map(move |b| (a, b)))
}

/// A number smoothed with the gain.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Smoothed {
    value: Option<f64>,
}

impl Smoothed {
    pub fn update(&mut self, new: f64, gain: f64) -> f64 {
        let value = match self.value {
            None => new,
            Some(old) => old + gain * (new - old),
        };
        self.value = Some(value);
        value
    }
}
