//! Write derivatives along directions in the inputs, given those of states and rates as further leaves.

use crate::ir::graph::{Graph, Node};
pub use crate::ir::narrow;
use crate::ir::symbolic::derivatives;

/// A direction that is no input: a state at the beginning.
pub const NO_INPUT: usize = usize::MAX;

/// Direction `j` of state `k` is the leaf `State(n + j n + k)`, that of its rate `Theta(n + j n + k)`.
pub struct Tangents<'a> {
    graph: &'a mut Graph,
    n: usize,
    inputs: &'a [usize],
    /// Columns of directions that are always zero: nothing reads them. May be empty.
    zeros: &'a [bool],
}

impl<'a> Tangents<'a> {
    pub fn new(graph: &'a mut Graph, n: usize, inputs: &'a [usize]) -> Self {
        Self::sparse(graph, n, inputs, &[])
    }

    pub fn sparse(graph: &'a mut Graph, n: usize, inputs: &'a [usize], zeros: &'a [bool]) -> Self {
        Self {
            graph,
            n,
            inputs,
            zeros,
        }
    }

    /// Partial derivatives of some nodes by the states (row-major) and by the inputs (input after input).
    pub fn slopes(&mut self, nodes: &[Node]) -> (Vec<Node>, Vec<Node>) {
        let leaves = [self.states(), self.phis()].concat();
        let slopes = derivatives(self.graph, nodes, &leaves);
        let zero = self.graph.constant(0.0);
        let (n, or_zero) = (self.n, |slope: &Option<Node>| slope.unwrap_or(zero));
        let by_state = slopes.iter().flat_map(|row| row[..n].iter().map(or_zero));
        let by_input =
            (n..leaves.len()).flat_map(|j| slopes.iter().map(move |row| or_zero(&row[j])));
        (by_state.collect(), by_input.collect())
    }

    /// Derivatives of some nodes along each direction, direction after direction.
    pub fn of(&mut self, nodes: &[Node]) -> Vec<Node> {
        if self.inputs.is_empty() {
            return Vec::new();
        }
        let n = self.n;
        let rates: Vec<Node> = (0..n).map(|k| self.graph.theta(narrow(k))).collect();
        let leaves = [self.states(), rates, self.phis()].concat();
        let slopes = derivatives(self.graph, nodes, &leaves);
        let g = &mut *self.graph;
        let mut result = Vec::with_capacity(nodes.len() * self.inputs.len());
        for j in 0..self.inputs.len() {
            for slopes in &slopes {
                let mut total = slopes[2 * n + j].unwrap_or_else(|| g.constant(0.0));
                for k in 0..n {
                    let column = n + j * n + k;
                    if self.zeros.get(column) == Some(&true) {
                        continue;
                    }
                    for (slope, leaf) in [
                        (slopes[k], Graph::state as Leaf),
                        (slopes[n + k], Graph::theta),
                    ] {
                        if let Some(slope) = slope {
                            let along = leaf(g, narrow(column));
                            let term = g.mul(slope, along);
                            total = g.add(total, term);
                        }
                    }
                }
                result.push(total);
            }
        }
        result
    }

    fn states(&mut self) -> Vec<Node> {
        (0..self.n).map(|k| self.graph.state(narrow(k))).collect()
    }

    /// A direction that is no input stands for a leaf that nothing reads.
    fn phis(&mut self) -> Vec<Node> {
        let each = self.inputs.iter();
        let leaf = |j: &usize| if *j == NO_INPUT { u32::MAX } else { narrow(*j) };
        each.map(|j| self.graph.phi(leaf(j))).collect()
    }
}

type Leaf = fn(&mut Graph, u32) -> Node;
