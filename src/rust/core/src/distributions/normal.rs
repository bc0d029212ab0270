//! Normal outcome: `y = mean + sd * e`, `e ~ N(0, 1)`.
//!
//! `log p = -((y - mean)/sd)^2 / 2 - ln(sd) - ln(2 pi)/2`; information about the mean `1/sd^2`, about
//! `ln(variance)` `1/2`.

use super::{Density, Spread};
use crate::ir::graph::{Graph, Node};

pub fn density(g: &mut Graph, y: Node, mean: Node, spread: Spread) -> Density {
    let residual = g.sub(y, mean);
    let (log_density, precision, log_variance) = spread.log_density(g, residual);
    let half = g.constant(0.5);
    Density {
        log_density,
        prediction: Some(mean),
        sd: Some(spread.sd(g)),
        information: Some(vec![(mean, precision), (log_variance, half)]),
    }
}
