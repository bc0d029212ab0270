//! Say how often each grouping takes its turn, and what its sampler does in it.

use super::options::SaemOptions;
use super::schedule::Phase;
use crate::problem::Joint;
use crate::samplers::SweepPlan;

/// Turns of the groupings in an iteration while exploring and while smoothing.
const TURNS: (usize, usize) = (2, 4);

/// Turns of the groupings in an iteration: one when there is nobody to take turns with.
pub fn turns(joint: &Joint, phase: Phase) -> usize {
    match phase {
        _ if joint.parts.len() == 1 => 1,
        Phase::Burnin | Phase::Exploration => TURNS.0,
        Phase::Smoothing => TURNS.1,
    }
}

/// What a turn of an iteration, counted from one, asks of the sampler.
pub fn plan(options: &SaemOptions, joint: &Joint, phase: Phase, iteration: usize) -> SweepPlan {
    SweepPlan {
        age: if options.warm_start { iteration } else { 1 },
        steps: options.mcmc_steps.max(1),
        smoothing: phase == Phase::Smoothing,
        brief: options.schedule.adaptive && options.goes_on(joint),
        in_turns: joint.parts.len() > 1,
        cold: !options.warm_start,
    }
}
