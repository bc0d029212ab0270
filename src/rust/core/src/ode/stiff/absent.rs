//! Stand in for the solver in a build without the feature `stiff`.

use super::Stats;
use crate::ode::system::System;
use crate::ode::task::{Failure, LaneTask, Wanted};

/// Solves nothing.
#[derive(Debug, Clone)]
pub struct Stiff;

impl Stiff {
    pub fn new(_system: &System) -> Self {
        Self
    }

    /// # Errors
    ///
    /// Always: the equations look stiff, and nothing here solves such.
    pub fn solve_lane(
        &self,
        _inputs: &[f64],
        _lane: &LaneTask,
        _wanted: &Wanted,
        _out: &mut dyn FnMut(usize, usize, f64),
    ) -> Result<Stats, Failure> {
        Err(Failure::LooksStiff)
    }
}
