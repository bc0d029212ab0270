//! Lognormal outcome: `ln(y) = meanlog + sdlog * e`, `e ~ N(0, 1)`; the prediction is the median `exp(meanlog)`.
//!
//! `log p = log N(ln(y); meanlog, sdlog) - ln(y)`.

use super::effects::Transform;
use super::{draw, normal, Family, FamilyForm, GaussianSpread, On, OutcomeDensity, Support};
use crate::ir::graph::{Graph, Node};

pub const FAMILY: Family = Family {
    name: "lognormal",
    arguments: &["meanlog", "sdlog"],
    form: FamilyForm::Normal(On::Log),
    support: Support::Positive,
    draw: |a, rng| (a[0] + a[1] * draw::normal(rng)).exp(),
    tails: Some(|g, x, a| log_tails(g, x, [a[0], a[1]])),
    effect: Some(normal::effect(Transform::Exp)),
    constant: Some(|values| {
        let logs: Vec<f64> = values.iter().map(|y| y.ln()).collect();
        normal::highest(&logs) - logs.iter().sum::<f64>()
    }),
    ..Family::BLANK
};

pub fn density(g: &mut Graph, y: Node, meanlog: Node, spread: GaussianSpread) -> OutcomeDensity {
    let log_y = g.ln(y);
    let residual = g.sub(log_y, meanlog);
    let (gaussian, precision, log_variance) = spread.log_density(g, residual);
    let half = g.constant(0.5);
    let sd = spread.sd(g);
    OutcomeDensity {
        log_density: g.sub(gaussian, log_y),
        prediction: Some(g.exp(meanlog)),
        sd: Some(sd),
        information: Some(vec![(meanlog, precision), (log_variance, half)]),
        arguments: vec![meanlog, sd],
    }
}

/// `(ln F(x), ln(1 - F(x)))`
fn log_tails(g: &mut Graph, x: Node, [meanlog, sd]: [Node; 2]) -> (Node, Node) {
    let log_x = g.ln(x);
    normal::log_tails(g, log_x, [meanlog, sd])
}
