//! Solve systems in which every state runs in closed form: lanes go from stop to stop together.
//!
//! An observation evaluates the flow from where the segment began, which stays; everything else ends the segment. With
//! `S = dx/dp`, `S(t) = flow_x S + flow_r dr/dp + flow_p`.

use super::eliminate::Elimination;
use super::flow::{self, Flow};
use super::plan::{Does, StepPlan};
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::{per_isa, Isa};
use crate::ode::explicit::LanesOutcome;
use crate::ode::program::{LeafColumns, Program, ProgramMemory};
use crate::ode::system::{System, ELAPSED};
use crate::ode::tangent::Tangents;
use crate::ode::task::{Deliveries, Failure, Task};

/// The solver of one system for one choice of what is wanted.
///
/// Columns of states and rates: `n` values, then for each input wanted the `n` derivatives.
#[derive(Debug, Clone)]
pub struct March {
    pub(super) n: usize,
    pub(super) n_inputs: usize,
    n_signals: usize,
    width: usize,
    /// Inputs with respect to which derivatives are carried.
    pub(super) directions: Vec<usize>,
    pub(super) initial: Vec<Option<usize>>,
    pub(super) held: Vec<bool>,
    lasting: Vec<bool>,
    pub(super) flow: Flow,
    /// `dx/dt` without infusions.
    pub(super) field: Program,
    /// `dx/dt`, its derivatives by the states (row-major), by the inputs wanted (input after input).
    pub(super) still: Program,
}

/// Memory of a solution; [`March::scratch`] makes it.
#[derive(Debug, Clone)]
pub struct LinearScratch {
    pub(super) leaves: LeafColumns,
    pub(super) flow: flow::FlowScratch,
    pub(super) field: ProgramMemory,
    pub(super) still: ProgramMemory,
    /// Which of the two last ones have seen the inputs of this solution.
    pub(super) ready: [bool; 2],
    row: Vec<Column>,
    pub(super) ends: Vec<Column>,
    pub(super) before: Vec<Column>,
    pub(super) after: Vec<Column>,
    pub(super) matrix: Vec<Column>,
    pub(super) saved: [Vec<Column>; 2],
    pub(super) start: Vec<Column>,
    pub(super) elimination: Elimination,
    pub(super) failures: [Option<Failure>; LANES],
    bad: Column,
}

impl March {
    /// `None` if some state has no flow.
    pub fn new(system: &System, wanted: &Deliveries) -> Option<Self> {
        let n = system.states.len();
        let flow = Flow::new(system, wanted)?;
        let mut graph = system.graph.clone();
        let mut tangents = Tangents::new(&mut graph, n, &wanted.inputs);
        let (jacobian, by_input) = tangents.slopes(&system.rhs);
        let still = [system.rhs.as_slice(), &jacobian, &by_input].concat();
        Some(Self {
            n,
            n_inputs: system.n_inputs,
            n_signals: system.signals.len(),
            width: wanted.width(),
            directions: wanted.inputs.clone(),
            initial: system.initial.clone(),
            held: system.held(),
            lasting: system.lasting(),
            flow,
            field: Program::new(&graph, &system.rhs),
            still: Program::new(&graph, &still),
        })
    }

    pub fn scratch(&self) -> LinearScratch {
        let columns = self.n * (1 + self.directions.len());
        let zeros = |n: usize| vec![Column::ZERO; n];
        let mut leaves = LeafColumns::zeros(self.n_inputs, columns, self.n_signals);
        leaves.rates.resize(columns, Column::ZERO);
        LinearScratch {
            leaves,
            flow: self.flow.scratch(),
            field: self.field.memory(),
            still: self.still.memory(),
            ready: [false; 2],
            row: zeros(self.width),
            ends: zeros(columns),
            before: zeros(self.n),
            after: zeros(self.n),
            matrix: zeros(self.still.n_roots().max(self.n * self.n)),
            saved: [zeros(columns), zeros(columns)],
            start: zeros(columns),
            elimination: Elimination::default(),
            failures: [None; LANES],
            bad: Column::ZERO,
        }
    }

    /// Solve one block as `plan`, made of the lanes of the task, says. Row `r` of a lane is delivered to the columns from
    /// `r * wanted.width()` on; rows that a lane does not have are zero, those behind a failure NaN.
    pub fn solve(
        &self,
        isa: Isa,
        plan: &StepPlan,
        task: &Task,
        out: &mut [Column],
        scratch: &mut LinearScratch,
    ) -> LanesOutcome {
        self.begin(isa, task, scratch);
        let rows = out.chunks_mut(self.width.max(1)).enumerate();
        for (_, row) in rows.filter(|(r, _)| plan.whole.get(*r) != Some(&true)) {
            row.fill(Column::ZERO);
        }
        let active = bits_below(plan.lanes);
        for (step, elapsed) in plan.steps.iter().zip(&plan.elapsed) {
            match step.does {
                Does::Observe(row) => {
                    scratch.leaves.data[ELAPSED as usize] = *elapsed;
                    let is_whole = plan.whole[row];
                    let out = &mut out[row * self.width..(row + 1) * self.width];
                    self.deliver(isa, (step.lanes, is_whole), out, scratch);
                }
                Does::Meet { moves, first, last } => {
                    if moves {
                        scratch.leaves.data[ELAPSED as usize] = *elapsed;
                        self.advance(isa, step.lanes, active, scratch);
                    }
                    self.meet(isa, &plan.meetings[first..last], task, scratch);
                }
            }
        }
        self.finish(plan, out, scratch)
    }

