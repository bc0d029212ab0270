//! Columns that tell a chain how far it goes between two rows and where it is seen.

use super::frame::Frame;
use crate::error::{Error, Result};

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
    let Some(time) = frame.times() else {
        return Err(Error::data(
            "no_time",
            "The chain runs in time, but the data have no time column.",
        )
        .at(statement)
        .hint("Name it, as in `fit_nlme(model, data, time = \"hours\")`."));
    };
    if let Some(row) = time.iter().position(|t| !t.is_finite()) {
        let problem = if time[row].is_nan() {
            "missing"
        } else {
            "infinite"
        };
        return Err(
            Error::data("missing_time", format!("The time is {problem}."))
                .at(frame.place(row))
                .field("row", row + 1)
                .hint("Every row of a chain in continuous time needs its time."),
        );
    }
    let mut steps = vec![0.0; frame.n_rows];
    for list in rows {
        for pair in list.windows(2) {
            steps[pair[1]] = time[pair[1]] - time[pair[0]];
        }
    }
    Ok(steps)
}
