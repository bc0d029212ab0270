//! Categorical outcome: `y` is `k` of `1..K` with probability `probs[k]`, divided by their sum as `dmultinom()` does.
//!
//! `log p = ln(probs[y]) - ln(sum(probs))`. Information: about the logarithm of each probability, that probability.
//! Nothing is predicted: the mean of labels has no meaning.

use super::Density;
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Binary;

pub fn density(g: &mut Graph, y: Node, probs: &[Node]) -> Density {
    let total = g.sum(probs);
    let norm = g.ln(total);
    let own = element(g, y, probs);
    let own = g.ln(own);
    let mut information = Vec::with_capacity(probs.len());
    for prob in probs {
        let log = g.ln(*prob);
        information.push((g.sub(log, norm), g.div(*prob, total)));
    }
    Density {
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
