//! Merge products of exponentials, so that `cl * (wt/70)^b * exp(eta)` shows its sum on the log scale.
//!
//! `exp(a) * exp(b) = exp(a + b)`, and a positive data value `x` is `exp(ln(x))`. The merge is made for values that
//! are computed once a subject, where one factor holds random effects and the other holds parameters: it is what
//! makes the mean of `phi` visible, and it never costs more than it saves.

use super::graph::{Graph, Node, Op};
use super::level::{Extent, Levels};
use super::op::{Binary, Unary};

/// Rebuild `graph` with products merged. Returns the new graph and where each node went.
///
/// `positive[i]` says that all values of data column `i` are positive.
pub fn merge_exponentials(
    graph: &Graph,
    extents: &[Extent],
    positive: &[bool],
) -> (Graph, Vec<Node>) {
    let mut merger = Merger {
        graph: Graph::new(),
        levels: Levels::new(extents),
        positive,
    };
    let mut moved = Vec::with_capacity(graph.len());
    for node in graph.nodes() {
        let new = merger.graph.copy(graph.op(node), &moved);
        moved.push(merger.merged(new));
    }
    (merger.graph, moved)
}

struct Merger<'a> {
    graph: Graph,
    levels: Levels,
    positive: &'a [bool],
}

impl Merger<'_> {
    fn merged(&mut self, node: Node) -> Node {
        let Op::Binary(Binary::Mul | Binary::Div, a, b) = self.graph.op(node) else {
            return node;
        };
        let (left, right) = (
            self.levels.of(&self.graph, a),
            self.levels.of(&self.graph, b),
        );
        let subject_level = left.extent.max(right.extent) <= Extent::Subject;
        let mixes =
            (left.phi && right.theta && !right.phi) || (right.phi && left.theta && !left.phi);
        if !subject_level || !mixes {
            return node;
        }
        match self.logarithm(node) {
            Some(log) => self.graph.exp(log),
            None => node,
        }
    }

    /// A node whose exponential is `node`, if `node` is a product of such.
    fn logarithm(&mut self, node: Node) -> Option<Node> {
        match self.graph.op(node) {
            Op::Unary(Unary::Exp, x) => Some(x),
            Op::Constant(value) if value > 0.0 => Some(self.graph.constant(value.ln())),
            Op::Data(i) if self.positive[i as usize] => Some(self.graph.ln(node)),
            Op::Unary(Unary::Recip, x) => {
                let log = self.logarithm(x)?;
                Some(self.graph.neg(log))
            }
            Op::Unary(Unary::Square, x) => {
                let log = self.logarithm(x)?;
                Some(self.graph.scale(2.0, log))
            }
            Op::Unary(Unary::Sqrt, x) => {
                let log = self.logarithm(x)?;
                Some(self.graph.scale(0.5, log))
            }
            Op::Binary(Binary::Mul, a, b) => {
                let (a, b) = (self.logarithm(a)?, self.logarithm(b)?);
                Some(self.graph.add(a, b))
            }
            Op::Binary(Binary::Div, a, b) => {
                let (a, b) = (self.logarithm(a)?, self.logarithm(b)?);
                Some(self.graph.sub(a, b))
            }
            Op::Binary(Binary::Pow, a, exponent) => {
                let log = self.logarithm(a)?;
                Some(self.graph.mul(exponent, log))
            }
            _ => None,
        }
    }
}
