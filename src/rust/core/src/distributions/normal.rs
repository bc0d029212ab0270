//! Normal outcome: `y = mean + sd * e`, `e ~ N(0, 1)`.
//!
//! `log p = -((y - mean)/sd)^2 / 2 - ln(sd) - ln(2 pi)/2`; information about the mean `1/sd^2`, about
//! `ln(variance)` `1/2`.

use super::{Density, Spread};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;

pub fn density(g: &mut Graph, y: Node, mean: Node, spread: Spread) -> Density {
    let residual = g.sub(y, mean);
    let (log_density, precision, log_variance) = spread.log_density(g, residual);
    let half = g.constant(0.5);
    let sd = spread.sd(g);
    Density {
        log_density,
        prediction: Some(mean),
        sd: Some(sd),
        information: Some(vec![(mean, precision), (log_variance, half)]),
        arguments: vec![mean, sd],
    }
}

/// `(ln F(x), ln(1 - F(x)))`
pub fn log_tails(g: &mut Graph, x: Node, [mean, sd]: [Node; 2]) -> (Node, Node) {
    let residual = g.sub(x, mean);
    let z = g.div(residual, sd);
    let minus = g.neg(z);
    (g.unary(Unary::LogPNorm, z), g.unary(Unary::LogPNorm, minus))
}
