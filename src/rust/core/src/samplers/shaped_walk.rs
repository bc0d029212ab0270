//! Move all coordinates together by a Gaussian random walk whose steps have one shape in all lanes.
//!
//! `phi* = phi + F z`, with `F` a lower triangle. Coordinates that are held stay; the others then walk by what is left
//! of the step, which is as likely as the way back.

use nalgebra::DMatrix;

use super::accept::metropolis;
use super::prior::add_lower;
use super::{Context, Kernel, LaneDraws, Tally};

pub struct ShapedWalk<'a> {
    /// Lower triangle.
    pub factor: &'a DMatrix<f64>,
}

impl Kernel for ShapedWalk<'_> {
    fn name(&self) -> &'static str {
        "walk"
    }

    fn sweep(&self, context: &Context, state: &mut LaneDraws) -> Tally {
        state.draw_normals(context, state.phi.len());
        state.draw_uniforms(context, 1);
        let mut phi = state.take_proposal();
        phi.copy_from_slice(&state.phi);
        add_lower(self.factor, &state.noise, &mut phi);
        state.keep_held(&mut phi);
        metropolis(context, state, phi, 0)
    }
}
