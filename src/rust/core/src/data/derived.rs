//! Make the columns that the model reads but the data do not hold: times of previous rows, kinds of censoring.

use super::dose_clock::fill;
use super::events::Events;
use super::frame::Frame;
use super::steps::{earlier, gaps, present, time_steps};
use crate::error::{Error, Result};
use crate::ir::graph::Op;
use crate::model::{ColumnSource, Model};
use crate::ode::{DosingSchedule, EventKind};

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
            ColumnSource::PreviousTime(outcome) => {
                let time = event_times(model, frame, outcome)?;
                let time = &columns[time];
                let before = before(rows, &columns[outcome as usize], events);
                columns[i] = before
                    .iter()
                    .map(|row| row.map_or(0.0, |row| time[row]))
                    .collect();
            }
            ColumnSource::Ahead(outcome) => {
                let own = position(model, ColumnSource::Data, &model.columns[i].name).unwrap_or(i);
                columns[i] = ahead(rows, &columns[own], &columns[outcome as usize], events);
            }
            ColumnSource::AtRisk(outcome) => {
                columns[i] = at_risk(
                    frame,
                    &columns[outcome as usize],
                    &model.columns[i].statement,
                )?;
            }
            ColumnSource::Censoring => censor(model, frame, i, columns)?,
            ColumnSource::TimeStep => {
                columns[i] = time_steps(frame, rows, &model.columns[i].statement)?;
            }
            ColumnSource::Present(outcome) => columns[i] = present(&columns[outcome as usize]),
            ColumnSource::Earlier(outcome) => {
                columns[i] = earlier(rows, &columns[outcome as usize])
            }
            ColumnSource::Gap(outcome, time) => {
                columns[i] = gaps(model, frame, rows, [outcome, time], columns)?;
            }
            ColumnSource::DoseTime(state) => {
                columns[i] = dose_times(frame, events, state as usize);
            }
            ColumnSource::Data
            | ColumnSource::Class
            | ColumnSource::Limit
            | ColumnSource::LastDose(_)
            | ColumnSource::FirstDose(_) => {}
        }
    }
    Ok(())
}

/// For each row the time of its subject's first dose into a state; 0 where there is none.
fn dose_times(frame: &Frame, events: Option<&Events>, state: usize) -> Vec<f64> {
    let schedules = events.map(|events| events.schedules.as_slice());
    let first = |schedule: &DosingSchedule| {
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

fn position(model: &Model, source: ColumnSource, name: &str) -> Option<usize> {
    let mut columns = model.columns.iter();
    columns.position(|c| c.source == source && c.name == name)
}

/// The column `t`, checked for the events in the column `outcome`.
fn event_times(model: &Model, frame: &Frame, outcome: u32) -> Result<usize> {
    let stated = model.outcomes.iter().find(|o| o.column == outcome);
    let text = stated.map_or("event()", |o| o.text.as_str());
    if let (Some(name), Some(stated)) = (&frame.time, stated) {
        let needed = model.graph.reachable(&[stated.density.log_density]);
        let by_name = position(model, ColumnSource::Data, name).filter(|_| name != "t");
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
    let time = position(model, ColumnSource::Data, "t").unwrap_or_default();
    let values = frame.column("t", text, &[])?;
    match values.iter().position(|t| *t < 0.0) {
        Some(row) => Err(negative_time(frame, row, values[row])
            .hint("Shift the times of the subject so that observation starts at 0.")),
        None => Ok(time),
    }
}

fn negative_time(frame: &Frame, row: usize, time: f64) -> Error {
    let problem = format!("The time is {time}; events are counted from time 0.");
    Error::data("negative_time", problem)
        .at(frame.place(row))
        .field("row", row + 1)
}

/// 1 from time 0 on. `values`: the outcome.
fn at_risk(frame: &Frame, values: &[f64], text: &str) -> Result<Vec<f64>> {
    let time = frame.column("t", text, &[])?;
    let mut early = (0..values.len()).filter(|row| time[*row] < 0.0 && !values[*row].is_nan());
    match early.next() {
        Some(row) => Err(negative_time(frame, row, time[row]).hint(
            "Shift the times of the subject so that observation starts at 0; its doses may come before.",
        )),
        None => Ok(time.iter().map(|t| f64::from(u8::from(*t >= 0.0))).collect()),
    }
}

/// Which rows hold a value; every row that may hold one does if none has a value, as in data for predictions.
fn holds(values: &[f64], events: Option<&Events>) -> Vec<bool> {
    let none = values.iter().all(|y| y.is_nan());
    let may = |row: usize| events.is_none_or(|events| events.observed[row]);
    let each = values.iter().enumerate();
    each.map(|(row, y)| !y.is_nan() || none && may(row))
        .collect()
}

/// For each row what a column holds at the first row from there on at which the outcome is present; behind the last of
/// these what it holds itself.
fn ahead(rows: &[Vec<usize>], own: &[f64], outcome: &[f64], events: Option<&Events>) -> Vec<f64> {
    let holds = holds(outcome, events);
    let mut values = own.to_vec();
    for list in rows {
        let mut next = None;
        for row in list.iter().rev() {
            if holds[*row] {
                next = Some(own[*row]);
            }
            values[*row] = next.unwrap_or(own[*row]);
        }
    }
    values
}

/// For each row the subject's last row before it that holds a value.
pub fn before(rows: &[Vec<usize>], values: &[f64], events: Option<&Events>) -> Vec<Option<usize>> {
    let holds = holds(values, events);
    let mut before = vec![None; values.len()];
    for list in rows {
        let mut last = None;
        for row in list {
            before[*row] = last;
            if holds[*row] {
                last = Some(*row);
            }
        }
    }
    before
}

/// Join the columns of `CENS` (at `kind`) and `LIMIT`: a limit turns 1 into 2 and -1 into -2; no limit is written 0.
fn censor(model: &Model, frame: &Frame, kind: usize, columns: &mut [Vec<f64>]) -> Result<()> {
    let Some(limit) = position(model, ColumnSource::Limit, ".limit") else {
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
