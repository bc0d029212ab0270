//! Keep, of two searches for conditional modes, the higher end of every lane.

use super::modes::{Conditional, Modes};
use crate::ir::vmath::Isa;
use crate::parallel::Workers;
use crate::problem::{Means, Values};

/// Log density by which another mode must be higher.
const HIGHER: f64 = 0.1;

impl Modes {
    /// Take over the lanes in which `other` ended higher.
    pub fn take_better(&mut self, other: &Self, target: &Conditional, workers: &Workers) {
        let Conditional {
            problem,
            layout,
            theta,
            prior,
            ..
        } = *target;
        let mut program = Values::new(problem, layout, &problem.programs.likelihood);
        program.set_known(target.known.clone());
        program.prepare(theta);
        let (means, isa) = (Means::new(problem, layout, theta), Isa::detect());
        let values = |modes: &Self| {
            workers.map_range(modes.phi.len(), Vec::new, |work, b| {
                let mut value = program.log_lik(b, &modes.phi[b], work);
                let prior = prior.log_density(isa, &modes.phi[b], &means.columns(layout, b));
                for (value, prior) in value.0.iter_mut().zip(prior.0) {
                    *value += prior;
                }
                value
            })
        };
        let (mine, theirs) = (values(self), values(other));
        for (b, (mine, theirs)) in mine.iter().zip(&theirs).enumerate() {
            for (l, (mine, theirs)) in mine.0.iter().zip(theirs.0).enumerate() {
                if theirs > mine + HIGHER || mine.is_nan() && !theirs.is_nan() {
                    self.take_lane(other, b, l);
                }
            }
        }
    }

    fn take_lane(&mut self, other: &Self, b: usize, l: usize) {
        let pairs = self.phi[b].iter_mut().zip(&other.phi[b]);
        for (to, from) in pairs.chain(self.factor[b].iter_mut().zip(&other.factor[b])) {
            to.0[l] = from.0[l];
        }
        self.converged[b].0[l] = other.converged[b].0[l];
    }
}
