//! Let weights of learned functions follow the gradient of the complete data: steps of Adam (Kingma & Ba 2015) at draws
//! that are given.
//!
//! Nothing of size weights by weights or subjects by weights is made, and no information: what others ask for is taken
//! with the weights held.

use crate::keep::keeps;
use crate::optimizer::Steps;
use crate::problem::{Route, Theta};

/// Length of a step of a weight while the gain is 1, and steps in an iteration.
const RATE: f64 = 0.02;
const STEPS: usize = 3;

/// The weights that are trained, and what steps know of each other.
pub struct Trainer {
    pub coordinates: Vec<usize>,
    /// Precision of the prior of each.
    penalty: Vec<f64>,
    steps: Steps,
}

keeps!(Trainer: values { steps } parts {} rebuilt { coordinates, penalty });

impl Trainer {
    /// `penalty`: precision of the prior of a coordinate.
    pub fn new(theta: &Theta, penalty: impl Fn(usize) -> f64) -> Self {
        let coordinates = theta.on_route(Route::Gradient);
        Self {
            penalty: coordinates.iter().map(|k| penalty(*k)).collect(),
            steps: Steps::new(coordinates.len()),
            coordinates,
        }
    }

    /// Minus the log density of the prior at `theta`, without its constant.
    pub fn cost(&self, theta: &[f64]) -> f64 {
        let each = self.coordinates.iter().zip(&self.penalty);
        each.map(|(k, lambda)| 0.5 * lambda * theta[*k] * theta[*k])
            .sum()
    }

    /// Move the weights of `theta` by some steps. `gradient(theta)`: that of the complete data in the weights, the first
    /// of which is known; `None` where it does not exist.
    pub fn train(
        &mut self,
        bounds: &Theta,
        gain: f64,
        theta: &mut [f64],
        first: Vec<f64>,
        mut gradient: impl FnMut(&[f64]) -> Option<Vec<f64>>,
    ) {
        let mut next = Some(first);
        for step in 0..STEPS {
            if step > 0 {
                next = gradient(theta);
            }
            let sound = |gradient: &Vec<f64>| gradient.iter().all(|g| g.is_finite());
            let Some(gradient) = next.as_ref().filter(|gradient| sound(gradient)) else {
                self.steps.halt();
                return;
            };
            let own = self.coordinates.iter().zip(&self.penalty).zip(gradient);
            let slopes: Vec<f64> = own.map(|((k, lambda), g)| g - lambda * theta[*k]).collect();
            for (k, d) in self.coordinates.iter().zip(self.steps.next(&slopes)) {
                theta[*k] = bounds.clamp(*k, theta[*k] + RATE * gain * d);
            }
        }
    }
}
