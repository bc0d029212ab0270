//! Say how often each grouping takes its turn, and with which kernels.

use super::options::SaemOptions;
use super::schedule::Phase;
use crate::problem::Joint;
use crate::samplers::{Mixture, SamplerOptions};

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

/// Sweeps of each kernel in a turn.
pub fn kernels(options: &SaemOptions, joint: &Joint, phase: Phase) -> Mixture {
    let SamplerOptions::Independence(mixture) = options.sampler else {
        return Mixture::default();
    };
    match phase {
        _ if joint.parts.len() > 1 => mixture.in_turns(),
        Phase::Burnin | Phase::Exploration => mixture,
        Phase::Smoothing => mixture.smoothing(),
    }
}
