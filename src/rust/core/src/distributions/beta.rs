//! Beta outcome on (0, 1): `log p = (a - 1) ln(y) + (b - 1) ln(1 - y) - lnB(a, b)`, mean `a/(a + b)`.
//!
//! Information: `psi'(a)` about `a`, `psi'(b)` about `b`, and `-psi'(a + b)` about `a + b`: the sum is positive definite.

use super::Density;
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;

pub fn density(g: &mut Graph, y: Node, [a, b]: [Node; 2]) -> Density {
    let one = g.constant(1.0);
    let minus = g.neg(y);
    let (log_y, log_rest) = (g.ln(y), g.unary(Unary::Log1p, minus));
    let (first, second) = (g.sub(a, one), g.sub(b, one));
    let (first, second) = (g.mul(first, log_y), g.mul(second, log_rest));
    let kernel = g.add(first, second);
    let norm = log_beta(g, a, b);
    Density {
        log_density: g.sub(kernel, norm),
        prediction: Some(mean(g, a, b)),
        sd: Some(standard_deviation(g, a, b)),
        information: Some(information(g, a, b)),
        arguments: vec![a, b],
    }
}

/// `lnGamma(a) + lnGamma(b) - lnGamma(a + b)`
pub(super) fn log_beta(g: &mut Graph, a: Node, b: Node) -> Node {
    let total = g.add(a, b);
    let parts = [a, b, total].map(|x| g.unary(Unary::LGamma, x));
    let sum = g.add(parts[0], parts[1]);
    g.sub(sum, parts[2])
}

pub(super) fn mean(g: &mut Graph, a: Node, b: Node) -> Node {
    let total = g.add(a, b);
    g.div(a, total)
}

/// `sqrt(a b/(a + b + 1))/(a + b)`
pub(super) fn standard_deviation(g: &mut Graph, a: Node, b: Node) -> Node {
    let (total, one) = (g.add(a, b), g.constant(1.0));
    let next = g.add(total, one);
    let product = g.mul(a, b);
    let ratio = g.div(product, next);
    let root = g.unary(Unary::Sqrt, ratio);
    g.div(root, total)
}

pub(super) fn information(g: &mut Graph, a: Node, b: Node) -> Vec<(Node, Node)> {
    let total = g.add(a, b);
    let weights = [a, b, total].map(|x| g.unary(Unary::Trigamma, x));
    let crossed = g.neg(weights[2]);
    vec![(a, weights[0]), (b, weights[1]), (total, crossed)]
}
