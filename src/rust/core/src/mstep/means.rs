//! Update the linear means of `phi` by generalised least squares.
//!
//! Maximise `-sum_i (E phi_i - o_i - X_i beta)' P (E phi_i - o_i - X_i beta) / 2`, `P = Omega^-1`, `o_i` the part of
//! the mean that is not linear: the normal equations are those of generalised least squares. Coefficients shared by
//! several individual parameters are ordinary columns of `X_i`.

use nalgebra::{DMatrix, DVector};

use super::statistics::Statistics;
use crate::problem::{Evaluator, Means, Prior, Problem, Route};

/// The normal equations' constant part.
#[derive(Debug, Clone)]
pub struct LinearMeans {
    /// Coordinates of `theta` that are updated here.
    pub coordinates: Vec<usize>,
    /// For each term of the problem its position in `coordinates`, if it is free.
    position: Vec<Option<usize>>,
    /// `sum_i x_t x_u` for all pairs of terms.
    cross: Vec<f64>,
}

impl LinearMeans {
    pub fn new(problem: &Problem) -> Self {
        let coordinates = problem.theta.on_route(Route::Mean);
        let position = problem
            .terms
            .iter()
            .map(|term| coordinates.iter().position(|k| *k == term.theta))
            .collect();
        let cross = problem
            .terms
            .iter()
            .flat_map(|t| problem.terms.iter().map(move |u| dot(&t.values, &u.values)))
            .collect();
        Self {
            coordinates,
            position,
            cross,
        }
    }

    /// `sum_i X_i' P X_i`: the information of the complete data about the coefficients.
    pub fn information(&self, problem: &Problem, prior: &Prior) -> DMatrix<f64> {
        let q = self.coordinates.len();
        let n_terms = problem.terms.len();
        let mut information = DMatrix::zeros(q, q);
        for (t, term) in problem.terms.iter().enumerate() {
            for (u, other) in problem.terms.iter().enumerate() {
                if let (Some(a), Some(b)) = (self.position[t], self.position[u]) {
                    let precision = prior.precision[(term.effect, other.effect)];
                    information[(a, b)] += precision * self.cross[t * n_terms + u];
                }
            }
        }
        information
    }

    /// New values of the coordinates; `None` when the equations are singular.
    pub fn solve(&self, at: &Evaluator, statistics: &Statistics) -> Option<Vec<f64>> {
        let (problem, prior) = (at.problem, at.prior());
        let residual = self.score(problem, prior, statistics, at.means());
        let step = self
            .information(problem, prior)
            .cholesky()?
            .solve(&residual);
        let entries = self.coordinates.iter().zip(step.iter());
        Some(entries.map(|(k, change)| at.theta()[*k] + change).collect())
    }

    /// `sum_i X_i' P (E phi_i - m_i)` at the current means.
    pub fn score(
        &self,
        problem: &Problem,
        prior: &Prior,
        statistics: &Statistics,
        means: &Means,
    ) -> DVector<f64> {
        let d = means.dim;
        let mut score = DVector::zeros(self.coordinates.len());
        for (t, term) in problem.terms.iter().enumerate() {
            let Some(a) = self.position[t] else { continue };
            for k in 0..d {
                let precision = prior.precision[(term.effect, k)];
                if precision == 0.0 {
                    continue;
                }
                let sum: f64 = (0..problem.n_subjects())
                    .map(|i| term.values[i] * (statistics.mean(i, k) - means.of(i)[k]))
                    .sum();
                score[a] += precision * sum;
            }
        }
        score
    }
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}
