//! Poisson outcome: counts with mean `rate`.
//!
//! `log p = y ln(rate) - rate - lnGamma(y + 1)`. Information about `ln(rate)`: `rate`.

use super::Density;
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;

pub fn density(g: &mut Graph, y: Node, rate: Node) -> Density {
    let log_rate = g.ln(rate);
    let product = g.mul(y, log_rate);
    let zero = g.constant(0.0);
    // No events are certain at rate zero: 0 ln(0) is 0.
    let linear = g.select(y, product, zero);
    let one = g.constant(1.0);
    let next = g.add(y, one);
    let norm = g.unary(Unary::LGamma, next);
    let kernel = g.sub(linear, rate);
    Density {
        log_density: g.sub(kernel, norm),
        prediction: Some(rate),
        sd: None,
        information: Some(vec![(log_rate, rate)]),
        arguments: vec![rate],
    }
}
