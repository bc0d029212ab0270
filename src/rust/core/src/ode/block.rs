//! Solve blocks of lanes for one choice of what is wanted.

use std::sync::{Arc, Mutex, PoisonError};

use super::counts::Counts;
use super::dynamics::{Dynamics, Engine};
use super::explicit::{self, Explicit};
use super::lanes::Lanes;
use super::task::{Failure, LaneTask, Task, Wanted};
use super::timeline::Stops;
use super::Planner;
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::Isa;

/// What solves, with memory for every thread that is at work.
#[derive(Debug)]
pub struct BlockSolver {
    pub wanted: Wanted,
    engine: Compiled,
    counts: Arc<Counts>,
    idle: Mutex<Vec<Scratch>>,
}

/// The equations compiled for what is wanted.
#[derive(Debug)]
enum Compiled {
    Explicit(Explicit),
}

/// Memory of one solution.
#[derive(Debug)]
struct Scratch {
    planner: Planner,
    stops: Vec<Stops>,
    engine: Memory,
}

#[derive(Debug)]
enum Memory {
    Explicit(explicit::Scratch),
}

impl Scratch {
    fn new(engine: &Compiled) -> Self {
        Self {
            planner: Planner::default(),
            stops: vec![Stops::new(); LANES],
            engine: match engine {
                Compiled::Explicit(explicit) => Memory::Explicit(explicit.scratch()),
            },
        }
    }
}

impl BlockSolver {
    pub(super) fn new(dynamics: &Dynamics, wanted: &Wanted) -> Self {
        let engine = match dynamics.engine() {
            Engine::March | Engine::Explicit | Engine::Implicit => {
                Compiled::Explicit(Explicit::new(dynamics.flowing(), wanted))
            }
        };
        Self {
            wanted: wanted.clone(),
            engine,
            counts: dynamics.shared_counts(),
            idle: Mutex::default(),
        }
    }

    /// Fill the columns of every row (`row * wanted.width()` is the first of a row); rows that a lane does not have are
    /// zero, those that could not be computed NaN.
    pub fn solve(
        &self,
        dynamics: &Dynamics,
        isa: Isa,
        lanes: &Lanes,
        inputs: &[Column],
        rows: &mut [Column],
    ) {
        let mut scratch = self.take();
        let mut failures = [None; LANES];
        if !lanes.constant {
            plan(dynamics, lanes, inputs, &mut scratch, &mut failures);
        }
        let tasks = tasks(dynamics, lanes, &scratch.stops, &mut failures);
        let task = Task {
            inputs,
            lanes: &tasks,
        };
        match (&self.engine, &mut scratch.engine) {
            (Compiled::Explicit(explicit), Memory::Explicit(memory)) => {
                let outcome = explicit.solve(isa, &task, rows, memory);
                merge(&mut failures, &outcome.failures);
            }
        }
        drop(tasks);
        self.end(lanes, &failures, rows);
        self.give_back(scratch);
    }

    /// Count, and leave no row of a failed lane that is a number.
    fn end(&self, lanes: &Lanes, failures: &[Option<Failure>; LANES], rows: &mut [Column]) {
        self.counts.add_solved(lanes.which.len());
        for (l, failure) in failures.iter().enumerate().take(lanes.which.len()) {
            let Some(failure) = failure else { continue };
            self.counts.add_failed(*failure);
            if *failure == Failure::ImpossibleDose {
                rows.iter_mut().for_each(|column| column.0[l] = f64::NAN);
            }
        }
    }

    fn take(&self) -> Scratch {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop().unwrap_or_else(|| Scratch::new(&self.engine))
    }

    fn give_back(&self, scratch: Scratch) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(scratch);
    }
}

/// Make the stops of every lane from its inputs.
fn plan(
    dynamics: &Dynamics,
    lanes: &Lanes,
    inputs: &[Column],
    scratch: &mut Scratch,
    failures: &mut [Option<Failure>; LANES],
) {
    for (l, which) in lanes.which.iter().enumerate() {
        let agenda = lanes.met[*which].agenda(dynamics);
        let input = |j: usize| inputs[j].0[l];
        let planned = scratch.planner.plan(&agenda, input, &mut scratch.stops[l]);
        failures[l] = planned.err();
    }
}

fn tasks<'a>(
    dynamics: &'a Dynamics,
    lanes: &'a Lanes,
    stops: &'a [Stops],
    failures: &mut [Option<Failure>; LANES],
) -> Vec<LaneTask<'a>> {
    let each = lanes.which.iter().enumerate();
    each.map(|(l, which)| {
        let met = &lanes.met[*which];
        let subject = &dynamics.subjects[met.subject];
        if lanes.constant {
            failures[l] = met.failure;
        }
        LaneTask {
            start: subject.schedule.start,
            stops: if lanes.constant {
                &met.stops
            } else {
                &stops[l]
            },
            signals: &subject.signals,
        }
    })
    .collect()
}

/// Failures of the solver beside those of the doses, which come first.
fn merge(failures: &mut [Option<Failure>; LANES], others: &[Option<Failure>; LANES]) {
    for (failure, other) in failures.iter_mut().zip(others) {
        *failure = failure.or(*other);
    }
}
