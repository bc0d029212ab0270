//! Compile nodes of differential equations to tapes over lanes, in two stages.
//!
//! What depends on inputs and constants alone runs once a solution ([`Program::once`]), the rest at every evaluation
//! ([`Program::run`]). Leaves are columns that the solver owns and writes ([`Leaves`]); roots are written to columns that
//! it names. [`super::pull::Pull`] carries adjoints back through the same tapes.

use std::collections::HashMap;

use crate::ir::column::{Column, LANES};
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::program::Fusion;
use crate::ir::tape::{self, Bank, Bases, Code, Instruction, Place, N_BANKS};
use crate::ir::vmath::Isa;

pub(super) const CONSTANTS: Bank = Bank::Broadcast;
pub(super) const INPUTS: Bank = Bank::Phi;
pub(super) const STATES: Bank = Bank::Subject;
pub(super) const DATA: Bank = Bank::Row;
pub(super) const RATES: Bank = Bank::KnownSubject;
pub(super) const KEPT: Bank = Bank::Prepared;
pub(super) const WORK: Bank = Bank::Work;
/// The roots, where the caller wants them.
const OUT: Bank = Bank::Mask;

/// Values of the leaves, one column each.
#[derive(Debug, Clone, Default)]
pub struct Leaves {
    /// `Op::Phi(j)`
    pub inputs: Vec<Column>,
    /// `Op::State(k)`
    pub states: Vec<Column>,
    /// `Op::Data(m)`: time, time since the segment began, signals.
    pub data: Vec<Column>,
    /// `Op::Theta(k)`
    pub rates: Vec<Column>,
}

impl Leaves {
    /// Zeros for everything that some equations may read.
    pub fn zeros(inputs: usize, states: usize, signals: usize) -> Self {
        Self {
            inputs: vec![Column::ZERO; inputs],
            states: vec![Column::ZERO; states],
            data: vec![Column::ZERO; super::system::SIGNALS as usize + signals],
            rates: vec![Column::ZERO; states],
        }
    }
}

/// Columns of one program; [`Program::memory`] makes them.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    constants: Vec<Column>,
    /// What [`Program::once`] computed; a solver that moves lanes moves these too.
    pub kept: Vec<Column>,
    pub(super) work: Vec<Column>,
}

/// How many leaves of each kind are read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reads {
    pub inputs: usize,
    pub states: usize,
    pub data: usize,
    pub rates: usize,
}

/// Values of some nodes.
#[derive(Debug, Clone, Default)]
pub struct Program {
    constants: Vec<f64>,
    once: Vec<Instruction>,
    each: Vec<Instruction>,
    n_kept: usize,
    n_work: usize,
    n_roots: usize,
    reads: Reads,
}

impl Program {
    pub fn new(graph: &Graph, roots: &[Node]) -> Self {
        let mut layout = Layout::new(graph, roots);
        let once = layout.keep();
        let (each, n_work) = Registers::default().stage(&mut layout, roots);
        Self {
            once,
            each,
            n_work,
            n_roots: roots.len(),
            n_kept: layout.n_kept,
            reads: layout.reads,
            constants: layout.constants,
        }
    }

    pub fn memory(&self) -> Memory {
        memory(&self.constants, self.n_kept, self.n_work)
    }

    pub fn n_roots(&self) -> usize {
        self.n_roots
    }

    /// Whether any value depends on the data leaf `m`.
    pub fn reads_data(&self, m: u32) -> bool {
        let is = |place: Place| place.bank == DATA && place.index == m;
        self.each.iter().any(|i| is(i.a) || is(i.b) || is(i.c))
    }

    /// Compute what depends on inputs alone, in all lanes.
    pub fn once(&self, isa: Isa, leaves: &Leaves, memory: &mut Memory) {
        let bases = self.reads.bases(leaves, memory, &mut []);
        tape::run(isa, &self.once, bases, 1);
    }

