//! Carry adjoints of nodes of differential equations back to what they are computed from.
//!
//! `adjoint(leaf) += sum over roots of seed * d root / d leaf`, by one sweep over the tape in reverse: the cost does not
//! grow with the number of leaves. Adjoints of values that depend on inputs alone are collected over all evaluations and
//! carried on to the inputs once, by [`Pull::finish`].

use std::collections::HashSet;

use super::program::{bases, memory, place, LeafColumns, Nodes, ProgramMemory};
use super::program::{INPUTS, KEPT, RATES, STATES, WORK};
use crate::ir::column::Column;
use crate::ir::graph::{Graph, Node};
use crate::ir::narrow;
use crate::ir::program::ProgramLayout;
use crate::ir::tape::{
    AdjointTarget, Bank, Bases, ColumnAddress, Instruction, Reverse, Tape, TapeCode,
};
use crate::ir::vmath::Isa;

/// Reverse sweep of some roots.
#[derive(Debug, Clone, Default)]
pub struct Pull {
    constants: Vec<f64>,
    once: Tape<Instruction>,
    each: Tape<Instruction>,
    reverse_once: Tape<Reverse>,
    reverse_each: Tape<Reverse>,
    n_kept: usize,
    n_work: usize,
    at: AdjointBanks,
    /// Where the seed of each root goes; `None`: the root is constant, or a leaf without an adjoint.
    roots: Vec<Option<usize>>,
}

/// First adjoint column of each bank that has any.
#[derive(Debug, Clone, Copy, Default)]
struct AdjointBanks {
    work: usize,
    kept: usize,
    states: usize,
    inputs: usize,
    rates: usize,
    end: usize,
}

impl AdjointBanks {
    fn of(&self, place: ColumnAddress) -> Option<usize> {
        let first = match place.bank {
            WORK => self.work,
            KEPT => self.kept,
            STATES => self.states,
            INPUTS => self.inputs,
            RATES => self.rates,
            _ => return None,
        };
        Some(first + place.index as usize)
    }
}

/// Columns of one sweep: values, and adjoints of the leaves.
#[derive(Debug, Clone, Default)]
pub struct PullMemory {
    memory: ProgramMemory,
    adjoint: Vec<Column>,
    at: AdjointBanks,
}

impl PullMemory {
    fn bases<'m>(&'m mut self, leaves: &'m LeafColumns) -> Bases<'m> {
        let mut bases = bases(leaves, &mut self.memory, &mut []);
        bases.write(Bank::Adjoint, &mut self.adjoint);
        bases
    }

    /// Adjoints of the states by the last [`Pull::pull`].
    pub fn states(&self) -> &[Column] {
        &self.adjoint[self.at.states..self.at.inputs]
    }

    /// Adjoints of the inputs since [`Pull::start`]; complete after [`Pull::finish`].
    pub fn inputs(&self) -> &[Column] {
        &self.adjoint[self.at.inputs..self.at.rates]
    }

    /// Adjoints of the rates, added up since the caller last set them to zero.
    pub fn rates(&mut self) -> &mut [Column] {
        &mut self.adjoint[self.at.rates..self.at.end]
    }
}

impl Pull {
    /// `n_inputs`, `n_states`: how many adjoints are kept, whether they are read or not.
    pub fn new(graph: &Graph, roots: &[Node], n_inputs: usize, n_states: usize) -> Self {
        let mut layout = Nodes::new(graph, roots);
        let once = layout.keep();
        let moving = layout.moving.clone();
        let each: Tape<Instruction> = moving
            .iter()
            .enumerate()
            .map(|(i, node)| layout.compute(*node, place(WORK, i)))
            .collect();
        let roots: Vec<ColumnAddress> = roots.iter().map(|root| layout.place(*root)).collect();
        let at = AdjointBanks::new(each.len(), layout.n_kept, n_inputs, n_states);
        let roots: Vec<Option<usize>> = roots.into_iter().map(|root| at.of(root)).collect();
        Self {
            reverse_once: reverse(&once, &at, &[]),
            reverse_each: reverse(&each, &at, &roots),
            n_kept: layout.n_kept,
            n_work: each.len(),
            once,
            each,
            constants: layout.constants,
            roots,
            at,
        }
    }

