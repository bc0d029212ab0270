//! Hold a distribution of the random effects of every batch: mean and Cholesky factor over its free effects.
//!
//! A batch is what hangs together through shared rows: a subject, or all levels that crossed groupings join. Its free
//! effects stand in the order of the groupings, then of the levels.

use nalgebra::DMatrix;

use crate::ir::symmetric::at;
use crate::problem::{EffectValues, Joint, Means, Prior};

/// A free effect of a batch; `effect` counts within the grouping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeEffect {
    pub group: usize,
    pub level: usize,
    pub effect: usize,
}

/// The free effects of every batch.
#[derive(Debug, Clone)]
pub struct Batches {
    pub coordinates: Vec<Vec<FreeEffect>>,
    /// Free effects of the batches before each, and of all at the end.
    pub offsets: Vec<usize>,
}

impl Batches {
    pub fn new(joint: &Joint) -> Self {
        Self::of(joint, joint.n_batches, &joint.batches)
    }

    /// `n` batches; `numbers`: for each grouping the batch of every level, or `n` and more for a level of none of them.
    pub fn of(joint: &Joint, n: usize, numbers: &[Vec<usize>]) -> Self {
        let mut coordinates = vec![Vec::new(); n];
        for (group, part) in joint.parts.iter().enumerate() {
            let levels = numbers[group].iter().enumerate();
            for (level, batch) in levels.filter(|(_, batch)| **batch < n) {
                let free = (0..part.n_phi()).filter(|effect| !part.is_held(level, *effect));
                coordinates[*batch].extend(free.map(|effect| FreeEffect {
                    group,
                    level,
                    effect,
                }));
            }
        }
        let mut offsets = vec![0];
        for batch in &coordinates {
            offsets.push(offsets[offsets.len() - 1] + batch.len());
        }
        Self {
            coordinates,
            offsets,
        }
    }

    /// The free effects at points, batch by batch.
    pub fn gather(&self, points: &EffectValues) -> Vec<f64> {
        let all = self.coordinates.iter().flatten();
        all.map(|c| points.of(c.group, c.level)[c.effect]).collect()
    }

    pub fn len(&self) -> usize {
        self.coordinates.len()
    }

    pub fn is_empty(&self) -> bool {
        self.coordinates.is_empty()
    }

    /// Number of free effects of a batch.
    pub fn dim(&self, batch: usize) -> usize {
        self.coordinates[batch].len()
    }

    /// The largest number of free effects.
    pub fn max_dim(&self) -> usize {
        self.coordinates.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The free effects of a batch, level by level: each level is Gaussian by itself.
    pub fn levels(&self, batch: usize) -> impl Iterator<Item = &[FreeEffect]> {
        self.coordinates[batch].chunk_by(|a, b| (a.group, a.level) == (b.group, b.level))
    }
}

/// A Gaussian over the free effects of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchGaussian {
    pub mean: Vec<f64>,
    /// Lower Cholesky factor of the covariance, by rows.
    pub chol: Vec<f64>,
}

impl BatchGaussian {
    /// That of a batch without effects.
    pub const fn nothing() -> Self {
        Self {
            mean: Vec::new(),
            chol: Vec::new(),
        }
    }

    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// `mean + chol z` into `phi`.
    pub fn place(&self, z: &[f64], phi: &mut [f64]) {
        for (i, phi) in phi.iter_mut().enumerate() {
            let row = &self.chol[at(i, 0)..=at(i, i)];
            let shift: f64 = row.iter().zip(z).map(|(l, z)| l * z).sum();
            *phi = self.mean[i] + shift;
        }
    }

    /// Squared distance from the mean, `|chol^-1 (x - mean)|^2`, of each of some points, `n x d`, row-major.
    pub fn squares(&self, points: &[f64]) -> Vec<f64> {
        let mut z = vec![0.0; self.dim()];
        let square = |x: &[f64]| {
            z.iter_mut()
                .zip(x)
                .zip(&self.mean)
                .for_each(|((z, x), m)| *z = x - m);
            self.solve(&mut z);
            z.iter().map(|z| z * z).sum()
        };
        points.chunks_exact(self.dim().max(1)).map(square).collect()
    }

    /// `chol^-1 (x - mean)`
    pub fn standardized(&self, x: &[f64]) -> Vec<f64> {
        let mut z: Vec<f64> = x.iter().zip(&self.mean).map(|(x, m)| x - m).collect();
        self.solve(&mut z);
        z
    }

