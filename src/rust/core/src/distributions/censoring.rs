//! Censored outcomes: what is known of a value is that it lies beyond a limit or between two.
//!
//! Such a value contributes `ln F(upper)`, `ln(1 - F(lower))` or `ln(F(upper) - F(lower))` instead of its log density. All
//! three are computed from the tails on the log scale: the difference from the tails on that side of the median where
//! they are small, so that no digits are lost far out.

use super::log_space::log1mexp;
use super::{Family, FamilyForm, OutcomeDensity};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Binary;
use std::f64::consts::LN_2;

pub const CENSORED: Family = Family {
    name: "censored",
    arguments: &["dist", "lower", "upper"],
    form: FamilyForm::Censored,
    ..Family::BLANK
};

/// `ln(F(b) - F(a))` from the tails at `a < b`.
fn between(g: &mut Graph, a: (Node, Node), b: (Node, Node)) -> Node {
    let median = g.constant(-LN_2);
    let above = g.binary(Binary::Less, median, a.0);
    let larger = g.select(above, a.1, b.0);
    let smaller = g.select(above, b.1, a.0);
    let distance = g.sub(larger, smaller);
    let share = log1mexp(g, distance);
    g.add(larger, share)
}

/// Censoring at known bounds: `y <= lower` stands for `F(lower)`, `y >= upper` for `1 - F(upper)`.
pub fn at_bounds(
    g: &mut Graph,
    family: &Family,
    y: Node,
    inner: OutcomeDensity,
    (lower, upper): (Option<Node>, Option<Node>),
) -> Option<OutcomeDensity> {
    let log_tails = family.tails?;
    let mut log_density = inner.log_density;
    if let Some(upper) = upper {
        let tails = log_tails(g, upper, &inner.arguments);
        let beyond = g.binary(Binary::LessEqual, upper, y);
        log_density = g.select(beyond, tails.1, log_density);
    }
    if let Some(lower) = lower {
        let tails = log_tails(g, lower, &inner.arguments);
        let beyond = g.binary(Binary::LessEqual, y, lower);
        log_density = g.select(beyond, tails.0, log_density);
    }
    Some(OutcomeDensity {
        log_density,
        information: None,
        ..inner
    })
}

/// Censoring as the data say: `kind` is 0 for a value, 1 for `(-Inf, y]`, -1 for `[y, Inf)`, 2 for `[limit, y]` and -2
/// for `[y, limit]`. `positive`: the family has no values below zero, so that a limit there is none.
pub fn by_data(
    g: &mut Graph,
    family: &Family,
    [y, kind, limit]: [Node; 3],
    inner: OutcomeDensity,
    positive: bool,
) -> Option<OutcomeDensity> {
    let log_tails = family.tails?;
    let at_value = log_tails(g, y, &inner.arguments);
    let at_limit = log_tails(g, limit, &inner.arguments);
    let [one, minus_one, two, zero] = [1.0, -1.0, 2.0, 0.0].map(|x| g.constant(x));
    let left_of = g.binary(Binary::Equal, kind, two);
    let pick = |g: &mut Graph, a: (Node, Node), b: (Node, Node)| {
        (g.select(left_of, a.0, b.0), g.select(left_of, a.1, b.1))
    };
    let low = pick(g, at_limit, at_value);
    let high = pick(g, at_value, at_limit);
    let mut inside = between(g, low, high);
    if positive {
        let open = g.binary(Binary::LessEqual, limit, zero);
        inside = g.select(open, at_value.0, inside);
    }
    let right = g.binary(Binary::Equal, kind, minus_one);
    let known = g.select(right, at_value.1, inside);
    let left = g.binary(Binary::Equal, kind, one);
    let known = g.select(left, at_value.0, known);
    Some(OutcomeDensity {
        log_density: g.select(kind, known, inner.log_density),
        information: None,
        ..inner
    })
}
