//! Solve blocks of lanes for one choice of what is wanted.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use super::counts::Counts;
use super::difference::{spread, subtract, subtract_slopes, Intervals};
use super::dynamics::{Dynamics, Engine};
use super::explicit::{self, Adjoint, BackwardMemory, Explicit};
use super::fallback::Fallback;
use super::lanes::Lanes;
use super::linear::{self, March, StepPlan};
use super::task::{Deliveries, Failure, LaneFailures, LaneTask, Task};
use super::timeline::Stops;
use super::Planner;
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::Isa;

/// What solves, with memory for every thread that is at work.
#[derive(Debug)]
pub struct BlockSolver {
    pub wanted: Deliveries,
    /// Whether adjoints of the states are carried back to the inputs.
    pub backward: bool,
    engine: Compiled,
    fallback: Fallback,
    counts: Arc<Counts>,
    idle: Mutex<Vec<SolutionScratch>>,
}

/// The equations compiled for what is wanted.
#[derive(Debug)]
enum Compiled {
    March(Box<March>),
    Explicit(Box<Explicit>),
    Adjoint(Box<Adjoint>),
    Implicit,
}

/// Memory of one solution.
#[derive(Debug)]
struct SolutionScratch {
    planner: Planner,
    stops: Vec<Stops>,
    plan: StepPlan,
    engine: EngineMemory,
}

#[derive(Debug)]
enum EngineMemory {
    March(Box<linear::LinearScratch>),
    Explicit(Box<explicit::ExplicitScratch>),
    Adjoint(Box<(explicit::ExplicitScratch, explicit::Record, BackwardMemory)>),
    None,
}

/// A solution with what the way back needs.
pub struct Recorded {
    scratch: SolutionScratch,
    n_lanes: usize,
    /// Lanes that the fallback computed, and derivatives of their states by all inputs, `[row][state][input]`.
    others: Vec<(usize, Vec<f64>)>,
    failures: [Option<Failure>; LANES],
    /// Of each lane.
    intervals: Vec<Arc<Intervals>>,
}

