//! Evaluate formulas of scalars from one row of memory: leaves first, then constants and what is computed.

use std::collections::HashMap;

use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::{Binary, Unary};
use crate::ode::system::{ELAPSED, SIGNALS, TIME};

/// Where the leaves of a system stand in its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafPlaces {
    pub states: usize,
    pub inputs: usize,
    pub signals: usize,
}

impl LeafPlaces {
    pub fn input(&self, j: usize) -> usize {
        self.states + j
    }

    fn rate(&self, k: usize) -> usize {
        self.states + self.inputs + k
    }

    pub fn time(&self) -> usize {
        2 * self.states + self.inputs
    }

    pub fn elapsed(&self) -> usize {
        self.time() + 1
    }

    pub fn signal(&self, m: usize) -> usize {
        self.time() + 2 + m
    }

    fn slot(&self, op: Op) -> Option<usize> {
        match op {
            Op::State(k) => Some(k as usize),
            Op::Phi(j) => Some(self.input(j as usize)),
            Op::Theta(k) => Some(self.rate(k as usize)),
            Op::Data(TIME) => Some(self.time()),
            Op::Data(ELAPSED) => Some(self.elapsed()),
            Op::Data(m) => Some(self.signal((m - SIGNALS) as usize)),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum FormulaCode {
    Unary(Unary, usize),
    Binary(Binary, usize, usize),
    Select(usize, usize, usize),
}

/// What computes some roots.
#[derive(Debug, Clone, Default)]
pub struct Formula {
    /// What is computed and the slot it goes to.
    codes: Vec<(usize, FormulaCode)>,
    roots: Vec<usize>,
}

impl Formula {
    /// Compute all roots.
    pub fn run(&self, memory: &mut [f64]) {
        for (slot, code) in &self.codes {
            memory[*slot] = match *code {
                FormulaCode::Unary(f, a) => f.value::<false>(memory[a]),
                FormulaCode::Binary(f, a, b) => f.value::<false>(memory[a], memory[b]),
                FormulaCode::Select(c, a, b) => memory[if memory[c] != 0.0 { a } else { b }],
            };
        }
    }

    /// Slots of the roots.
    pub fn roots(&self) -> &[usize] {
        &self.roots
    }
}

/// Lays out one memory for several formulas of the same leaves.
pub struct FormulaLayout<'a> {
    graph: &'a Graph,
    leaves: LeafPlaces,
    constants: HashMap<Node, usize>,
    /// The memory before anything is known but constants.
    blank: Vec<f64>,
}

impl<'a> FormulaLayout<'a> {
    pub fn new(graph: &'a Graph, leaves: LeafPlaces) -> Self {
        Self {
            graph,
            leaves,
            constants: HashMap::new(),
            blank: vec![0.0; leaves.signal(leaves.signals)],
        }
    }

    pub fn formula(&mut self, roots: &[Node]) -> Formula {
        let needed = self.graph.reachable(roots);
        let mut slots = HashMap::new();
        let mut codes = Vec::new();
        for node in self.graph.nodes().filter(|node| needed[node.index()]) {
            let op = self.graph.op(node);
            let code = match op {
                Op::Constant(value) => {
                    slots.insert(node, self.constant(node, value));
                    continue;
                }
                Op::Unary(f, a) => FormulaCode::Unary(f, slots[&a]),
                Op::Binary(f, a, b) => FormulaCode::Binary(f, slots[&a], slots[&b]),
                Op::Select(c, a, b) => FormulaCode::Select(slots[&c], slots[&a], slots[&b]),
                leaf => {
                    // A value carried from row to row is no leaf of differential equations.
                    let slot = self.leaves.slot(leaf);
                    slots.insert(node, slot.unwrap_or_else(|| self.constant(node, f64::NAN)));
                    continue;
                }
            };
            let slot = self.take(0.0);
            slots.insert(node, slot);
            codes.push((slot, code));
        }
        let roots = roots.iter().map(|root| slots[root]).collect();
        Formula { codes, roots }
    }

    pub fn into_memory(self) -> Vec<f64> {
        self.blank
    }

    fn constant(&mut self, node: Node, value: f64) -> usize {
        if let Some(slot) = self.constants.get(&node) {
            return *slot;
        }
        let slot = self.take(value);
        self.constants.insert(node, slot);
        slot
    }

    fn take(&mut self, value: f64) -> usize {
        self.blank.push(value);
        self.blank.len() - 1
    }
}
