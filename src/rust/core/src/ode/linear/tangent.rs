//! Write derivatives along directions in the inputs, given those of states and rates as further leaves.

use super::closed::narrow;
use crate::ir::graph::{Graph, Node};
use crate::ir::symbolic::derivatives;

/// Direction `j` of state `k` is the leaf `State(n + j n + k)`, that of its rate `Theta(n + j n + k)`.
pub struct Tangents<'a> {
    graph: &'a mut Graph,
    n: usize,
    inputs: &'a [usize],
}

impl<'a> Tangents<'a> {
    pub fn new(graph: &'a mut Graph, n: usize, inputs: &'a [usize]) -> Self {
        Self { graph, n, inputs }
    }

    /// Partial derivatives of `n` nodes by the states (row-major) and by the inputs (input after input).
    pub fn slopes(&mut self, nodes: &[Node]) -> (Vec<Node>, Vec<Node>) {
        let states: Vec<Node> = (0..self.n).map(|k| self.graph.state(narrow(k))).collect();
        let inputs: Vec<Node> = self
            .inputs
            .iter()
            .map(|j| self.graph.phi(narrow(*j)))
            .collect();
        let zero = self.graph.constant(0.0);
        let by_state = derivatives(self.graph, nodes, &states);
        let by_state = by_state.into_iter().flatten().map(|d| d.unwrap_or(zero));
        let by_state = by_state.collect();
        let by_input = derivatives(self.graph, nodes, &inputs);
        let by_input =
            (0..inputs.len()).flat_map(|j| by_input.iter().map(move |row| row[j].unwrap_or(zero)));
        (by_state, by_input.collect())
    }

    /// Derivatives of some nodes along each direction, direction after direction.
    pub fn of(&mut self, nodes: &[Node]) -> Vec<Node> {
        if self.inputs.is_empty() {
            return Vec::new();
        }
        let rates: Vec<Node> = (0..self.n).map(|k| self.graph.theta(narrow(k))).collect();
        let (by_state, by_input) = self.slopes(nodes);
        let by_rate = derivatives(self.graph, nodes, &rates);
        let (n, g) = (self.n, &mut *self.graph);
        let mut result = Vec::with_capacity(by_input.len());
        for (at, own) in by_input.iter().enumerate() {
            let (j, i) = (at / nodes.len(), at % nodes.len());
            let mut total = *own;
            for k in 0..n {
                let column = narrow((1 + j) * n + k);
                let seed = g.state(column);
                let term = g.mul(by_state[i * n + k], seed);
                total = g.add(total, term);
                if let Some(slope) = by_rate[i][k] {
                    let seed = g.theta(column);
                    let term = g.mul(slope, seed);
                    total = g.add(total, term);
                }
            }
            result.push(total);
        }
        result
    }
}
