//! Add up the expected information of the complete data about all free coordinates.

use nalgebra::DMatrix;

use super::population::Population;
use super::score::Scores;
use crate::problem::Route;

/// Information of the complete data that one grouping contributes, added to `complete`.
pub fn add_complete(group: &Population, free: &[usize], complete: &mut DMatrix<f64>) {
    let Population { at, mstep, .. } = group;
    let (scores, problem) = (Scores::new(at, free, None), at.problem);
    let position = |k: usize| free.iter().position(|free| *free == k);
    let mut place = |coordinates: &[usize], block: &DMatrix<f64>| {
        for (a, j) in coordinates.iter().enumerate() {
            for (b, k) in coordinates.iter().enumerate() {
                if let (Some(j), Some(k)) = (position(*j), position(*k)) {
                    complete[(j, k)] += block[(a, b)];
                }
            }
        }
    };
    let linear = &mstep.linear;
    place(
        &linear.coordinates,
        &linear.information(problem, at.prior()),
    );
    for residual in &problem.form.residuals {
        if problem.theta.routes[residual.theta] == Route::Residual {
            let n: usize = residual.outcomes.iter().map(|o| problem.n_obs_of(*o)).sum();
            let information = DMatrix::from_element(1, 1, 2.0 * n as f64);
            place(&[residual.theta], &information);
        }
    }
    for (k, information) in mstep.bare.information(problem, at.theta()) {
        place(&[k], &DMatrix::from_element(1, 1, information));
    }
    scores.add_omega_information(complete);
    if let Some(information) = &mstep.information {
        place_scored(information, &mstep.scored, free, complete);
    }
}

/// Rows and columns of the scored coordinates in the information of the complete data.
fn place_scored(
    information: &DMatrix<f64>,
    scored: &[usize],
    free: &[usize],
    complete: &mut DMatrix<f64>,
) {
    for (b, k) in scored.iter().enumerate() {
        let Some(column) = free.iter().position(|f| f == k) else {
            continue;
        };
        for row in 0..free.len() {
            complete[(row, column)] = information[(row, b)];
            complete[(column, row)] = information[(row, b)];
        }
    }
    for (a, j) in scored.iter().enumerate() {
        for (b, k) in scored.iter().enumerate() {
            let place = (
                free.iter().position(|f| f == j),
                free.iter().position(|f| f == k),
            );
            if let (Some(row), Some(column)) = place {
                complete[(row, column)] = 0.5 * (information[(row, b)] + information[(column, a)]);
            }
        }
    }
}