    fn begin(&self, isa: Isa, task: &Task, scratch: &mut LinearScratch) {
        let leaves = &mut scratch.leaves;
        leaves.inputs.copy_from_slice(&task.inputs[..self.n_inputs]);
        leaves.rates.fill(Column::ZERO);
        self.initialize(leaves);
        for (m, signal) in leaves.data[crate::ode::system::SIGNALS as usize..]
            .iter_mut()
            .enumerate()
        {
            for (l, lane) in task.lanes.iter().take(LANES).enumerate() {
                let first = lane.signals.lines.first().and_then(|line| line.get(m));
                signal.0[l] = first.copied().unwrap_or(f64::NAN);
            }
        }
        scratch.ready = [false; 2];
        scratch.failures = [None; LANES];
        scratch.bad = Column::ZERO;
        self.flow.begin(isa, leaves, &mut scratch.flow);
    }

    /// All lanes to their initial values.
    fn initialize(&self, leaves: &mut LeafColumns) {
        leaves.states.fill(Column::ZERO);
        for (k, input) in self.initial.iter().enumerate() {
            let Some(input) = input else { continue };
            leaves.states[k] = leaves.inputs[*input];
            if let Some(j) = self.direction(*input) {
                leaves.states[self.along(j, k)] = Column::splat(1.0);
            }
        }
    }

    /// Column of the derivative of state `k` in direction `j`.
    pub(super) fn along(&self, j: usize, k: usize) -> usize {
        (1 + j) * self.n + k
    }

    /// Whether the column belongs to a state that resets and steady states leave alone.
    pub(super) fn lasts(&self, column: usize) -> bool {
        self.lasting[column % self.n]
    }

    pub(super) fn direction(&self, input: usize) -> Option<usize> {
        self.directions.iter().position(|known| *known == input)
    }

    fn deliver(
        &self,
        isa: Isa,
        (lanes, is_whole): (u64, bool),
        out: &mut [Column],
        scratch: &mut LinearScratch,
    ) {
        let (leaves, memory) = (&scratch.leaves, &mut scratch.flow);
        if is_whole {
            self.flow.observe(isa, lanes, leaves, memory, out);
            for l in lanes_of(!lanes) {
                out.iter_mut().for_each(|column| column.0[l] = 0.0);
            }
            watch(isa, out, &mut scratch.bad);
            return;
        }
        self.flow
            .observe(isa, lanes, leaves, memory, &mut scratch.row);
        for l in lanes_of(lanes) {
            for (to, from) in out.iter_mut().zip(&scratch.row) {
                to.0[l] = from.0[l];
                scratch.bad.0[l] += from.0[l] * 0.0;
            }
        }
    }

    /// Let some lanes go on by the elapsed time of the leaves.
    pub(super) fn advance(&self, isa: Isa, lanes: u64, all: u64, scratch: &mut LinearScratch) {
        let (leaves, memory) = (&scratch.leaves, &mut scratch.flow);
        self.flow
            .arrive(isa, lanes, leaves, memory, &mut scratch.ends);
        let states = &mut scratch.leaves.states;
        if lanes == all {
            std::mem::swap(states, &mut scratch.ends);
            return;
        }
        for (to, from) in states.iter_mut().zip(&scratch.ends) {
            for l in lanes_of(lanes) {
                to.0[l] = from.0[l];
            }
        }
    }

    /// Rows from the first one that is not finite on are NaN.
    fn finish(
        &self,
        plan: &StepPlan,
        out: &mut [Column],
        scratch: &mut LinearScratch,
    ) -> LanesOutcome {
        for l in 0..plan.lanes {
            if scratch.bad.0[l] == 0.0 {
                continue;
            }
            scratch.failures[l].get_or_insert(Failure::NotFinite);
            let mut failed = false;
            for step in plan.steps.iter().filter(|step| step.lanes >> l & 1 != 0) {
                let Does::Observe(row) = step.does else {
                    continue;
                };
                let row = &mut out[row * self.width..(row + 1) * self.width];
                failed |= row.iter().any(|column| !column.0[l].is_finite());
                if failed {
                    row.iter_mut().for_each(|column| column.0[l] = f64::NAN);
                }
            }
        }
        LanesOutcome {
            failures: scratch.failures,
        }
    }
}

/// The first `n` bits.
pub(super) fn bits_below(n: usize) -> u64 {
    if n >= LANES {
        u64::MAX
    } else {
        (1 << n) - 1
    }
}

/// Positions of the bits that are set.
pub(super) fn lanes_of(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let l = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (l < LANES).then_some(l)
    })
}

#[inline(always)]
fn watch_body<const FMA: bool>(columns: &[Column], bad: &mut Column) {
    for column in columns {
        for (bad, x) in bad.0.iter_mut().zip(&column.0) {
            *bad += x * 0.0;
        }
    }
}

per_isa! {
    /// Add zero for every finite value, NaN for the others.
    fn watch(columns: &[Column], bad: &mut Column) = watch_body, plain;
}
