//! Find the states that only add up what flows into them: areas under curves, cumulative hazards.

use super::Model;
use crate::ir::graph::{Node, Op};

impl Model {
    /// Which states only add up: their own equation does not read them, and no other does but those of such states. States
    /// that stand still count, too. No dose leads them to a steady state.
    pub fn sums(&self) -> Vec<bool> {
        let n = self.equations.len();
        let reads: Vec<Vec<bool>> = self
            .equations
            .iter()
            .map(|e| self.states_of(e.rhs))
            .collect();
        let still = |e: &super::Equation| self.graph.as_constant(e.rhs) == Some(0.0);
        let mut sums: Vec<bool> = self.equations.iter().map(still).collect();
        loop {
            let is_read = |k: usize| (0..n).any(|j| reads[j][k] && !sums[j]);
            let Some(k) = (0..n).find(|k| !sums[*k] && !reads[*k][*k] && !is_read(*k)) else {
                return sums;
            };
            sums[k] = true;
        }
    }

    /// The states that a value reads.
    fn states_of(&self, node: Node) -> Vec<bool> {
        let needed = self.graph.reachable(&[node]);
        let mut read = vec![false; self.equations.len()];
        for n in self.graph.nodes().filter(|n| needed[n.index()]) {
            if let Op::State(k) = self.graph.op(n) {
                read[k as usize] = true;
            }
        }
        read
    }
}
