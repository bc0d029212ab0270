//! Move the parameters without a closed form by steps that are checked before they are taken.
//!
//! A generalized EM step: at draws that stay `Q(theta + d) - Q(theta)` is compared with what score and information
//! promise, `g' d - d' I d / 2`. A step that gains too little is shortened, one that loses is refused, and the longest
//! step, in standard errors of the complete data, follows from how well promises are kept. Source: Conn, Gould & Toint
//! (2000), Trust-region methods.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use crate::problem::Theta;

/// The first longest step in standard errors, and the least and the most.
const FIRST: f64 = 10.0;
const SHORTEST: f64 = 1e-3;
const LONGEST: f64 = 1e4;

/// Parts of the promise that let a step pass, and that let the next be longer.
const PASSES: f64 = 0.1;
const KEPT: f64 = 0.7;

/// Trials of a step.
const TRIALS: usize = 4;

/// Share of the largest eigenvalue below which a direction is not believed.
const FLAT: f64 = 1e-10;

/// Relative rounding error of an objective.
const ROUNDING: f64 = 1e-10;

/// The longest step that is trusted.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Trust {
    radius: f64,
}

impl Default for Trust {
    fn default() -> Self {
        Self { radius: FIRST }
    }
}

/// A step and the information it is made of.
pub struct TrustedStep {
    score: DVector<f64>,
    information: DMatrix<f64>,
    step: DVector<f64>,
}

impl TrustedStep {
    /// Newton's step, every curvature taken for downward; `None` where numbers are not finite.
    pub fn new(information: &DMatrix<f64>, score: DVector<f64>) -> Option<Self> {
        let n = score.len();
        let unit = DVector::from_fn(n, |k, _| {
            let own = information[(k, k)].abs().sqrt();
            if own > 0.0 {
                own.recip()
            } else {
                1.0
            }
        });
        let scaled = DMatrix::from_fn(n, n, |a, b| unit[a] * information[(a, b)] * unit[b]);
        if !scaled.iter().chain(score.iter()).all(|x| x.is_finite()) {
            return None;
        }
        let eigen = scaled.symmetric_eigen();
        let largest = eigen.eigenvalues.amax().max(f64::MIN_POSITIVE);
        let sizes = eigen.eigenvalues.map(|x| x.abs().max(FLAT * largest));
        let along = eigen.eigenvectors.tr_mul(&score.component_mul(&unit));
        let back = &eigen.eigenvectors * along.component_div(&sizes);
        let size =
            &eigen.eigenvectors * DMatrix::from_diagonal(&sizes) * eigen.eigenvectors.transpose();
        let positive = DMatrix::from_fn(n, n, |a, b| size[(a, b)] / unit[a] / unit[b]);
        Some(Self {
            score,
            step: back.component_mul(&unit),
            information: positive,
        })
    }

    fn length(&self, step: &DVector<f64>) -> f64 {
        step.dot(&(&self.information * step)).max(0.0).sqrt()
    }

    fn gain(&self, step: &DVector<f64>) -> f64 {
        self.score.dot(step) - 0.5 * step.dot(&(&self.information * step))
    }
}

impl Trust {
    /// The values of some `coordinates` after a step of length `gain` from `theta`, and the distance covered in standard
    /// errors; `None` where none was found that keeps a part of its promise. `value`: the objective.
    pub fn step(
        &mut self,
        promise: &TrustedStep,
        (bounds, coordinates, theta): (&Theta, &[usize], &[f64]),
        gain: f64,
        value: &mut dyn FnMut(&[f64]) -> f64,
    ) -> Option<(Vec<f64>, f64)> {
        let before = value(theta);
        let mut step = promise.step.clone() * gain;
        for _ in 0..TRIALS {
            let length = promise.length(&step);
            if length > self.radius {
                step *= self.radius / length;
            }
            let mut moved = theta.to_vec();
            for (k, change) in coordinates.iter().zip(step.iter()) {
                moved[*k] = bounds.clamp(*k, theta[*k] + change);
            }
            let each = coordinates.iter().map(|k| moved[*k] - theta[*k]);
            let taken = DVector::from_iterator(coordinates.len(), each);
            let length = promise.length(&taken);
            let (promised, gained) = (promise.gain(&taken), value(&moved) - before);
            if gained >= PASSES * promised - ROUNDING * (1.0 + before.abs()) {
                if gained >= KEPT * promised && length > 0.5 * self.radius {
                    self.radius = (3.0 * self.radius).min(LONGEST);
                }
                return Some((moved, length));
            }
            self.radius = (0.25 * length.min(self.radius)).max(SHORTEST);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_overshoots_is_shortened_until_it_rises() {
        // log(1 + x^2) has its minimum where Newton's method runs away from.
        let f = |x: f64| -(1.0 + x * x).ln();
        let slope = |x: f64| -2.0 * x / (1.0 + x * x);
        let curvature = |x: f64| 2.0 * (1.0 - x * x) / (1.0 + x * x).powi(2);
        let bounds = Theta::unbounded(1);
        let (mut trust, mut x) = (Trust::default(), 3.0);
        for _ in 0..40 {
            let information = DMatrix::from_element(1, 1, curvature(x));
            let promise =
                TrustedStep::new(&information, DVector::from_element(1, slope(x))).unwrap();
            let found = trust.step(&promise, (&bounds, &[0], &[x]), 1.0, &mut |at| f(at[0]));
            if let Some((moved, _)) = found {
                assert!(f(moved[0]) >= f(x));
                x = moved[0];
            }
        }
        assert!(x.abs() < 1e-6, "{x}");
    }

    #[test]
    fn units_do_not_matter() {
        let information = DMatrix::from_row_slice(2, 2, &[4.0, 1.0, 1.0, 2.0]);
        let score = DVector::from_vec(vec![1.0, -3.0]);
        let plain = TrustedStep::new(&information, score.clone()).unwrap();
        let units = DVector::from_vec(vec![1e6, 1e-4]);
        let scaled = DMatrix::from_fn(2, 2, |a, b| information[(a, b)] * units[a] * units[b]);
        let other = TrustedStep::new(&scaled, score.component_mul(&units)).unwrap();
        for k in 0..2 {
            assert!((other.step[k] * units[k] / plain.step[k] - 1.0).abs() < 1e-9);
        }
        assert!((other.length(&other.step) / plain.length(&plain.step) - 1.0).abs() < 1e-9);
    }
}
