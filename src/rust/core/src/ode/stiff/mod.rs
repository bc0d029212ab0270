//! Solve stiff equations for one lane at a time by an implicit method.
//!
//! Between two stops that change something the equations run undisturbed (`bdf`); `walk` does what the stops say, and
//! `steady` finds what repeated doses lead to. Derivatives by inputs are carried along as
//! `dS/dt = J S + df/dinput`; at a stop whose time moves with an input, `S+ = S- + (f before - f after) dtime/dinput`.

#[cfg(not(feature = "stiff"))]
mod absent;
#[cfg(feature = "stiff")]
mod bdf;
#[cfg(feature = "stiff")]
mod equations;
mod field;
mod formula;
mod steady;
mod walk;

#[cfg(not(feature = "stiff"))]
use absent as bdf;
use field::Field;
use walk::Walk;

use super::system::{Control, System};
use super::task::{Failure, LaneTask, Wanted};
use super::timeline::{Act, Stop};

pub use bdf::AVAILABLE;

/// The equations of a model, compiled for this solver.
#[derive(Debug, Clone)]
pub struct Stiff {
    field: Field,
    /// For each state the input that holds its initial value.
    initial: Vec<Option<usize>>,
    control: Control,
}

/// Work of one solution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    pub steps: usize,
    /// Steps tried in vain.
    pub rejected: usize,
}

impl Stiff {
    /// The flow of the system is not read: every state is integrated.
    pub fn new(system: &System) -> Self {
        Self {
            field: Field::new(system),
            initial: system.initial.clone(),
            control: system.control.clone(),
        }
    }

    /// Solve for one lane; `out` gets row, column within the row ([`Wanted`]) and value.
    ///
    /// `inputs`: one value each. Rows that a failed lane did not reach are NaN.
    pub fn solve_lane(
        &self,
        inputs: &[f64],
        lane: &LaneTask,
        wanted: &Wanted,
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
            let mut walk = Walk::new(self, inputs, lane, wanted);
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
fn row(stop: &Stop) -> Option<usize> {
    match stop.act {
        Act::Observe(row) => Some(row),
        _ => None,
    }
}
