//! Categorical outcome: `y` is `k` of `1..K` with probability `probs[k]`, divided by their sum as `dmultinom()` does.
//!
//! `log p = ln(probs[y]) - ln(sum(probs))`. Information: about the logarithm of each probability, that probability.
//! Nothing is predicted: the mean of labels has no meaning.

use super::{draw, Family, FamilyForm, OutcomeDensity, Support};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Binary;

pub const FAMILY: Family = Family {
    name: "categorical",
    arguments: &["probs"],
    form: FamilyForm::Categories(0, |g, y, _, probs| density(g, y, probs)),
    support: Support::Category(0),
    draw: |probs, rng| category(probs, draw::uniform(rng)),
    ..Family::BLANK
};

/// The category, from one, whose cumulative share of the sum first exceeds `u`.
fn category(probs: &[f64], u: f64) -> f64 {
    let total: f64 = probs.iter().sum();
    if !total.is_finite() || total <= 0.0 || probs.iter().any(|p| *p < 0.0) {
        return f64::NAN;
    }
    let mut rest = u * total;
    for (k, prob) in probs.iter().enumerate() {
        rest -= prob;
        if rest < 0.0 {
            return k as f64 + 1.0;
        }
    }
    probs.len() as f64
}

fn density(g: &mut Graph, y: Node, probs: &[Node]) -> OutcomeDensity {
    let total = g.sum(probs);
    let norm = g.ln(total);
    let own = element(g, y, probs);
    let own = g.ln(own);
    let mut information = Vec::with_capacity(probs.len());
    for prob in probs {
        let log = g.ln(*prob);
        information.push((g.sub(log, norm), g.div(*prob, total)));
    }
    OutcomeDensity {
        log_density: g.sub(own, norm),
        prediction: None,
        sd: None,
        information: Some(information),
        arguments: probs.to_vec(),
    }
}

/// `values[y]`, counted from one; the last where `y` is none of the others.
pub(super) fn element(g: &mut Graph, y: Node, values: &[Node]) -> Node {
    let Some((last, others)) = values.split_last() else {
        return g.constant(f64::NAN);
    };
    let mut chosen = *last;
    for (k, value) in others.iter().enumerate().rev() {
        let label = g.constant(k as f64 + 1.0);
        let here = g.binary(Binary::Equal, y, label);
        chosen = g.select(here, *value, chosen);
    }
    chosen
}
