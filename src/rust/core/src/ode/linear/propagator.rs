//! Take linear states from the beginning of a segment to a later time by the exponential of their matrix.
//!
//! `(x, 1)(t) = e^(M t) (x, 1)(0)`, `M = [A u; 0 0]`, `u` being what flows in at a constant rate. Derivatives by an input `p`:
//! `S(t) = e^(A t) S(0) + L (x, 1)(0)`, `L` the derivative of the exponential in the direction `dM/dp`.

use super::exponential::Exponential;
use super::ladder::{Ladder, Moving};
use super::square::{Eight, Pattern, Square, EIGHT};
use crate::ir::column::{Column, LANES};
use crate::ir::graph::Node;
use crate::ir::symbolic::derivatives;
use crate::ir::vmath::Isa;
use crate::ode::program::{LeafColumns, Program, ProgramMemory};
use crate::ode::system::{System, ELAPSED};
use crate::ode::tangent::narrow;

/// Elements of the equations `dx/dt = A x + b`, by row and column; those of `b` stand in column `n`.
#[derive(Debug, Clone, Default)]
pub struct Coefficients(pub Vec<(usize, usize, Node)>);

#[derive(Debug, Clone)]
pub struct Propagator {
    n: usize,
    /// Elements that are not always zero, then their derivatives in each direction.
    elements: Program,
    /// Where the elements stand in the matrix.
    values: Vec<usize>,
    /// For each direction where its derivatives stand, and which of the roots they are.
    slopes: Vec<Vec<(usize, usize)>>,
    pattern: Pattern,
}

/// Memory of a propagator; [`Propagator::scratch`] makes it.
#[derive(Debug, Clone)]
pub struct PropagatorScratch {
    memory: ProgramMemory,
    roots: Vec<Column>,
    a: Square,
    changes: Vec<Square>,
    exponential: Exponential,
    /// For each eight lanes.
    ladders: Vec<Ladder>,
    moving: Moving,
    /// All columns of states at the end.
    pub ends: Vec<Column>,
}

impl Propagator {
    /// `directions`: inputs with respect to which derivatives are carried.
    pub fn new(system: &System, elements: &Coefficients, directions: &[usize]) -> Self {
        let (mut graph, n) = (system.graph.clone(), system.states.len());
        let at = |(k, l, _): &(usize, usize, Node)| k * (n + 1) + l;
        let values: Vec<usize> = elements.0.iter().map(at).collect();
        let mut roots: Vec<Node> = elements.0.iter().map(|(_, _, node)| *node).collect();
        let inputs: Vec<Node> = directions.iter().map(|j| graph.phi(narrow(*j))).collect();
        let by_input = derivatives(&mut graph, &roots, &inputs);
        let mut slopes = vec![Vec::new(); directions.len()];
        for (at, row) in values.iter().zip(&by_input) {
            for (own, slope) in slopes.iter_mut().zip(row) {
                if let Some(slope) = slope {
                    own.push((*at, roots.len()));
                    roots.push(*slope);
                }
            }
        }
        // Infusions may flow into any state.
        let inflows = (0..n).map(|k| k * (n + 1) + n);
        let all: Vec<usize> = values.iter().copied().chain(inflows).collect();
        Self {
            n,
            elements: Program::new(&graph, &roots),
            values,
            slopes,
            pattern: Pattern::of(n + 1, &all),
        }
    }

    pub fn scratch(&self) -> PropagatorScratch {
        PropagatorScratch {
            memory: self.elements.memory(),
            roots: vec![Column::ZERO; self.elements.n_roots()],
            a: self.pattern.zero(),
            changes: vec![self.pattern.zero(); self.slopes.len()],
            exponential: Exponential::new(&self.pattern),
            ladders: vec![Ladder::new(&self.pattern, self.slopes.len()); LANES / EIGHT],
            moving: Moving::new(self.n + 1, self.slopes.len()),
            ends: vec![Column::ZERO; self.n * (1 + self.slopes.len())],
        }
    }

    /// The inputs of a solution.
    pub fn once(&self, isa: Isa, leaves: &LeafColumns, scratch: &mut PropagatorScratch) {
        self.elements.once(isa, leaves, &mut scratch.memory);
    }

