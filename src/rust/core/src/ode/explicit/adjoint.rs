//! Solve with a record, and carry weights of the observations back to the inputs.

use super::back::{go, BackwardMemory};
use super::record::{Prescribed, Record};
use super::{Explicit, ExplicitScratch, LanesOutcome};
use crate::ir::column::Column;
use crate::ir::vmath::Isa;
use crate::ode::pull::Pull;
use crate::ode::system::System;
use crate::ode::task::{Deliveries, Task};

/// The explicit solver with a way back. Its cost does not grow with the number of inputs.
#[derive(Debug, Clone)]
pub struct Adjoint {
    pub(super) explicit: Explicit,
    pub(super) states: Vec<usize>,
    pub(super) rhs: Pull,
    pub(super) flow: Pull,
    pub(super) whole: Pull,
}

impl Adjoint {
    /// `states`: those that observations deliver.
    pub fn new(system: &System, states: &[usize]) -> Self {
        let wanted = Deliveries {
            states: states.to_vec(),
            inputs: Vec::new(),
        };
        let is_flow = |k: &usize| system.flow.get(*k).is_some_and(Option::is_some);
        let moving = (0..system.rhs.len()).filter(|k| !is_flow(k));
        let moving: Vec<_> = moving.map(|k| system.rhs[k]).collect();
        let flowing: Vec<_> = system.flow.iter().flatten().copied().collect();
        let (n_inputs, n) = (system.n_inputs, system.rhs.len());
        let pull = |roots: &[_]| Pull::new(&system.graph, roots, n_inputs, n);
        Self {
            explicit: Explicit::new(system, &wanted),
            states: wanted.states,
            rhs: pull(&moving),
            flow: pull(&flowing),
            whole: pull(&system.rhs),
        }
    }

    pub fn scratch(&self) -> ExplicitScratch {
        self.explicit.scratch()
    }

    /// Memory of the way back.
    pub fn back(&self) -> BackwardMemory {
        BackwardMemory::new(self)
    }

    /// As [`Explicit::solve`] without derivatives; `record` keeps the steps.
    pub fn record(
        &self,
        isa: Isa,
        task: &Task,
        out: &mut [Column],
        (scratch, record): (&mut ExplicitScratch, &mut Record),
    ) -> LanesOutcome {
        let explicit = &self.explicit;
        record.begin(&task.inputs[..explicit.field.n_inputs], task.lanes.len());
        explicit.walk(isa, task, out, scratch, (Some(record), None))
    }

    /// Solve with the steps of a record, whatever the errors are: for differences at fixed step sizes.
    pub fn replay(
        &self,
        isa: Isa,
        task: &Task,
        out: &mut [Column],
        (scratch, record): (&mut ExplicitScratch, &Record),
    ) -> LanesOutcome {
        let prescribed = Some(Prescribed::new(record));
        self.explicit
            .walk(isa, task, out, scratch, (None, prescribed))
    }

    /// Derivatives of `sum seeds * rows` by the inputs at the steps of the record. `seeds`: one column a row and wanted
    /// state, as the rows were delivered; `gradients`: one column an input.
    pub fn pull(
        &self,
        isa: Isa,
        record: &Record,
        seeds: &[Column],
        gradients: &mut [Column],
        back: &mut BackwardMemory,
    ) {
        go(self, isa, record, seeds, (back, gradients));
    }
}
