//! Follow the gradient with Langevin proposals whose step every lane adapts: MALA.
//!
//! Steps have the shape of the Laplace posterior of the lane, or of the population distribution while there is none.

use super::dual_averaging::{begin, steps, update};
use super::mh::spaced;
use super::{
    Context, LaneDraws, Langevin, MassMatrix, Sampler, SeeDraws, SweepPlan, SweepReport, Tally,
};

/// Transitions between two draws whose derivatives are taken.
const SPACING: usize = 4;

pub struct Mala {
    pub target_accept: f64,
    /// Iterations in which the steps adapt.
    pub n_adapt: usize,
}

impl Sampler for Mala {
    fn kernels(&self) -> &'static [&'static str] {
        &["langevin"]
    }

    fn run(
        &self,
        context: &Context,
        plan: &SweepPlan,
        state: &mut LaneDraws,
        visit: &mut SeeDraws,
    ) -> SweepReport {
        let mut memory = std::mem::take(&mut state.memory);
        if memory.is_empty() {
            // Optimal scaling: steps shrink with the sixth root of the dimension (Roberts & Rosenthal 1998).
            memory = begin(1.65 * (state.phi.len() as f64).powf(-1.0 / 6.0));
        }
        let posterior = state.posterior.take();
        let shape = match &posterior {
            Some(posterior) => MassMatrix::Laplace(&posterior.factor),
            None => MassMatrix::Prior(&context.prior.chol),
        };
        let adapts = plan.age <= self.n_adapt;
        let moving = state.moving();
        let mut tally = Tally::default();
        for step in 1..=plan.steps {
            let length = steps(&memory, adapts);
            let kernel = Langevin {
                step: &length,
                shape,
            };
            let (own, accepted) = kernel.transition(context, state);
            tally.add(own);
            if adapts {
                update(&mut memory, self.target_accept, &accepted, &moving);
            }
            visit(state, spaced(step, SPACING, plan));
        }
        state.posterior = posterior;
        state.memory = memory;
        SweepReport {
            tallies: vec![tally],
            evidence: Vec::new(),
        }
    }

    fn draws(&self, plan: &SweepPlan) -> f64 {
        (plan.steps as f64 / SPACING as f64).max(1.0)
    }

    fn wants_posterior(&self, plan: &SweepPlan) -> bool {
        !plan.in_turns
    }

    fn follows_gradient(&self) -> bool {
        true
    }
}
