//! Make the columns that the model reads but the data do not hold: times of previous rows, kinds of censoring.

use super::dose_clock::fill;
use super::events::Events;
use super::frame::Frame;
use super::steps::{earlier, gaps, present, time_steps};
use crate::error::{Error, Result};
use crate::ir::graph::Op;
use crate::model::{Model, Source};
use crate::ode::{EventKind, Schedule};

/// Fill the columns of the model (row order of the user) that do not come from the data. `rows`: those of each subject,
/// in order of time.
///
/// # Errors
/// Times of events below zero, a hazard that reads the time by another name than `t`, and values of `CENS` and `LIMIT`
/// that say nothing.
pub fn derive(
    model: &Model,
    frame: &Frame,
    rows: &[Vec<usize>],
    events: Option<&Events>,
    columns: &mut [Vec<f64>],
) -> Result<()> {
    fill(model, frame, events, columns)?;
    for i in 0..model.columns.len() {
        match model.columns[i].source {
            Source::PreviousTime(outcome) => {
                let time = event_times(model, frame, outcome)?;
                columns[i] = previous_times(rows, &columns[time], &columns[outcome as usize]);
            }
            Source::Censoring => censor(model, frame, i, columns)?,
            Source::TimeStep => {
                columns[i] = time_steps(frame, rows, &model.columns[i].statement)?;
            }
            Source::Present(outcome) => columns[i] = present(&columns[outcome as usize]),
            Source::Earlier(outcome) => columns[i] = earlier(rows, &columns[outcome as usize]),
            Source::Gap(outcome, time) => {
                columns[i] = gaps(model, frame, rows, [outcome, time], columns)?;
            }
            Source::DoseTime(state) => {
                columns[i] = dose_times(frame, events, state as usize);
            }
            Source::Data | Source::Limit | Source::LastDose(_) | Source::FirstDose(_) => {}
        }
    }
    Ok(())
}

/// For each row the time of its subject's first dose into a state; 0 where there is none.
fn dose_times(frame: &Frame, events: Option<&Events>, state: usize) -> Vec<f64> {
    let schedules = events.map(|events| events.schedules.as_slice());
    let first = |schedule: &Schedule| {
        let dose = schedule.events.iter().find(
            |event| matches!(&event.kind, EventKind::Dose { state: into, .. } if *into == state),
        );
        dose.map_or(0.0, |event| event.time)
    };
    let times: Vec<f64> = schedules.unwrap_or_default().iter().map(first).collect();
    let each = frame.subjects().codes;
    each.iter()
        .map(|code| times.get(*code).copied().unwrap_or_default())
        .collect()
}

fn position(model: &Model, source: Source, name: &str) -> Option<usize> {
    let mut columns = model.columns.iter();
    columns.position(|c| c.source == source && c.name == name)
}

/// The column `t`, checked for the events in the column `outcome`.
fn event_times(model: &Model, frame: &Frame, outcome: u32) -> Result<usize> {
    let stated = model.outcomes.iter().find(|o| o.column == outcome);
    let text = stated.map_or("event()", |o| o.text.as_str());
    if let (Some(name), Some(stated)) = (&frame.time, stated) {
        let needed = model.graph.reachable(&[stated.density.log_density]);
        let by_name = position(model, Source::Data, name).filter(|_| name != "t");
        let reads = |i: usize| {
            let mut nodes = model.graph.nodes();
            nodes.any(|n| needed[n.index()] && model.graph.op(n) == Op::Data(i as u32))
        };
        if by_name.is_some_and(reads) {
            return Err(Error::data(
                "time_by_name",
                format!(
                    "The hazard reads the time as the column `{name}`, which has one value a row."
                ),
            )
            .at(text)
            .field("column", name)
            .hint("Write `t`: the hazard is integrated over it."));
        }
    }
    let time = position(model, Source::Data, "t").unwrap_or_default();
    let values = &frame.column("t", text, &[])?;
    if let Some(row) = values.iter().position(|t| *t < 0.0) {
        return Err(Error::data(
            "negative_time",
            format!(
                "The time is {}; events are counted from time 0.",
                values[row]
            ),
        )
        .at(frame.place(row))
        .field("row", row + 1)
        .hint("Shift the times of the subject so that observation starts at 0."));
    }
    Ok(time)
}

/// For each row the time of the subject's last row before it that holds a value; every row does if none has a value,
/// as in data for predictions.
fn previous_times(rows: &[Vec<usize>], time: &[f64], values: &[f64]) -> Vec<f64> {
    let none = values.iter().all(|y| y.is_nan());
    let mut previous = vec![0.0; values.len()];
    for list in rows {
        let mut last = 0.0;
        for row in list {
            previous[*row] = last;
            if none || !values[*row].is_nan() {
                last = time[*row];
            }
        }
    }
    previous
}

/// Join the columns of `CENS` (at `kind`) and `LIMIT`: a limit turns 1 into 2 and -1 into -2; no limit is written 0.
fn censor(model: &Model, frame: &Frame, kind: usize, columns: &mut [Vec<f64>]) -> Result<()> {
    let Some(limit) = position(model, Source::Limit, ".limit") else {
        return Ok(());
    };
    let outcomes = model.outcomes.iter().filter(|o| o.censored);
    let outcomes: Vec<usize> = outcomes.map(|o| o.column as usize).collect();
    for row in 0..frame.n_rows {
        let (cens, bound) = (columns[kind][row], columns[limit][row]);
        let mut present = outcomes
            .iter()
            .map(|o| columns[*o][row])
            .filter(|y| !y.is_nan());
        let value = present.next();
        let limited = bound.is_finite() && cens != 0.0;
        if let Some(y) = value {
            if ![-1.0, 0.0, 1.0].contains(&cens) {
                return Err(cens_error(frame, row, cens));
            }
            if limited && (y - bound) * cens <= 0.0 {
                return Err(limit_error(frame, row, cens, bound, y));
            }
        }
        let known = value.is_some();
        columns[kind][row] = match (known, limited) {
            (false, _) => 0.0,
            (true, false) => cens,
            (true, true) => 2.0 * cens,
        };
        columns[limit][row] = if known && limited { bound } else { 0.0 };
    }
    Ok(())
}

fn cens_error(frame: &Frame, row: usize, cens: f64) -> Error {
    let shown = if cens.is_nan() {
        "missing".to_string()
    } else {
        cens.to_string()
    };
    Error::data("bad_censoring", format!("`CENS` is {shown}; it must be 0, 1 or -1."))
        .at(frame.place(row))
        .field("row", row + 1)
        .field("value", shown)
        .hint(
            "0: the outcome is its value; 1: it is an upper limit of what was not seen; -1: a lower limit.",
        )
}

fn limit_error(frame: &Frame, row: usize, cens: f64, bound: f64, y: f64) -> Error {
    let needs = if cens > 0.0 { "below" } else { "above" };
    Error::data(
        "bad_limit",
        format!("`LIMIT` is {bound}, but must be {needs} the censored value {y}."),
    )
    .at(frame.place(row))
    .field("row", row + 1)
    .field("value", bound)
    .hint("A censored value lies between its two limits; leave LIMIT missing where there is one limit only.")
}
