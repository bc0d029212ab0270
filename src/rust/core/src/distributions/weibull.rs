//! Weibull outcome: with `u = shape (ln(y) - ln(scale))`, `log p = ln(shape) - ln(y) + u - e^u`; mean
//! `scale Gamma(1 + 1/shape)`.
//!
//! Information, from `ln(y) = ln(scale) + G/shape` with a Gumbel variable `G`: about `ln(scale) + (1 - gamma)/shape`
//! `shape^2` (`gamma` is Euler's constant), about `ln(shape)` `pi^2/6`. `ln(1 - F(x)) = -(x/scale)^shape`.

use super::log_space::log1mexp;
use super::{draw, Family, FamilyForm, OutcomeDensity, Support};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;
use std::f64::consts::PI;

const EULER: f64 = 0.577_215_664_901_532_9;

pub const FAMILY: Family = Family {
    name: "weibull",
    arguments: &["shape", "scale"],
    form: FamilyForm::Scalars(|g, y, a| density(g, y, [a[0], a[1]])),
    support: Support::Positive,
    draw: |a, rng| a[1] * draw::exponential(rng).powf(1.0 / a[0]),
    tails: Some(|g, x, a| log_tails(g, x, [a[0], a[1]])),
    ..Family::BLANK
};

fn density(g: &mut Graph, y: Node, [shape, scale]: [Node; 2]) -> OutcomeDensity {
    let (log_y, log_scale, log_shape) = (g.ln(y), g.ln(scale), g.ln(shape));
    let ratio = g.sub(log_y, log_scale);
    let u = g.mul(shape, ratio);
    let decay = g.exp(u);
    let kernel = g.sub(u, decay);
    let norm = g.sub(log_shape, log_y);
    let inverse = g.unary(Unary::Recip, shape);
    let shift = g.scale(1.0 - EULER, inverse);
    let location = g.add(log_scale, shift);
    let (precision, about_shape) = (g.square(shape), g.constant(PI * PI / 6.0));
    let (mean, sd) = moments(g, inverse, scale);
    OutcomeDensity {
        log_density: g.add(kernel, norm),
        prediction: Some(mean),
        sd: Some(sd),
        information: Some(vec![(location, precision), (log_shape, about_shape)]),
        arguments: vec![shape, scale],
    }
}

/// Mean and SD: `scale Gamma(1 + i)`, `scale sqrt(Gamma(1 + 2 i) - Gamma(1 + i)^2)`, `i = 1/shape`.
fn moments(g: &mut Graph, inverse: Node, scale: Node) -> (Node, Node) {
    let one = g.constant(1.0);
    let first = g.add(inverse, one);
    let twice = g.scale(2.0, inverse);
    let second = g.add(twice, one);
    let (first, second) = (g.unary(Unary::Gamma, first), g.unary(Unary::Gamma, second));
    let square = g.square(first);
    let variance = g.sub(second, square);
    let root = g.unary(Unary::Sqrt, variance);
    (g.mul(scale, first), g.mul(scale, root))
}

/// `(ln F(x), ln(1 - F(x)))`
fn log_tails(g: &mut Graph, x: Node, [shape, scale]: [Node; 2]) -> (Node, Node) {
    let (log_x, log_scale) = (g.ln(x), g.ln(scale));
    let ratio = g.sub(log_x, log_scale);
    let u = g.mul(shape, ratio);
    let hazard = g.exp(u);
    (log1mexp(g, hazard), g.neg(hazard))
}
