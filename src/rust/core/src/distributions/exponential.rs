//! Exponential outcome: `log p = -y/scale - ln(scale)`; mean and SD are the scale.
//!
//! Information: about `ln(scale)` 1. `ln(1 - F(x)) = -x/scale`.

use super::effects::{EffectDensity, EffectFamily, Transform};
use super::log_space::log1mexp;
use super::{draw, Family, FamilyForm, OutcomeDensity, Support};
use crate::ir::graph::{Graph, Node};
use crate::ir::vmath::{digamma, trigamma};

pub const FAMILY: Family = Family {
    name: "exponential",
    arguments: &["scale"],
    form: FamilyForm::Scalars(|g, y, a| density(g, y, a[0])),
    support: Support::NonNegative,
    draw: |a, rng| a[0] * draw::exponential(rng),
    tails: Some(|g, x, a| log_tails(g, x, a[0])),
    effect: Some(EffectFamily {
        transform: Transform::Exp,
        density: |g, phi, a| of_effect(g, phi, a[0]),
        reference: |a| {
            let (mean, variance) = (digamma::<false>(1.0), trigamma::<false>(1.0));
            (a[0].ln() + mean, variance.sqrt())
        },
    }),
    variance: Some(|mean| mean * mean),
    ..Family::BLANK
};

fn density(g: &mut Graph, y: Node, scale: Node) -> OutcomeDensity {
    let ratio = g.div(y, scale);
    let log_scale = g.ln(scale);
    let total = g.add(ratio, log_scale);
    let one = g.constant(1.0);
    OutcomeDensity {
        log_density: g.neg(total),
        prediction: Some(scale),
        sd: Some(scale),
        information: Some(vec![(log_scale, one)]),
        arguments: vec![scale],
    }
}

/// `(ln F(x), ln(1 - F(x)))`
fn log_tails(g: &mut Graph, x: Node, scale: Node) -> (Node, Node) {
    let ratio = g.div(x, scale);
    (log1mexp(g, ratio), g.neg(ratio))
}

/// Of an effect `e^phi`; information: 1 about `w`.
fn of_effect(g: &mut Graph, phi: Node, scale: Node) -> EffectDensity {
    let log_scale = g.ln(scale);
    let w = g.sub(phi, log_scale);
    let (decay, one) = (g.exp(w), g.constant(1.0));
    EffectDensity {
        log_density: g.sub(w, decay),
        information: vec![(w, one)],
        sd: scale,
        mean: scale,
    }
}