    /// Compute the roots into `out`, in the first `lanes` (rounded up to eights).
    #[inline]
    pub fn run(
        &self,
        isa: Isa,
        lanes: usize,
        leaves: &Leaves,
        memory: &mut Memory,
        out: &mut [Column],
    ) {
        let out = &mut out[..self.n_roots];
        let bases = self.reads.bases(leaves, memory, out);
        if lanes > LANES - 8 {
            tape::run(isa, &self.each, bases, 1);
        } else {
            tape::run_some(isa, &self.each, bases, lanes);
        }
    }
}

pub(super) fn memory(constants: &[f64], n_kept: usize, n_work: usize) -> Memory {
    Memory {
        constants: constants.iter().map(|c| Column::splat(*c)).collect(),
        kept: vec![Column::ZERO; n_kept],
        work: vec![Column::ZERO; n_work],
    }
}

impl Reads {
    /// The columns behind every bank; slices end in a panic where a solver owns fewer leaves than the program reads.
    #[inline]
    pub(super) fn bases(&self, leaves: &Leaves, memory: &mut Memory, out: &mut [Column]) -> Bases {
        // Leaves and constants are read only.
        let read = |columns: &[Column], n: usize| columns[..n].as_ptr().cast_mut().cast::<f64>();
        let mut start = [std::ptr::null_mut(); N_BANKS];
        start[CONSTANTS as usize] = read(&memory.constants, memory.constants.len());
        start[INPUTS as usize] = read(&leaves.inputs, self.inputs);
        start[STATES as usize] = read(&leaves.states, self.states);
        start[DATA as usize] = read(&leaves.data, self.data);
        start[RATES as usize] = read(&leaves.rates, self.rates);
        start[KEPT as usize] = memory.kept.as_mut_ptr().cast();
        start[WORK as usize] = memory.work.as_mut_ptr().cast();
        start[OUT as usize] = out.as_mut_ptr().cast();
        Bases {
            start,
            stride: [0; N_BANKS],
            adjoint: std::ptr::null_mut(),
            tangent: std::ptr::null_mut(),
        }
    }
}

/// Places being given to nodes.
pub(super) struct Layout<'a> {
    pub graph: &'a Graph,
    /// What is computed, in order: kept values, then the others.
    pub still: Vec<Node>,
    pub moving: Vec<Node>,
    pub constants: Vec<f64>,
    pub n_kept: usize,
    pub reads: Reads,
    places: HashMap<Node, Place>,
    fusion: Fusion,
}

impl<'a> Layout<'a> {
    pub fn new(graph: &'a Graph, roots: &[Node]) -> Self {
        let needed = graph.reachable(roots);
        let moves = graph.depends(|op| matches!(op, Op::State(_) | Op::Data(_) | Op::Theta(_)));
        let computed: Vec<Node> = graph
            .nodes()
            .filter(|n| needed[n.index()])
            .filter(|n| {
                matches!(
                    graph.op(*n),
                    Op::Unary(..) | Op::Binary(..) | Op::Select(..)
                )
            })
            .collect();
        let mut together = |a: Node, b: Node| moves[a.index()] == moves[b.index()];
        let fusion = Fusion::new(graph, &mut together, &computed, roots);
        let computed = computed.into_iter().filter(|n| !fusion.absorbs(*n));
        let (moving, still) = computed.partition(|n: &Node| moves[n.index()]);
        Self {
            graph,
            still,
            moving,
            constants: Vec::new(),
            n_kept: 0,
            reads: Reads::default(),
            places: HashMap::new(),
            fusion,
        }
    }

    /// The tape of what depends on inputs alone; every value has a column of its own.
    pub fn keep(&mut self) -> Vec<Instruction> {
        let still = std::mem::take(&mut self.still);
        let mut tape = Vec::with_capacity(still.len());
        for node in &still {
            let dst = place(KEPT, self.n_kept);
            self.n_kept += 1;
            tape.push(self.instruction(*node, dst));
        }
        self.still = still;
        tape
    }

