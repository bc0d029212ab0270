//! Map `phi` to the random effects as the user wrote them, and back: `effect = g(phi - shift)`.
//!
//! Where a change of variable made `phi = mean + effect`, the shift is that mean; `g` is the identity, the exponential
//! or the logistic function.

use super::prior::subject_values;
use super::Problem;
use crate::data::Layout;

impl Problem {
    /// The shifts of all effects at `theta`: `n_subjects x d`, row-major.
    pub fn shifts(&self, layout: &Layout, theta: &[f64]) -> Vec<f64> {
        subject_values(self, layout, &self.programs.shifts, theta)
    }
}

/// Random effects as the user wrote them, from `phi` (both `n_subjects x d`, row-major).
pub fn effects_of(problem: &Problem, theta: &[f64], phi: &[f64]) -> Vec<f64> {
    let shifts = problem.shifts(&problem.full_layout(), theta);
    let d = problem.n_phi();
    let entries = phi.iter().zip(shifts).enumerate();
    entries
        .map(|(k, (phi, shift))| problem.effects()[k % d].transform.forward(phi - shift))
        .collect()
}

/// The inverse of [`effects_of`].
pub fn phi_of(problem: &Problem, theta: &[f64], effects: &[f64]) -> Vec<f64> {
    let shifts = problem.shifts(&problem.full_layout(), theta);
    let d = problem.n_phi();
    let entries = effects.iter().zip(shifts).enumerate();
    entries
        .map(|(k, (effect, shift))| shift + problem.effects()[k % d].transform.backward(*effect))
        .collect()
}
