//! Draw `phi` from its conditional distribution: Markov kernels over the lanes of a block, one file a kernel, and the
//! samplers that are made of them.
//!
//! Every kernel leaves `p(phi | y_i; theta)` invariant in each lane. A draw whose density is not finite is rejected
//! and counted. A sampler says which kernels take the steps of an iteration, and adapts them: what a lane learns stands
//! in the memory of its [`LaneDraws`], what all lanes share in the sampler, which learns between iterations.

mod accept;
mod adaptive_mh;
mod block_walk;
mod dual_averaging;
mod independence;
mod lane_walk;
mod langevin;
mod leapfrog;
mod mala;
mod mh;
mod mixture;
mod moments;
mod no_u_turn;
mod nuts;
mod options;
mod prior;
mod random_walk;
mod saemix_mh;
mod scales;
mod shaped_walk;
mod slope;
mod state;
mod tree;

pub use adaptive_mh::AdaptiveMh;
pub use block_walk::BlockWalk;
pub use independence::Independence;
pub use lane_walk::LaneWalk;
pub use langevin::Langevin;
pub use leapfrog::MassMatrix;
pub use mala::Mala;
pub use mh::Mh;
pub use mixture::MixtureSampler;
pub use moments::{LaneMoments, Tally};
pub use no_u_turn::NoUTurn;
pub use nuts::Nuts;
pub use options::{KernelSweeps, SamplerOptions};
pub use prior::PriorKernel;
pub use random_walk::RandomWalk;
pub use saemix_mh::SaemixMh;
pub use shaped_walk::ShapedWalk;
pub use state::{HeldLanes, LaneDraws, LanePosterior};

use crate::ir::column::Column;
use crate::ir::vmath::Isa;
use crate::keep::{self, Keep, Unreadable};
use crate::problem::{BoundProgram, Derivatives, Prior};
use crate::random::Stream;

/// What a kernel may read: the target at the current `theta` and where random numbers come from.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub values: &'a BoundProgram<'a>,
    /// Derivatives in `phi`, for kernels that follow the gradient.
    pub slopes: Option<&'a Derivatives<'a>>,
    pub prior: &'a Prior,
    pub stream: Stream,
    pub iteration: u32,
    pub isa: Isa,
}

/// A Markov kernel.
pub trait Kernel: Sync {
    fn name(&self) -> &'static str;

    /// One sweep over the lanes of a block.
    fn sweep(&self, context: &Context, state: &mut LaneDraws) -> Tally;
}

/// What an estimator asks of a sampler in an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepPlan {
    /// Iterations since the sampler began, this one included.
    pub age: usize,
    /// Steps in the iteration.
    pub steps: usize,
    /// Whether the estimator averages, so that every draw lowers the Monte-Carlo error of the estimate.
    pub smoothing: bool,
    /// Whether the estimate is taken on from other draws when the run has ended, so that few will do.
    pub brief: bool,
    /// Whether several groupings take turns, each given the draws of the others.
    pub in_turns: bool,
    /// Whether chains and all that was learned are forgotten before the iteration.
    pub cold: bool,
}

/// What a draw is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// Its moments count.
    Counted,
    /// It is also far enough from the last such one to be worth the price of its derivatives.
    Spaced,
}

/// Sees the draws of a block.
pub type SeeDraws<'a> = dyn FnMut(&mut LaneDraws, Draw) + 'a;

/// What a block reports.
#[derive(Debug, Clone, Default)]
pub struct SweepReport {
    /// One a kernel.
    pub tallies: Vec<Tally>,
    /// Numbers to learn from, which add up over the blocks; what they mean is the sampler's business.
    pub evidence: Vec<f64>,
}

/// Moves chains, block by block, and learns between iterations.
pub trait Sampler: Send + Sync {
    /// Names of its kernels, in the order of the tallies.
    fn kernels(&self) -> &'static [&'static str];

    /// Take the steps of an iteration in one block. `visit` sees every draw that counts.
    fn run(
        &self,
        context: &Context,
        plan: &SweepPlan,
        state: &mut LaneDraws,
        visit: &mut SeeDraws,
    ) -> SweepReport;

    /// Nearly independent draws of a chain in an iteration: the unit of Monte-Carlo errors.
    fn draws(&self, plan: &SweepPlan) -> f64;

    /// Learn from the evidence of all blocks, added up in their order.
    fn learn(&mut self, _evidence: &[f64]) {}

    /// Whether it proposes from Laplace posteriors, which the estimator then keeps near the current `theta`.
    fn wants_posterior(&self, _plan: &SweepPlan) -> bool {
        false
    }

    /// Whether it reads [`Context::slopes`].
    fn follows_gradient(&self) -> bool {
        false
    }

    /// Shorten the steps in each coordinate, a part of those chosen, where their size is neither adapted nor that of the
    /// distribution of the effects.
    fn shorten(&mut self, _parts: &[f64]) {}

    /// What all lanes share, as numbers to be kept with a fit and given back to [`Sampler::recall`].
    fn learned(&self) -> Vec<f64> {
        Vec::new()
    }

    fn recall(&mut self, _learned: &[f64]) {}
}

impl Keep for Box<dyn Sampler> {
    fn save(&self, out: &mut Vec<u8>) {
        keep::write(&self.learned(), out);
    }

    fn load(&mut self, bytes: &mut &[u8]) -> Result<(), Unreadable> {
        self.recall(&keep::read::<Vec<f64>>(bytes)?);
        Ok(())
    }
}

impl Context<'_> {
    /// Log-likelihood and log prior of proposals.
    fn target(&self, state: &mut LaneDraws, phi: &[Column]) -> (Column, Column) {
        let log_lik = self
            .values
            .log_lik(state.block, phi, &mut state.scratch.work);
        let log_prior = self.prior.log_density(self.isa, phi, &state.mean);
        (log_lik, log_prior)
    }
}
