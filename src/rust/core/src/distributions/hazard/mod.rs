//! Integrate a hazard over time.
//!
//! Where it chooses by the time the interval is cut. What is a sum of powers of the time, or of the time since something,
//! and of exponentials has an integral in closed form; the rest is integrated by a rule.

mod closed;
mod pieces;
mod rule;
mod terms;

use self::closed::Span;
use self::terms::TermReader;
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::{Binary, Unary};

/// `int_from^to hazard dt`, where `hazard` is written in the node `time`, and whether a rule was needed; `panels`: how
/// finely it divides an interval.
pub fn integral(
    g: &mut Graph,
    (hazard, time): (Node, Node),
    (from, to): (Node, Node),
    panels: usize,
) -> (Node, bool) {
    let whole = Span {
        from,
        to,
        chosen: false,
    };
    let choices = pieces::choices(g, hazard, time);
    if choices.is_empty() {
        return over(g, hazard, time, whole, panels);
    }
    let parts: Vec<(Node, bool)> = pieces::spans(g, &choices, whole)
        .into_iter()
        .map(|piece| {
            let hazard = pieces::decided(g, hazard, time, &choices, piece);
            over(g, hazard, time, piece, panels)
        })
        .collect();
    let ruled = parts.iter().any(|(_, ruled)| *ruled);
    let parts: Vec<Node> = parts.into_iter().map(|(part, _)| part).collect();
    (g.sum(&parts), ruled)
}

/// The integral over a span on which no choice turns.
fn over(g: &mut Graph, hazard: Node, time: Node, span: Span, panels: usize) -> (Node, bool) {
    let mut reader = TermReader::new(g, time);
    let mut parts = HazardParts {
        reader: &mut reader,
        span,
        panels,
        ruled: false,
    };
    let integral = parts.integral(hazard);
    (integral, parts.ruled)
}

/// Integrates a hazard part by part: factors and choices that do not depend on time stand before the integral.
struct HazardParts<'r, 'g> {
    reader: &'r mut TermReader<'g>,
    span: Span,
    panels: usize,
    ruled: bool,
}

impl HazardParts<'_, '_> {
    fn integral(&mut self, node: Node) -> Node {
        if let Some(closed) = self.closed(node) {
            return closed;
        }
        match self.reader.g.op(node) {
            Op::Unary(Unary::Neg, a) => {
                let part = self.integral(a);
                self.reader.g.neg(part)
            }
            Op::Binary(Binary::Mul, a, b) if self.reader.is_free(a) => {
                let part = self.integral(b);
                self.reader.g.mul(a, part)
            }
            Op::Binary(Binary::Mul | Binary::Div, a, b) if self.reader.is_free(b) => {
                let part = self.integral(a);
                match self.reader.g.op(node) {
                    Op::Binary(Binary::Div, ..) => self.reader.g.div(part, b),
                    _ => self.reader.g.mul(part, b),
                }
            }
            Op::Select(c, a, b) if self.reader.is_free(c) => {
                let (yes, no) = (self.integral(a), self.integral(b));
                self.reader.g.select(c, yes, no)
            }
            Op::Binary(Binary::Add, ..) => self.sum(node),
            _ => self.by_rule(node),
        }
    }

    fn closed(&mut self, node: Node) -> Option<Node> {
        let terms = self.reader.terms(node)?;
        closed::integral(self.reader.g, &terms, self.span)
    }

    /// Parts with a closed form each for itself, the others together.
    fn sum(&mut self, node: Node) -> Node {
        let mut left = vec![node];
        let (mut found, mut others) = (Vec::new(), Vec::new());
        while let Some(part) = left.pop() {
            if let Some(closed) = self.closed(part) {
                found.push(closed);
                continue;
            }
            match self.reader.g.op(part) {
                Op::Binary(Binary::Add, a, b) => left.extend([a, b]),
                Op::Select(c, ..) if self.reader.is_free(c) => found.push(self.integral(part)),
                _ => others.push(part),
            }
        }
        match others.as_slice() {
            [] => {}
            [one] => found.push(self.integral(*one)),
            many => {
                let together = self.reader.g.sum(many);
                found.push(self.by_rule(together));
            }
        }
        self.reader.g.sum(&found)
    }

    fn by_rule(&mut self, node: Node) -> Node {
        self.ruled = true;
        let time = self.reader.time;
        rule::integral(self.reader.g, node, time, self.span, self.panels)
    }
}

fn dependents(g: &Graph, time: Node) -> Vec<bool> {
    let leaf = g.op(time);
    g.depends(|op| op == leaf)
}

/// `node` with new nodes in the places of others.
fn replaced(g: &mut Graph, node: Node, places: &[(Node, Node)]) -> Node {
    let mut varies = vec![false; g.len()];
    let needed = g.reachable(&[node]);
    let all: Vec<Node> = g.nodes().collect();
    let mut moved = all.clone();
    for at in all {
        let i = at.index();
        if let Some((_, new)) = places.iter().find(|(old, _)| *old == at) {
            (varies[i], moved[i]) = (true, *new);
            continue;
        }
        varies[i] = g.operands(at).any(|a| varies[a.index()]);
        if needed[i] && varies[i] {
            moved[i] = g.copied(g.op(at), &moved);
        }
    }
    moved[node.index()]
}
