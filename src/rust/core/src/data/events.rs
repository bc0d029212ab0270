//! Turn the dosing records of the data frame into one schedule a subject.
//!
//! Rows are taken in the order of time and, of one time, in that of the data frame. Without EVID a row with an amount,
//! or with a rate at steady state, is a dose, and may hold an outcome, taken after it. Doses by EVID, resets, other records
//! and rows with MDV = 1 hold no outcome.

use std::cmp::Ordering;

use super::event_check::dose;
use super::event_record::{EventColumns, EventRecord, RecordKind};
use super::frame::Frame;
use crate::error::{Error, ErrorClass, Result};
use crate::model::Model;
use crate::ode::{DosingSchedule, Event, EventKind, Observation};

/// An additional dose this close to a record, relative to the time between doses, is at its time: `3 * 0.1` is not 0.3.
const ROUNDING: f64 = 1e-9;

/// What the records say beside the outcomes; for a model with differential equations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Events {
    /// Of each subject of the frame.
    pub schedules: Vec<DosingSchedule>,
    /// Time of each row of the data frame.
    pub time: Vec<f64>,
    /// Position of each row among the records of its subject.
    pub position: Vec<usize>,
    /// Whether a row may hold an outcome.
    pub observed: Vec<bool>,
    /// Whether a chain that moves by rows takes a step there, with or without an outcome.
    pub steps: Vec<bool>,
}

impl Events {
    /// `rows`: those of each subject in the order of time.
    ///
    /// # Errors
    /// No time, times that are missing or go back at a reset, and records that cannot be.
    pub fn new(model: &Model, frame: &Frame, rows: &[Vec<usize>]) -> Result<Self> {
        let time = times(model, frame)?;
        let columns = EventColumns::new(frame);
        let records: Result<Vec<EventRecord>> =
            (0..frame.n_rows).map(|row| columns.record(row)).collect();
        let records = records?;
        check_resets(frame, &time, &columns, &records)?;
        let given = records.iter().enumerate();
        let given = given.map(|(row, record)| dose(model, &columns, row, record));
        let mut given = given.collect::<Result<Vec<_>>>()?;
        let mut position = vec![0; frame.n_rows];
        let mut schedules = Vec::with_capacity(rows.len());
        for list in rows {
            let first = list.first().map_or(0.0, |row| time[*row]);
            let mut schedule = DosingSchedule {
                start: if frame.from_first_record {
                    first
                } else {
                    first.min(0.0)
                },
                events: Vec::new(),
            };
            let met: Vec<f64> = list.iter().map(|row| time[*row]).collect();
            for (at, row) in list.iter().enumerate() {
                position[*row] = at;
                let record = &records[*row];
                if record.kind.resets() {
                    schedule.events.push(Event {
                        time: time[*row],
                        record: at,
                        additional: false,
                        kind: EventKind::Reset,
                    });
                }
                if let Some(kind) = given[*row].take() {
                    give(&mut schedule, &met, at, record, kind);
                }
            }
            schedule.events.sort_by(in_turn);
            feed(&mut schedule, model)?;
            schedules.push(schedule);
        }
        Ok(Self {
            schedules,
            time,
            position,
            observed: records.iter().map(|record| record.observed).collect(),
            steps: (records.iter())
                .map(|record| record.kind == RecordKind::Observation)
                .collect(),
        })
    }

    /// The observations of a lane whose rows are these of the data frame.
    pub fn observations(&self, rows: &[usize]) -> Vec<Observation> {
        let each = rows.iter().enumerate();
        each.map(|(row, from)| Observation {
            time: self.time[*from],
            record: self.position[*from],
            row,
        })
        .collect()
    }
}

/// The dose of a record and its additional ones; `met`: times of the subject's records.
fn give(
    schedule: &mut DosingSchedule,
    met: &[f64],
    at: usize,
    record: &EventRecord,
    kind: EventKind,
) {
    schedule.events.push(Event {
        time: met[at],
        record: at,
        additional: false,
        kind: kind.clone(),
    });
    let EventKind::Dose {
        state,
        amount,
        course,
        ..
    } = kind
    else {
        return;
    };
    let last = met.last().copied().unwrap_or(met[at]);
    let mut k = 1.0;
    while k <= record.addl {
        let time = nearest(met, met[at] + k * record.ii, ROUNDING * record.ii);
        if time > last {
            break;
        }
        schedule.events.push(Event {
            time,
            record: at,
            additional: true,
            kind: EventKind::Dose {
                state,
                amount,
                course,
                steady: None,
            },
        });
        k += 1.0;
    }
}

