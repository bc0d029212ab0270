//! The closed part of the information of the complete data: minus the second derivatives of the Gaussian distribution of
//! the effects and of residual errors `exp(theta)`, their expectations over weighted draws being known by moments alone.

use nalgebra::DMatrix;

use super::cloud::{BatchMoments, LevelMoments};
use super::posterior::Batches;
use crate::data::Layout;
use crate::error::Result;
use crate::mstep::{total_score, Population};
use crate::problem::{Joint, Route};

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
    let free = |k: &usize| joint.theta.routes[*k].is_informed();
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
    (moments, squares): (&[BatchMoments], &[f64]),
    gradient: &[f64],
) -> Result<DMatrix<f64>> {
    let p = free.len();
    let mut columns = DMatrix::zeros(p, p);
    let batches = Batches::new(joint);
    let levels = LevelMoments {
        joint,
        batches: &batches,
        moments,
    };
    let layouts: Vec<Layout> = joint.parts.iter().map(|part| part.layout(1)).collect();
    let mut groups = Vec::new();
    for (part, layout) in joint.parts.iter().zip(&layouts) {
        let mut group = Population::new(part, layout, theta)?;
        levels.fill(part.group, &mut group.statistics);
        groups.push(group);
    }
    // The score of the Gaussian distribution of the effects, as far as it is in no program.
    let mut score = |theta: &[f64]| -> Result<Vec<f64>> {
        for group in &mut groups {
            group.at.set_theta(theta)?;
        }
        Ok(total_score(groups.iter().map(Population::seen), free, &[]))
    };
    for (b, k) in free.iter().enumerate() {
        let step = joint.theta.step(*k, theta[*k], squares[b], STEP);
        let mut moved = theta.to_vec();
        moved[*k] += step;
        let up = score(&moved)?;
        moved[*k] -= 2.0 * step;
        let down = score(&moved)?;
        for (a, (up, down)) in up.iter().zip(down).enumerate() {
            columns[(a, b)] = (down - up) / (2.0 * step);
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
