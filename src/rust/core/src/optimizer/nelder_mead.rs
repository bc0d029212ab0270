//! Maximize without derivatives by the simplex of Nelder & Mead (1965); the implementation is argmin's.
//!
//! It starts again from its best point until that gains nothing more: a simplex may have collapsed on the way.

use argmin::core::{CostFunction, Error, Executor, State};
use argmin::solver::neldermead::NelderMead;

use super::scaled::ScaledCost;

/// Edge of the first simplex, in sizes of the coordinates.
const EDGE: f64 = 0.1;

struct SimplexCost<'s, 'o>(&'s ScaledCost<'o>);

impl CostFunction for SimplexCost<'_, '_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, z: &Vec<f64>) -> Result<f64, Error> {
        Ok(self.0.cost(z))
    }
}

/// `f_tol`: standard deviation of the objective over the simplex at which it stops.
pub fn run(scaled: &mut ScaledCost, maxiters: usize, f_tol: f64) {
    let tolerance = scaled.tolerance(f_tol);
    let mut left = maxiters;
    while left > 0 {
        let before = scaled.best().value;
        let used = search(scaled, left, tolerance).unwrap_or(left);
        left = left.saturating_sub(used.max(1));
        if scaled.best().value <= before + f_tol {
            return;
        }
    }
}

fn search(scaled: &ScaledCost, maxiters: usize, tolerance: f64) -> Result<usize, Error> {
    let solver = NelderMead::new(simplex(scaled)).with_sd_tolerance(tolerance)?;
    let maxiters = u64::try_from(maxiters)?;
    let result = Executor::new(SimplexCost(scaled), solver)
        .configure(|state| state.max_iters(maxiters))
        .run()?;
    Ok(usize::try_from(result.state().get_iter())?)
}

/// The best point, and one step from it along each coordinate, away from a bound that is near.
fn simplex(scaled: &ScaledCost) -> Vec<Vec<f64>> {
    let center = scaled.best_z();
    let mut points = vec![center.clone()];
    for k in 0..scaled.len() {
        let moved = |step: f64| {
            let mut point = center.clone();
            point[k] += step;
            point
        };
        let reach = |point: &[f64]| (scaled.x(point)[k] - scaled.x(&center)[k]).abs();
        let (up, down) = (moved(EDGE), moved(-EDGE));
        points.push(if reach(&up) >= reach(&down) { up } else { down });
    }
    points
}
