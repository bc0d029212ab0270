//! Normal outcome: `y = mean + sd * e`, `e ~ N(0, 1)`.
//!
//! `log p = -((y - mean)/sd)^2 / 2 - ln(sd) - ln(2 pi)/2`; information about the mean `1/sd^2`, about
//! `ln(variance)` `1/2`.

use super::effects::{EffectDensity, EffectFamily, Transform};
use super::{draw, mean, Family, FamilyForm, GaussianSpread, On, OutcomeDensity, Support};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;

pub const FAMILY: Family = Family {
    name: "normal",
    arguments: &["mean", "sd"],
    form: FamilyForm::Normal(On::Itself),
    support: Support::Real,
    draw: |a, rng| a[0] + a[1] * draw::normal(rng),
    tails: Some(|g, x, a| log_tails(g, x, [a[0], a[1]])),
    effect: Some(effect(Transform::Identity)),
    constant: Some(highest),
    ..Family::BLANK
};

/// An effect of which `phi` is normal.
pub(super) const fn effect(transform: Transform) -> EffectFamily {
    EffectFamily {
        transform,
        density: |g, phi, a| of_effect(g, phi, a[0], a[1]),
        reference: |a| (a[0], a[1]),
    }
}

/// Not a number where the values do not vary.
pub(super) fn highest(values: &[f64]) -> f64 {
    let (n, mean) = (values.len() as f64, mean(values));
    let variance = values.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / n;
    -0.5 * n * ((2.0 * std::f64::consts::PI * variance).ln() + 1.0)
}

pub fn density(g: &mut Graph, y: Node, mean: Node, spread: GaussianSpread) -> OutcomeDensity {
    let residual = g.sub(y, mean);
    let (log_density, precision, log_variance) = spread.log_density(g, residual);
    let half = g.constant(0.5);
    let sd = spread.sd(g);
    OutcomeDensity {
        log_density,
        prediction: Some(mean),
        sd: Some(sd),
        information: Some(vec![(mean, precision), (log_variance, half)]),
        arguments: vec![mean, sd],
    }
}

/// `(ln F(x), ln(1 - F(x)))`
pub(super) fn log_tails(g: &mut Graph, x: Node, [mean, sd]: [Node; 2]) -> (Node, Node) {
    let residual = g.sub(x, mean);
    let z = g.div(residual, sd);
    let minus = g.neg(z);
    (g.unary(Unary::LogPNorm, z), g.unary(Unary::LogPNorm, minus))
}

/// Information: that of the residual, and 2 about `ln(sd)`.
fn of_effect(g: &mut Graph, phi: Node, mean: Node, sd: Node) -> EffectDensity {
    let residual = g.sub(phi, mean);
    let outcome = density(g, phi, mean, GaussianSpread::Sd(sd));
    let mut information = outcome.information.unwrap_or_default();
    information[0].0 = residual;
    EffectDensity {
        log_density: outcome.log_density,
        information,
        sd,
        mean,
    }
}
