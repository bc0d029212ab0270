//! Take linear states from the beginning of a segment to a later time by the exponential of their matrix.
//!
//! `(x, 1)(t) = e^(M t) (x, 1)(0)`, `M = [A u; 0 0]`, `u` being what flows in at a constant rate. Derivatives by an input `p`:
//! `S(t) = e^(A t) S(0) + L (x, 1)(0)`, `L` the derivative of the exponential in the direction `dM/dp`.

use super::exponential::Exponential;
use super::square::{Eight, Pattern, Square, EIGHT};
use crate::ir::column::Column;
use crate::ir::graph::Node;
use crate::ir::symbolic::derivatives;
use crate::ir::vmath::Isa;
use crate::ode::program::{Leaves, Memory, Program};
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
pub struct Scratch {
    memory: Memory,
    roots: Vec<Column>,
    a: Square,
    e: Square,
    exponential: Exponential,
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

    pub fn scratch(&self) -> Scratch {
        Scratch {
            memory: self.elements.memory(),
            roots: vec![Column::ZERO; self.elements.n_roots()],
            a: self.pattern.zero(),
            e: self.pattern.zero(),
            exponential: Exponential::new(&self.pattern),
            ends: vec![Column::ZERO; self.n * (1 + self.slopes.len())],
        }
    }

    /// The inputs of a solution.
    pub fn once(&self, isa: Isa, leaves: &Leaves, scratch: &mut Scratch) {
        self.elements.once(isa, leaves, &mut scratch.memory);
    }

    /// The states of `lanes` after the elapsed time of the leaves, to `scratch.ends`.
    pub fn arrive(&self, isa: Isa, lanes: u64, leaves: &Leaves, scratch: &mut Scratch) {
        self.evaluate(isa, leaves, scratch);
        for first in chunks(lanes) {
            let grown = self.grow(isa, first, leaves, scratch).to_vec();
            let x = &leaves.states[..self.n];
            self.apply(&grown, x, true, first, &mut scratch.ends[..self.n]);
            for (j, own) in self.slopes.iter().enumerate() {
                let columns = (1 + j) * self.n..(2 + j) * self.n;
                let along = &leaves.states[columns.clone()];
                let rates = &leaves.rates[columns.clone()];
                let ends = &mut scratch.ends[columns];
                self.apply(&grown, along, false, first, ends);
                if !self.direction(own, rates, first, &scratch.roots, &mut scratch.e) {
                    continue;
                }
                let slope = (scratch.exponential).slope(isa, &self.pattern, &scratch.e);
                let mut moved = vec![Column::ZERO; self.n];
                self.apply(slope, x, true, first, &mut moved);
                for (end, moved) in ends.iter_mut().zip(&moved) {
                    (first..first + EIGHT).for_each(|l| end.0[l] += moved.0[l]);
                }
            }
        }
    }

    /// Derivatives of the states after the elapsed time by those at the beginning, row-major.
    pub fn transfer(&self, isa: Isa, leaves: &Leaves, scratch: &mut Scratch, out: &mut [Column]) {
        self.evaluate(isa, leaves, scratch);
        let n = self.n;
        for first in chunks(u64::MAX) {
            let grown = self.grow(isa, first, leaves, scratch);
            for (k, row) in grown.chunks_exact(n + 1).take(n).enumerate() {
                for (out, x) in out[k * n..(k + 1) * n].iter_mut().zip(row) {
                    out.0[first..first + EIGHT].copy_from_slice(x);
                }
            }
        }
    }

    fn evaluate(&self, isa: Isa, leaves: &Leaves, scratch: &mut Scratch) {
        let (memory, roots) = (&mut scratch.memory, &mut scratch.roots);
        self.elements
            .run(isa, crate::ir::column::LANES, leaves, memory, roots);
    }

    /// The exponential in eight lanes.
    fn grow<'s>(
        &self,
        isa: Isa,
        first: usize,
        leaves: &Leaves,
        scratch: &'s mut Scratch,
    ) -> &'s [Eight] {
        let Scratch {
            roots,
            a,
            exponential,
            ..
        } = scratch;
        a.fill([0.0; EIGHT]);
        for (at, root) in self.values.iter().zip(roots.iter()) {
            a[*at] = eight(root, first);
        }
        for (k, rate) in leaves.rates[..self.n].iter().enumerate() {
            let inflow = &mut a[k * (self.n + 1) + self.n];
            (0..EIGHT).for_each(|l| inflow[l] += rate.0[first + l]);
        }
        let time = eight(&leaves.data[ELAPSED as usize], first);
        exponential.of(isa, &self.pattern, a, &time)
    }

    /// Derivatives of the matrix in one direction; `false` if they are zero.
    fn direction(
        &self,
        own: &[(usize, usize)],
        rates: &[Column],
        first: usize,
        roots: &[Column],
        e: &mut [Eight],
    ) -> bool {
        e.fill([0.0; EIGHT]);
        for (at, root) in own {
            e[*at] = eight(&roots[*root], first);
        }
        for (k, rate) in rates.iter().enumerate() {
            let inflow = &mut e[k * (self.n + 1) + self.n];
            (0..EIGHT).for_each(|l| inflow[l] += rate.0[first + l]);
        }
        e.iter().flatten().any(|x| *x != 0.0)
    }

    /// A matrix times the states, and, if `driven`, one.
    fn apply(
        &self,
        matrix: &[Eight],
        x: &[Column],
        driven: bool,
        first: usize,
        out: &mut [Column],
    ) {
        for (row, out) in matrix.chunks_exact(self.n + 1).zip(out) {
            let mut sum = if driven { row[self.n] } else { [0.0; EIGHT] };
            for (factor, x) in row.iter().zip(x) {
                (0..EIGHT).for_each(|l| sum[l] += factor[l] * x.0[first + l]);
            }
            out.0[first..first + EIGHT].copy_from_slice(&sum);
        }
    }
}

fn eight(column: &Column, first: usize) -> Eight {
    std::array::from_fn(|l| column.0[first + l])
}

/// First lanes of the groups of eight in which some lane is wanted.
fn chunks(lanes: u64) -> impl Iterator<Item = usize> {
    let groups = (0..crate::ir::column::LANES).step_by(EIGHT);
    groups.filter(move |first| lanes >> first & 0xff != 0)
}