    /// The states of `lanes` after the elapsed time of the leaves, to `scratch.ends`.
    pub fn arrive(
        &self,
        isa: Isa,
        lanes: u64,
        leaves: &LeafColumns,
        scratch: &mut PropagatorScratch,
    ) {
        self.evaluate(isa, leaves, scratch);
        for first in chunks(lanes) {
            for (j, own) in scratch.moving.x.iter_mut().enumerate() {
                let states = &leaves.states[j * self.n..(j + 1) * self.n];
                for (own, state) in own.iter_mut().zip(states) {
                    *own = eight(state, first);
                }
                own[self.n] = [if j == 0 { 1.0 } else { 0.0 }; EIGHT];
            }
            self.go(isa, first, leaves, scratch);
            let all = scratch.moving.x.iter().flat_map(|own| &own[..self.n]);
            for (end, own) in scratch.ends.iter_mut().zip(all) {
                end.0[first..first + EIGHT].copy_from_slice(own);
            }
        }
    }

    /// Derivatives of the states after the elapsed time by those at the beginning, row-major.
    pub fn transfer(
        &self,
        isa: Isa,
        leaves: &LeafColumns,
        scratch: &mut PropagatorScratch,
        out: &mut [Column],
    ) {
        self.evaluate(isa, leaves, scratch);
        let n = self.n;
        for first in chunks(u64::MAX) {
            for column in 0..n {
                let x = &mut scratch.moving.x;
                x.iter_mut().flatten().for_each(|x| *x = [0.0; EIGHT]);
                x[0][column] = [1.0; EIGHT];
                self.go(isa, first, leaves, scratch);
                for (k, x) in scratch.moving.x[0][..n].iter().enumerate() {
                    out[k * n + column].0[first..first + EIGHT].copy_from_slice(x);
                }
            }
        }
    }

    fn evaluate(&self, isa: Isa, leaves: &LeafColumns, scratch: &mut PropagatorScratch) {
        let (memory, roots) = (&mut scratch.memory, &mut scratch.roots);
        self.elements.run(isa, LANES, leaves, memory, roots);
    }

    /// Let eight lanes move over the elapsed time.
    fn go(&self, isa: Isa, first: usize, leaves: &LeafColumns, scratch: &mut PropagatorScratch) {
        let PropagatorScratch {
            roots,
            a,
            changes,
            exponential,
            ladders,
            moving,
            ..
        } = scratch;
        let values = self.values.iter().copied().zip(0..);
        self.fill(values, first, roots, &leaves.rates[..self.n], a);
        for (j, (own, change)) in self.slopes.iter().zip(changes.iter_mut()).enumerate() {
            let rates = &leaves.rates[(1 + j) * self.n..(2 + j) * self.n];
            self.fill(own.iter().copied(), first, roots, rates, change);
        }
        let ladder = &mut ladders[first / EIGHT];
        ladder.stand(isa, &self.pattern, (a, changes), exponential);
        let time = eight(&leaves.data[ELAPSED as usize], first);
        ladder.go(isa, &self.pattern, &time, moving);
    }

    /// Elements of a matrix from the roots, and what flows in.
    fn fill(
        &self,
        elements: impl Iterator<Item = (usize, usize)>,
        first: usize,
        roots: &[Column],
        rates: &[Column],
        out: &mut [Eight],
    ) {
        out.fill([0.0; EIGHT]);
        for (at, root) in elements {
            out[at] = eight(&roots[root], first);
        }
        for (k, rate) in rates.iter().enumerate() {
            let inflow = &mut out[k * (self.n + 1) + self.n];
            (0..EIGHT).for_each(|l| inflow[l] += rate.0[first + l]);
        }
    }
}

fn eight(column: &Column, first: usize) -> Eight {
    std::array::from_fn(|l| column.0[first + l])
}

/// First lanes of the groups of eight in which some lane is wanted.
fn chunks(lanes: u64) -> impl Iterator<Item = usize> {
    let groups = (0..LANES).step_by(EIGHT);
    groups.filter(move |first| lanes >> first & 0xff != 0)
}