    pub fn back(&self) -> PullMemory {
        PullMemory {
            memory: memory(&self.constants, self.n_kept, self.n_work),
            adjoint: vec![Column::ZERO; self.at.end],
            at: self.at,
        }
    }

    /// Compute what depends on inputs alone; adjoints of inputs and rates start at zero.
    pub fn start(&self, isa: Isa, leaves: &LeafColumns, back: &mut PullMemory) {
        back.adjoint.fill(Column::ZERO);
        let mut bases = bases(leaves, &mut back.memory, &mut []);
        self.once.run(isa, &mut bases, 1);
    }

    /// Carry `seeds`, one column a root, back through the equations at the values of `leaves`.
    pub fn pull(&self, isa: Isa, leaves: &LeafColumns, back: &mut PullMemory, seeds: &[Column]) {
        let at = self.at;
        for column in self.roots.iter().flatten().filter(|i| **i < at.kept) {
            back.adjoint[*column] = Column::ZERO;
        }
        back.adjoint[at.states..at.inputs].fill(Column::ZERO);
        for (root, seed) in self.roots.iter().zip(seeds) {
            let Some(column) = root else { continue };
            for (sum, x) in back.adjoint[*column].0.iter_mut().zip(seed.0) {
                *sum += x;
            }
        }
        let mut bases = back.bases(leaves);
        self.reverse_each.run(isa, &self.each, &mut bases, 1);
    }

    /// Carry what was collected on to the inputs.
    pub fn finish(&self, isa: Isa, leaves: &LeafColumns, back: &mut PullMemory) {
        self.reverse_once.run_alone(isa, &mut back.bases(leaves));
        let at = self.at;
        back.adjoint[at.kept..at.states].fill(Column::ZERO);
    }
}

impl AdjointBanks {
    fn new(work: usize, kept: usize, inputs: usize, states: usize) -> Self {
        let first_state = work + kept;
        Self {
            work: 0,
            kept: work,
            states: first_state,
            inputs: first_state + states,
            rates: first_state + states + inputs,
            end: first_state + 2 * states + inputs,
        }
    }
}

