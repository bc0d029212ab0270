//! Move one coordinate at a time by a Gaussian random walk with a scale for every lane.

use super::accept::metropolis;
use super::{Context, Kernel, LaneDraws, Tally};
use crate::ir::column::{Column, LANES};

/// `scale`: standard deviations of the steps, one column a coordinate.
pub struct LaneWalk<'a> {
    pub scale: &'a [Column],
}

impl LaneWalk<'_> {
    /// Sweep, and add one in `accepted` where the step of a coordinate was taken.
    pub fn sweep_counting(
        &self,
        context: &Context,
        state: &mut LaneDraws,
        accepted: &mut [Column],
    ) -> Tally {
        let d = state.phi.len();
        state.draw_normals(context, d);
        state.draw_uniforms(context, d);
        let mut total = Tally::default();
        for k in 0..d {
            let mut phi = state.take_proposal();
            phi.copy_from_slice(&state.phi);
            for l in 0..LANES {
                phi[k].0[l] += self.scale[k].0[l] * state.noise[k].0[l];
            }
            state.keep_held(&mut phi);
            total.add(metropolis(context, state, phi, k));
            for l in 0..LANES {
                accepted[k].0[l] += state.taken.0[l];
            }
        }
        total
    }
}

impl Kernel for LaneWalk<'_> {
    fn name(&self) -> &'static str {
        "random_walk"
    }

    fn sweep(&self, context: &Context, state: &mut LaneDraws) -> Tally {
        let mut accepted = vec![Column::ZERO; state.phi.len()];
        self.sweep_counting(context, state, &mut accepted)
    }
}
