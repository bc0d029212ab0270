//! Negative binomial outcome: counts with mean `mean` and variance `mean + mean^2/size`.
//!
//! `log p = ln(Gamma(y + size)/Gamma(size)) - ln(y!) - size ln(1 + mean/size) + y ln(mean/(mean + size))`, with the terms
//! in `y ln(size)` taken together, so that it turns into Poisson's as `size` grows. Information: mean and size are
//! orthogonal; about `ln(mean)` `mean size/(mean + size)`. About `size` there is no closed form: `None` where the size
//! depends on random effects.

use super::log_space::{log_factorial, log_rising, times_log};
use super::{gamma, poisson, Family, FamilyForm, OutcomeDensity, Support};
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::Unary;

pub const FAMILY: Family = Family {
    name: "neg_binomial",
    arguments: &["mean", "size"],
    form: FamilyForm::Scalars(|g, y, a| density(g, y, [a[0], a[1]])),
    support: Support::Count,
    draw: |a, rng| poisson::draw(gamma::draw(a[1], a[0] / a[1], rng), rng),
    ..Family::BLANK
};

fn density(g: &mut Graph, y: Node, [mean, size]: [Node; 2]) -> OutcomeDensity {
    let (rising, factorial) = (log_rising(g, size, y), log_factorial(g, y));
    let norm = g.sub(rising, factorial);
    let ratio = g.div(mean, size);
    let log_ratio = g.unary(Unary::Log1p, ratio);
    let log_mean = g.ln(mean);
    // y ln(mean/(mean + size)) + y ln(size) = y (ln(mean) - ln(1 + mean/size))
    let success = g.sub(log_mean, log_ratio);
    let counts = times_log(g, y, success);
    let failures = g.mul(size, log_ratio);
    let kernel = g.sub(counts, failures);
    let total = g.add(mean, size);
    let product = g.mul(mean, size);
    let weight = g.div(product, total);
    let individual = g.depends(|op| matches!(op, Op::Phi(_)))[size.index()];
    OutcomeDensity {
        log_density: g.add(norm, kernel),
        prediction: Some(mean),
        sd: None,
        information: (!individual).then(|| vec![(log_mean, weight)]),
        arguments: vec![mean, size],
    }
}
