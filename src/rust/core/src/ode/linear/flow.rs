//! Compute the course of linear states from the beginning of a segment: as written into the graph, or by a matrix.

use super::propagator::{Propagator, PropagatorScratch};
use crate::ir::column::{Column, LANES};
use crate::ir::graph::Node;
use crate::ir::vmath::Isa;
use crate::ode::program::{LeafColumns, Program, ProgramMemory};
use crate::ode::system::System;
use crate::ode::tangent::Tangents;
use crate::ode::task::Deliveries;

#[derive(Debug, Clone)]
pub enum Flow {
    Written(Box<Written>),
    Matrix {
        propagator: Box<Propagator>,
        /// Which columns of the states are delivered.
        wanted: Vec<usize>,
    },
}

/// Programs of the nodes of all flows.
#[derive(Debug, Clone)]
pub struct Written {
    /// What is delivered.
    observe: Program,
    /// All columns of states at the end of a segment.
    arrive: Program,
    /// Derivatives of the flow by the states, row-major.
    transfer: Program,
}

/// Memory of a flow; [`Flow::scratch`] makes it.
#[derive(Debug, Clone)]
pub enum FlowScratch {
    Written(Box<WrittenScratch>),
    Matrix(Box<PropagatorScratch>),
}

#[derive(Debug, Clone)]
pub struct WrittenScratch {
    observe: ProgramMemory,
    arrive: ProgramMemory,
    transfer: ProgramMemory,
    /// Whether the last two have seen the inputs of this solution.
    ready: [bool; 2],
}

impl Flow {
    /// `None` if the states have neither.
    pub fn new(system: &System, wanted: &Deliveries) -> Option<Self> {
        let n = system.states.len();
        let slopes = |k: usize| (0..wanted.inputs.len()).map(move |j| (1 + j) * n + k);
        let slopes: Vec<usize> = wanted.states.iter().flat_map(|k| slopes(*k)).collect();
        if let Some(elements) = &system.matrix {
            let propagator = Propagator::new(system, elements, &wanted.inputs);
            return Some(Self::Matrix {
                propagator: Box::new(propagator),
                wanted: [wanted.states.clone(), slopes].concat(),
            });
        }
        let flows: Option<Vec<Node>> = system.flow.iter().copied().collect();
        let flows = flows?;
        let mut graph = system.graph.clone();
        let mut tangents = Tangents::new(&mut graph, n, &wanted.inputs);
        let along = tangents.of(&flows);
        let (transfer, _) = tangents.slopes(&flows);
        let all = [flows, along].concat();
        let delivered = wanted.states.iter().chain(&slopes).map(|at| all[*at]);
        let delivered: Vec<Node> = delivered.collect();
        Some(Self::Written(Box::new(Written {
            observe: Program::new(&graph, &delivered),
            arrive: Program::new(&graph, &all),
            transfer: Program::new(&graph, &transfer),
        })))
    }

    pub fn scratch(&self) -> FlowScratch {
        match self {
            Self::Written(written) => FlowScratch::Written(Box::new(WrittenScratch {
                observe: written.observe.memory(),
                arrive: written.arrive.memory(),
                transfer: written.transfer.memory(),
                ready: [false; 2],
            })),
            Self::Matrix { propagator, .. } => FlowScratch::Matrix(Box::new(propagator.scratch())),
        }
    }

    /// The inputs of a solution.
    pub fn begin(&self, isa: Isa, leaves: &LeafColumns, scratch: &mut FlowScratch) {
        match (self, scratch) {
            (Self::Written(written), FlowScratch::Written(memory)) => {
                memory.ready = [false; 2];
                written.observe.once(isa, leaves, &mut memory.observe);
            }
            (Self::Matrix { propagator, .. }, FlowScratch::Matrix(memory)) => {
                propagator.once(isa, leaves, memory);
            }
            _ => {}
        }
    }

    /// What is wanted of some lanes, after the elapsed time of the leaves; other lanes may be anything.
    pub fn observe(
        &self,
        isa: Isa,
        lanes: u64,
        leaves: &LeafColumns,
        scratch: &mut FlowScratch,
        out: &mut [Column],
    ) {
        match (self, scratch) {
            (Self::Written(written), FlowScratch::Written(memory)) => {
                (written.observe).run(isa, LANES, leaves, &mut memory.observe, out);
            }
            (Self::Matrix { propagator, wanted }, FlowScratch::Matrix(memory)) => {
                propagator.arrive(isa, lanes, leaves, memory);
                for (out, at) in out.iter_mut().zip(wanted) {
                    *out = memory.ends[*at];
                }
            }
            _ => {}
        }
    }

    /// All columns of states of some lanes, after the elapsed time of the leaves.
    pub fn arrive(
        &self,
        isa: Isa,
        lanes: u64,
        leaves: &LeafColumns,
        scratch: &mut FlowScratch,
        out: &mut [Column],
    ) {
        match (self, scratch) {
            (Self::Written(written), FlowScratch::Written(memory)) => {
                if !std::mem::replace(&mut memory.ready[0], true) {
                    written.arrive.once(isa, leaves, &mut memory.arrive);
                }
                (written.arrive).run(isa, LANES, leaves, &mut memory.arrive, out);
            }
            (Self::Matrix { propagator, .. }, FlowScratch::Matrix(memory)) => {
                propagator.arrive(isa, lanes, leaves, memory);
                out.copy_from_slice(&memory.ends);
            }
            _ => {}
        }
    }

    /// Derivatives of the states after the elapsed time by those at the beginning, row-major.
    pub fn transfer(
        &self,
        isa: Isa,
        leaves: &LeafColumns,
        scratch: &mut FlowScratch,
        out: &mut [Column],
    ) {
        match (self, scratch) {
            (Self::Written(written), FlowScratch::Written(memory)) => {
                if !std::mem::replace(&mut memory.ready[1], true) {
                    written.transfer.once(isa, leaves, &mut memory.transfer);
                }
                (written.transfer).run(isa, LANES, leaves, &mut memory.transfer, out);
            }
            (Self::Matrix { propagator, .. }, FlowScratch::Matrix(memory)) => {
                propagator.transfer(isa, leaves, memory, out);
            }
            _ => {}
        }
    }
}
