//! Say how often each grouping takes its turn, and with which kernels.

use super::options::{Kernels, SaemOptions};
use super::schedule::Phase;
use crate::problem::Joint;

/// Turns of the groupings in an iteration while exploring and while smoothing.
const TURNS: (usize, usize) = (2, 4);

/// Turns of the groupings in an iteration: one when there is nobody to take turns with.
pub fn turns(joint: &Joint, phase: Phase) -> usize {
    match phase {
        _ if joint.parts.len() == 1 => 1,
        Phase::Exploration => TURNS.0,
        Phase::Smoothing => TURNS.1,
    }
}

/// Sweeps of each kernel in a turn.
pub fn kernels(options: &SaemOptions, joint: &Joint, phase: Phase) -> Kernels {
    match phase {
        _ if joint.parts.len() > 1 => options.kernels.in_turns(),
        Phase::Exploration => options.kernels,
        Phase::Smoothing => options.kernels.smoothing(),
    }
}
