//! Merge products of exponentials, so that `cl * (wt/70)^b * exp(eta)` shows its sum on the log scale.
//!
//! `exp(a) * exp(b) = exp(a + b)`, and a positive data value `x` is `exp(ln(x))`. The merge is made for values that
//! are computed once a subject, where one factor holds random effects and the other holds parameters: it is what
//! makes the mean of `phi` visible, and it never costs more than it saves.

use std::collections::HashMap;

use super::graph::{Graph, Node, Op};
use super::level::{Extent, NodeLevels};
use super::op::{Binary, Unary};

/// Rebuild `graph` with products merged. Returns the new graph and where each node went.
///
/// `levels` sees all effects as constant for the subject; `positive[i]` says that all values of data column `i` are
/// positive.
pub fn merge_exponentials(
    graph: &Graph,
    levels: NodeLevels,
    positive: &[bool],
) -> (Graph, Vec<Node>) {
    let mut merger = Merger {
        graph: Graph::new(),
        levels,
        positive,
        known: HashMap::new(),
    };
    let zero = merger.graph.constant(0.0);
    let mut moved = vec![zero; graph.len()];
    for node in graph.order() {
        let new = merger.graph.copy(graph, node, &moved);
        moved[node.index()] = merger.merged(new);
    }
    merger.graph.copy_carries(graph, &moved);
    (merger.graph, moved)
}

struct Merger<'a> {
    graph: Graph,
    levels: NodeLevels,
    positive: &'a [bool],
    /// Logarithms found or not found before: values that are read twice are walked once.
    known: HashMap<Node, Option<Signed>>,
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
            Some(Signed { negative, log }) => {
                let size = self.graph.exp(log);
                if negative {
                    self.graph.neg(size)
                } else {
                    size
                }
            }
            None => node,
        }
    }

    /// The sign and the logarithm of the size of `node`, if `node` is a product of exponentials.
    fn logarithm(&mut self, node: Node) -> Option<Signed> {
        if let Some(known) = self.known.get(&node) {
            return *known;
        }
        let found = self.new_logarithm(node);
        self.known.insert(node, found);
        found
    }

    fn new_logarithm(&mut self, node: Node) -> Option<Signed> {
        match self.graph.op(node) {
            Op::Unary(Unary::Exp, x) => Some(Signed::positive(x)),
            Op::Unary(Unary::Neg, x) => {
                let Signed { negative, log } = self.logarithm(x)?;
                Some(Signed {
                    negative: !negative,
                    log,
                })
            }
            Op::Constant(value) if value != 0.0 => Some(Signed {
                negative: value < 0.0,
                log: self.graph.constant(value.abs().ln()),
            }),
            Op::Data(i) if self.positive[i as usize] => Some(Signed::positive(self.graph.ln(node))),
            Op::Unary(Unary::Recip, x) => {
                let Signed { negative, log } = self.logarithm(x)?;
                let log = self.graph.neg(log);
                Some(Signed { negative, log })
            }
            Op::Unary(Unary::Square, x) => {
                let log = self.logarithm(x)?.log;
                Some(Signed::positive(self.graph.scale(2.0, log)))
            }
            Op::Unary(Unary::Sqrt, x) => {
                let log = self.positive_logarithm(x)?;
                Some(Signed::positive(self.graph.scale(0.5, log)))
            }
            Op::Binary(Binary::Pow, x, exponent) => {
                let log = self.positive_logarithm(x)?;
                Some(Signed::positive(self.graph.mul(exponent, log)))
            }
            Op::Binary(f @ (Binary::Mul | Binary::Div), a, b) => {
                let (a, b) = (self.logarithm(a)?, self.logarithm(b)?);
                let log = if f == Binary::Mul {
                    self.graph.add(a.log, b.log)
                } else {
                    self.graph.sub(a.log, b.log)
                };
                Some(Signed {
                    negative: a.negative != b.negative,
                    log,
                })
            }
            _ => None,
        }
    }

    fn positive_logarithm(&mut self, node: Node) -> Option<Node> {
        self.logarithm(node)
            .filter(|signed| !signed.negative)
            .map(|signed| signed.log)
    }
}

/// `exp(log)`, or minus that.
#[derive(Clone, Copy)]
struct Signed {
    negative: bool,
    log: Node,
}

impl Signed {
    fn positive(log: Node) -> Self {
        Self {
            negative: false,
            log,
        }
    }
}
