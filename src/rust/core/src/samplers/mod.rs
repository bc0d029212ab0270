//! Draw `phi` from its conditional distribution: Markov kernels over the lanes of a block, one file a kernel.
//!
//! Every kernel leaves `p(phi | y_i; theta)` invariant in each lane. A draw whose density is not finite is rejected
//! and counted.

mod accept;
mod block_walk;
mod independence;
mod options;
mod prior;
mod random_walk;
mod state;

pub use block_walk::BlockWalk;
pub use independence::Independence;
pub use options::{Mixture, SamplerOptions};
pub use prior::PriorKernel;
pub use random_walk::RandomWalk;
pub use state::{HeldLanes, Moments, Posterior, State, Tally};

use crate::ir::column::Column;
use crate::ir::vmath::Isa;
use crate::problem::{Prior, Values};
use crate::random::Stream;

/// What a kernel may read: the target at the current `theta` and where random numbers come from.
pub struct Context<'a> {
    pub values: &'a Values<'a>,
    pub prior: &'a Prior,
    pub stream: Stream,
    pub iteration: u32,
    pub isa: Isa,
}

/// A Markov kernel.
pub trait Kernel: Sync {
    fn name(&self) -> &'static str;

    /// One sweep over the lanes of a block.
    fn sweep(&self, context: &Context, state: &mut State) -> Tally;
}

impl Context<'_> {
    /// Log-likelihood and log prior of proposals.
    fn target(&self, state: &mut State, phi: &[Column]) -> (Column, Column) {
        let log_lik = self
            .values
            .log_lik(state.block, phi, &mut state.scratch.work);
        let log_prior = self.prior.log_density(self.isa, phi, &state.mean);
        (log_lik, log_prior)
    }
}