    /// The instruction that computes `node`, from now on read at `dst`.
    pub fn instruction(&mut self, node: Node, dst: Place) -> Instruction {
        let (code, operands) = self.fusion.form(self.graph, node);
        let [a, b, c] = operands.map(|operand| operand.map(|x| self.place(x)));
        self.places.insert(node, dst);
        let a = a.unwrap_or(dst);
        Instruction {
            code,
            dst,
            a,
            b: b.unwrap_or(a),
            c: c.unwrap_or(a),
        }
    }

    pub fn operands(&self, node: Node) -> [Option<Node>; 3] {
        self.fusion.form(self.graph, node).1
    }

    /// Where a node is read.
    pub fn place(&mut self, node: Node) -> Place {
        if let Some(place) = self.places.get(&node) {
            return *place;
        }
        let reads = &mut self.reads;
        let (bank, index, count) = match self.graph.op(node) {
            Op::Phi(j) => (INPUTS, j, &mut reads.inputs),
            Op::State(k) => (STATES, k, &mut reads.states),
            Op::Data(m) => (DATA, m, &mut reads.data),
            Op::Theta(k) => (RATES, k, &mut reads.rates),
            Op::Constant(value) => return self.constant(node, value),
            // Values carried between rows do not occur in differential equations.
            _ => return self.constant(node, f64::NAN),
        };
        *count = (*count).max(index as usize + 1);
        let place = Place { bank, index };
        self.places.insert(node, place);
        place
    }

    fn constant(&mut self, node: Node, value: f64) -> Place {
        self.constants.push(value);
        let place = place(CONSTANTS, self.constants.len() - 1);
        self.places.insert(node, place);
        place
    }

    /// `dst = a`
    fn copy(&mut self, a: Place, dst: Place) -> Instruction {
        Instruction {
            code: Code::Select,
            dst,
            a,
            b: a,
            c: a,
        }
    }
}

pub(super) fn place(bank: Bank, index: usize) -> Place {
    Place {
        bank,
        index: u32::try_from(index).unwrap_or(u32::MAX),
    }
}

/// Columns of work that are given back after their last use.
#[derive(Default)]
struct Registers {
    count: usize,
    free: Vec<u32>,
}

impl Registers {
    /// The tape of what changes, and how many columns of work it takes.
    fn stage(mut self, layout: &mut Layout, roots: &[Node]) -> (Vec<Instruction>, usize) {
        let moving = std::mem::take(&mut layout.moving);
        let mut last: HashMap<Node, usize> = HashMap::new();
        for (position, node) in moving.iter().enumerate() {
            last.insert(*node, position);
            for operand in layout.operands(*node).into_iter().flatten() {
                last.entry(operand).and_modify(|last| *last = position);
            }
        }
        let mut tape = Vec::new();
        for (position, node) in moving.iter().enumerate() {
            let mut instruction = layout.instruction(*node, place(WORK, 0));
            for operand in layout.operands(*node).into_iter().flatten() {
                if last.get(&operand) == Some(&position) {
                    self.give_back(layout.place(operand));
                }
            }
            instruction.dst = match roots.iter().position(|root| root == node) {
                Some(r) => place(OUT, r),
                None => self.take(),
            };
            layout.places.insert(*node, instruction.dst);
            tape.push(instruction);
        }
        for (r, root) in roots.iter().enumerate() {
            let (from, to) = (layout.place(*root), place(OUT, r));
            if from != to {
                tape.push(layout.copy(from, to));
            }
        }
        layout.moving = moving;
        (tape, self.count)
    }

    fn take(&mut self) -> Place {
        let index = self.free.pop().map(|index| index as usize);
        let index = index.unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        });
        place(WORK, index)
    }

    fn give_back(&mut self, place: Place) {
        if place.bank == WORK && !self.free.contains(&place.index) {
            self.free.push(place.index);
        }
    }
}
