//! Bernoulli outcome: `y` is 1 with probability `prob`, else 0.
//!
//! With `prob = 1/(1 + exp(-x))` written as such, `log p = y x - ln(1 + exp(x))` keeps its digits in both tails.
//! Information about `prob`: `1/(prob (1 - prob))`.

use super::draw::{indicator, uniform};
use super::{mean, Family, FamilyForm, OutcomeDensity, Support};
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::Unary;

pub const FAMILY: Family = Family {
    name: "bernoulli",
    arguments: &["prob"],
    form: FamilyForm::Scalars(|g, y, a| density(g, y, a[0])),
    support: Support::ZeroOne,
    draw: |a, rng| indicator(uniform(rng) < a[0]),
    variance: Some(|prob| prob * (1.0 - prob)),
    constant: Some(highest),
    ..Family::BLANK
};

fn highest(values: &[f64]) -> f64 {
    let (n, p) = (values.len() as f64, mean(values));
    let term = |p: f64| if p > 0.0 { p * p.ln() } else { 0.0 };
    n * (term(p) + term(1.0 - p))
}

fn density(g: &mut Graph, y: Node, prob: Node) -> OutcomeDensity {
    let one = g.constant(1.0);
    let (log_density, argument, weight) = if let Op::Unary(Unary::Logistic, x) = g.op(prob) {
        let linear = g.mul(y, x);
        let norm = g.unary(Unary::Log1pExp, x);
        let rest = g.sub(one, prob);
        let weight = g.mul(prob, rest);
        (g.sub(linear, norm), x, weight)
    } else {
        let success = g.ln(prob);
        let minus = g.neg(prob);
        let failure = g.unary(Unary::Log1p, minus);
        let rest = g.sub(one, prob);
        let variance = g.mul(prob, rest);
        let weight = g.unary(Unary::Recip, variance);
        (g.select(y, success, failure), prob, weight)
    };
    OutcomeDensity {
        log_density,
        prediction: Some(prob),
        sd: None,
        information: Some(vec![(argument, weight)]),
        arguments: vec![prob],
    }
}
