//! Time to event: `y` is 1 for an event at the row's time `b`, 0 for none up to then (right censoring).
//!
//! `log p = y ln h(b) - H`, `H = int_a^b h dt` from the time `a` of the subject's previous row with this outcome (0 before
//! the first). Rows of a subject add up to the likelihood of its events, single or repeated. Covariates in the hazard
//! have the values of the row. Predicted is the probability `1 - e^-H` of an event since the previous row.

use super::hazard;
use super::log_space::times_log;
use super::{draw, Family, FamilyForm, OutcomeDensity, Support};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;

pub const FAMILY: Family = Family {
    name: "event",
    arguments: &["hazard"],
    form: FamilyForm::Event,
    support: Support::ZeroOne,
    draw: |a, rng| draw::indicator(draw::uniform(rng) < -(-a[0]).exp_m1()),
    ..Family::BLANK
};

/// `H` of a hazard that is written in the time of the row, `time`; `previous`: that of the row before. `panels`: how finely
/// an interval is divided where there is no closed form, which the second value tells.
pub fn cumulative(
    g: &mut Graph,
    hazard: Node,
    [time, previous]: [Node; 2],
    panels: usize,
) -> (Node, bool) {
    hazard::integral(g, (hazard, time), (previous, time), panels)
}

/// `hazard`: at the row; `cumulative`: since the row before.
pub fn density(g: &mut Graph, y: Node, hazard: Node, cumulative: Node) -> OutcomeDensity {
    let log_hazard = g.ln(hazard);
    let event = times_log(g, y, log_hazard);
    let minus = g.neg(cumulative);
    let survival = g.unary(Unary::Expm1, minus);
    OutcomeDensity {
        log_density: g.sub(event, cumulative),
        prediction: Some(g.neg(survival)),
        sd: None,
        information: None,
        arguments: vec![cumulative],
    }
}
