//! Solve the lanes of a block that are too stiff for explicit steps: by the exponential of their matrix where the equations
//! are linear, else by implicit steps.

use std::sync::{Mutex, OnceLock, PoisonError};

use super::counts::Counts;
use super::dynamics::Dynamics;
use super::implicit::Implicit;
use super::linear::{self, March, StepPlan};
use super::stiff::Stats;
use super::system::System;
use super::task::{Deliveries, Failure, LaneFailures, LaneTask, Task};
use crate::ir::column::Column;
use crate::ir::vmath::Isa;

#[derive(Debug)]
pub(super) enum Fallback {
    Matrix(Box<MatrixFallback>),
    Implicit(Implicit),
}

/// Exponentials for what is wanted, and for derivatives by all inputs; each compiled on first use.
#[derive(Debug)]
pub(super) struct MatrixFallback {
    system: System,
    values: OnceLock<Option<CompiledMatrix>>,
    slopes: OnceLock<Option<CompiledMatrix>>,
}

#[derive(Debug)]
struct CompiledMatrix {
    march: March,
    idle: Mutex<Vec<(StepPlan, linear::LinearScratch)>>,
}

impl Fallback {
    pub fn new(dynamics: &Dynamics) -> Self {
        match dynamics.by_matrix() {
            Some(system) => Self::Matrix(Box::new(MatrixFallback {
                system: system.clone(),
                values: OnceLock::new(),
                slopes: OnceLock::new(),
            })),
            None => Self::Implicit(Implicit::new(dynamics)),
        }
    }

    /// Fill the rows of some lanes.
    pub fn solve(
        &self,
        isa: Isa,
        (task, lanes): (&Task, &[usize]),
        wanted: &Deliveries,
        rows: &mut [Column],
        (counts, failures): (&Counts, &mut LaneFailures),
    ) {
        match self {
            Self::Matrix(_) if lanes.is_empty() => {}
            Self::Matrix(matrix) => {
                let solved = matrix.of(&matrix.values, wanted);
                let mut own = vec![Column::ZERO; rows.len()];
                let ends = solved.map(|solved| solved.solve(isa, (task, lanes), &mut own));
                for (at, l) in lanes.iter().enumerate() {
                    for (row, own) in rows.iter_mut().zip(&own) {
                        row.0[*l] = own.0[at];
                    }
                    failures[*l] = ends.map_or(Some(Failure::LooksStiff), |ends| ends[at]);
                    counts.add_implicit(&Stats::default());
                }
            }
            Self::Implicit(implicit) => {
                for l in lanes {
                    let end = implicit.solve(task, *l, wanted, rows);
                    counts.add_implicit(&end.unwrap_or_default());
                    failures[*l] = end.err();
                }
            }
        }
    }

    /// Fill the rows of some lanes with states alone; derivatives by all inputs apart, `[row][state][input]` a lane.
    pub fn slopes(
        &self,
        isa: Isa,
        (task, lanes): (&Task, &[usize]),
        wanted: &Deliveries,
        rows: &mut [Column],
        (counts, failures): (&Counts, &mut LaneFailures),
    ) -> Vec<(usize, Vec<f64>)> {
        let n_inputs = task.inputs.len();
        let mut others = Vec::with_capacity(lanes.len());
        match self {
            Self::Matrix(_) if lanes.is_empty() => {}
            Self::Matrix(matrix) => {
                let all = Deliveries {
                    states: wanted.states.clone(),
                    inputs: (0..n_inputs).collect(),
                };
                let n_states = wanted.states.len();
                let mut both = vec![Column::ZERO; rows.len() * (1 + n_inputs)];
                let solved = matrix.of(&matrix.slopes, &all);
                let ends = solved.map(|solved| solved.solve(isa, (task, lanes), &mut both));
                for (at, l) in lanes.iter().enumerate() {
                    let mut slopes = Vec::with_capacity(rows.len() * n_inputs);
                    let own = both.chunks_exact(all.width().max(1));
                    for (row, own) in rows.chunks_exact_mut(n_states.max(1)).zip(own) {
                        let (values, along) = own.split_at(n_states);
                        for (row, value) in row.iter_mut().zip(values) {
                            row.0[*l] = value.0[at];
                        }
                        slopes.extend(along.iter().map(|column| column.0[at]));
                    }
                    failures[*l] = ends.map_or(Some(Failure::LooksStiff), |ends| ends[at]);
                    counts.add_implicit(&Stats::default());
                    others.push((*l, slopes));
                }
            }
            Self::Implicit(implicit) => {
                for l in lanes {
                    let (slopes, end) = implicit.slopes(task, *l, wanted, rows);
                    counts.add_implicit(&end.unwrap_or_default());
                    failures[*l] = end.err();
                    others.push((*l, slopes));
                }
            }
        }
        others
    }
}

impl MatrixFallback {
    fn of<'s>(
        &self,
        compiled: &'s OnceLock<Option<CompiledMatrix>>,
        wanted: &Deliveries,
    ) -> Option<&'s CompiledMatrix> {
        let make = || {
            let march = March::new(&self.system, wanted)?;
            let idle = Mutex::default();
            Some(CompiledMatrix { march, idle })
        };
        compiled.get_or_init(make).as_ref()
    }
}

impl CompiledMatrix {
    /// Some lanes of a block, in the first lanes of `rows`.
    fn solve(
        &self,
        isa: Isa,
        (task, lanes): (&Task, &[usize]),
        rows: &mut [Column],
    ) -> LaneFailures {
        let gathered = |column: &Column| {
            let mut own = Column::splat(1.0);
            let each = own.0.iter_mut().zip(lanes);
            each.for_each(|(to, l)| *to = column.0[*l]);
            own
        };
        let inputs: Vec<Column> = task.inputs.iter().map(gathered).collect();
        let own: Vec<LaneTask> = lanes.iter().map(|l| task.lanes[*l]).collect();
        let known = self.idle().pop();
        let (mut plan, mut memory) =
            known.unwrap_or_else(|| (StepPlan::default(), self.march.scratch()));
        plan.make(&own);
        let task = Task {
            inputs: &inputs,
            lanes: &own,
        };
        let outcome = self.march.solve(isa, &plan, &task, rows, &mut memory);
        self.idle().push((plan, memory));
        outcome.failures
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(StepPlan, linear::LinearScratch)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