/// Put doses that come in by input functions into the hidden states that take them.
///
/// # Errors
/// The model was compiled for fewer doses.
fn feed(schedule: &mut DosingSchedule, model: &Model) -> Result<()> {
    if model.visible().len() == model.equations.len() {
        return Ok(());
    }
    let mut counts = vec![0; model.equations.len()];
    let mut events = Vec::with_capacity(schedule.events.len());
    for event in schedule.events.drain(..) {
        let owner = match &event.kind {
            EventKind::Dose { state, .. } => *state,
            EventKind::Reset => {
                events.push(event);
                continue;
            }
        };
        let feeds: Vec<_> = model.feeds(owner).collect();
        let taken = model.inputs(owner).next().is_some();
        if !taken {
            events.push(event.clone());
        }
        let count = counts[owner];
        counts[owner] += 1;
        let slots = feeds.iter().filter_map(|(_, feed)| feed.slot);
        if slots.max().is_some_and(|last| count > last) {
            let problem = format!("The model was compiled for fewer than {} doses.", count + 1);
            return Err(Error::new(ErrorClass::Internal, "n_doses", problem));
        }
        for (hidden, _) in feeds
            .iter()
            .filter(|(_, feed)| feed.slot.unwrap_or(count) == count)
            .filter(|(_, feed)| !taken || !feed.is_owner())
        {
            let mut own = event.clone();
            if let EventKind::Dose { state, .. } = &mut own.kind {
                *state = *hidden;
            }
            events.push(own);
        }
    }
    schedule.events = events;
    Ok(())
}

/// The time in the sorted list that is within `tolerance` of `time`, else `time`.
fn nearest(times: &[f64], time: f64, tolerance: f64) -> f64 {
    let next = times.partition_point(|t| *t < time - tolerance);
    match times.get(next) {
        Some(near) if *near <= time + tolerance => *near,
        _ => time,
    }
}

fn in_turn(a: &Event, b: &Event) -> Ordering {
    let by_time = a.time.total_cmp(&b.time);
    let by_turn = by_time.then(b.additional.cmp(&a.additional));
    by_turn.then(a.record.cmp(&b.record))
}

fn times(model: &Model, frame: &Frame) -> Result<Vec<f64>> {
    let text = model.equations.first().map_or("", |e| e.text.as_str());
    let Some(time) = frame.times() else {
        return Err(Error::data(
            "no_time",
            "The equations run in time, but the data have no time column.",
        )
        .at(text)
        .hint("Name it, as in `fit_nlme(model, data, time = \"hours\")`."));
    };
    if let Some(row) = time.iter().position(|t| !t.is_finite()) {
        let name = frame.time.as_deref().unwrap_or("time");
        let (reason, problem) = if time[row].is_nan() {
            ("missing_time", "missing")
        } else {
            ("infinite_time", "infinite")
        };
        return Err(
            Error::data(reason, format!("The time `{name}` is {problem}."))
                .at(frame.place(row))
                .field("column", name)
                .field("row", row + 1)
                .field("subject", &frame.labels[frame.codes[row]])
                .hint("Every dose and every observation of a model with differential equations needs its time."),
        );
    }
    // Zero has one sign, so that equal times are equal to the last bit.
    Ok(time.iter().map(|t| t + 0.0).collect())
}

/// Time does not begin anew at a reset: rows are put in the order of time.
fn check_resets(
    frame: &Frame,
    time: &[f64],
    columns: &EventColumns,
    records: &[EventRecord],
) -> Result<()> {
    let mut before: Vec<Option<usize>> = vec![None; frame.labels.len()];
    for (row, record) in records.iter().enumerate() {
        let earlier = before[frame.codes[row]].replace(row);
        let Some(earlier) = earlier.filter(|e| record.kind.resets() && time[row] < time[*e]) else {
            continue;
        };
        let problem = format!(
            "The reset is at time {}, before the row above it ({} in row {}).",
            time[row],
            time[earlier],
            earlier + 1
        );
        return Err(columns
            .error("time_goes_back", "EVID", row, time[row], problem)
            .hint(format!(
                "Time goes on over a reset: add the time at which the period before ended ({} or later) to the times of the rows from here on.",
                time[earlier]
            )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dose_meets_its_record_in_spite_of_rounding() {
        let times = [0.0, 0.1, 0.3, 1.0];
        assert_ne!(3.0 * 0.1, 0.3);
        assert_eq!(nearest(&times, 3.0 * 0.1, 1e-10), 0.3);
        assert_eq!(nearest(&times, 0.3 - 1e-9, 1e-10), 0.3 - 1e-9);
        assert_eq!(nearest(&times, 2.0, 1e-10), 2.0);
    }
}
