//! The population of one grouping: its distribution at a `theta`, what is known of its effects, and its M-step.
//!
//! Estimators differ in where the moments of the effects come from: chains, variational distributions, weighted draws.
//! What moves `theta` by them, and the scores and the information of the complete data, are these.

use nalgebra::DMatrix;

use super::complete::add_complete;
use super::score::Scores;
use super::statistics::Statistics;
use super::step::MStep;
use crate::data::Layout;
use crate::error::Result;
use crate::keep::keeps;
use crate::problem::{Evaluator, Means, Problem, Theta};

/// Step of the differences of scores, in changes that move the log density of a level or of a batch by one.
const DIFFERENCE: f64 = 1e-4;

/// A grouping, its M-step and the moments that the M-step reads.
pub struct Population<'a> {
    pub at: Evaluator<'a>,
    pub mstep: MStep<'a>,
    pub statistics: Statistics,
}

keeps!(Population<'_>:
    values { statistics }
    parts { mstep }
    rebuilt { at });

/// Moments of the effects of a grouping at the `theta` of its population.
#[derive(Clone, Copy)]
pub struct SeenMoments<'p, 'a> {
    pub at: &'p Evaluator<'a>,
    pub mstep: &'p MStep<'a>,
    pub statistics: &'p Statistics,
}

impl<'a> Population<'a> {
    /// # Errors
    /// A population distribution that does not exist.
    pub fn new(problem: &'a Problem, layout: &'a Layout, theta: &[f64]) -> Result<Self> {
        let at = Evaluator::new(problem, layout, theta)?;
        Ok(Self {
            statistics: Statistics::new(at.means()),
            mstep: MStep::new(problem),
            at,
        })
    }

    pub fn means(&self) -> &Means {
        self.at.means()
    }

    /// With its own statistics.
    pub fn seen(&self) -> SeenMoments<'_, 'a> {
        self.by(&self.statistics)
    }

    /// With other statistics.
    pub fn by<'p>(&'p self, statistics: &'p Statistics) -> SeenMoments<'p, 'a> {
        SeenMoments {
            at: &self.at,
            mstep: &self.mstep,
            statistics,
        }
    }
}

impl SeenMoments<'_, '_> {
    /// Score of all levels; `gradient`: that of the programs, one entry a coordinate, empty where they say nothing.
    pub fn score(&self, free: &[usize], gradient: &[f64]) -> Vec<f64> {
        let (linear, means) = (&self.mstep.linear, self.at.means());
        Scores::new(self.at, free, None).total(linear, self.statistics, means, gradient)
    }

    /// `sum_i E log N(phi_i; m_i, Omega)`.
    pub fn log_density(&self) -> f64 {
        let (prior, means) = (self.at.prior(), self.at.means());
        let d = means.dim;
        if d == 0 {
            return 0.0;
        }
        let n = (means.values.len() / d) as f64;
        let spread = DMatrix::from_fn(d, d, |a, b| self.statistics.covariance(means, a, b));
        n * (prior.log_norm - 0.5 * (&prior.precision * spread).trace())
    }
}

/// Score of all groupings; `gradient`: that of all their programs.
pub fn total_score<'p, 'a: 'p>(
    groups: impl IntoIterator<Item = SeenMoments<'p, 'a>>,
    free: &[usize],
    gradient: &[f64],
) -> Vec<f64> {
    let mut total = vec![0.0; free.len()];
    for (g, seen) in groups.into_iter().enumerate() {
        let own = seen.score(free, if g == 0 { gradient } else { &[] });
        add(&mut total, &own);
    }
    total
}

/// Information of the complete data about all free coordinates.
pub fn complete_information<'p, 'a: 'p>(
    groups: impl IntoIterator<Item = &'p Population<'a>>,
    free: &[usize],
) -> DMatrix<f64> {
    let mut complete = DMatrix::zeros(free.len(), free.len());
    for group in groups {
        add_complete(group, free, &mut complete);
    }
    complete
}

/// Minus the derivatives of the score of every free coordinate in each of some, `free x some`, by central differences at
/// draws that stay; `None` where a score does not exist. `square`: mean square of the score of each of these.
pub fn curvature(
    bounds: &Theta,
    (theta, some): (&[f64], &[usize]),
    square: impl Fn(usize) -> f64,
    mut score: impl FnMut(&[f64]) -> Option<Vec<f64>>,
) -> Option<DMatrix<f64>> {
    let mut columns = Vec::new();
    for (b, k) in some.iter().enumerate() {
        let h = bounds.step(*k, theta[*k], square(b), DIFFERENCE);
        let mut side = |sign: f64| {
            let mut moved = theta.to_vec();
            moved[*k] += sign * h;
            score(&moved)
        };
        let (up, down) = (side(1.0)?, side(-1.0)?);
        let each = up.iter().zip(down);
        columns.push(each.map(|(up, down)| (down - up) / (2.0 * h)).collect());
    }
    let columns: Vec<nalgebra::DVector<f64>> = columns.into_iter().map(Vec::into).collect();
    let found = (!columns.is_empty()).then(|| DMatrix::from_columns(&columns));
    found.filter(|found| found.iter().all(|x| x.is_finite()))
}

/// Halve the step from `old` to `theta` until it is sound; back to `old`, and false, where it never is.
pub fn shorten(old: &[f64], theta: &mut Vec<f64>, mut sound: impl FnMut(&[f64]) -> bool) -> bool {
    for _ in 0..HALVINGS {
        if sound(theta) {
            return true;
        }
        for (new, old) in theta.iter_mut().zip(old) {
            *new = if new.is_finite() {
                0.5 * (*new + old)
            } else {
                *old
            };
        }
    }
    *theta = old.to_vec();
    false
}

/// How often a step is halved.
const HALVINGS: usize = 30;

/// Add a vector to another.
pub fn add(total: &mut [f64], own: &[f64]) {
    for (total, own) in total.iter_mut().zip(own) {
        *total += own;
    }
}