    /// `chol^-1 z` in place.
    fn solve(&self, z: &mut [f64]) {
        for i in 0..z.len() {
            let before: f64 = (0..i).map(|j| self.chol[at(i, j)] * z[j]).sum();
            z[i] = (z[i] - before) / self.chol[at(i, i)];
        }
    }

    /// The distribution of `chol^-1 (x - mean)` when `x` has the distribution `other`.
    pub fn seen(&self, other: &Self) -> Self {
        let d = self.dim();
        let mut chol = other.chol.clone();
        for j in 0..d {
            let mut column: Vec<f64> = (0..d).map(|i| lower(&other.chol, i, j)).collect();
            self.solve(&mut column);
            (j..d).for_each(|i| chol[at(i, j)] = column[i]);
        }
        Self {
            mean: self.standardized(&other.mean),
            chol,
        }
    }

    /// The distribution of `mean + chol z` when `z` has the distribution `inner`.
    pub fn carried(&self, inner: &Self) -> Self {
        let d = self.dim();
        let mut found = inner.clone();
        self.place(&inner.mean, &mut found.mean);
        for i in 0..d {
            for j in 0..=i {
                let product = (j..=i).map(|k| self.chol[at(i, k)] * inner.chol[at(k, j)]);
                found.chol[at(i, j)] = product.sum();
            }
        }
        found
    }

    /// `ln det(chol)`
    pub fn log_det(&self) -> f64 {
        (0..self.dim()).map(|i| self.chol[at(i, i)].ln()).sum()
    }

    /// Element `(i, j)` of the covariance.
    pub fn covariance(&self, i: usize, j: usize) -> f64 {
        let (a, b) = (
            &self.chol[at(i, 0)..=at(i, i)],
            &self.chol[at(j, 0)..=at(j, j)],
        );
        a.iter().zip(b).map(|(x, y)| x * y).sum()
    }
}

/// The Cholesky factor of `q` as a matrix.
pub fn factor(q: &BatchGaussian) -> DMatrix<f64> {
    DMatrix::from_fn(q.dim(), q.dim(), |i, j| lower(&q.chol, i, j))
}

/// Element `(i, j)` of a lower triangle.
fn lower(chol: &[f64], i: usize, j: usize) -> f64 {
    if j <= i {
        chol[at(i, j)]
    } else {
        0.0
    }
}

/// A distribution for every batch.
pub type BatchPosteriors = Vec<BatchGaussian>;

/// The population distribution of every batch, `N(m, Omega)`.
///
/// `means`, `priors`: one a grouping.
pub fn population(batches: &Batches, means: &[Means], priors: &[Prior]) -> BatchPosteriors {
    let batch = |b: usize| {
        let d = batches.dim(b);
        let mut found = BatchGaussian {
            mean: Vec::with_capacity(d),
            chol: vec![0.0; d * (d + 1) / 2],
        };
        for level in batches.levels(b) {
            let first = found.mean.len();
            let group = level[0].group;
            let effects: Vec<usize> = level.iter().map(|c| c.effect).collect();
            let mean = means[group].of(level[0].level);
            found.mean.extend(effects.iter().map(|k| mean[*k]));
            let omega = &priors[group].omega;
            let own = DMatrix::from_fn(effects.len(), effects.len(), |i, j| {
                omega[(effects[i], effects[j])]
            });
            let factor = own.cholesky().map(|c| c.l());
            for i in 0..effects.len() {
                for j in 0..=i {
                    let value = factor.as_ref().map_or(f64::NAN, |l| l[(i, j)]);
                    found.chol[at(first + i, first + j)] = value;
                }
            }
        }
        found
    };
    (0..batches.len()).map(batch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_from_a_distribution_is_carried_back() {
        let home = BatchGaussian {
            mean: vec![1.0, -2.0],
            chol: vec![2.0, -1.0, 1e-6],
        };
        let other = BatchGaussian {
            mean: vec![1.5, -2.25],
            chol: vec![0.5, -0.25, 3e-6],
        };
        let seen = home.seen(&other);
        assert!((seen.chol[2] - 3.0).abs() < 1e-9, "{seen:?}");
        let back = home.carried(&seen);
        let pairs = back.mean.iter().chain(&back.chol);
        for (a, b) in pairs.zip(other.mean.iter().chain(&other.chol)) {
            assert!((a - b).abs() < 1e-12, "{back:?}");
        }
        assert!((home.squares(&[3.0, -3.0])[0] - 1.0).abs() < 1e-12);
    }
}
