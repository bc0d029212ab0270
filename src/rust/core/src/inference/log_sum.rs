//! Add up terms given by their logarithms, with the moments of what they belong to, in all lanes at once.
//!
//! `log sum_k exp(t_k)` and `sum_k exp(t_k) phi_k / sum_k exp(t_k)`: the largest term so far is kept apart.

use nalgebra::DMatrix;

use crate::ir::column::{Column, LANES};
use crate::ir::symmetric::at;
use crate::ir::vmath::{exp, per_isa, Isa};

/// The same in all lanes, for terms that arrive one by one.
pub struct LaneSums {
    largest: Column,
    sum: Column,
    weighted: Vec<Column>,
    dim: usize,
}

impl LaneSums {
    pub fn new(dim: usize) -> Self {
        Self {
            largest: Column::splat(f64::NEG_INFINITY),
            sum: Column::ZERO,
            weighted: vec![Column::ZERO; dim + dim * (dim + 1) / 2],
            dim,
        }
    }

    /// Add a term; one that is not a number or minus infinity adds nothing.
    pub fn add(&mut self, isa: Isa, term: &Column, phi: &[Column]) {
        let (largest, sum) = (&mut self.largest, &mut self.sum);
        accumulate(isa, term, phi, largest, sum, &mut self.weighted);
    }

    pub fn lane(&self, l: usize) -> LogSum {
        LogSum {
            largest: self.largest.0[l],
            sum: self.sum.0[l],
            weighted: self.weighted.iter().map(|column| column.0[l]).collect(),
            dim: self.dim,
        }
    }
}

#[inline(always)]
fn accumulate_body<const FMA: bool>(
    term: &Column,
    phi: &[Column],
    largest: &mut Column,
    sum: &mut Column,
    weighted: &mut [Column],
) {
    let (mut ours, mut theirs) = ([1.0; LANES], [0.0; LANES]);
    for l in 0..LANES {
        let (new, old) = (term.0[l], largest.0[l]);
        // Not a number compares false.
        let (counts, above) = (new > f64::NEG_INFINITY, new > old);
        let smaller = exp::<FMA>(-(new - old).abs());
        ours[l] = if above { smaller } else { 1.0 };
        let own = if above { 1.0 } else { smaller };
        theirs[l] = if counts { own } else { 0.0 };
        largest.0[l] = if above { new } else { old };
        sum.0[l] = sum.0[l] * ours[l] + theirs[l];
    }
    let d = phi.len();
    let (first, second) = weighted.split_at_mut(d);
    for (i, total) in first.iter_mut().enumerate() {
        for l in 0..LANES {
            // What does not count may not be finite.
            let new = theirs[l] * phi[i].0[l];
            total.0[l] = total.0[l] * ours[l] + if theirs[l] > 0.0 { new } else { 0.0 };
        }
        for j in 0..=i {
            let total = &mut second[at(i, j)];
            for l in 0..LANES {
                let new = theirs[l] * (phi[i].0[l] * phi[j].0[l]);
                total.0[l] = total.0[l] * ours[l] + if theirs[l] > 0.0 { new } else { 0.0 };
            }
        }
    }
}

per_isa! {
    fn accumulate(
        term: &Column,
        phi: &[Column],
        largest: &mut Column,
        sum: &mut Column,
        weighted: &mut [Column],
    ) = accumulate_body, fused;
}

/// `log sum exp` of terms, and the moments of what they belong to.
#[derive(Debug, Clone)]
pub struct LogSum {
    largest: f64,
    /// Sum of `exp(term - largest)`.
    sum: f64,
    /// Sums of `exp(term - largest) * phi`, then of its products (lower triangle by rows).
    weighted: Vec<f64>,
    dim: usize,
}

impl Default for LogSum {
    fn default() -> Self {
        Self {
            largest: f64::NEG_INFINITY,
            sum: 0.0,
            weighted: Vec::new(),
            dim: 0,
        }
    }
}

impl LogSum {
    pub fn merge(&mut self, other: &Self) {
        if other.sum > 0.0 {
            let larger = self.largest.max(other.largest);
            let (ours, theirs) = (
                (self.largest - larger).exp(),
                (other.largest - larger).exp(),
            );
            self.sum = self.sum * ours + other.sum * theirs;
            self.weighted.resize(other.weighted.len(), 0.0);
            for (x, y) in self.weighted.iter_mut().zip(&other.weighted) {
                *x = *x * ours + y * theirs;
            }
            self.largest = larger;
            self.dim = other.dim;
        }
    }

    pub fn value(&self) -> f64 {
        self.largest + self.sum.ln()
    }

    /// Mean, and lower Cholesky factor of the inverse covariance; `None` when the covariance is not definite.
    pub fn moments(&self) -> Option<(Vec<f64>, DMatrix<f64>)> {
        let d = self.dim;
        let mean: Vec<f64> = self.weighted[..d].iter().map(|x| x / self.sum).collect();
        let second = |i: usize, j: usize| self.weighted[d + at(i.max(j), i.min(j))] / self.sum;
        let covariance = DMatrix::from_fn(d, d, |i, j| second(i, j) - mean[i] * mean[j]);
        let factor = covariance.cholesky()?.inverse().cholesky()?.l();
        let sound = mean.iter().chain(factor.iter()).all(|x| x.is_finite());
        sound.then_some((mean, factor))
    }
}