/// The adjoint rules of a tape, its last instruction first.
///
/// The first contribution to a column of work overwrites what another sweep left there; `seeded` ones were written
/// before. What nothing contributes to (the condition of a selection) is passed over.
fn reverse(tape: &[Instruction], at: &AdjointBanks, seeded: &[Option<usize>]) -> Tape<Reverse> {
    let mut touched: HashSet<usize> = seeded.iter().flatten().copied().collect();
    touched.extend(at.kept..at.end);
    let mut rules = Tape::default();
    for forward in tape.iter().rev() {
        let Some(source) = at.of(forward.dst).filter(|i| touched.contains(i)) else {
            continue;
        };
        let operands = match forward.code {
            TapeCode::Unary(_) => [Some(forward.a), None, None],
            TapeCode::Binary(_) => [Some(forward.a), Some(forward.b), None],
            TapeCode::Select => [None, Some(forward.b), Some(forward.c)],
            _ => [Some(forward.a), Some(forward.b), Some(forward.c)],
        };
        let targets = operands.map(|place| {
            let Some(column) = place.and_then(|place| at.of(place)) else {
                return AdjointTarget::None;
            };
            let index = narrow(column);
            if touched.insert(column) {
                AdjointTarget::Set(index)
            } else {
                AdjointTarget::Add(index)
            }
        });
        rules.push(Reverse {
            forward: *forward,
            source: narrow(source),
            targets,
        });
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::graph::Op;
    use crate::ir::op::{Binary, Unary};
    use crate::ir::scalar::{LeafValues as Scalars, ScalarProgram};
    use crate::ode::program::Program;

    struct TestLane<'a>(&'a LeafColumns, usize);

    impl Scalars for TestLane<'_> {
        fn data(&self, column: usize) -> f64 {
            self.0.data[column].0[self.1]
        }
        fn theta(&self, coordinate: usize) -> f64 {
            self.0.rates[coordinate].0[self.1]
        }
        fn phi(&self, coordinate: usize) -> f64 {
            self.0.inputs[coordinate].0[self.1]
        }
        fn state(&self, k: usize) -> f64 {
            self.0.states[k].0[self.1]
        }
    }

    /// Two saturable processes that share parts, a selection, leaves and constants among the roots.
    fn equations() -> (Graph, Vec<Node>) {
        let mut g = Graph::new();
        let [x, y] = [g.state(0), g.state(1)];
        let [vm, km, kin] = [g.phi(0), g.phi(1), g.phi(2)];
        let (time, rate) = (g.data(0), g.theta(1));
        let below = g.add(km, x);
        let above = g.mul(vm, x);
        let uptake = g.div(above, below);
        let log = g.ln(kin);
        let scale = g.mul(log, vm);
        let swing = g.unary(Unary::Cos, time);
        let first = g.mul(scale, swing);
        let first = g.sub(first, uptake);
        let less = g.binary(Binary::Less, x, y);
        let chosen = g.select(less, uptake, rate);
        let product = g.mul(chosen, y);
        let second = g.sub(product, first);
        let double = g.add(uptake, uptake);
        let two = g.constant(2.0);
        let roots = vec![first, second, double, x, scale, two, first];
        (g, roots)
    }

    fn leaves() -> LeafColumns {
        let column = |k: usize| {
            Column(std::array::from_fn(|l| {
                0.3 + 0.1 * k as f64 + (0.37 * (l + 5 * k) as f64).sin().abs()
            }))
        };
        let mut leaves = LeafColumns::zeros(4, 2, 1);
        let all = [
            &mut leaves.inputs,
            &mut leaves.states,
            &mut leaves.data,
            &mut leaves.rates,
        ];
        for (b, columns) in all.into_iter().enumerate() {
            for (k, c) in columns.iter_mut().enumerate() {
                *c = column(7 * b + k);
            }
        }
        leaves
    }

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-13 * (1.0 + b.abs()), "{a} {b}");
    }

    #[test]
    fn values_are_those_of_the_scalar_program() {
        let ((graph, roots), leaves) = (equations(), leaves());
        let program = Program::new(&graph, &roots);
        let scalar = ScalarProgram::new(&graph, &roots);
        for isa in Isa::available() {
            for lanes in [3, 8, 17, 64] {
                let mut memory = program.memory();
                let mut out = vec![Column::splat(f64::NAN); roots.len()];
                program.once(isa, &leaves, &mut memory);
                program.run(isa, lanes, &leaves, &mut memory, &mut out);
                for l in 0..lanes {
                    let truth = scalar.evaluate(&graph, &TestLane(&leaves, l), &mut Vec::new());
                    for (column, truth) in out.iter().zip(truth) {
                        near(column.0[l], truth);
                    }
                }
                let behind = lanes.next_multiple_of(8);
                assert!(out[0].0[behind.min(63)].is_nan() == (behind < 64));
            }
        }
    }

    #[test]
    fn adjoints_are_those_of_the_scalar_program() {
        let ((graph, roots), leaves) = (equations(), leaves());
        let pull = Pull::new(&graph, &roots, 4, 2);
        let scalar = ScalarProgram::new(&graph, &roots);
        let seed = |r: usize, l: usize| (1.0 + r as f64) * (0.2 * l as f64).cos();
        let seeds: Vec<Column> = (0..roots.len())
            .map(|r| Column(std::array::from_fn(|l| seed(r, l))))
            .collect();
        let mut back = pull.back();
        pull.start(Isa::detect(), &leaves, &mut back);
        // Twice: states belong to the last one, inputs and rates add up.
        pull.pull(Isa::detect(), &leaves, &mut back, &seeds);
        pull.pull(Isa::detect(), &leaves, &mut back, &seeds);
        pull.finish(Isa::detect(), &leaves, &mut back);
        for l in 0..64 {
            let mut memory = Vec::new();
            scalar.evaluate(&graph, &TestLane(&leaves, l), &mut memory);
            let own: Vec<f64> = (0..roots.len()).map(|r| seed(r, l)).collect();
            let truth = scalar.adjoints(&graph, &memory, &own);
            for node in graph.nodes() {
                match graph.op(node) {
                    Op::State(k) => near(back.states()[k as usize].0[l], truth[node.index()]),
                    Op::Phi(j) => near(back.inputs()[j as usize].0[l], 2.0 * truth[node.index()]),
                    Op::Theta(k) => near(back.rates()[k as usize].0[l], 2.0 * truth[node.index()]),
                    _ => {}
                }
            }
            assert_eq!((back.inputs()[3].0[l], back.rates()[0].0[l]), (0.0, 0.0));
        }
    }
}
