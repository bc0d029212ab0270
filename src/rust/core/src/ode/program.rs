//! Compile nodes of differential equations to tapes over lanes, in two stages.
//!
//! What depends on inputs and constants alone runs once a solution ([`Program::once`]), the rest at every evaluation
//! ([`Program::run`]). Leaves are columns that the solver owns and writes ([`LeafColumns`]); roots are written to columns that
//! it names. [`super::pull::Pull`] carries adjoints back through the same tapes.

use crate::ir::column::{Column, LANES};
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::narrow;
use crate::ir::program::{Fusion, Laid, ProgramLayout, Registers};
use crate::ir::tape::{Bank, Bases, ColumnAddress, Instruction, Tape, TapeCode};
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
pub struct LeafColumns {
    /// `Op::Phi(j)`
    pub inputs: Vec<Column>,
    /// `Op::State(k)`
    pub states: Vec<Column>,
    /// `Op::Data(m)`: time, time since the segment began, signals.
    pub data: Vec<Column>,
    /// `Op::Theta(k)`
    pub rates: Vec<Column>,
}

impl LeafColumns {
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
pub struct ProgramMemory {
    constants: Vec<Column>,
    /// What [`Program::once`] computed; a solver that moves lanes moves these too.
    pub kept: Vec<Column>,
    pub(super) work: Vec<Column>,
}

/// Values of some nodes.
#[derive(Debug, Clone, Default)]
pub struct Program {
    constants: Vec<f64>,
    once: Tape<Instruction>,
    each: Tape<Instruction>,
    n_kept: usize,
    n_work: usize,
    n_roots: usize,
}

impl Program {
    pub fn new(graph: &Graph, roots: &[Node]) -> Self {
        let mut layout = Nodes::new(graph, roots);
        let once = layout.keep();
        let (each, n_work) = layout.stage(roots);
        Self {
            once,
            each,
            n_work,
            n_roots: roots.len(),
            n_kept: layout.n_kept,
            constants: layout.constants,
        }
    }

    pub fn memory(&self) -> ProgramMemory {
        memory(&self.constants, self.n_kept, self.n_work)
    }

    pub fn n_roots(&self) -> usize {
        self.n_roots
    }

    /// Whether any value depends on the data leaf `m`.
    pub fn reads_data(&self, m: u32) -> bool {
        let is = |place: ColumnAddress| place.bank == DATA && place.index == m;
        self.each.iter().any(|i| is(i.a) || is(i.b) || is(i.c))
    }

    /// Compute what depends on inputs alone, in all lanes.
    pub fn once(&self, isa: Isa, leaves: &LeafColumns, memory: &mut ProgramMemory) {
        self.once.run(isa, &mut bases(leaves, memory, &mut []), 1);
    }

    /// Compute the roots into `out`, in the first `lanes` (rounded up to eights).
    #[inline]
    pub fn run(
        &self,
        isa: Isa,
        lanes: usize,
        leaves: &LeafColumns,
        memory: &mut ProgramMemory,
        out: &mut [Column],
    ) {
        let mut bases = bases(leaves, memory, out);
        if lanes > LANES - 8 {
            self.each.run(isa, &mut bases, 1);
        } else {
            self.each.run_some(isa, &mut bases, lanes);
        }
    }
}

pub(super) fn memory(constants: &[f64], n_kept: usize, n_work: usize) -> ProgramMemory {
    ProgramMemory {
        constants: constants.iter().map(|c| Column::splat(*c)).collect(),
        kept: vec![Column::ZERO; n_kept],
        work: vec![Column::ZERO; n_work],
    }
}

/// The columns behind every bank.
#[inline]
pub(super) fn bases<'m>(
    leaves: &'m LeafColumns,
    memory: &'m mut ProgramMemory,
    out: &'m mut [Column],
) -> Bases<'m> {
    let mut bases = Bases::default();
    bases.read(CONSTANTS, &memory.constants);
    bases.read(INPUTS, &leaves.inputs);
    bases.read(STATES, &leaves.states);
    bases.read(DATA, &leaves.data);
    bases.read(RATES, &leaves.rates);
    bases.write(KEPT, &mut memory.kept);
    bases.write(WORK, &mut memory.work);
    bases.write(OUT, out);
    bases
}

/// Places being given to nodes.
pub(super) struct Nodes<'a> {
    pub graph: &'a Graph,
    /// What is computed, in order: kept values, then the others.
    pub still: Vec<Node>,
    pub moving: Vec<Node>,
    pub constants: Vec<f64>,
    pub n_kept: usize,
    laid: Laid,
}

impl<'a> Nodes<'a> {
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
            laid: Laid::new(fusion),
        }
    }

    /// The tape of what depends on inputs alone; every value has a column of its own.
    pub fn keep(&mut self) -> Tape<Instruction> {
        let still = std::mem::take(&mut self.still);
        let mut tape = Tape::default();
        for node in &still {
            let dst = place(KEPT, self.n_kept);
            self.n_kept += 1;
            tape.push(self.compute(*node, dst));
        }
        self.still = still;
        tape
    }

    /// The tape of what changes, and how many columns of work it takes.
    fn stage(&mut self, roots: &[Node]) -> (Tape<Instruction>, usize) {
        let moving = std::mem::take(&mut self.moving);
        let mut registers = Registers::default();
        let own = |node: Node| Some(place(OUT, roots.iter().position(|root| *root == node)?));
        let mut tape = registers.stage(self, &moving, &[], &own, &mut |_, _, _| {});
        for (r, root) in roots.iter().enumerate() {
            let (from, to) = (self.place(*root), place(OUT, r));
            if from != to {
                tape.push(copy(from, to));
            }
        }
        self.moving = moving;
        (tape, registers.count)
    }

    fn constant(&mut self, value: f64) -> ColumnAddress {
        self.constants.push(value);
        place(CONSTANTS, self.constants.len() - 1)
    }
}

impl ProgramLayout for Nodes<'_> {
    fn graph(&self) -> &Graph {
        self.graph
    }

    fn laid(&self) -> &Laid {
        &self.laid
    }

    fn laid_mut(&mut self) -> &mut Laid {
        &mut self.laid
    }

    fn leaf(&mut self, node: Node) -> ColumnAddress {
        match self.graph.op(node) {
            Op::Phi(j) => INPUTS.at(j),
            Op::State(k) => STATES.at(k),
            Op::Data(m) => DATA.at(m),
            Op::Theta(k) => RATES.at(k),
            Op::Constant(value) => self.constant(value),
            // Values carried between rows do not occur in differential equations.
            _ => self.constant(f64::NAN),
        }
    }
}

/// `dst = a`
fn copy(a: ColumnAddress, dst: ColumnAddress) -> Instruction {
    Instruction {
        code: TapeCode::Select,
        dst,
        a,
        b: a,
        c: a,
    }
}

pub(super) fn place(bank: Bank, index: usize) -> ColumnAddress {
    bank.at(narrow(index))
}
