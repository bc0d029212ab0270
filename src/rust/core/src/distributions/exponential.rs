//! Exponential outcome: `log p = -y/scale - ln(scale)`; mean and SD are the scale.
//!
//! Information: about `ln(scale)` 1. `ln(1 - F(x)) = -x/scale`.

use super::log_space::log1mexp;
use super::Density;
use crate::ir::graph::{Graph, Node};

pub fn density(g: &mut Graph, y: Node, scale: Node) -> Density {
    let ratio = g.div(y, scale);
    let log_scale = g.ln(scale);
    let total = g.add(ratio, log_scale);
    let one = g.constant(1.0);
    Density {
        log_density: g.neg(total),
        prediction: Some(scale),
        sd: Some(scale),
        information: Some(vec![(log_scale, one)]),
        arguments: vec![scale],
    }
}

/// `(ln F(x), ln(1 - F(x)))`
pub fn log_tails(g: &mut Graph, x: Node, scale: Node) -> (Node, Node) {
    let ratio = g.div(x, scale);
    (log1mexp(g, ratio), g.neg(ratio))
}
