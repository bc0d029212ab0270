//! Take the gradient of the complete-data log density in `theta` at the draws of a block.

use super::estep::EStepTarget;
use crate::ir::column::Column;
use crate::mstep::{LanePoint, Scores};
use crate::problem::{ConstantError, Derivatives};
use crate::samplers::LaneDraws;

/// Sums of the adjoints over the lanes of a block, for several draws.
#[derive(Default)]
pub struct Gradients {
    n: usize,
    sums: Vec<f64>,
}

impl Gradients {
    /// Add the current draw; returns the scores of its lanes if they are asked for.
    pub fn add(
        &mut self,
        state: &mut LaneDraws,
        target: &EStepTarget,
        scores: Option<&Scores>,
    ) -> Vec<Column> {
        let mut scratch = std::mem::take(&mut state.scratch);
        let columns = target.derivatives.map_or(&[][..], |derivatives| {
            derivatives
                .population_adjoints(state.block, &state.phi, &mut scratch)
                .1
        });
        self.n += 1;
        self.sums.resize(columns.len(), 0.0);
        for (total, column) in self.sums.iter_mut().zip(columns) {
            *total += column.0[..state.n_lanes].iter().sum::<f64>();
        }
        let block = &target.at.layout.blocks[state.block];
        let at = LanePoint {
            phi: &state.phi,
            mean: &state.mean,
            log_lik: &state.log_lik,
        };
        let scores = scores.map_or_else(Vec::new, |scores| scores.lanes(&at, block, columns));
        state.scratch = scratch;
        scores
    }

    pub fn mean(self) -> Vec<f64> {
        self.sums
            .into_iter()
            .map(|sum| sum / self.n as f64)
            .collect()
    }
}

/// Adjoints of the population values at the draws of a block, summed over its lanes.
pub fn adjoint_sums(derivatives: &Derivatives, state: &mut LaneDraws) -> Vec<f64> {
    let (_, columns) = derivatives.population_adjoints(state.block, &state.phi, &mut state.scratch);
    columns
        .iter()
        .map(|column| column.0[..state.n_lanes].iter().sum())
        .collect()
}

/// The gradient in a constant residual error, from the log-likelihoods of all draws that count.
pub fn residual_gradient(
    error: &ConstantError,
    target: &EStepTarget,
    states: &[LaneDraws],
) -> Vec<f64> {
    let mut gradient = vec![0.0; target.at.theta().len()];
    for (state, block) in states.iter().zip(&target.at.layout.blocks) {
        for (l, lane) in block.lanes.iter().enumerate() {
            let log_lik = state.moments.log_lik.0[l] / state.moments.n as f64;
            let score = error.score(lane.subject as usize, target.at.theta(), log_lik);
            gradient[error.theta] += score / target.at.layout.copies as f64;
        }
    }
    gradient
}
