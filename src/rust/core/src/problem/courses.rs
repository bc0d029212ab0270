//! Give every subject its doses and the course of its signals.

use std::sync::Arc;

use super::equations::Equations;
use super::normal_form::RowLeaves;
use crate::data::Records;
use crate::ir::graph::Node;
use crate::ir::scalar::ScalarProgram;
use crate::model::Model;
use crate::ode::{Dynamics, RecordTime, Signals, Subject};

impl Equations {
    /// The equations with what they meet in each subject.
    pub(super) fn dynamics(self, records: &Records) -> Dynamics {
        // Imagined data have no records.
        let none = Arc::default();
        let events = records.events.as_ref().unwrap_or(&none);
        let subject = |(i, rows): (usize, &Vec<usize>)| {
            let times = rows.iter().filter_map(|r| events.time.get(*r).copied());
            let times: Vec<f64> = times.collect();
            let values = self.signals.iter();
            let values: Vec<Vec<f64>> = values
                .map(|v| rows.iter().map(|row| v[*row]).collect())
                .collect();
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
        Dynamics::new(self.system, subjects, times)
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
