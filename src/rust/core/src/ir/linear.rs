//! Read a mean as a linear form in parameters with data coefficients.

use std::collections::BTreeMap;

use super::graph::{Graph, Node, Op};
use super::level::NodeLevels;
use super::op::{Binary, Unary};

/// `sum terms[k] * theta[k] + sum rest`
#[derive(Debug, Clone, Default)]
pub struct LinearForm {
    /// Coordinate of `theta` to its coefficient, which depends on data only.
    pub terms: BTreeMap<u32, Node>,
    pub rest: Vec<Node>,
}

/// Decompose `node`; parameters for which `free` is false count as known.
pub fn linear_form(
    g: &mut Graph,
    levels: &mut NodeLevels,
    node: Node,
    free: &dyn Fn(u32) -> bool,
) -> LinearForm {
    let one = g.constant(1.0);
    let mut form = LinearForm::default();
    // Users stand after their operands: taking the last node first, its factor is complete.
    let mut pending = BTreeMap::from([(node, one)]);
    while let Some((node, factor)) = pending.pop_last() {
        if let Op::Theta(k) = g.op(node) {
            if free(k) {
                form.terms.insert(k, factor);
                continue;
            }
        }
        match parts(g, levels, node, factor) {
            None => {
                let term = g.mul(factor, node);
                form.rest.push(term);
            }
            Some(parts) => {
                for (part, factor) in parts {
                    let total = match pending.get(&part) {
                        Some(earlier) => g.add(*earlier, factor),
                        None => factor,
                    };
                    pending.insert(part, total);
                }
            }
        }
    }
    form
}

/// The terms of a sum with their factors, or the one term of a product with data; `None` for anything else.
fn parts(
    g: &mut Graph,
    levels: &mut NodeLevels,
    node: Node,
    factor: Node,
) -> Option<Vec<(Node, Node)>> {
    match g.op(node) {
        Op::Unary(Unary::Neg, a) => Some(vec![(a, g.neg(factor))]),
        Op::Binary(Binary::Add, a, b) => Some(vec![(a, factor), (b, factor)]),
        Op::Binary(Binary::Sub, a, b) => {
            let negative = g.neg(factor);
            Some(vec![(a, factor), (b, negative)])
        }
        Op::Binary(Binary::Mul, a, b) if levels.of(g, a).is_data() => {
            Some(vec![(b, g.mul(factor, a))])
        }
        Op::Binary(Binary::Mul, a, b) if levels.of(g, b).is_data() => {
            Some(vec![(a, g.mul(factor, b))])
        }
        Op::Binary(Binary::Div, a, b) if levels.of(g, b).is_data() => {
            Some(vec![(a, g.div(factor, b))])
        }
        _ => None,
    }
}
