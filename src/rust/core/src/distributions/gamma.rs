//! Gamma outcome: `log p = (shape - 1) ln(y) - y/scale - shape ln(scale) - lnGamma(shape)`, mean `shape scale`, SD
//! `sqrt(shape) scale`.
//!
//! Information: mean and shape are orthogonal; about `ln(mean)` `shape`, about the shape `psi'(shape) - 1/shape`.

use super::effects::{EffectDensity, EffectFamily, Transform};
use super::{Family, FamilyForm, OutcomeDensity, Support};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;
use crate::ir::vmath::{digamma, trigamma};
use rand::Rng;
use rand_distr::{Distribution, Gamma};

pub const FAMILY: Family = Family {
    name: "gamma",
    arguments: &["shape", "scale"],
    form: FamilyForm::Scalars(|g, y, a| density(g, y, [a[0], a[1]])),
    support: Support::Positive,
    draw: |a, rng| draw(a[0], a[1], rng),
    effect: Some(EffectFamily {
        transform: Transform::Exp,
        density: |g, phi, a| of_effect(g, phi, a[0], a[1]),
        reference: |a| {
            let (mean, variance) = (digamma::<false>(a[0]), trigamma::<false>(a[0]));
            (a[1].ln() + mean, variance.sqrt())
        },
    }),
    ..Family::BLANK
};

pub(super) fn draw(shape: f64, scale: f64, rng: &mut dyn Rng) -> f64 {
    Gamma::new(shape, scale).map_or(f64::NAN, |x| x.sample(rng))
}

fn density(g: &mut Graph, y: Node, [shape, scale]: [Node; 2]) -> OutcomeDensity {
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
    OutcomeDensity {
        log_density: g.sub(kernel, log_y),
        prediction: Some(g.mul(shape, scale)),
        sd: Some(g.mul(root, scale)),
        information: Some(vec![(log_mean, shape), (shape, about_shape(g, shape))]),
        arguments: vec![shape, scale],
    }
}

/// `psi'(shape) - 1/shape`
fn about_shape(g: &mut Graph, shape: Node) -> Node {
    let curve = g.unary(Unary::Trigamma, shape);
    let inverse = g.unary(Unary::Recip, shape);
    g.sub(curve, inverse)
}

/// Of an effect `e^phi`; information: `shape` about `w - ln(shape)`, `psi'(shape) - 1/shape` about the shape.
fn of_effect(g: &mut Graph, phi: Node, shape: Node, scale: Node) -> EffectDensity {
    let (log_scale, log_shape) = (g.ln(scale), g.ln(shape));
    let w = g.sub(phi, log_scale);
    let centered = g.sub(w, log_shape);
    let (linear, decay) = (g.mul(shape, w), g.exp(w));
    let kernel = g.sub(linear, decay);
    let norm = g.unary(Unary::LGamma, shape);
    let root = g.unary(Unary::Sqrt, shape);
    EffectDensity {
        log_density: g.sub(kernel, norm),
        information: vec![(centered, shape), (shape, about_shape(g, shape))],
        sd: g.mul(root, scale),
        mean: g.mul(shape, scale),
    }
}
