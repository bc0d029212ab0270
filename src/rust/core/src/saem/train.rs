//! Let weights of learned functions follow the draws of an iteration.
//!
//! Steps become shorter with the gain, so that the weights settle to an average over draws as other parameters do.

use super::objective::Q;
use super::optimizer::OptimizerOptions;
use super::options::SaemOptions;
use super::run::SaemRun;
use super::store::ChainSnapshot;
use crate::error::Result;
use crate::inference::penalty;
use crate::mstep::Trainer;
use crate::parallel::Workers;
use crate::problem::Joint;

/// The weights and their penalties.
///
/// # Errors
/// A penalty on what is no parameter, or none that is trained.
pub fn trainer(joint: &Joint, options: &SaemOptions) -> Result<Trainer> {
    penalty::expect_trained(joint, &options.penalty)?;
    let all: Vec<usize> = (0..joint.theta.len()).collect();
    let penalty = penalty::of(joint, &options.penalty, &all)?;
    Ok(Trainer::new(&joint.theta, |k| penalty[k]))
}

impl SaemRun<'_> {
    /// Move the weights; `gradient`: that of the complete data at the draws of the iteration and the present `theta`.
    pub(super) fn train(&mut self, gain: f64, gradient: &[f64], workers: &Workers) {
        let own = self.trainer.coordinates.clone();
        let idle = own.is_empty() || self.options.optimizer != OptimizerOptions::Score;
        if idle || gain <= 0.0 || self.options.maximizes_otherwise() {
            return;
        }
        let Some(snapshot) = ChainSnapshot::take(&self.parts) else {
            return;
        };
        let first = |k: &usize| gradient.get(*k).copied().unwrap_or(f64::NAN);
        let first = own.iter().map(first).collect();
        let mut q = Q::new(self.joint, &mut self.parts, vec![(1.0, &snapshot)], workers);
        let bounds = &self.joint.theta;
        (self.trainer).train(bounds, gain, &mut self.theta, first, |theta| {
            q.gradient(&own, theta)
        });
    }
}
