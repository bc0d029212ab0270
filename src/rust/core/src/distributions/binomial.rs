//! Binomial outcome: `y` successes among `size` trials, each with probability `prob`.
//!
//! `log p = ln(size choose y) + y ln(prob) + (size - y) ln(1 - prob)`; with `prob = plogis(x)` written as such, the last
//! two are `y x - size ln(1 + exp(x))`. Information: about `x` `size prob (1 - prob)`, about `prob`
//! `size/(prob (1 - prob))`.

use super::log_space::{log_factorial, times_log};
use super::{Family, FamilyForm, OutcomeDensity, Support};
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::Unary;
use rand::Rng;
use rand_distr::{Binomial, Distribution};

pub const FAMILY: Family = Family {
    name: "binomial",
    arguments: &["size", "prob"],
    form: FamilyForm::Scalars(|g, y, a| density(g, y, [a[0], a[1]])),
    support: Support::Count,
    draw: |a, rng| draw(a[0], a[1], rng),
    ..Family::BLANK
};

fn draw(size: f64, prob: f64, rng: &mut dyn Rng) -> f64 {
    // Above 2^53 whole numbers are not told apart.
    if !(0.0..=9_007_199_254_740_992.0).contains(&size) || size.fract() != 0.0 {
        return f64::NAN;
    }
    Binomial::new(size as u64, prob).map_or(f64::NAN, |x| x.sample(rng) as f64)
}

fn density(g: &mut Graph, y: Node, [size, prob]: [Node; 2]) -> OutcomeDensity {
    let rest = g.sub(size, y);
    let [all, first, second] = [size, y, rest].map(|x| log_factorial(g, x));
    let parts = g.add(first, second);
    let choose = g.sub(all, parts);
    let one = g.constant(1.0);
    let failure = g.sub(one, prob);
    let variance = g.mul(prob, failure);
    let (kernel, argument, weight) = if let Op::Unary(Unary::Logistic, x) = g.op(prob) {
        let (linear, norm) = (g.mul(y, x), g.unary(Unary::Log1pExp, x));
        let total = g.mul(size, norm);
        (g.sub(linear, total), x, g.mul(size, variance))
    } else {
        let minus = g.neg(prob);
        let (success, failure) = (g.ln(prob), g.unary(Unary::Log1p, minus));
        let first = times_log(g, y, success);
        let second = times_log(g, rest, failure);
        (g.add(first, second), prob, g.div(size, variance))
    };
    OutcomeDensity {
        log_density: g.add(choose, kernel),
        prediction: Some(g.mul(size, prob)),
        sd: None,
        information: Some(vec![(argument, weight)]),
        arguments: vec![size, prob],
    }
}
