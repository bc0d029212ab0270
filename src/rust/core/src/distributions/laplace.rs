//! Laplace outcome: `log p = -|y - location|/scale - ln(2 scale)`, SD `sqrt(2) scale`.
//!
//! Information: about the location `1/scale^2`, about `ln(scale)` 1.
//! With `z = (x - location)/scale`: `F(x) = e^z/2` for `z < 0`, `1 - e^-z/2` else.

use super::{draw, Family, FamilyForm, OutcomeDensity, Support};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::{Binary, Unary};
use std::f64::consts::{LN_2, SQRT_2};

pub const FAMILY: Family = Family {
    name: "laplace",
    arguments: &["location", "scale"],
    form: FamilyForm::Scalars(|g, y, a| density(g, y, [a[0], a[1]])),
    support: Support::Real,
    draw: |a, rng| {
        let sign = if draw::uniform(rng) < 0.5 { -1.0 } else { 1.0 };
        a[0] + sign * a[1] * draw::exponential(rng)
    },
    tails: Some(|g, x, a| log_tails(g, x, [a[0], a[1]])),
    ..Family::BLANK
};

fn density(g: &mut Graph, y: Node, [location, scale]: [Node; 2]) -> OutcomeDensity {
    let residual = g.sub(y, location);
    let size = g.unary(Unary::Abs, residual);
    let inverse = g.unary(Unary::Recip, scale);
    let z = g.mul(size, inverse);
    let twice = g.scale(2.0, scale);
    let norm = g.ln(twice);
    let total = g.add(z, norm);
    let (log_scale, one) = (g.ln(scale), g.constant(1.0));
    let precision = g.square(inverse);
    OutcomeDensity {
        log_density: g.neg(total),
        prediction: Some(location),
        sd: Some(g.scale(SQRT_2, scale)),
        information: Some(vec![(location, precision), (log_scale, one)]),
        arguments: vec![location, scale],
    }
}

/// `(ln F(x), ln(1 - F(x)))`
fn log_tails(g: &mut Graph, x: Node, [location, scale]: [Node; 2]) -> (Node, Node) {
    let residual = g.sub(x, location);
    let z = g.div(residual, scale);
    let minus = g.neg(z);
    (log_below(g, z), log_below(g, minus))
}

fn log_below(g: &mut Graph, z: Node) -> Node {
    let (zero, log2) = (g.constant(0.0), g.constant(LN_2));
    let tail = g.sub(z, log2);
    let minus = g.neg(z);
    let decay = g.exp(minus);
    let rest = g.scale(-0.5, decay);
    let body = g.unary(Unary::Log1p, rest);
    let left = g.binary(Binary::Less, z, zero);
    g.select(left, tail, body)
}
