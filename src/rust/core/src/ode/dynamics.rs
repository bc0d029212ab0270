//! Solve the equations for a block of lanes: choose the solver, count what fails.

use std::sync::Arc;

use super::counts::Counts;
use super::schedule::Schedule;
use super::signals::Signals;
use super::system::System;
use super::task::Wanted;
use crate::ir::column::Column;
use crate::ir::vmath::Isa;

/// The equations with all that the data say of the subjects.
#[derive(Debug, Clone)]
pub struct Dynamics {
    pub system: System,
    pub schedules: Vec<Schedule>,
    pub signals: Vec<Signals>,
    counts: Arc<Counts>,
}

/// What the lanes of one block meet.
#[derive(Debug, Clone)]
pub struct Lanes {}

/// A solution with what the way back needs.
pub struct Record {}

impl Dynamics {
    /// Solutions so far, and how they ended.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What solves the equations, in words.
    pub fn solver(&self) -> &'static str {
        ""
    }

    /// Up to how many inputs derivatives are carried forward.
    pub fn max_forward(&self) -> usize {
        self.system.control.max_forward
    }

    /// Prepare a block; each lane is a subject with the rows (of the data frame) at which it is observed.
    pub fn meet(&self, _lanes: &[(usize, &[usize])]) -> Lanes {
        Lanes {}
    }

    pub fn solve(
        &self,
        _isa: Isa,
        _lanes: &Lanes,
        _inputs: &[Column],
        _wanted: &Wanted,
        _rows: &mut [Column],
    ) {
    }

    pub fn record(
        &self,
        _isa: Isa,
        _lanes: &Lanes,
        _inputs: &[Column],
        _wanted: &Wanted,
        _rows: &mut [Column],
    ) -> Record {
        Record {}
    }

    pub fn pull(&self, _isa: Isa, _record: Record, _seeds: &[Column], _adjoints: &mut [Column]) {}
}
