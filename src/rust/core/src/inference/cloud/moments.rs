//! Weigh draws, and hand their moments to the statistics of the M-step.

use super::Cloud;
use crate::inference::posterior::{BatchGaussian, BatchPosteriors, Batches};
use crate::ir::symmetric::at;
use crate::mstep::Statistics;
use crate::problem::{Joint, Means};

/// First and second moments of the free effects of every batch.
#[derive(Debug, Clone)]
pub struct BatchMoments {
    pub mean: Vec<f64>,
    /// Covariance, lower triangle by rows.
    pub covariance: Vec<f64>,
}

impl From<&BatchGaussian> for BatchMoments {
    fn from(q: &BatchGaussian) -> Self {
        let d = q.dim();
        let pairs = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j)));
        Self {
            mean: q.mean.clone(),
            covariance: pairs.map(|(i, j)| q.covariance(i, j)).collect(),
        }
    }
}

impl BatchMoments {
    /// Moments of every batch, all zero: those found group by group are copied into memory that lies together.
    pub fn none(batches: &Batches) -> Vec<Self> {
        let dims = (0..batches.len()).map(|b| batches.dim(b));
        dims.map(|d| Self {
            mean: vec![0.0; d],
            covariance: vec![0.0; d * (d + 1) / 2],
        })
        .collect()
    }

    /// Take the values of moments of the same batch.
    pub fn copy(&mut self, other: &Self) {
        self.mean.copy_from_slice(&other.mean);
        self.covariance.copy_from_slice(&other.covariance);
    }

    /// The Gaussian with these moments; `None` where the covariance is not definite.
    pub fn gaussian(&self) -> Option<BatchGaussian> {
        let d = self.mean.len();
        let covariance =
            nalgebra::DMatrix::from_fn(d, d, |i, j| self.covariance[at(i.max(j), i.min(j))]);
        let l = covariance.cholesky()?.l();
        let pairs = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j)));
        Some(BatchGaussian {
            mean: self.mean.clone(),
            chol: pairs.map(|place| l[place]).collect(),
        })
    }
}

impl Cloud<'_> {
    /// Moments of the draws under weights that add up to one in each batch.
    pub fn moments(&self, draws: &[f64], weights: &[f64]) -> Vec<BatchMoments> {
        let batch = |b: usize| {
            let d = self.batches.dim(b);
            let own = |c: usize| {
                let first = self.first(b, c);
                (weights[b * self.copies + c], &draws[first..first + d])
            };
            let mut mean = vec![0.0; d];
            for (weight, phi) in (0..self.copies).map(own) {
                for (mean, x) in mean.iter_mut().zip(phi) {
                    *mean += weight * x;
                }
            }
            let mut covariance = vec![0.0; d * (d + 1) / 2];
            for (weight, phi) in (0..self.copies).map(own) {
                for i in 0..d {
                    let left = weight * (phi[i] - mean[i]);
                    for j in 0..=i {
                        covariance[at(i, j)] += left * (phi[j] - mean[j]);
                    }
                }
            }
            BatchMoments { mean, covariance }
        };
        (0..self.batches.len()).map(batch).collect()
    }
}

/// Moments of all levels of a grouping: what is given, and what a distribution of the batches says.
pub struct LevelMoments<'m> {
    pub joint: &'m Joint,
    pub batches: &'m Batches,
    pub moments: &'m [BatchMoments],
}

impl LevelMoments<'_> {
    /// Moments of a distribution of the batches.
    pub fn of(posterior: &BatchPosteriors) -> Vec<BatchMoments> {
        posterior.iter().map(BatchMoments::from).collect()
    }

    /// Means and standard deviations of `phi` of a grouping, `levels x d`, row-major.
    pub fn conditional(&self, group: usize) -> (Vec<f64>, Vec<f64>) {
        let part = &self.joint.parts[group];
        let (d, n) = (part.n_phi(), part.n_subjects());
        let mut statistics = Statistics::new(&Means {
            values: vec![0.0; n * d],
            dim: d,
        });
        self.fill(group, &mut statistics);
        statistics.conditional()
    }

    /// Statistics of a grouping.
    pub fn fill(&self, group: usize, statistics: &mut Statistics) {
        statistics.clear();
        let part = &self.joint.parts[group];
        let d = part.n_phi();
        let mut seen = vec![false; part.n_subjects()];
        for (b, moments) in self.moments.iter().enumerate() {
            let mut first = 0;
            for level in self.batches.levels(b) {
                if level[0].group == group {
                    let effects: Vec<usize> = level.iter().map(|c| c.effect).collect();
                    let (mut mean, mut covariance) = self.given(group, level[0].level);
                    for (i, a) in effects.iter().enumerate() {
                        mean[*a] = moments.mean[first + i];
                        for (j, b) in effects.iter().enumerate() {
                            let (row, col) = (first + i.max(j), first + i.min(j));
                            covariance[a * d + b] = moments.covariance[at(row, col)];
                        }
                    }
                    statistics.add(level[0].level, &mean, &covariance);
                    seen[level[0].level] = true;
                }
                first += level.len();
            }
        }
        for level in (0..part.n_subjects()).filter(|level| !seen[*level]) {
            let (mean, covariance) = self.given(group, level);
            statistics.add(level, &mean, &covariance);
        }
    }

    /// The given effects of a level, and no covariance.
    fn given(&self, group: usize, level: usize) -> (Vec<f64>, Vec<f64>) {
        let part = &self.joint.parts[group];
        let d = part.n_phi();
        let held = part.held.as_ref();
        let mean = held.map_or_else(|| vec![0.0; d], |h| h[level * d..(level + 1) * d].to_vec());
        (mean, vec![0.0; d * d])
    }
}
