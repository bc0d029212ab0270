//! Poisson outcome: counts with mean `rate`.
//!
//! `log p = y ln(rate) - rate - lnGamma(y + 1)`. Information about `ln(rate)`: `rate`.

use super::{mean, Family, FamilyForm, OutcomeDensity, Support};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;
use rand::Rng;
use rand_distr::{Distribution, Poisson};

pub const FAMILY: Family = Family {
    name: "poisson",
    arguments: &["rate"],
    form: FamilyForm::Scalars(|g, y, a| density(g, y, a[0])),
    support: Support::Count,
    draw: |a, rng| draw(a[0], rng),
    variance: Some(|rate| rate),
    constant: Some(highest),
    ..Family::BLANK
};

pub(super) fn draw(rate: f64, rng: &mut dyn Rng) -> f64 {
    if rate == 0.0 {
        return 0.0;
    }
    Poisson::new(rate).map_or(f64::NAN, |x| x.sample(rng))
}

fn highest(values: &[f64]) -> f64 {
    let rate = mean(values);
    let log_rate = if rate > 0.0 { rate.ln() } else { 0.0 };
    let each = values.iter().map(|y| {
        let log_factorial: f64 = (2..=*y as u64).map(|k| (k as f64).ln()).sum();
        y * log_rate - rate - log_factorial
    });
    each.sum()
}

fn density(g: &mut Graph, y: Node, rate: Node) -> OutcomeDensity {
    let log_rate = g.ln(rate);
    let product = g.mul(y, log_rate);
    let zero = g.constant(0.0);
    // No events are certain at rate zero: 0 ln(0) is 0.
    let linear = g.select(y, product, zero);
    let one = g.constant(1.0);
    let next = g.add(y, one);
    let norm = g.unary(Unary::LGamma, next);
    let kernel = g.sub(linear, rate);
    OutcomeDensity {
        log_density: g.sub(kernel, norm),
        prediction: Some(rate),
        sd: None,
        information: Some(vec![(log_rate, rate)]),
        arguments: vec![rate],
    }
}
