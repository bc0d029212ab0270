//! The closed part of the information of the complete data: minus the second derivatives of the Gaussian distribution of
//! the effects and of residual errors `exp(theta)`, their expectations over weighted draws being known by moments alone.

use nalgebra::DMatrix;

use super::cloud::{Levels, Weighted};
use super::posterior::Batches;
use crate::data::Layout;
use crate::error::Result;
use crate::mstep::{MStep, Scores, Statistics};
use crate::problem::{Joint, MeanProgram, Prior, Problem, Route};

/// Step of the central differences, in changes that move the log density of a batch by about one.
const STEP: f64 = 1e-4;

/// Coordinates that the programs read, but for residual errors with a closed form.
pub fn open_coordinates(joint: &Joint) -> Vec<usize> {
    let routes = joint.theta.routes.iter();
    let mut open: Vec<bool> = routes.map(|route| route.is_read()).collect();
    for part in &joint.parts {
        let numeric = &part.programs.numeric;
        for term in part.terms.iter().filter(|t| numeric.contains(&t.effect)) {
            open[term.theta] = true;
        }
        for (effect, _, gradient) in part.omega_gradients(&part.theta.start) {
            for (k, slope) in gradient.iter().enumerate() {
                open[k] |= numeric.contains(&effect) && *slope != 0.0;
            }
        }
    }
    let free = |k: &usize| joint.theta.routes[*k] != Route::Fixed;
    (0..open.len()).filter(|k| open[*k]).filter(free).collect()
}

/// Minus the derivatives of the score of the complete data in the coordinates that are not open, by rows of them.
///
/// `squares`: mean square of the score of a batch; `gradient`: that of the programs, one entry a coordinate.
///
/// # Errors
/// A population distribution that does not exist.
pub fn complete(
    joint: &Joint,
    (free, theta): (&[usize], &[f64]),
    (moments, squares): (&[Weighted], &[f64]),
    gradient: &[f64],
) -> Result<DMatrix<f64>> {
    let p = free.len();
    let mut columns = DMatrix::zeros(p, p);
    let mut population = Population::new(joint, free, moments);
    for (b, k) in free.iter().enumerate() {
        let step = joint.theta.step(*k, theta[*k], squares[b], STEP);
        let mut moved = theta.to_vec();
        moved[*k] += step;
        let mut difference = population.score(&moved)?;
        moved[*k] -= 2.0 * step;
        add(&mut difference, population.score(&moved)?, -1.0);
        for (a, entry) in difference.into_iter().enumerate() {
            columns[(a, b)] = -entry / (2.0 * step);
        }
    }
    for residual in &joint.main().form.residuals {
        let at = free.iter().position(|k| *k == residual.theta);
        let closed = joint.theta.routes[residual.theta] == Route::Residual;
        if let Some(at) = at.filter(|_| closed) {
            let n_obs = |o: &usize| joint.main().n_obs_of(*o) as f64;
            let n: f64 = residual.outcomes.iter().map(n_obs).sum();
            columns[(at, at)] += 2.0 * (gradient[residual.theta] + n);
        }
    }
    Ok((&columns + columns.transpose()) * 0.5)
}

/// The score of the Gaussian distribution of the effects, as far as it is in no program, at given moments.
struct Population<'a> {
    free: &'a [usize],
    parts: Vec<(&'a Problem, MStep<'a>, Statistics)>,
    layouts: Vec<Layout>,
}

impl<'a> Population<'a> {
    fn new(joint: &'a Joint, free: &'a [usize], moments: &[Weighted]) -> Self {
        let batches = Batches::new(joint);
        let levels = Levels {
            joint,
            batches: &batches,
            moments,
        };
        let layouts: Vec<Layout> = joint.parts.iter().map(|part| part.layout(1)).collect();
        let each = joint.parts.iter().zip(&layouts);
        let parts = each.map(|(part, layout)| {
            let means = MeanProgram::new(part, layout).at(&part.theta.start);
            let mut statistics = Statistics::new(&means);
            levels.fill(part.group, &mut statistics);
            (part, MStep::new(part), statistics)
        });
        Self {
            free,
            parts: parts.collect(),
            layouts,
        }
    }

    fn score(&mut self, theta: &[f64]) -> Result<Vec<f64>> {
        let mut total = vec![0.0; self.free.len()];
        for ((part, mstep, statistics), layout) in self.parts.iter().zip(&self.layouts) {
            let prior = Prior::new(part, theta)?;
            let means = MeanProgram::new(part, layout).at(theta);
            let scores = Scores::new(part, self.free, &prior, None, theta);
            let own = scores.total(&mstep.linear, statistics, &means, &[]);
            add(&mut total, own, 1.0);
        }
        Ok(total)
    }
}

fn add(total: &mut [f64], own: Vec<f64>, factor: f64) {
    for (total, own) in total.iter_mut().zip(own) {
        *total += factor * own;
    }
}
