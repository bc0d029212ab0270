//! Solve the equations for a block of lanes: choose the solver, count what fails.

use std::sync::{Arc, Mutex};

use super::agenda::Variant;
use super::counts::Counts;
use super::lanes::Lanes;
use super::schedule::Schedule;
use super::signals::Signals;
use super::system::System;
use super::task::{Failure, LaneTask, Task, Wanted};
use super::timeline::Stops;
use super::Planner;
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::Isa;

/// The equations with all that the data say of the subjects.
#[derive(Debug, Clone)]
pub struct Dynamics {
    pub system: System,
    pub(super) subjects: Vec<Subject>,
    /// For each row of the data frame.
    pub(super) records: Vec<RecordTime>,
    engine: Arc<Engine>,
    counts: Arc<Counts>,
    /// Memory of solvers that are at rest.
    idle: Arc<Mutex<Vec<Scratch>>>,
}

/// What the data say of one subject.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    pub schedule: Schedule,
    pub signals: Signals,
    /// From when on the lines of the signals hold, the first left out.
    pub lines: Vec<f64>,
    /// Records whose doses have other properties than the model gives to all.
    pub variants: Vec<Variant>,
}

/// Time of a row of the data frame, and its position among the subject's.
#[derive(Debug, Clone, Copy)]
pub struct RecordTime {
    pub time: f64,
    pub position: usize,
}

/// Who solves.
#[derive(Debug)]
enum Engine {
    Implicit,
}

/// Memory of one solver at work.
#[derive(Debug, Default)]
struct Scratch {
    planner: Planner,
    stops: Vec<Stops>,
}

/// A solution with what the way back needs.
pub struct Record {}

impl Dynamics {
    /// `records`: one for each row of the data frame.
    pub fn new(system: System, subjects: Vec<Subject>, records: Vec<RecordTime>) -> Self {
        let engine = Engine::Implicit;
        Self {
            system,
            subjects,
            records,
            engine: Arc::new(engine),
            counts: Arc::default(),
            idle: Arc::default(),
        }
    }

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
    pub fn meet(&self, lanes: &[(usize, &[usize])]) -> Lanes {
        Lanes::new(self, lanes)
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