impl BlockSolver {
    pub(super) fn new(dynamics: &Dynamics, wanted: &Deliveries, backward: bool) -> Self {
        let system = dynamics.flowing();
        let explicit = || match backward {
            true => Compiled::Adjoint(Box::new(Adjoint::new(system, &wanted.states))),
            false => Compiled::Explicit(Box::new(Explicit::new(system, wanted))),
        };
        let engine = match dynamics.engine() {
            Engine::March => March::new(system, wanted)
                .map_or_else(explicit, |march| Compiled::March(Box::new(march))),
            Engine::Explicit => explicit(),
            Engine::Implicit => Compiled::Implicit,
        };
        Self {
            wanted: wanted.clone(),
            backward,
            engine,
            fallback: Fallback::new(dynamics),
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
        let mut failures = plan(dynamics, lanes, inputs, &mut scratch);
        let SolutionScratch {
            stops,
            plan,
            engine,
            ..
        } = &mut scratch;
        let tasks = tasks(dynamics, lanes, stops);
        let task = Task {
            inputs,
            lanes: &tasks,
        };
        let outcome = match (&self.engine, engine) {
            _ if dynamics.is_stiff() => None,
            (Compiled::March(march), EngineMemory::March(memory)) => {
                let plan = match &lanes.plan {
                    Some(plan) => plan,
                    None => {
                        plan.make(&tasks);
                        plan
                    }
                };
                Some(march.solve(isa, plan, &task, rows, memory))
            }
            (Compiled::Explicit(explicit), EngineMemory::Explicit(memory)) => {
                Some(explicit.solve(isa, &task, rows, memory))
            }
            (Compiled::Adjoint(adjoint), EngineMemory::Adjoint(memory)) => {
                let (memory, record, _) = &mut **memory;
                Some(adjoint.record(isa, &task, rows, (memory, record)))
            }
            _ => None,
        };
        match outcome {
            Some(outcome) => merge(&mut failures, &outcome.failures),
            None => rows.fill(Column::ZERO),
        }
        let left = self.left(&failures, outcome.is_none(), lanes.which.len());
        let ends = (&*self.counts, &mut failures);
        self.fallback
            .solve(isa, (&task, &left), &self.wanted, rows, ends);
        drop(tasks);
        for (l, which) in lanes.which.iter().enumerate() {
            subtract(&lanes.met[*which].intervals, &self.wanted, l, rows);
        }
        self.end(lanes, &failures, rows);
        self.give_back(scratch);
    }

    /// As [`BlockSolver::solve`], keeping what the way back needs.
    pub fn record(
        &self,
        dynamics: &Dynamics,
        isa: Isa,
        lanes: &Lanes,
        inputs: &[Column],
        rows: &mut [Column],
    ) -> Recorded {
        let mut scratch = self.take();
        let mut failures = plan(dynamics, lanes, inputs, &mut scratch);
        let SolutionScratch { stops, engine, .. } = &mut scratch;
        let tasks = tasks(dynamics, lanes, stops);
        let task = Task {
            inputs,
            lanes: &tasks,
        };
        let recorded = match (&self.engine, engine) {
            (Compiled::Adjoint(adjoint), EngineMemory::Adjoint(memory)) if !dynamics.is_stiff() => {
                let (memory, record, _) = &mut **memory;
                Some(adjoint.record(isa, &task, rows, (memory, record)))
            }
            _ => None,
        };
        match recorded {
            Some(outcome) => merge(&mut failures, &outcome.failures),
            None => rows.fill(Column::ZERO),
        }
        let left = self.left(&failures, recorded.is_none(), lanes.which.len());
        let ends = (&*self.counts, &mut failures);
        let mut others = (self.fallback).slopes(isa, (&task, &left), &self.wanted, rows, ends);
        drop(tasks);
        let values = Deliveries {
            states: self.wanted.states.clone(),
            inputs: Vec::new(),
        };
        let each = lanes.which.iter().map(|which| &lanes.met[*which].intervals);
        let intervals: Vec<Arc<Intervals>> = each.cloned().collect();
        for (l, own) in intervals.iter().enumerate() {
            subtract(own, &values, l, rows);
        }
        for (l, slopes) in &mut others {
            subtract_slopes(&intervals[*l], &values, inputs.len(), slopes);
        }
        self.end(lanes, &failures, rows);
        Recorded {
            scratch,
            n_lanes: lanes.which.len(),
            others,
            failures,
            intervals,
        }
    }

    /// Adjoints of all inputs from those of the states, `seeds[row * states + state]`.
    pub fn pull(
        &self,
        isa: Isa,
        mut recorded: Recorded,
        seeds: &[Column],
        adjoints: &mut [Column],
    ) {
        adjoints.fill(Column::ZERO);
        let all = recorded.others.len() == recorded.n_lanes;
        if let (Compiled::Adjoint(adjoint), EngineMemory::Adjoint(memory), false) =
            (&self.engine, &mut recorded.scratch.engine, all)
        {
            let (_, record, back) = &mut **memory;
            let handed = self.handed(&recorded.intervals, seeds);
            adjoint.pull(isa, record, &handed, adjoints, back);
        }
        let n_inputs = adjoints.len();
        for (l, slopes) in &recorded.others {
            for (j, adjoint) in adjoints.iter_mut().enumerate() {
                let own = slopes.iter().skip(j).step_by(n_inputs);
                adjoint.0[*l] = seeds.iter().zip(own).map(|(seed, s)| seed.0[*l] * s).sum();
            }
        }
        for (l, failure) in recorded.failures.iter().enumerate() {
            if failure.is_some() {
                adjoints
                    .iter_mut()
                    .for_each(|column| column.0[l] = f64::NAN);
            }
        }
        self.give_back(recorded.scratch);
    }

    /// Adjoints of the states as they are solved, from those of what rows read of them.
    fn handed<'s>(&self, intervals: &[Arc<Intervals>], seeds: &'s [Column]) -> Cow<'s, [Column]> {
        if intervals.iter().all(|own| own.is_empty()) {
            return Cow::Borrowed(seeds);
        }
        let mut handed = seeds.to_vec();
        for (l, own) in intervals.iter().enumerate() {
            spread(own, &self.wanted, l, &mut handed);
        }
        Cow::Owned(handed)
    }

    /// Lanes that the fallback has to compute.
    fn left(&self, failures: &LaneFailures, all: bool, n_lanes: usize) -> Vec<usize> {
        let is_left = |l: &usize| match failures[*l] {
            None => all,
            Some(failure) => failure == Failure::LooksStiff,
        };
        (0..n_lanes).filter(is_left).collect()
    }

    /// Count, and leave nothing of a dose that cannot be.
    fn end(&self, lanes: &Lanes, failures: &LaneFailures, rows: &mut [Column]) {
        self.counts.add_solved(lanes.which.len());
        for (l, failure) in failures.iter().enumerate().take(lanes.which.len()) {
            let Some(failure) = failure else { continue };
            self.counts.add_failed(*failure);
            if *failure == Failure::ImpossibleDose {
                rows.iter_mut().for_each(|column| column.0[l] = f64::NAN);
            }
        }
    }

    fn take(&self) -> SolutionScratch {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let known = idle.pop();
        drop(idle);
        known.unwrap_or_else(|| SolutionScratch {
            planner: Planner::default(),
            stops: vec![Stops::new(); LANES],
            plan: StepPlan::default(),
            engine: self.memory(),
        })
    }

    fn memory(&self) -> EngineMemory {
        match &self.engine {
            Compiled::March(march) => EngineMemory::March(Box::new(march.scratch())),
            Compiled::Explicit(explicit) => EngineMemory::Explicit(Box::new(explicit.scratch())),
            Compiled::Adjoint(adjoint) => {
                let record = explicit::Record::default();
                EngineMemory::Adjoint(Box::new((adjoint.scratch(), record, adjoint.back())))
            }
            Compiled::Implicit => EngineMemory::None,
        }
    }

    fn give_back(&self, scratch: SolutionScratch) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(scratch);
    }
}

/// Make the stops of every lane, where they depend on its inputs.
fn plan(
    dynamics: &Dynamics,
    lanes: &Lanes,
    inputs: &[Column],
    scratch: &mut SolutionScratch,
) -> LaneFailures {
    let mut failures = [None; LANES];
    for (l, which) in lanes.which.iter().enumerate().take(LANES) {
        let met = &lanes.met[*which];
        failures[l] = if lanes.constant {
            met.failure
        } else {
            let input = |j: usize| inputs[j].0[l];
            let stops = &mut scratch.stops[l];
            let planned = scratch.planner.plan(&met.agenda(dynamics), input, stops);
            planned.err()
        };
    }
    failures
}

fn tasks<'a>(dynamics: &'a Dynamics, lanes: &'a Lanes, stops: &'a [Stops]) -> Vec<LaneTask<'a>> {
    let each = lanes.which.iter().enumerate();
    each.map(|(l, which)| {
        let own = if lanes.constant {
            &lanes.met[*which].stops
        } else {
            &stops[l]
        };
        lanes.met[*which].task(dynamics, own)
    })
    .collect()
}

/// LaneFailures of the solver beside those of the doses, which come first.
fn merge(failures: &mut LaneFailures, others: &LaneFailures) {
    for (failure, other) in failures.iter_mut().zip(others) {
        *failure = failure.or(*other);
    }
}
