//! Evaluate parts of the program one value at a time: population values, data-only columns, checks.

use super::graph::{Graph, Node, Op};

/// Where the leaves of a scalar evaluation get their values; what is not there is no number.
pub trait LeafValues {
    fn data(&self, _column: usize) -> f64 {
        f64::NAN
    }

    fn theta(&self, _coordinate: usize) -> f64 {
        f64::NAN
    }

    fn phi(&self, _coordinate: usize) -> f64 {
        f64::NAN
    }

    fn state(&self, _k: usize) -> f64 {
        f64::NAN
    }
}

/// The nodes that some roots need, in order of evaluation.
#[derive(Debug, Clone)]
pub struct ScalarProgram {
    nodes: Vec<Node>,
    roots: Vec<Node>,
}

impl ScalarProgram {
    pub fn new(graph: &Graph, roots: &[Node]) -> Self {
        let needed = graph.reachable(roots);
        Self {
            nodes: graph.nodes().filter(|node| needed[node.index()]).collect(),
            roots: roots.to_vec(),
        }
    }

    /// Values of the roots. `memory` is scratch, one value a node of the graph.
    pub fn evaluate(
        &self,
        graph: &Graph,
        leaves: &dyn LeafValues,
        memory: &mut Vec<f64>,
    ) -> Vec<f64> {
        memory.resize(graph.len(), 0.0);
        for node in &self.nodes {
            memory[node.index()] = match graph.op(*node) {
                Op::Constant(value) => value,
                Op::Data(i) => leaves.data(i as usize),
                Op::Theta(i) => leaves.theta(i as usize),
                Op::Phi(i) => leaves.phi(i as usize),
                // Rows have an order, a single value has none.
                Op::Carry(_) => f64::NAN,
                Op::State(k) => leaves.state(k as usize),
                Op::Unary(f, a) => f.value::<false>(memory[a.index()]),
                Op::Binary(f, a, b) => f.value::<false>(memory[a.index()], memory[b.index()]),
                Op::Select(c, a, b) => memory[if memory[c.index()] != 0.0 { a } else { b }.index()],
            };
        }
        self.roots.iter().map(|root| memory[root.index()]).collect()
    }

    /// Adjoints of all nodes given adjoints of the roots, after `evaluate` filled `memory`.
    pub fn adjoints(&self, graph: &Graph, memory: &[f64], seeds: &[f64]) -> Vec<f64> {
        let mut adjoint = vec![0.0; graph.len()];
        for (root, seed) in self.roots.iter().zip(seeds) {
            adjoint[root.index()] += seed;
        }
        for node in self.nodes.iter().rev() {
            let (i, here) = (node.index(), adjoint[node.index()]);
            if here == 0.0 {
                continue;
            }
            match graph.op(*node) {
                Op::Unary(f, a) => {
                    adjoint[a.index()] += here * f.slope::<false>(memory[a.index()], memory[i]);
                }
                Op::Binary(f, a, b) => {
                    let (da, db) =
                        f.slopes::<false>(memory[a.index()], memory[b.index()], memory[i]);
                    adjoint[a.index()] += here * da;
                    adjoint[b.index()] += here * db;
                }
                Op::Select(c, a, b) => {
                    let taken = if memory[c.index()] != 0.0 { a } else { b };
                    adjoint[taken.index()] += here;
                }
                _ => {}
            }
        }
        adjoint
    }
    /// Add `sum seed * d root / d theta`, after `evaluate` filled `memory`.
    pub fn add_gradient(&self, graph: &Graph, memory: &[f64], seeds: &[f64], sums: &mut [f64]) {
        let adjoint = self.adjoints(graph, memory, seeds);
        for node in &self.nodes {
            if let Op::Theta(k) = graph.op(*node) {
                sums[k as usize] += adjoint[node.index()];
            }
        }
    }
}
