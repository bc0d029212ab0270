//! Know when a subject got its doses, for the times since them.
//!
//! A dose counts from the time of its record, whatever its lag, and additional ones (`ADDL`) from theirs. Of one time,
//! additional doses come before all records, and a record before those that follow it.

use super::event_record::{EventColumns, EventRecord};
use super::events::Events;
use super::frame::Frame;
use crate::error::Result;
use crate::model::{ColumnSource, Model};
use crate::ode::{Event, EventKind};

/// What asks for the times of rows.
const READER: &str = "The model reads the time since doses";

/// Where a subject has no dose, and none comes before this time.
const NEVER: f64 = 1e300;

#[derive(Debug, Clone, Copy)]
struct GivenDose {
    time: f64,
    /// Position of the record among the subject's.
    record: usize,
    additional: bool,
    /// The state of the user that is dosed; `None` without differential equations.
    state: Option<usize>,
}

/// The doses of every subject in the order of time.
#[derive(Debug)]
pub struct DoseClock {
    subjects: Vec<Vec<GivenDose>>,
}

impl DoseClock {
    pub fn of_events(model: &Model, events: &Events) -> Self {
        let given = |event: &Event| match event.kind {
            EventKind::Dose { state, .. } => Some(GivenDose {
                time: event.time,
                record: event.record,
                additional: event.additional,
                state: Some(model.equations[state].feed.map_or(state, |feed| feed.owner)),
            }),
            EventKind::Reset => None,
        };
        let all = events.schedules.iter();
        Self {
            subjects: all
                .map(|s| s.events.iter().filter_map(given).collect())
                .collect(),
        }
    }

    /// Without differential equations: what the records say of doses, `rows` being those of each subject in the order
    /// of time.
    ///
    /// # Errors
    /// No time, and records that say nothing.
    fn of_records(frame: &Frame, rows: &[Vec<usize>], text: &str) -> Result<Self> {
        let time = frame.finite_times(READER, text)?;
        let columns = EventColumns::new(frame);
        let mut subjects = Vec::with_capacity(rows.len());
        for list in rows {
            let last = list.last().map_or(NEVER, |row| time[*row]);
            let mut doses = Vec::new();
            for (at, row) in list.iter().enumerate() {
                let record = columns.record(*row)?;
                if record.kind.doses() && record.amt > 0.0 {
                    doses.extend(repeated(&record, time[*row], at, last));
                }
            }
            doses.sort_by(|a: &GivenDose, b| {
                let by_time = a.time.total_cmp(&b.time);
                by_time.then(b.additional.cmp(&a.additional))
            });
            subjects.push(doses);
        }
        Ok(Self { subjects })
    }

    /// Time of the last dose (into `state`) that a subject has had at this time, or at this record of it; that of the
    /// first before it.
    pub fn last(
        &self,
        subject: usize,
        state: Option<u32>,
        time: f64,
        record: Option<usize>,
    ) -> f64 {
        let met = |given: &&GivenDose| {
            let before = given.additional || record.is_none_or(|at| given.record <= at);
            given.time < time || given.time == time && before
        };
        let mut past = self
            .into(subject, state)
            .take_while(|given| given.time <= time);
        let mut last = None;
        for given in past.by_ref().filter(met) {
            last = Some(given.time);
        }
        last.unwrap_or_else(|| self.first(subject, state))
    }

    pub fn first(&self, subject: usize, state: Option<u32>) -> f64 {
        self.into(subject, state)
            .next()
            .map_or(NEVER, |given| given.time)
    }

    /// Times of additional doses, which have no record of their own.
    pub fn additional(&self, subject: usize) -> impl Iterator<Item = f64> + '_ {
        let doses = self.subjects.get(subject).into_iter().flatten();
        doses
            .filter(|given| given.additional)
            .map(|given| given.time)
    }

    fn into(&self, subject: usize, state: Option<u32>) -> impl Iterator<Item = &GivenDose> + '_ {
        let doses = self.subjects.get(subject).into_iter().flatten();
        doses.filter(move |given| state.is_none_or(|k| given.state == Some(k as usize)))
    }
}

/// A dose and its additional ones up to the subject's last record.
fn repeated(record: &EventRecord, time: f64, at: usize, last: f64) -> Vec<GivenDose> {
    let mut doses = Vec::new();
    let mut k = 0.0;
    while k <= record.addl && (k == 0.0 || record.ii > 0.0 && time + k * record.ii <= last) {
        doses.push(GivenDose {
            time: time + k * record.ii,
            record: at,
            additional: k > 0.0,
            state: None,
        });
        k += 1.0;
    }
    doses
}

/// Fill the columns that hold times of doses.
///
/// # Errors
/// Those of the records.
pub fn fill(
    model: &Model,
    frame: &Frame,
    events: Option<&Events>,
    columns: &mut [Vec<f64>],
) -> Result<()> {
    let reads = |source: ColumnSource| {
        matches!(
            source,
            ColumnSource::LastDose(_) | ColumnSource::FirstDose(_)
        )
    };
    let Some(column) = model.columns.iter().find(|column| reads(column.source)) else {
        return Ok(());
    };
    let rows = in_time(frame);
    let (clock, time) = match events {
        Some(events) => (DoseClock::of_events(model, events), events.time.as_slice()),
        None => {
            let clock = DoseClock::of_records(frame, &rows, &column.statement)?;
            (clock, frame.finite_times(READER, &column.statement)?)
        }
    };
    for (values, column) in columns.iter_mut().zip(&model.columns) {
        for (subject, list) in rows.iter().enumerate() {
            for (at, row) in list.iter().enumerate() {
                match column.source {
                    ColumnSource::LastDose(state) => {
                        values[*row] = clock.last(subject, state, time[*row], Some(at));
                    }
                    ColumnSource::FirstDose(state) => values[*row] = clock.first(subject, state),
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

/// Rows of each subject in the order of time, those of one time as they stand in the data frame.
fn in_time(frame: &Frame) -> Vec<Vec<usize>> {
    let subjects = frame.subjects();
    let mut rows = vec![Vec::new(); subjects.labels.len()];
    for (row, code) in subjects.codes.iter().enumerate() {
        rows[*code].push(row);
    }
    if let Some(time) = frame.times() {
        for list in &mut rows {
            list.sort_by(|a, b| time[*a].total_cmp(&time[*b]));
        }
    }
    rows
}
