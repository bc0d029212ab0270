//! Classes of subjects behind outcomes: the forward filter of a chain that never changes its state.
//!
//! With `w` the logarithms of the class probabilities given the subject's rows so far and `e_k` the log density of an
//! outcome in class `k`:
//!
//! ```text
//! l_k = w_k + e_k,    log p(y | past) = ln sum_k exp(l_k),    w_k' = l_k - log p(y | past)
//! ```
//!
//! A missing outcome leaves `w' = w`. The sum over a subject's rows is the logarithm of
//! `sum_k p_k prod_rows exp(e_k)`: McLachlan and Peel (2000), Finite Mixture Models.

use crate::ir::graph::{Graph, Node};
use crate::ir::op::Binary;

/// Log density of an outcome given what was seen before, and the logarithms of the class probabilities behind it.
///
/// `present`: 1 where the outcome is there, else 0. `logs`: log density of the outcome in each class.
pub fn step(g: &mut Graph, present: Node, weights: &[Node], logs: &[Node]) -> (Node, Vec<Node>) {
    let joint: Vec<Node> = weights
        .iter()
        .zip(logs)
        .map(|(w, e)| g.add(*w, *e))
        .collect();
    let largest = joint
        .iter()
        .skip(1)
        .fold(joint[0], |m, l| g.binary(Binary::Max, m, *l));
    let terms: Vec<Node> = joint
        .iter()
        .map(|l| {
            let below = g.sub(*l, largest);
            g.exp(below)
        })
        .collect();
    let sum = g.sum(&terms);
    let log_sum = g.ln(sum);
    let log_density = g.add(largest, log_sum);
    let updated = joint.iter().zip(weights).map(|(l, w)| {
        let after = g.sub(*l, log_density);
        g.select(present, after, *w)
    });
    let updated = updated.collect();
    (log_density, updated)
}

/// Logarithms of the class probabilities before the first row. `class`: that of the subject where it is known, else 0.
pub fn initial(g: &mut Graph, class: Node, probabilities: &[Node]) -> Vec<Node> {
    let never = g.constant(f64::NEG_INFINITY);
    let one = g.constant(1.0);
    let unknown = g.binary(Binary::Less, class, one);
    let each = (1..).zip(probabilities);
    each.map(|(k, p)| {
        let here = is_class(g, class, k);
        let possible = g.binary(Binary::Or, unknown, here);
        let log = g.ln(*p);
        g.select(possible, log, never)
    })
    .collect()
}

/// The value of the subject's class, the average over all where the class is not known.
pub fn expected(g: &mut Graph, class: Node, probabilities: &[Node], values: &[Node]) -> Node {
    if values.iter().all(|value| *value == values[0]) {
        return values[0];
    }
    let pairs = probabilities.iter().zip(values);
    let terms: Vec<Node> = pairs.map(|(p, value)| g.mul(*p, *value)).collect();
    let average = g.sum(&terms);
    chosen(g, class, values, average)
}

/// The value of the subject's class, `other` where the class is not known.
pub fn chosen(g: &mut Graph, class: Node, values: &[Node], other: Node) -> Node {
    let each: Vec<(u32, &Node)> = (1..).zip(values).collect();
    each.into_iter().rev().fold(other, |rest, (k, value)| {
        let here = is_class(g, class, k);
        g.select(here, *value, rest)
    })
}

/// Whether a subject is of class `k`, from one.
pub fn is_class(g: &mut Graph, class: Node, k: u32) -> Node {
    let k = g.constant(f64::from(k));
    g.binary(Binary::Equal, class, k)
}
