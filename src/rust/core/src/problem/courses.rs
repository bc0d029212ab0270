//! Give every subject its doses and the course of its signals.

use std::sync::Arc;

use super::equations::{interpolation, ModelEquations};
use super::normal_form::RowLeaves;
use crate::data::{derived, DoseClock, Records};
use crate::ir::graph::Node;
use crate::ir::scalar::{LeafValues, ScalarProgram};
use crate::language::specification::Interpolation;
use crate::model::{ColumnSource, DataColumn, Model};
use crate::ode::{Dynamics, RecordTime, Signals, Since, Subject};

impl ModelEquations {
    /// The equations with what they meet in each subject.
    pub(super) fn dynamics(self, model: &Model, records: &Records) -> Dynamics {
        // Imagined data have no records.
        let none = Arc::default();
        let events = records.events.as_ref().unwrap_or(&none);
        let subject = |(i, rows): (usize, &Vec<usize>)| {
            let times = rows.iter().filter_map(|r| events.time.get(*r).copied());
            let mut times: Vec<f64> = times.collect();
            let values = self.signals.iter();
            let mut values: Vec<Vec<f64>> = values
                .map(|v| rows.iter().map(|row| v[*row]).collect())
                .collect();
            for between in self.between.get(i).into_iter().flatten() {
                between.put(&mut times, &mut values);
            }
            let (signals, lines) = Signals::new(&self.system.signals, &times, &values);
            Subject {
                schedule: events.schedules.get(i).cloned().unwrap_or_default(),
                signals,
                lines,
                variants: self.variants.get(i).cloned().unwrap_or_default(),
            }
        };
        let subjects = records.rows.iter().enumerate().map(subject).collect();
        let times = events.time.iter().zip(&events.position);
        let times = times.map(|(time, position)| RecordTime {
            time: *time,
            position: *position,
        });
        let times = times.collect();
        let mut dynamics = Dynamics::new(self.system, subjects, times);
        dynamics.since = since(model, records);
        dynamics
    }
}

/// For each hidden state that adds up a hazard the row at which every interval of a row began.
fn since(model: &Model, records: &Records) -> Vec<Since> {
    let each = model.equations.iter().enumerate();
    let hazards = each.filter_map(|(state, equation)| Some((state, equation.hazard?)));
    hazards
        .map(|(state, column)| Since {
            state,
            row: derived::before(
                &records.rows,
                &records.columns[column as usize],
                records.events.as_deref(),
            ),
        })
        .collect()
}

/// Values of all signals at a time that has no record.
#[derive(Debug, Clone)]
pub struct Between {
    time: f64,
    values: Vec<f64>,
}

impl Between {
    /// Put it among the records, before those of its time.
    fn put(&self, times: &mut Vec<f64>, values: &mut [Vec<f64>]) {
        let at = times.partition_point(|t| *t < self.time);
        times.insert(at, self.time);
        for (list, value) in values.iter_mut().zip(&self.values) {
            list.insert(at, *value);
        }
    }
}

/// At additional doses, where the time of the last dose jumps, and at time 0, from which on events can happen. The other
/// columns have what their last record says or, if they look ahead, the next one.
pub(super) fn signals_between(
    model: &Model,
    records: &Records,
    signals: &[Node],
) -> Vec<Vec<Between>> {
    let jumps = |column: &DataColumn| matches!(column.source, ColumnSource::LastDose(_));
    let begins = |column: &DataColumn| matches!(column.source, ColumnSource::AtRisk(_));
    let Some(events) = records.events.as_ref() else {
        return Vec::new();
    };
    let [jumps, begins] = [
        model.columns.iter().any(jumps),
        model.columns.iter().any(begins),
    ];
    if !jumps && !begins {
        return Vec::new();
    }
    let clock = DoseClock::of_events(model, events);
    let program = ScalarProgram::new(&model.graph, signals);
    let mut memory = Vec::new();
    let mut found = Vec::with_capacity(records.rows.len());
    for (subject, rows) in records.rows.iter().enumerate() {
        let mut own = Vec::new();
        let started = events.schedules.get(subject).is_some_and(|s| s.start < 0.0);
        let additional = clock.additional(subject).filter(|_| jumps);
        for time in additional.chain((begins && started).then_some(0.0)) {
            let later = rows.partition_point(|row| events.time[*row] < time);
            let at = |position: usize| RowLeaves {
                records,
                row: rows.get(position).copied(),
            };
            let before = at(later.saturating_sub(1));
            let leaves = Apart {
                after: if later < rows.len() {
                    at(later)
                } else {
                    before
                },
                before,
                model,
                time,
                last: |state| clock.last(subject, state, time, None),
            };
            own.push(Between {
                time,
                values: program.evaluate(&model.graph, &leaves, &mut memory),
            });
        }
        found.push(own);
    }
    found
}

/// Data at a time that has no record.
struct Apart<'a, F> {
    before: RowLeaves<'a>,
    after: RowLeaves<'a>,
    model: &'a Model,
    time: f64,
    last: F,
}

impl<F: Fn(Option<u32>) -> f64> LeafValues for Apart<'_, F> {
    fn data(&self, column: usize) -> f64 {
        match self.model.columns[column].source {
            ColumnSource::LastDose(state) => (self.last)(state),
            ColumnSource::AtRisk(_) => f64::from(u8::from(self.time >= 0.0)),
            _ if interpolation(self.model, column) == Interpolation::Next => {
                self.after.data(column)
            }
            _ => self.before.data(column),
        }
    }

    fn theta(&self, coordinate: usize) -> f64 {
        self.before.theta(coordinate)
    }

    fn phi(&self, coordinate: usize) -> f64 {
        self.before.phi(coordinate)
    }
}

/// Values of signals at the rows of the data frame.
pub(super) fn signal_values(model: &Model, records: &Records, signals: &[Node]) -> Vec<Vec<f64>> {
    let program = ScalarProgram::new(&model.graph, signals);
    let mut memory = Vec::new();
    let n_rows = records.columns.first().map_or(0, Vec::len);
    let mut values = vec![Vec::with_capacity(n_rows); signals.len()];
    for row in 0..n_rows {
        let leaves = RowLeaves {
            records,
            row: Some(row),
        };
        let here = program.evaluate(&model.graph, &leaves, &mut memory);
        for (list, value) in values.iter_mut().zip(here) {
            list.push(value);
        }
    }
    values
}
