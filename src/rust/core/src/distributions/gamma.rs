//! Gamma outcome: `log p = (shape - 1) ln(y) - y/scale - shape ln(scale) - lnGamma(shape)`, mean `shape scale`, SD
//! `sqrt(shape) scale`.
//!
//! Information: mean and shape are orthogonal; about `ln(mean)` `shape`, about the shape `psi'(shape) - 1/shape`.

use super::Density;
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;

pub fn density(g: &mut Graph, y: Node, [shape, scale]: [Node; 2]) -> Density {
    let (log_y, log_scale) = (g.ln(y), g.ln(scale));
    let ratio = g.sub(log_y, log_scale);
    let power = g.mul(shape, ratio);
    let decay = g.div(y, scale);
    let norm = g.unary(Unary::LGamma, shape);
    let kernel = g.sub(power, decay);
    let kernel = g.sub(kernel, norm);
    let root = g.unary(Unary::Sqrt, shape);
    let log_shape = g.ln(shape);
    let log_mean = g.add(log_shape, log_scale);
    Density {
        log_density: g.sub(kernel, log_y),
        prediction: Some(g.mul(shape, scale)),
        sd: Some(g.mul(root, scale)),
        information: Some(vec![(log_mean, shape), (shape, about_shape(g, shape))]),
        arguments: vec![shape, scale],
    }
}

/// `psi'(shape) - 1/shape`
pub(super) fn about_shape(g: &mut Graph, shape: Node) -> Node {
    let curve = g.unary(Unary::Trigamma, shape);
    let inverse = g.unary(Unary::Recip, shape);
    g.sub(curve, inverse)
}
