//! Move random blocks of coordinates together by a Gaussian random walk.
//!
//! Block sizes cycle through `2..=d` over the iterations, each with its own scale; blocks are consecutive from an
//! offset that moves with the iteration. Source: the third kernel of saemix and Monolix.

use super::random_walk::step;
use super::{Context, Kernel, LaneDraws, Tally};

/// One scale a block size (from two), adapted between iterations.
pub struct BlockWalk<'a> {
    pub scale: &'a [f64],
}

impl BlockWalk<'_> {
    /// Size of the blocks in an iteration.
    pub fn size(iteration: u32, d: usize) -> usize {
        if d < 2 {
            d
        } else {
            2 + iteration as usize % (d - 1)
        }
    }
}

impl Kernel for BlockWalk<'_> {
    fn name(&self) -> &'static str {
        "block"
    }

    fn sweep(&self, context: &Context, state: &mut LaneDraws) -> Tally {
        let d = state.phi.len();
        let size = Self::size(context.iteration, d);
        let offset = context.iteration as usize / d.max(1);
        state.draw_normals(context, d);
        state.draw_uniforms(context, d.div_ceil(size.max(1)));
        let mut total = Tally::default();
        for (b, first) in (0..d).step_by(size.max(1)).enumerate() {
            let block: Vec<usize> = (first..(first + size).min(d))
                .map(|k| (k + offset) % d)
                .collect();
            total.add(step(
                context,
                state,
                &block,
                self.scale[size.saturating_sub(2)],
                (first, b),
            ));
        }
        total
    }
}
