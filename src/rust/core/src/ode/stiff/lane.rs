//! Solve one lane and deliver what is wanted of it.

use super::field::LaneField;
use super::walk::StiffWalk;
use super::Stats;
use crate::ode::system::{Control, System};
use crate::ode::task::{Deliveries, Failure, LaneTask};
use crate::ode::timeline::{Act, Stop};

/// The equations of a model, compiled for this solver.
#[derive(Debug, Clone)]
pub struct Stiff {
    pub(super) field: LaneField,
    /// For each state the input that holds its initial value.
    pub(super) initial: Vec<Option<usize>>,
    /// States that only add up, and those among them that resets and steady states leave alone.
    pub(super) held: Vec<bool>,
    pub(super) lasting: Vec<bool>,
    pub(super) control: Control,
}

impl Stiff {
    /// The flow of the system is not read: every state is integrated.
    pub fn new(system: &System) -> Self {
        Self {
            field: LaneField::new(system),
            initial: system.initial.clone(),
            held: system.held(),
            lasting: system.lasting(),
            control: system.control.clone(),
        }
    }

    /// Solve for one lane; `out` gets row, column within the row ([`Deliveries`]) and value.
    ///
    /// `inputs`: one value each. Rows that a failed lane did not reach are NaN.
    pub fn solve_lane(
        &self,
        inputs: &[f64],
        lane: &LaneTask,
        wanted: &Deliveries,
        out: &mut dyn FnMut(usize, usize, f64),
    ) -> Result<Stats, Failure> {
        // Nothing is asked of what comes after the last observation.
        let last = lane.stops.iter().rposition(|stop| row(stop).is_some());
        let stops = &lane.stops[..last.map_or(0, |last| last + 1)];
        let n = self.initial.len();
        let mut delivered = 0;
        let mut deliver = |row: usize, x: &[f64], s: &[f64]| {
            delivered += 1;
            for (i, k) in wanted.states.iter().enumerate() {
                out(row, i, x[*k]);
                for j in 0..wanted.inputs.len() {
                    out(row, wanted.slope(i, j), s[j * n + k]);
                }
            }
        };
        let result = if inputs.iter().all(|value| value.is_finite()) {
            let mut walk = StiffWalk::new(self, inputs, lane, wanted);
            walk.follow(stops, &mut deliver)
                .map(|()| walk.budget.stats())
        } else {
            Err(Failure::NotFinite)
        };
        if result.is_err() {
            for row in stops.iter().filter_map(row).skip(delivered) {
                (0..wanted.width()).for_each(|column| out(row, column, f64::NAN));
            }
        }
        result
    }
}

/// The row that a stop delivers.
pub(super) fn row(stop: &Stop) -> Option<usize> {
    match stop.act {
        Act::Observe(row) => Some(row),
        _ => None,
    }
}
