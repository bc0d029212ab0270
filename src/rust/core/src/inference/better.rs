//! Keep, of two searches for conditional modes, the higher end of every lane.

use super::modes::Modes;
use crate::parallel::Workers;
use crate::problem::Evaluator;

/// Log density by which another mode must be higher.
const HIGHER: f64 = 0.1;

impl Modes {
    /// Take over the lanes in which `other` ended higher.
    pub fn take_better(&mut self, other: &Self, target: &Evaluator, workers: &Workers) {
        let values = |modes: &Self| {
            workers.map_range(modes.phi.len(), Vec::new, |work, b| {
                target.log_density(b, &modes.phi[b], work)
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
