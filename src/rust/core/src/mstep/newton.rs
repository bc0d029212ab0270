//! Precondition the smoothing phase by the observed information.
//!
//! Plain averaging forgets the exploration's noise as slowly as EM converges: a direction with missing information
//! `f` contracts by `k^-(1 - f)`. Here the step is `theta <- theta + gain * I_obs^-1 * score`, whose error does not
//! depend on `f`. The observed information is Louis' (1982) `I_complete - sum_i Cov(score_i | y_i)`, the covariance
//! learned from the scores of the draws. Sources: Gu & Kong (1998); Louis (1982).

use nalgebra::{DMatrix, DVector, Dyn, SymmetricEigen};
use serde::{Deserialize, Serialize};

use crate::ir::column::{add_products, Column};

/// Most parameters for which scores are kept by subject.
pub const MAX_PARAMETERS: usize = 100;

/// Least weight of a new iteration.
const FORGETS: f64 = 0.03;

/// Largest fraction of missing information that is believed; more would amplify noise without end.
const MAX_MISSING: f64 = 0.98;

/// Conditional covariance of the scores of the subjects.
///
/// With several chains it is taken between the chains of an iteration, at one `theta`, and averaged over iterations;
/// with one chain between iterations, where the travel of `theta` adds a little.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScoreMoments {
    n_free: usize,
    copies: usize,
    /// `n_subjects x p`, row-major: mean score of each subject.
    mean: Vec<f64>,
    /// `p x p`, lower triangle: sum over subjects of mean products.
    product: DMatrix<f64>,
    /// `sum_i Cov(score_i | y_i)`, mean over iterations; with several chains.
    within: DMatrix<f64>,
    updates: usize,
}

impl ScoreMoments {
    pub fn new(n_subjects: usize, n_free: usize, copies: usize) -> Self {
        Self {
            n_free,
            copies,
            mean: vec![0.0; n_subjects * n_free],
            product: DMatrix::zeros(n_free, n_free),
            within: DMatrix::zeros(n_free, n_free),
            updates: 0,
        }
    }

    /// What was said long ago, at other parameters, is forgotten.
    fn gain(&self) -> f64 {
        (1.0 / self.updates as f64).max(FORGETS)
    }

    /// Weight of the score of a lane.
    fn weight(&self) -> f64 {
        if self.copies > 1 {
            1.0 / self.copies as f64
        } else {
            self.gain()
        }
    }

    /// Start an iteration; the scores of all lanes then enter by [`ScoreMoments::add`].
    pub fn begin(&mut self) {
        self.updates += 1;
        let kept = if self.copies > 1 {
            0.0
        } else {
            1.0 - self.gain()
        };
        for value in &mut self.mean {
            *value *= kept;
        }
        self.product *= kept;
    }

    /// Add the score of one lane.
    pub fn add(&mut self, subject: usize, score: &[f64]) {
        let p = self.n_free;
        let weight = self.weight();
        for (mean, s) in self.mean[subject * p..(subject + 1) * p]
            .iter_mut()
            .zip(score)
        {
            *mean += weight * s;
        }
        for a in 0..p {
            for b in 0..=a {
                self.product[(a, b)] += weight * score[a] * score[b];
            }
        }
    }

    /// Add the scores of the lanes of a block, one column a parameter, where they are finite.
    pub fn add_lanes(&mut self, subjects: &[usize], columns: &[Column]) {
        let finite = |l: usize| columns.iter().all(|column| column.0[l].is_finite());
        if !(0..subjects.len()).all(finite) {
            for (l, subject) in subjects.iter().enumerate().filter(|(l, _)| finite(*l)) {
                let score: Vec<f64> = columns.iter().map(|column| column.0[l]).collect();
                self.add(*subject, &score);
            }
            return;
        }
        let (p, n, weight) = (self.n_free, subjects.len(), self.weight());
        for (k, column) in columns.iter().enumerate() {
            for (subject, s) in subjects.iter().zip(&column.0) {
                self.mean[subject * p + k] += weight * s;
            }
        }
        let mut row = vec![0.0; p];
        for (a, column) in columns.iter().enumerate() {
            let weights = column.0.map(|s| weight * s);
            let row = &mut row[..=a];
            for (b, sum) in row.iter_mut().enumerate() {
                *sum = self.product[(a, b)];
            }
            add_products(row, &weights, columns[..=a].iter(), n);
            for (b, sum) in row.iter().enumerate() {
                self.product[(a, b)] = *sum;
            }
        }
    }

    /// End an iteration.
    pub fn finish(&mut self) {
        if self.copies > 1 {
            let unbiased = self.copies as f64 / (self.copies as f64 - 1.0);
            let new = self.spread() * unbiased;
            self.within = &self.within + (new - &self.within) * self.gain();
        }
    }

    /// `sum_i Cov(score_i | y_i)`
    pub fn missing_information(&self) -> DMatrix<f64> {
        if self.copies > 1 {
            self.within.clone()
        } else {
            self.spread()
        }
    }

