//! Make the columns that a model reads but the data frame does not hold.

use super::frame::Frame;
use crate::error::{Error, Result};
use crate::model::{Model, Source};

/// Fill the derived columns of `model`; `rows` are the rows of each subject in order.
///
/// # Errors
/// A time that is needed and not there.
pub fn fill(
    model: &Model,
    frame: &Frame,
    rows: &[Vec<usize>],
    columns: &mut [Vec<f64>],
) -> Result<()> {
    for (i, column) in model.columns.iter().enumerate() {
        match column.source {
            Source::Data => {}
            Source::Present(outcome) => {
                let there = |y: &f64| f64::from(u8::from(!y.is_nan()));
                columns[i] = columns[outcome as usize].iter().map(there).collect();
            }
            Source::TimeStep => columns[i] = time_steps(frame, rows, &column.statement)?,
        }
    }
    Ok(())
}

fn time_steps(frame: &Frame, rows: &[Vec<usize>], statement: &str) -> Result<Vec<f64>> {
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
