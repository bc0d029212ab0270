//! Columns that tell a chain how far it goes between two rows and where it is seen.

use super::frame::Frame;
use crate::error::Result;

/// 1 where a value is there, else 0.
pub fn present(values: &[f64]) -> Vec<f64> {
    let there = |y: &f64| f64::from(u8::from(!y.is_nan()));
    values.iter().map(there).collect()
}

/// Time since the subject's previous row, 0 at its first one; `rows` are those of each subject in order of time.
///
/// # Errors
/// No time column, times that are missing or infinite.
pub fn time_steps(frame: &Frame, rows: &[Vec<usize>], statement: &str) -> Result<Vec<f64>> {
    let time = frame.finite_times("The chain runs in time", statement)?;
    let mut steps = vec![0.0; frame.n_rows];
    for list in rows {
        for pair in list.windows(2) {
            steps[pair[1]] = time[pair[1]] - time[pair[0]];
        }
    }
    Ok(steps)
}