    /// Mean products less products of means.
    fn spread(&self) -> DMatrix<f64> {
        let p = self.n_free;
        let mut spread = self.product.clone();
        let mut row = vec![0.0; p];
        for a in 0..p {
            let row = &mut row[..=a];
            for (b, value) in row.iter_mut().enumerate() {
                *value = spread[(a, b)];
            }
            for mean in self.mean.chunks_exact(p) {
                for (value, other) in row.iter_mut().zip(mean) {
                    *value -= mean[a] * other;
                }
            }
            for (b, value) in row.iter().enumerate() {
                spread[(a, b)] = *value;
            }
        }
        spread.fill_upper_triangle_with_lower_triangle();
        spread
    }
}

/// The inverse of the observed information, kept positive.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Preconditioner {
    pub inverse: DMatrix<f64>,
    missing: DMatrix<f64>,
    /// Positions of the parameters in directions with more missing information than is believed.
    pub weak: Vec<usize>,
}

impl Preconditioner {
    /// `None` when the complete information is singular.
    pub fn new(complete: &DMatrix<f64>, missing: &DMatrix<f64>) -> Option<Self> {
        let l = complete.clone().cholesky()?.l();
        let half = l.solve_lower_triangular(missing)?;
        let fraction = l.solve_lower_triangular(&half.transpose())?;
        let eigen = ((&fraction + fraction.transpose()) * 0.5).symmetric_eigen();
        let weights = eigen
            .eigenvalues
            .map(|f| 1.0 / (1.0 - f.clamp(0.0, MAX_MISSING)).sqrt());
        let root = &eigen.eigenvectors * DMatrix::from_diagonal(&weights);
        let back = l.transpose().solve_upper_triangular(&root)?;
        Some(Self {
            inverse: &back * back.transpose(),
            missing: missing.clone(),
            weak: weak(complete, &l, &eigen),
        })
    }

    /// `I_obs^-1 score`, shortened to at most `limit` standard errors.
    pub fn step(&self, score: &[f64], limit: f64) -> DVector<f64> {
        let score = DVector::from_column_slice(score);
        let step = &self.inverse * &score;
        let length = step.dot(&score).max(0.0).sqrt();
        if length > limit {
            step * (limit / length)
        } else {
            step
        }
    }

    /// What one Newton step would gain in `-2 log L`, and the part of it that noise alone would give from the
    /// mean of `draws` independent scores.
    pub fn decrement(&self, score: &[f64], draws: f64) -> (f64, f64) {
        let score = DVector::from_column_slice(score);
        let gain = (&self.inverse * &score).dot(&score);
        (gain, (&self.inverse * &self.missing).trace() / draws)
    }
}

/// Parameters with a share in directions that are hardly observed, in standard deviations of the complete data.
fn weak(complete: &DMatrix<f64>, l: &DMatrix<f64>, eigen: &SymmetricEigen<f64, Dyn>) -> Vec<usize> {
    /// Smallest share, relative to the largest of the direction.
    const SHARE: f64 = 0.3;
    let mut weak = Vec::new();
    for (f, direction) in eigen
        .eigenvalues
        .iter()
        .zip(eigen.eigenvectors.column_iter())
    {
        // Not a number is not believed either.
        if *f <= MAX_MISSING {
            continue;
        }
        let own = l.transpose().solve_upper_triangular(&direction);
        let Some(own) = own else { continue };
        let share = |p: usize| own[p].abs() * complete[(p, p)].sqrt();
        let largest = (0..own.len()).map(share).fold(0.0, f64::max);
        weak.extend((0..own.len()).filter(|p| share(*p) >= SHARE * largest));
    }
    weak.sort_unstable();
    weak.dedup();
    weak
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn louis_gives_the_observed_information_of_a_random_intercept() {
        // y = mu + b + e, one observation each: complete information n/omega, observed n/(omega + sigma2).
        let (n, omega, sigma2) = (10.0, 2.0, 3.0);
        let posterior = omega * sigma2 / (omega + sigma2);
        let complete = DMatrix::from_element(1, 1, n / omega);
        let missing = DMatrix::from_element(1, 1, n * posterior / (omega * omega));
        let inverse = Preconditioner::new(&complete, &missing).unwrap().inverse[(0, 0)];
        assert!((inverse - (omega + sigma2) / n).abs() < 1e-12);
    }

    #[test]
    fn moments_of_scores_are_within_subjects() {
        let mut moments = ScoreMoments::new(2, 1, 1);
        for scores in [[1.0, 10.0], [3.0, 14.0]] {
            moments.begin();
            moments.add(0, &scores[..1]);
            moments.add(1, &scores[1..]);
            moments.finish();
        }
        // Variances about each subject's own mean: 1 and 4.
        assert!((moments.missing_information()[(0, 0)] - 5.0).abs() < 1e-12);
    }

    #[test]
    fn between_chains_the_travel_of_the_parameters_does_not_count() {
        let mut moments = ScoreMoments::new(1, 1, 2);
        for travel in [0.0, 100.0, -50.0] {
            moments.begin();
            moments.add(0, &[travel + 1.0]);
            moments.add(0, &[travel - 1.0]);
            moments.finish();
        }
        assert!((moments.missing_information()[(0, 0)] - 2.0).abs() < 1e-9);
    }
}
