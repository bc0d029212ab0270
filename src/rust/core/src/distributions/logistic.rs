//! Logistic outcome: with `z = (y - location)/scale`, `log p = -z - 2 ln(1 + e^-z) - ln(scale)`; SD `pi scale/sqrt(3)`.
//!
//! Information: about the location `1/(3 scale^2)`, about `ln(scale)` `(3 + pi^2)/9`.
//! `F(x) = plogis((x - location)/scale)`.

use super::{draw, Family, FamilyForm, OutcomeDensity, Support};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;
use std::f64::consts::PI;

pub const FAMILY: Family = Family {
    name: "logistic",
    arguments: &["location", "scale"],
    form: FamilyForm::Scalars(|g, y, a| density(g, y, [a[0], a[1]])),
    support: Support::Real,
    draw: |a, rng| a[0] + a[1] * draw::logistic(rng),
    tails: Some(|g, x, a| log_tails(g, x, [a[0], a[1]])),
    ..Family::BLANK
};

fn density(g: &mut Graph, y: Node, [location, scale]: [Node; 2]) -> OutcomeDensity {
    let residual = g.sub(y, location);
    let inverse = g.unary(Unary::Recip, scale);
    let z = g.mul(residual, inverse);
    let minus = g.neg(z);
    let norm = g.unary(Unary::Log1pExp, minus);
    let twice = g.scale(2.0, norm);
    let kernel = g.sub(minus, twice);
    let log_scale = g.ln(scale);
    let square = g.square(inverse);
    let precision = g.scale(1.0 / 3.0, square);
    let about_scale = g.constant((3.0 + PI * PI) / 9.0);
    OutcomeDensity {
        log_density: g.sub(kernel, log_scale),
        prediction: Some(location),
        sd: Some(g.scale(PI / 3.0f64.sqrt(), scale)),
        information: Some(vec![(location, precision), (log_scale, about_scale)]),
        arguments: vec![location, scale],
    }
}

/// `(ln F(x), ln(1 - F(x)))`
fn log_tails(g: &mut Graph, x: Node, [location, scale]: [Node; 2]) -> (Node, Node) {
    let residual = g.sub(x, location);
    let z = g.div(residual, scale);
    let minus = g.neg(z);
    let (below, above) = (g.unary(Unary::Log1pExp, minus), g.unary(Unary::Log1pExp, z));
    (g.neg(below), g.neg(above))
}
