//! Look at what the records use of the equations: whether anything ever enters, and properties of doses that none has.

use super::events::Events;
use crate::error::{Error, Result};
use crate::ir::graph::Op;
use crate::ir::op::Binary;
use crate::ir::scalar::{LeafValues, ScalarProgram};
use crate::model::{Equation, Model};
use crate::ode::{Administration, Event, EventKind};

/// Leaves of no meaning; no state holds anything.
struct Empty(f64);

impl LeafValues for Empty {
    fn data(&self, _column: usize) -> f64 {
        self.0
    }

    fn theta(&self, _coordinate: usize) -> f64 {
        self.0
    }

    fn phi(&self, _coordinate: usize) -> f64 {
        self.0
    }

    fn state(&self, _k: usize) -> f64 {
        0.0
    }
}

/// Refuse equations whose states are zero forever, most often because the doses were not found.
///
/// # Errors
/// No dose, no initial value, and nothing that flows into empty states.
pub fn check(model: &Model, events: &Events) -> Result<()> {
    let Some(first) = model.equations.first() else {
        return Ok(());
    };
    let starts = model.equations.iter().any(|e| e.initial.is_some());
    if starts || doses(events).next().is_some() || flows_in(model) {
        return Ok(());
    }
    Err(Error::data(
        "no_dose",
        "No record gives a dose, and all states begin at zero: they stay there.",
    )
    .at(&first.text)
    .hint(format!(
        "Name the column of the amounts, as in `fit_nlme(events = c(amt = \"dose\"))`, or say what a state holds at the \
         beginning: `{}(0) <- dose`.",
        first.name
    )))
}

/// Refuse doses at steady state into a state that only adds up: repeated doses lead it nowhere.
///
/// # Errors
/// The first record of such a dose.
pub fn check_steady(model: &Model, events: &Events) -> Result<()> {
    let sums = model.sums();
    let grows = |event: &Event| match &event.kind {
        EventKind::Dose {
            state,
            steady: Some(_),
            ..
        } if sums[*state] => Some((*state, event.time)),
        _ => None,
    };
    let mut all = events.schedules.iter().flat_map(|s| &s.events);
    let Some((state, time)) = all.find_map(grows) else {
        return Ok(());
    };
    let equation = &model.equations[state];
    let name = &equation.name;
    let problem = format!(
        "The dose at steady state at time {time} goes into `{name}`, which only adds up: it comes to no steady state."
    );
    Err(Error::data("no_steady_state", problem)
        .at(&equation.text)
        .field("name", name)
        .hint("Write such doses out with II and ADDL, or name another state in CMT."))
}

/// Whether anything may flow into empty states. Values are as good as any others but where there is a choice.
fn flows_in(model: &Model) -> bool {
    let graph = &model.graph;
    // A hazard may add up while nothing flows.
    let equations = model.equations.iter().filter(|e| e.hazard.is_none());
    let rates: Vec<_> = equations.map(|e| e.rhs).collect();
    let needed = graph.reachable(&rates);
    if graph
        .nodes()
        .any(|n| needed[n.index()] && chooses(graph.op(n)))
    {
        return true;
    }
    let program = ScalarProgram::new(graph, &rates);
    let at = |value: f64| program.evaluate(graph, &Empty(value), &mut Vec::new());
    [0.7, 1.3].into_iter().flat_map(at).any(|rate| rate != 0.0)
}

fn chooses(op: Op) -> bool {
    use Binary::{Equal, Less, LessEqual, Max, Min};
    matches!(
        op,
        Op::Select(..) | Op::Binary(Less | LessEqual | Equal | Min | Max, ..)
    )
}

/// Into which state each dose goes, and how.
fn doses(events: &Events) -> impl Iterator<Item = (usize, Administration)> + '_ {
    let all = events.schedules.iter().flat_map(|s| &s.events);
    all.filter_map(|event| match event.kind {
        EventKind::Dose { state, course, .. } => Some((state, course)),
        EventKind::Reset => None,
    })
}

/// Say which properties of doses no record has a use for.
pub fn unused(model: &Model, events: &Events) -> Vec<String> {
    let each = model.equations.iter().enumerate();
    let each = each.filter(|(_, equation)| equation.feed.is_none() && equation.hazard.is_none());
    let into = |state: usize| model.equations[state].feed.map_or(state, |feed| feed.owner);
    each.flat_map(|(k, equation)| {
        unused_of(equation, |is| {
            doses(events).any(|(at, course)| into(at) == k && is(course))
        })
    })
    .collect()
}

fn unused_of(equation: &Equation, any: impl Fn(fn(Administration) -> bool) -> bool) -> Vec<String> {
    let name = &equation.name;
    let dose: fn(Administration) -> bool = |_| true;
    let rate: fn(Administration) -> bool = |c| {
        matches!(
            c,
            Administration::ModeledRate | Administration::EndlessModeled
        )
    };
    let duration: fn(Administration) -> bool = |c| c == Administration::ModeledDuration;
    let properties = [
        ("f", equation.fraction, dose, ""),
        ("alag", equation.lag, dose, ""),
        ("rate", equation.rate, rate, " with the rate -1"),
        ("dur", equation.duration, duration, " with the rate -2"),
    ];
    let idle = properties
        .into_iter()
        .filter(|(_, node, uses, _)| node.is_some() && !any(*uses));
    idle.map(|(word, _, _, how)| {
        format!("`{word}({name})` changes nothing: no record gives a dose into `{name}`{how}.")
    })
    .collect()
}
