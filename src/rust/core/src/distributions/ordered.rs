//! Ordered outcome (cumulative logit): `y` is one of `1..K`, `P(y <= k) = plogis(cutpoints[k] - eta)`, the `K - 1`
//! cutpoints increase.
//!
//! With `u = cutpoints[y] - eta` and `l = cutpoints[y - 1] - eta`,
//! `plogis(u) - plogis(l) = (1 - e^(l - u)) / ((1 + e^-u)(1 + e^l))`, which keeps its digits on the log scale; the first
//! and the last category have one factor each. Information: about the logarithm of each probability, that probability.
//! Predicted is the expected category `1 + sum_k P(y > k)`.

use super::categorical::element;
use super::log_space::log1mexp;
use super::{draw, Family, FamilyForm, OutcomeDensity, Support};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::{Binary, Unary};

pub const FAMILY: Family = Family {
    name: "ordered",
    arguments: &["eta", "cutpoints"],
    form: FamilyForm::Categories(1, density),
    support: Support::Category(0),
    draw: |a, rng| {
        let latent = a[0] + draw::logistic(rng);
        1.0 + a[1..].iter().filter(|cut| **cut < latent).count() as f64
    },
    ..Family::BLANK
};

fn density(g: &mut Graph, y: Node, eta: Node, cutpoints: &[Node]) -> OutcomeDensity {
    let labels: Vec<Node> = (1..=cutpoints.len() + 1)
        .map(|k| g.constant(k as f64))
        .collect();
    let logs: Vec<Node> = labels
        .iter()
        .map(|k| log_probability(g, *k, eta, cutpoints))
        .collect();
    let information = logs.iter().map(|log| (*log, g.exp(*log))).collect();
    let mut mean = g.constant(1.0);
    for cut in cutpoints {
        let rest = g.sub(eta, *cut);
        let above = g.unary(Unary::Logistic, rest);
        mean = g.add(mean, above);
    }
    let mut arguments = vec![eta];
    arguments.extend(cutpoints);
    OutcomeDensity {
        log_density: log_probability(g, y, eta, cutpoints),
        prediction: Some(mean),
        sd: None,
        information: Some(information),
        arguments,
    }
}

/// `ln P(y = k)`; for a constant `k` only its own factors are left.
fn log_probability(g: &mut Graph, k: Node, eta: Node, cutpoints: &[Node]) -> Node {
    let (zero, one) = (g.constant(0.0), g.constant(1.0));
    let highest = g.constant(cutpoints.len() as f64 + 1.0);
    let (first, last) = (
        g.binary(Binary::Equal, k, one),
        g.binary(Binary::Equal, k, highest),
    );
    let before = g.sub(k, one);
    let (above, below) = (element(g, k, cutpoints), element(g, before, cutpoints));
    let upper = g.sub(eta, above);
    let upper = g.unary(Unary::Log1pExp, upper);
    let upper = g.select(last, zero, upper);
    let lower = g.sub(below, eta);
    let lower = g.unary(Unary::Log1pExp, lower);
    let lower = g.select(first, zero, lower);
    let distance = g.sub(above, below);
    let width = log1mexp(g, distance);
    let end = g.binary(Binary::Or, first, last);
    let width = g.select(end, zero, width);
    let total = g.add(upper, lower);
    g.sub(width, total)
}
