//! Propose by one step of Langevin dynamics.
//!
//! `phi* = phi + (e^2/2) S grad + e A z`, `S = A A'`: a leapfrog step of length `e` from the momentum `z`, so the
//! acceptance ratio is the difference in energy. Source: Roberts & Tweedie (1996).

use super::accept::{accept, take, Proposal};
use super::leapfrog::PhasePoint;
use super::{Context, Kernel, LaneDraws, MassMatrix, Tally};
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::exp;

pub struct Langevin<'a> {
    /// `e` of each lane.
    pub step: &'a Column,
    pub shape: MassMatrix<'a>,
}

impl Langevin<'_> {
    /// Sweep, and tell the probability with which each lane accepted.
    pub fn transition(&self, context: &Context, state: &mut LaneDraws) -> (Tally, Column) {
        state.draw_normals(context, state.phi.len());
        let mut point = PhasePoint::current(context, state);
        state.draw_uniforms(context, 1);
        let mut slope = point.slope.clone();
        let before = point.energy();
        point.leapfrog(context, state, &self.shape, self.step);
        let mut ratio = point.energy();
        for l in 0..LANES {
            ratio.0[l] = before.0[l] - ratio.0[l];
        }
        let proposal = Proposal {
            phi: point.phi,
            log_lik: point.log_lik,
            log_prior: point.log_prior,
        };
        let tally = accept(context.isa, state, proposal, &ratio, 0);
        for (slope, new) in slope.iter_mut().zip(&point.slope) {
            take(context.isa, slope, new, &state.taken);
        }
        state.slope = slope;
        (tally, Column(ratio.0.map(probability)))
    }
}

/// `min(1, exp(log_ratio))`, zero for NaN.
pub fn probability(log_ratio: f64) -> f64 {
    if log_ratio.is_nan() {
        0.0
    } else {
        exp::<false>(log_ratio.min(0.0))
    }
}

impl Kernel for Langevin<'_> {
    fn name(&self) -> &'static str {
        "langevin"
    }

    fn sweep(&self, context: &Context, state: &mut LaneDraws) -> Tally {
        self.transition(context, state).0
    }
}
