//! Follow Hamiltonian dynamics until the trajectory turns back: the no-U-turn sampler, all lanes of a block in lockstep.
//!
//! A trajectory doubles, forward or backward, until its ends approach each other or `max_depth` doublings are done; a
//! point is drawn from it with probability proportional to its density. Doublings are iterative, with the checkpoints of
//! `tree.rs`; lanes that have finished wait for the others.
//! Source: Hoffman & Gelman (2014); Betancourt (2017); Phan, Pradhan & Jankowiak (2019).

use super::leapfrog::{release, PhasePoint};
use super::tree::Tree;
use super::{Context, Kernel, LaneDraws, MassMatrix, Tally};
use crate::ir::column::{Column, LANES};

pub struct NoUTurn<'a> {
    /// Length of the leapfrog steps of each lane.
    pub step: &'a Column,
    /// Scale of each coordinate: the square root of the diagonal of the inverse metric.
    pub sd: &'a [Column],
    pub max_depth: usize,
}

impl NoUTurn<'_> {
    /// Sweep, and tell the mean probability with which each lane accepted along its trajectory.
    ///
    /// The tally counts leapfrog steps as proposals, and as acceptances the sum of their probabilities.
    pub fn transition(&self, context: &Context, state: &mut LaneDraws) -> (Tally, Column) {
        state.draw_normals(context, state.phi.len());
        // Two numbers a doubling, then one a leaf; a place for each, so that no lane's depend on the others'.
        let choices = state.advance(2 * self.max_depth);
        let leaves = state.advance(1 << self.max_depth);
        let mut start = PhasePoint::current(context, state);
        release(state, &mut start.momentum);
        let shape = MassMatrix::Diagonal(self.sd);
        let mut tree = Tree::new(start, state.moving(), self.max_depth);
        for depth in 0..self.max_depth {
            if !tree.is_alive() {
                break;
            }
            let offset = u32::try_from(depth).unwrap_or(0);
            state.uniforms_at(context, choices + 2 * offset, 2);
            let choice = [state.chance[0], state.chance[1]];
            state.uniforms_at(context, leaves + (1 << offset), 1 << depth);
            let chance = std::mem::take(&mut state.chance);
            let mut step = *self.step;
            for l in 0..LANES {
                step.0[l] *= if choice[0].0[l] < 0.5 { -1.0 } else { 1.0 };
            }
            let branch = tree.grow(context, state, &shape, &step, &chance);
            tree.join(branch, &step, &choice[1]);
            state.chance = chance;
        }
        tree.finish(state)
    }
}

impl Kernel for NoUTurn<'_> {
    fn name(&self) -> &'static str {
        "nuts"
    }

    fn sweep(&self, context: &Context, state: &mut LaneDraws) -> Tally {
        self.transition(context, state).0
    }
}
