//! Columns that tell a chain how far it goes between two rows and where it is seen.

use super::frame::Frame;
use crate::error::{Error, Result};
use crate::model::Model;

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

/// Visit the rows of a subject, in order of time, with the last row before them that has a value and the number of such
/// rows; every row has one if none does, as in data for predictions.
fn follow(
    rows: &[Vec<usize>],
    values: &[f64],
    mut visit: impl FnMut(usize, Option<usize>, f64) -> Result<()>,
) -> Result<()> {
    let none = values.iter().all(|y| y.is_nan());
    for list in rows {
        let (mut last, mut n) = (None, 0.0);
        for row in list {
            visit(*row, last, n)?;
            if none || !values[*row].is_nan() {
                last = Some(*row);
                n += 1.0;
            }
        }
    }
    Ok(())
}

/// Number of the subject's earlier rows with a value.
pub fn earlier(rows: &[Vec<usize>], values: &[f64]) -> Vec<f64> {
    let mut counts = vec![0.0; values.len()];
    let counted = follow(rows, values, |row, _, n| {
        counts[row] = n;
        Ok(())
    });
    debug_assert!(counted.is_ok(), "counting does not fail");
    counts
}

/// By how much the column `time` has risen since the subject's last row with a value of `outcome`, 0 where there is none.
///
/// # Errors
/// A time that is missing, or that has not risen.
pub fn gaps(
    model: &Model,
    frame: &Frame,
    rows: &[Vec<usize>],
    [outcome, time]: [u32; 2],
    columns: &[Vec<f64>],
) -> Result<Vec<f64>> {
    let (values, times) = (&columns[outcome as usize], &columns[time as usize]);
    let name = |column: u32| model.columns[column as usize].name.as_str();
    let none = values.iter().all(|y| y.is_nan());
    let mut gaps = vec![0.0; frame.n_rows];
    follow(rows, values, |row, last, _| {
        let Some(last) = last else { return Ok(()) };
        let gap = times[row] - times[last];
        let counts = none || !values[row].is_nan();
        if counts && (gap.is_nan() || gap <= 0.0) {
            return Err(
                no_rise(frame, row, [name(outcome), name(time)], times[row]).at(frame.place(row))
            );
        }
        gaps[row] = if counts { gap } else { 0.0 };
        Ok(())
    })?;
    Ok(gaps)
}

fn no_rise(frame: &Frame, row: usize, [outcome, time]: [&str; 2], value: f64) -> Error {
    // The time of the data goes by the name `t` where the model has not named it.
    let shown = match (&frame.time, time) {
        (Some(column), "t") => column,
        _ => time,
    };
    Error::data(
        "no_rise",
        format!(
            "`ar1()` follows `{outcome}` along `{shown}`, which is {value} here and has not risen since the subject's last value."
        ),
    )
    .field("row", row + 1)
    .field("column", shown)
    .hint("Values of one time have no order in time: average them, or leave `time` out of ar1() to go by the order of the rows.")
}
