//! Maximize by limited-memory BFGS with backtracking.
//!
//! Source: Nocedal & Wright (2006), algorithm 7.5; the implementation is argmin's. It knows no bounds: outside of them
//! the cost is flat. So it starts again from the point inside until that gains nothing more.

use argmin::core::{CostFunction, Error, Executor, Gradient, State};
use argmin::solver::linesearch::condition::ArmijoCondition;
use argmin::solver::linesearch::BacktrackingLineSearch;
use argmin::solver::quasinewton::LBFGS;

use super::scaled::ScaledCost;

/// Values after which a line search has failed: shorter steps change nothing any more.
const LONGEST_SEARCH: usize = 40;

/// The cost around `origin`, divided by `weight`.
struct WeightedCost<'s, 'o> {
    scaled: &'s ScaledCost<'o>,
    weight: f64,
}

impl CostFunction for WeightedCost<'_, '_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, z: &Vec<f64>) -> Result<f64, Error> {
        if self.scaled.run() > LONGEST_SEARCH {
            return Err(Error::msg("the line search found no better point"));
        }
        Ok(self.scaled.cost(z) / self.weight)
    }
}

impl Gradient for WeightedCost<'_, '_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, z: &Vec<f64>) -> Result<Vec<f64>, Error> {
        let gradient = self.scaled.gradient(z);
        Ok(gradient.iter().map(|g| g / self.weight).collect())
    }
}

/// `g_tol`: largest element of the gradient of the objective, each in units of its coordinate's size, at which it stops.
pub fn run(scaled: &mut ScaledCost, maxiters: usize, g_tol: f64, memory: usize) {
    let tolerance = scaled.tolerance(g_tol);
    let mut left = maxiters;
    while left > 0 {
        let z = scaled.best_z();
        let before = scaled.best().value;
        let gradient = scaled.gradient(&z);
        let largest = gradient.iter().fold(0.0f64, |m, g| m.max(g.abs()));
        if largest <= tolerance {
            return;
        }
        // The first step is the gradient itself: no longer than one size in any direction.
        let problem = WeightedCost {
            scaled,
            weight: largest.max(1.0),
        };
        let used = search(problem, &z, gradient, left, (tolerance, memory)).unwrap_or(left);
        left = left.saturating_sub(used.max(1));
        if scaled.best().value <= before {
            return;
        }
    }
}

/// One run of argmin; the number of its iterations.
fn search(
    problem: WeightedCost,
    z: &[f64],
    gradient: Vec<f64>,
    maxiters: usize,
    (tolerance, memory): (f64, usize),
) -> Result<usize, Error> {
    let weight = problem.weight;
    let line = BacktrackingLineSearch::new(ArmijoCondition::new(1e-4)?).rho(0.5)?;
    let solver = LBFGS::new(line, memory.max(1))
        .with_tolerance_grad(tolerance / weight)?
        .with_tolerance_cost(0.0)?;
    let maxiters = u64::try_from(maxiters)?;
    let start = gradient.iter().map(|g| g / weight).collect();
    let result = Executor::new(problem, solver)
        .configure(|state| state.param(z.to_vec()).gradient(start).max_iters(maxiters))
        .run()?;
    Ok(usize::try_from(result.state().get_iter())?)
}
