//! Lay out what happened during a run.

use super::{list, matrix, parameters};
use crate::problem::{natural, Joint};
use crate::reply::ReplyValue;
use crate::saem::{Fit, Trace};

/// The estimates by iteration, natural scale.
pub fn trace(problem: &Joint, trace: &Trace) -> ReplyValue {
    let p = problem.theta.elements.len();
    let rows: Vec<f64> = trace
        .theta
        .iter()
        .flat_map(|theta| natural(problem.model(), theta))
        .collect();
    list(vec![
        (
            "names",
            parameters::texts(&problem.theta, |e| e.name.clone()),
        ),
        ("value", matrix(trace.len(), p, &rows)),
        ("gain", ReplyValue::Numbers(trace.gain.clone())),
        (
            "phase",
            ReplyValue::Texts(trace.phase.iter().map(ToString::to_string).collect()),
        ),
        ("objective", ReplyValue::Numbers(trace.objective.clone())),
        ("updated", updated(trace)),
    ])
}

/// Batches drawn for in each iteration, counted from one; empty where all were in every one.
fn updated(trace: &Trace) -> ReplyValue {
    let numbers = |batches: &Vec<usize>| {
        let numbers = batches
            .iter()
            .map(|b| i32::try_from(b + 1).unwrap_or(i32::MAX));
        (String::new(), ReplyValue::Integers(numbers.collect()))
    };
    ReplyValue::List(trace.updated.iter().map(numbers).collect())
}

/// Acceptance rate of each kernel.
pub fn acceptance(fit: &Fit) -> ReplyValue {
    let names = fit
        .acceptance
        .iter()
        .map(|(name, _)| name.to_string())
        .collect();
    let rates = fit.acceptance.iter().map(|(_, rate)| *rate).collect();
    list(vec![
        ("kernel", ReplyValue::Texts(names)),
        ("rate", ReplyValue::Numbers(rates)),
    ])
}

/// Parameters that were named as targets of a closed form and have none.
pub fn refusals(ineligible: &[(String, String)]) -> ReplyValue {
    let texts = |pick: fn(&(String, String)) -> &String| {
        ReplyValue::Texts(ineligible.iter().map(pick).cloned().collect())
    };
    list(vec![
        ("parameter", texts(|refusal| &refusal.0)),
        ("reason", texts(|refusal| &refusal.1)),
    ])
}
