//! Beta outcome on (0, 1): `log p = (a - 1) ln(y) + (b - 1) ln(1 - y) - lnB(a, b)`, mean `a/(a + b)`.
//!
//! Information: `psi'(a)` about `a`, `psi'(b)` about `b`, and `-psi'(a + b)` about `a + b`: the sum is positive definite.

use super::effects::{EffectDensity, EffectFamily, Transform};
use super::{Family, FamilyForm, OutcomeDensity, Support};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;
use crate::ir::vmath::{digamma, trigamma};
use rand_distr::{Beta, Distribution};

pub const FAMILY: Family = Family {
    name: "beta",
    arguments: &["a", "b"],
    form: FamilyForm::Scalars(|g, y, a| density(g, y, [a[0], a[1]])),
    support: Support::Share,
    draw: |a, rng| Beta::new(a[0], a[1]).map_or(f64::NAN, |x| x.sample(rng)),
    effect: Some(EffectFamily {
        transform: Transform::Logistic,
        density: |g, phi, a| of_effect(g, phi, a[0], a[1]),
        reference: |a| {
            let (mean, variance) = (digamma::<false>, trigamma::<false>);
            (
                mean(a[0]) - mean(a[1]),
                (variance(a[0]) + variance(a[1])).sqrt(),
            )
        },
    }),
    ..Family::BLANK
};

fn density(g: &mut Graph, y: Node, [a, b]: [Node; 2]) -> OutcomeDensity {
    let one = g.constant(1.0);
    let minus = g.neg(y);
    let (log_y, log_rest) = (g.ln(y), g.unary(Unary::Log1p, minus));
    let (first, second) = (g.sub(a, one), g.sub(b, one));
    let (first, second) = (g.mul(first, log_y), g.mul(second, log_rest));
    let kernel = g.add(first, second);
    let norm = log_beta(g, a, b);
    OutcomeDensity {
        log_density: g.sub(kernel, norm),
        prediction: Some(mean(g, a, b)),
        sd: Some(standard_deviation(g, a, b)),
        information: Some(about_arguments(g, a, b)),
        arguments: vec![a, b],
    }
}

/// `lnGamma(a) + lnGamma(b) - lnGamma(a + b)`
fn log_beta(g: &mut Graph, a: Node, b: Node) -> Node {
    let total = g.add(a, b);
    let parts = [a, b, total].map(|x| g.unary(Unary::LGamma, x));
    let sum = g.add(parts[0], parts[1]);
    g.sub(sum, parts[2])
}

fn mean(g: &mut Graph, a: Node, b: Node) -> Node {
    let total = g.add(a, b);
    g.div(a, total)
}

/// `sqrt(a b/(a + b + 1))/(a + b)`
fn standard_deviation(g: &mut Graph, a: Node, b: Node) -> Node {
    let (total, one) = (g.add(a, b), g.constant(1.0));
    let next = g.add(total, one);
    let product = g.mul(a, b);
    let ratio = g.div(product, next);
    let root = g.unary(Unary::Sqrt, ratio);
    g.div(root, total)
}

fn about_arguments(g: &mut Graph, a: Node, b: Node) -> Vec<(Node, Node)> {
    let total = g.add(a, b);
    let weights = [a, b, total].map(|x| g.unary(Unary::Trigamma, x));
    let crossed = g.neg(weights[2]);
    vec![(a, weights[0]), (b, weights[1]), (total, crossed)]
}

/// Of an effect `plogis(phi)`; information: `a b/(a + b + 1)` about `phi`, that of the beta family about `a` and `b`, and the products
/// `-2 b/(a + b)` with `a` and `2 a/(a + b)` with `b`, each written as `2 x y = (x + y)^2 - x^2 - y^2`.
fn of_effect(g: &mut Graph, phi: Node, a: Node, b: Node) -> EffectDensity {
    let minus = g.neg(phi);
    let (first, second) = (
        g.unary(Unary::Log1pExp, minus),
        g.unary(Unary::Log1pExp, phi),
    );
    let (first, second) = (g.mul(a, first), g.mul(b, second));
    let total = g.add(first, second);
    let norm = log_beta(g, a, b);
    let total = g.add(total, norm);
    let (mean, rest) = (mean(g, a, b), mean(g, b, a));
    let (sum, one) = (g.add(a, b), g.constant(1.0));
    let next = g.add(sum, one);
    let product = g.mul(a, b);
    let own = g.div(product, next);
    let (with_a, with_b) = (g.add(phi, a), g.add(phi, b));
    let (less_rest, less_mean) = (g.neg(rest), g.neg(mean));
    let about_phi = g.add(own, rest);
    let about_phi = g.sub(about_phi, mean);
    let mut information = vec![
        (phi, about_phi),
        (with_a, less_rest),
        (a, rest),
        (with_b, mean),
        (b, less_mean),
    ];
    information.extend(about_arguments(g, a, b));
    EffectDensity {
        log_density: g.neg(total),
        information,
        sd: standard_deviation(g, a, b),
        mean,
    }
}
