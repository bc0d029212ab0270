//! Let rows read what came up in a state since an earlier row: `H(row) - H(row before)`, and the same of derivatives.
//!
//! It is linear in the solution, so the solvers need not know of it: values and derivatives are subtracted afterwards, and
//! on the way back an adjoint goes, with a minus, to the earlier row as well.

use std::collections::HashMap;

use super::dynamics::Dynamics;
use super::task::Deliveries;
use crate::ir::column::Column;

/// For each state that rows read so its number and pairs of rows of the block, a row and the one before; in the order of
/// rows.
pub(super) type Intervals = Vec<(usize, Vec<(usize, usize)>)>;

/// The pairs of a lane that has these rows of the data frame, in the order of time.
pub(super) fn intervals(dynamics: &Dynamics, rows: &[usize]) -> Intervals {
    if dynamics.since.is_empty() {
        return Intervals::new();
    }
    let positions: HashMap<usize, usize> =
        rows.iter().enumerate().map(|(i, at)| (*at, i)).collect();
    let each = dynamics.since.iter();
    each.map(|since| {
        let own = rows.iter().enumerate();
        let pairs = own.filter_map(|(row, at)| {
            let before = since.row.get(*at).copied().flatten()?;
            Some((row, *positions.get(&before)?))
        });
        (since.state, pairs.collect())
    })
    .collect()
}

/// Subtract in lane `l` of the delivered rows.
pub(super) fn subtract(intervals: &Intervals, wanted: &Deliveries, l: usize, rows: &mut [Column]) {
    let width = wanted.width();
    for (state, pairs) in intervals {
        let Some(s) = wanted.states.iter().position(|k| k == state) else {
            continue;
        };
        let slopes = (0..wanted.inputs.len()).map(|j| wanted.slope(s, j));
        for column in std::iter::once(s).chain(slopes) {
            for (row, before) in pairs.iter().rev() {
                rows[row * width + column].0[l] -= rows[before * width + column].0[l];
            }
        }
    }
}

/// The same of derivatives by all inputs that stand apart, `[row][state][input]`.
pub(super) fn subtract_slopes(
    intervals: &Intervals,
    wanted: &Deliveries,
    n_inputs: usize,
    slopes: &mut [f64],
) {
    let n_states = wanted.states.len();
    for (state, pairs) in intervals {
        let Some(s) = wanted.states.iter().position(|k| k == state) else {
            continue;
        };
        for (row, before) in pairs.iter().rev() {
            for j in 0..n_inputs {
                let at = |row: usize| (row * n_states + s) * n_inputs + j;
                slopes[at(*row)] -= slopes[at(*before)];
            }
        }
    }
}

/// Hand the adjoints of lane `l` on to the rows before; `seeds[row * states + state]`.
pub(super) fn spread(intervals: &Intervals, wanted: &Deliveries, l: usize, seeds: &mut [Column]) {
    let n_states = wanted.states.len();
    for (state, pairs) in intervals {
        let Some(s) = wanted.states.iter().position(|k| k == state) else {
            continue;
        };
        for (row, before) in pairs {
            let seed = seeds[row * n_states + s].0[l];
            seeds[before * n_states + s].0[l] -= seed;
        }
    }
}
