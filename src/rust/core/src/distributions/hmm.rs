//! Markov chains over the rows of a subject, hidden behind an outcome or observed: the normalized forward filter.
//!
//! With `p` the distribution of the state after the previous row (`initial` before the first one), `P` the transition
//! into this row and `e_j` the log density of the outcome in state `j`:
//!
//! ```text
//! q = P' p,    l_j = ln q_j + e_j,    log p(y | past) = ln sum_j exp(l_j),    p_j = exp(l_j) / sum_i exp(l_i)
//! ```
//!
//! A missing outcome leaves `p = q`. Everything is taken relative to the largest `l_j`, so that densities far below
//! the smallest number still compare. Rabiner (1989), with the scaling on the logarithm.

use super::{Family, FamilyForm, Support};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::{Binary, Unary};

/// Hidden chains and observed ones, moving by rows or in time.
pub const HMM: Family = chain("hmm", &["transition", "emissions", "initial"], true, false);
pub const CONTINUOUS_TIME_HMM: Family = chain(
    "continuous_time_hmm",
    &["rates", "emissions", "initial"],
    true,
    true,
);
pub const MARKOV: Family = chain("markov", &["transition", "initial"], false, false);
pub const CONTINUOUS_TIME_MARKOV: Family =
    chain("continuous_time_markov", &["rates", "initial"], false, true);

const fn chain(
    name: &'static str,
    arguments: &'static [&'static str],
    hidden: bool,
    continuous: bool,
) -> Family {
    Family {
        name,
        arguments,
        form: FamilyForm::Chain { hidden, continuous },
        support: Support::Category(0),
        ..Family::BLANK
    }
}

/// One row of the filter.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Log density of the outcome given the subject's earlier ones.
    pub log_density: Node,
    /// Distribution of the state given the subject's earlier outcomes.
    pub predicted: Vec<Node>,
    /// Distribution of the state given these and the outcome of this row.
    pub filtered: Vec<Node>,
}

/// A chain seen through outcomes.
///
/// `present`: 1 where the outcome is there, else 0. `transition`: `k x k`, row-major, row the state before.
/// `initial`: distribution of the state before the first row. `emissions`: log density of the outcome in each state.
pub fn hidden(
    g: &mut Graph,
    present: Node,
    transition: &[Node],
    initial: &[Node],
    emissions: &[Node],
) -> Filter {
    let (carried, predicted) = predict(g, transition, initial);
    let logs: Vec<Node> = predicted
        .iter()
        .zip(emissions)
        .map(|(q, e)| {
            let log = g.ln(*q);
            g.add(log, *e)
        })
        .collect();
    let largest = logs
        .iter()
        .skip(1)
        .fold(logs[0], |m, l| g.binary(Binary::Max, m, *l));
    let weights: Vec<Node> = logs
        .iter()
        .map(|l| {
            let below = g.sub(*l, largest);
            g.exp(below)
        })
        .collect();
    let scale = g.sum(&weights);
    let log_scale = g.ln(scale);
    let inverse = g.unary(Unary::Recip, scale);
    let updated = weights.iter().map(|w| g.mul(*w, inverse)).collect();
    let log_density = g.add(largest, log_scale);
    carry_on(g, present, &carried, log_density, predicted, updated)
}

/// A chain whose state, `1..=k`, is the outcome itself.
pub fn observed(
    g: &mut Graph,
    present: Node,
    transition: &[Node],
    initial: &[Node],
    y: Node,
) -> Filter {
    let (carried, predicted) = predict(g, transition, initial);
    let is_state: Vec<Node> = (0..initial.len())
        .map(|j| {
            let state = g.constant((j + 1) as f64);
            g.binary(Binary::Equal, y, state)
        })
        .collect();
    let zero = g.constant(0.0);
    let terms: Vec<Node> = is_state
        .iter()
        .zip(&predicted)
        .map(|(is, q)| g.select(*is, *q, zero))
        .collect();
    let probability = g.sum(&terms);
    let log_density = g.ln(probability);
    carry_on(g, present, &carried, log_density, predicted, is_state)
}

/// The carried values and `P' p`.
fn predict(g: &mut Graph, transition: &[Node], initial: &[Node]) -> (Vec<Node>, Vec<Node>) {
    let k = initial.len();
    let carried: Vec<Node> = initial.iter().map(|p| g.carry(*p)).collect();
    let predicted = (0..k)
        .map(|j| {
            let terms: Vec<Node> = (0..k)
                .map(|i| g.mul(carried[i], transition[i * k + j]))
                .collect();
            g.sum(&terms)
        })
        .collect();
    (carried, predicted)
}

fn carry_on(
    g: &mut Graph,
    present: Node,
    carried: &[Node],
    log_density: Node,
    predicted: Vec<Node>,
    updated: Vec<Node>,
) -> Filter {
    let states = predicted.iter().zip(updated);
    let filtered: Vec<Node> = states.map(|(q, p)| g.select(present, p, *q)).collect();
    for (carry, next) in carried.iter().zip(&filtered) {
        g.carry_on(*carry, *next);
    }
    Filter {
        log_density,
        predicted,
        filtered,
    }
}
