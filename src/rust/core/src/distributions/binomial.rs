//! Binomial outcome: `y` successes among `size` trials, each with probability `prob`.
//!
//! `log p = ln(size choose y) + y ln(prob) + (size - y) ln(1 - prob)`; with `prob = plogis(x)` written as such, the last
//! two are `y x - size ln(1 + exp(x))`. Information: about `x` `size prob (1 - prob)`, about `prob`
//! `size/(prob (1 - prob))`.

use super::log_space::{log_factorial, times_log};
use super::Density;
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::Unary;

pub fn density(g: &mut Graph, y: Node, [size, prob]: [Node; 2]) -> Density {
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
    Density {
        log_density: g.add(choose, kernel),
        prediction: Some(g.mul(size, prob)),
        sd: None,
        information: Some(vec![(argument, weight)]),
        arguments: vec![size, prob],
    }
}
