//! Maximize a function of a few coordinates: the numerical part of the M-step, log densities of random effects.
//!
//! All optimizers work on `z = (x - start) / size` and see `(f(start) - f(x)) / weight`, so that neither the units of
//! the coordinates nor the number of observations matter to them. Outside the bounds they see the nearest point inside:
//! the maximum may lie on a bound.

mod adam;
mod lbfgs;
mod nelder_mead;
mod options;
mod scaled;
#[cfg(test)]
mod tests;

pub use adam::Steps;
pub use options::{Derivative, OptimizerOptions};
pub use scaled::Space;

use scaled::ScaledCost;

/// What is maximized.
pub trait Objective {
    /// Its value; anything not finite stands for a point that must not be taken.
    fn value(&mut self, x: &[f64]) -> f64;

    /// Its gradient; `None` where only the value is known.
    fn gradient(&mut self, x: &[f64]) -> Option<Vec<f64>>;
}

/// The best point that was found.
#[derive(Debug, Clone)]
pub struct BestPoint {
    pub x: Vec<f64>,
    pub value: f64,
    /// Values that were computed, and how many of them were not finite.
    pub evaluations: usize,
    pub not_finite: usize,
}

/// Maximize from the start of `space`; with [`OptimizerOptions::Score`] nothing moves.
pub fn maximize(
    objective: &mut dyn Objective,
    space: Space,
    options: OptimizerOptions,
) -> BestPoint {
    let finite = match options {
        OptimizerOptions::Lbfgs { adtype, .. } | OptimizerOptions::Adam { adtype, .. } => {
            adtype == Derivative::Finite
        }
        _ => true,
    };
    let mut scaled = ScaledCost::new(objective, space, finite);
    if scaled.is_defined() {
        match options {
            OptimizerOptions::Score => {}
            OptimizerOptions::Lbfgs {
                maxiters,
                g_tol,
                memory,
                ..
            } => lbfgs::run(&mut scaled, maxiters, g_tol, memory),
            OptimizerOptions::NelderMead { maxiters, f_tol } => {
                nelder_mead::run(&mut scaled, maxiters, f_tol);
            }
            OptimizerOptions::Adam { rate, maxiters, .. } => adam::run(&mut scaled, rate, maxiters),
        }
    }
    scaled.best()
}
