//! Record what happened at every iteration.

use serde::{Deserialize, Serialize};

/// One entry an iteration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Trace {
    /// `theta` after each iteration, transformed scale.
    pub theta: Vec<Vec<f64>>,
    pub gain: Vec<f64>,
    /// Names of the schedule's phases, which gives them again.
    #[serde(skip)]
    pub phase: Vec<&'static str>,
    /// `Q` as the gain averages it over the draws, or what else the estimator maximizes.
    pub objective: Vec<f64>,
    /// Batches that were drawn for, where not all were.
    pub updated: Vec<Vec<usize>>,
}

impl Trace {
    pub fn push(&mut self, theta: &[f64], gain: f64, phase: &'static str, objective: f64) {
        self.theta.push(theta.to_vec());
        self.gain.push(gain);
        self.phase.push(phase);
        self.objective.push(objective);
    }

    /// Forget all but the first iterations.
    pub fn truncate(&mut self, kept: usize) {
        self.theta.truncate(kept);
        self.gain.truncate(kept);
        self.phase.truncate(kept);
        self.objective.truncate(kept);
        self.updated.truncate(kept);
    }

    pub fn len(&self) -> usize {
        self.gain.len()
    }

    pub fn is_empty(&self) -> bool {
        self.gain.is_empty()
    }
}
