//! Give single lanes of a block to the implicit solver.

use std::sync::Arc;

use super::dynamics::Dynamics;
use super::stiff::{Stats, Stiff};
use super::task::{Deliveries, Failure, Task};
use crate::ir::column::Column;

/// The implicit solver beside the columns of a block.
#[derive(Debug)]
pub(super) struct Implicit {
    stiff: Arc<Stiff>,
    n_inputs: usize,
}

impl Implicit {
    pub fn new(dynamics: &Dynamics) -> Self {
        Self {
            stiff: dynamics.stiff(),
            n_inputs: dynamics.system.n_inputs,
        }
    }

    /// Fill the rows of lane `l`.
    pub fn solve(
        &self,
        task: &Task,
        l: usize,
        wanted: &Deliveries,
        rows: &mut [Column],
    ) -> Result<Stats, Failure> {
        let inputs: Vec<f64> = task.inputs.iter().map(|column| column.0[l]).collect();
        let width = wanted.width();
        let mut deliver = |row: usize, column: usize, value: f64| {
            rows[row * width + column].0[l] = value;
        };
        self.stiff
            .solve_lane(&inputs, &task.lanes[l], wanted, &mut deliver)
    }

    /// Fill the rows with states alone; derivatives by all inputs apart, `[row][state][input]`.
    pub fn slopes(
        &self,
        task: &Task,
        l: usize,
        wanted: &Deliveries,
        rows: &mut [Column],
    ) -> (Vec<f64>, Result<Stats, Failure>) {
        let all = Deliveries {
            states: wanted.states.clone(),
            inputs: (0..self.n_inputs).collect(),
        };
        let n_states = wanted.states.len();
        let mut slopes = vec![0.0; rows.len() * self.n_inputs];
        let inputs: Vec<f64> = task.inputs.iter().map(|column| column.0[l]).collect();
        let mut deliver = |row: usize, column: usize, value: f64| match column.checked_sub(n_states)
        {
            None => rows[row * n_states + column].0[l] = value,
            Some(at) => slopes[row * n_states * self.n_inputs + at] = value,
        };
        let solved = self
            .stiff
            .solve_lane(&inputs, &task.lanes[l], &all, &mut deliver);
        (slopes, solved)
    }
}
