//! Let weights of learned functions follow the gradient of the complete data: steps of Adam at the draws of an iteration.
//!
//! They go where each iteration's draws lead, the steps becoming shorter with the gain, so that the weights settle to an
//! average over draws as the other parameters do. Nothing of size weights by weights or subjects by weights is made.

use super::objective::Q;
use super::optimizer::{OptimizerOptions, Steps};
use super::options::SaemOptions;
use super::run::SaemRun;
use super::store::ChainSnapshot;
use crate::error::Result;
use crate::inference::penalty;
use crate::keep::keeps;
use crate::parallel::Workers;
use crate::problem::{Joint, Route};

/// Length of a step of a weight while the gain is 1, and steps in an iteration.
const RATE: f64 = 0.02;
const STEPS: usize = 3;

/// The weights that are trained, and what steps know of each other.
pub struct Trainer {
    coordinates: Vec<usize>,
    /// Precision of the prior of each.
    penalty: Vec<f64>,
    steps: Steps,
}

keeps!(Trainer: values { steps } parts {} rebuilt { coordinates, penalty });

impl Trainer {
    /// # Errors
    /// A penalty on what is no parameter, or none that is trained.
    pub fn new(joint: &Joint, options: &SaemOptions) -> Result<Self> {
        let coordinates = joint.theta.on_route(Route::Gradient);
        penalty::expect_trained(joint, &options.penalty)?;
        Ok(Self {
            penalty: penalty::of(joint, &options.penalty, &coordinates)?,
            steps: Steps::new(coordinates.len()),
            coordinates,
        })
    }

    /// Minus the log density of the prior at `theta`, without its constant.
    pub fn cost(&self, theta: &[f64]) -> f64 {
        let each = self.coordinates.iter().zip(&self.penalty);
        each.map(|(k, lambda)| 0.5 * lambda * theta[*k] * theta[*k])
            .sum()
    }

    /// One step along the gradient of the objective, one entry a trained weight; false where it is not finite.
    fn step(&mut self, joint: &Joint, gradient: &[f64], rate: f64, theta: &mut [f64]) -> bool {
        if !gradient.iter().all(|g| g.is_finite()) {
            self.steps.halt();
            return false;
        }
        let own = self.coordinates.iter().zip(&self.penalty).zip(gradient);
        let slopes: Vec<f64> = own.map(|((k, lambda), g)| g - lambda * theta[*k]).collect();
        for (k, d) in self.coordinates.iter().zip(self.steps.next(&slopes)) {
            theta[*k] = joint.theta.clamp(*k, theta[*k] + rate * d);
        }
        true
    }
}

impl SaemRun<'_> {
    /// Move the weights; `gradient`: that of the complete data at the draws of the iteration and the present `theta`.
    pub(super) fn train(&mut self, gain: f64, gradient: &[f64], workers: &Workers) {
        let own = self.trainer.coordinates.clone();
        let idle = own.is_empty() || self.options.optimizer != OptimizerOptions::Score;
        if idle || gain <= 0.0 || self.options.maximizes_otherwise() {
            return;
        }
        let rate = RATE * gain;
        let first: Vec<f64> = own
            .iter()
            .map(|k| gradient.get(*k).copied().unwrap_or(f64::NAN))
            .collect();
        let mut theta = self.theta.clone();
        let mut moved = self.trainer.step(self.joint, &first, rate, &mut theta);
        let Some(snapshot) = ChainSnapshot::take(&self.parts) else {
            return;
        };
        let mut q = Q::new(self.joint, &mut self.parts, vec![(1.0, &snapshot)], workers);
        for _ in 1..STEPS {
            let Some(gradient) = q.gradient(&own, &theta).filter(|_| moved) else {
                break;
            };
            moved = self.trainer.step(self.joint, &gradient, rate, &mut theta);
        }
        self.theta = theta;
    }
}
