//! Bernoulli outcome: `y` is 1 with probability `prob`, else 0.
//!
//! With `prob = 1/(1 + exp(-x))` written as such, `log p = y x - ln(1 + exp(x))` keeps its digits in both tails.
//! Information about `prob`: `1/(prob (1 - prob))`.

use super::Density;
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::Unary;

pub fn density(g: &mut Graph, y: Node, prob: Node) -> Density {
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
    Density {
        log_density,
        prediction: Some(prob),
        sd: None,
        information: Some(vec![(argument, weight)]),
        arguments: vec![prob],
    }
}
