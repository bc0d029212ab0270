//! Complete-data score of every free parameter, lane by lane and in total.
//!
//! With `r = phi - m_i`, `w = Omega^-1 r`: a coefficient of a linear mean has score `x w`, an element of `Omega`
//! `(w w' - Omega^-1) / 2`; everything else comes from the adjoints of the program.

use nalgebra::DMatrix;

use super::means::LinearMeans;
use super::statistics::Statistics;
use crate::data::Block;
use crate::ir::column::{Column, LANES};
use crate::problem::{Derivatives, Evaluator, Means, Prior, Problem};

/// Draws in the lanes of a block.
#[derive(Clone, Copy)]
pub struct LanePoint<'a> {
    pub phi: &'a [Column],
    /// Means of `phi`.
    pub mean: &'a [Column],
    pub log_lik: &'a Column,
}

/// Maps from adjoints and residuals to scores, at one `theta`.
pub struct Scores<'a> {
    pub problem: &'a Problem,
    /// The free coordinates, in the order of the scores.
    pub free: &'a [usize],
    prior: &'a Prior,
    /// Adjoint of a population value to scores: `[population][free]`.
    population: Vec<Vec<f64>>,
    /// Element `(a, b)` of `Omega`, `b <= a`, to scores.
    elements: Vec<(usize, usize, Vec<f64>)>,
    /// The same for the elements whose density is in the program.
    programmed: Vec<(usize, usize, Vec<f64>)>,
    /// Terms of the linear means: effect, position among the free, index of the term.
    terms: Vec<(usize, usize, usize)>,
    pub theta: &'a [f64],
}

impl<'a> Scores<'a> {
    /// `derivatives`: those whose adjoints lanes bring.
    pub fn new(
        at: &'a Evaluator<'_>,
        free: &'a [usize],
        derivatives: Option<&Derivatives>,
    ) -> Self {
        let (problem, theta) = (at.problem, at.theta());
        let select = |gradient: Vec<f64>| free.iter().map(|k| gradient[*k]).collect::<Vec<f64>>();
        let population = derivatives.map_or_else(Vec::new, |derivatives| {
            let n = derivatives.n_population();
            (0..n)
                .map(|j| select(derivatives.to_theta(theta, &unit(n, j))))
                .collect()
        });
        let analytic = |k: usize| !problem.programs.numeric.contains(&k);
        let (elements, programmed) = problem
            .omega_gradients(theta)
            .into_iter()
            .map(|(a, b, gradient)| (a, b, select(gradient)))
            .partition(|(a, _, _)| analytic(*a));
        let terms = problem
            .terms
            .iter()
            .enumerate()
            .filter(|(_, term)| analytic(term.effect))
            .filter_map(|(t, term)| {
                Some((term.effect, free.iter().position(|k| *k == term.theta)?, t))
            })
            .collect();
        Self {
            problem,
            free,
            prior: at.prior(),
            population,
            elements,
            programmed,
            terms,
            theta,
        }
    }

    /// Scores of the lanes of a block at their current draws, one column a free coordinate.
    pub fn lanes(&self, at: &LanePoint, block: &Block, adjoints: &[Column]) -> Vec<Column> {
        let d = at.phi.len();
        let mut scores = vec![Column::ZERO; self.free.len()];
        for (adjoint, weights) in adjoints.iter().zip(&self.population) {
            for (score, weight) in scores.iter_mut().zip(weights).filter(|(_, w)| **w != 0.0) {
                add_scaled(score, *weight, adjoint);
            }
        }
        let mut w = vec![Column::ZERO; d];
        for (i, column) in w.iter_mut().enumerate() {
            for j in 0..d {
                let p = self.prior.precision[(i, j)];
                for l in 0..LANES {
                    column.0[l] += p * (at.phi[j].0[l] - at.mean[j].0[l]);
                }
            }
        }
        for (effect, position, t) in &self.terms {
            let values = &self.problem.terms[*t].values;
            for (l, lane) in block.lanes.iter().enumerate() {
                scores[*position].0[l] += values[lane.subject as usize] * w[*effect].0[l];
            }
        }
        for (a, b, weights) in &self.elements {
            let p = self.prior.precision[(*a, *b)];
            let factor = if a == b { 0.5 } else { 1.0 };
            let column = Column(std::array::from_fn(|l| {
                factor * (w[*a].0[l] * w[*b].0[l] - p)
            }));
            for (score, weight) in scores.iter_mut().zip(weights).filter(|(_, w)| **w != 0.0) {
                add_scaled(score, *weight, &column);
            }
        }
        if let Some(error) = &self.problem.constant_error {
            if let Some(position) = self.free.iter().position(|k| *k == error.theta) {
                for (l, lane) in block.lanes.iter().enumerate() {
                    let log_lik = at.log_lik.0[l];
                    scores[position].0[l] +=
                        error.score(lane.subject as usize, self.theta, log_lik);
                }
            }
        }
        scores
    }

    /// Score of all subjects, mean over the draws of `now`; `gradient` is that of the program at the last draws.
    pub fn total(
        &self,
        linear: &LinearMeans,
        now: &Statistics,
        means: &Means,
        gradient: &[f64],
    ) -> Vec<f64> {
        let d = means.dim;
        let n = self.problem.n_subjects() as f64;
        let mut scores: Vec<f64> = self
            .free
            .iter()
            .map(|k| gradient.get(*k).copied().unwrap_or(0.0))
            .collect();
        let beta = linear.score(self.problem, self.prior, now, means);
        for (position, k) in self.free.iter().enumerate() {
            let at = linear.coordinates.iter().position(|c| c == k);
            let analytic = self.terms.iter().any(|(_, p, _)| *p == position);
            if let (Some(at), true) = (at, analytic) {
                scores[position] = beta[at];
            }
        }
        let c = DMatrix::from_fn(d, d, |a, b| n * now.covariance(means, a, b));
        let precision = &self.prior.precision;
        let g = precision * c * precision - precision * n;
        for (a, b, weights) in &self.elements {
            let factor = if a == b { 0.5 } else { 1.0 };
            for (score, weight) in scores.iter_mut().zip(weights) {
                *score += factor * g[(*a, *b)] * weight;
            }
        }
        scores
    }

    /// Expected information of the complete data about the elements of `Omega`, `n/2 tr(P dO P dO)`, added to
    /// `information` (in the order of the free coordinates); coordinates without a closed form are left out.
    pub fn add_omega_information(&self, information: &mut DMatrix<f64>) {
        let n = self.problem.n_subjects() as f64;
        let precision = &self.prior.precision;
        let d = precision.nrows();
        let derivative = |position: usize| {
            let mut matrix = DMatrix::zeros(d, d);
            let scored = self.problem.theta.routes[self.free[position]].is_open();
            let elements = self.elements.iter().chain(&self.programmed);
            for (a, b, weights) in elements.filter(|_| !scored) {
                matrix[(*a, *b)] = weights[position];
                matrix[(*b, *a)] = weights[position];
            }
            precision * matrix
        };
        let derivatives: Vec<DMatrix<f64>> = (0..self.free.len()).map(derivative).collect();
        for (a, first) in derivatives.iter().enumerate() {
            for (b, second) in derivatives.iter().enumerate() {
                information[(a, b)] += 0.5 * n * (first * second).trace();
            }
        }
    }
}

fn unit(n: usize, j: usize) -> Vec<f64> {
    let mut seeds = vec![0.0; n];
    seeds[j] = 1.0;
    seeds
}

fn add_scaled(to: &mut Column, factor: f64, from: &Column) {
    for l in 0..LANES {
        to.0[l] += factor * from.0[l];
    }
}
