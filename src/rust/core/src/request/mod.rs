//! Answer one request of a front end: decode it, run it, encode the result.

mod arrive;
mod classes;
mod course;
mod decode;
mod density;
mod describe;
mod direct;
mod evaluate;
mod fit;
mod hazard;
mod history;
mod importance;
mod likelihood;
mod method;
mod modes;
mod parameters;
mod predict;
mod report;
mod samples;
mod simulate;
mod uncertainty;
mod variational;

use crate::error::{Error, ErrorClass, Result};
use crate::monitor::Monitor;
use crate::reply::Value;

pub use decode::Request;

/// Numeric columns of the data frame, in row order; missing is NaN.
pub type Columns = Vec<(String, Vec<f64>)>;

/// Run the task that `request` (JSON) names on `columns`.
///
/// # Errors
/// Every problem with the model, the data or the options, in the user's names.
pub fn run(request: &str, columns: Columns, monitor: &dyn Monitor) -> Result<Value> {
    let request = Request::parse(request)?;
    match request.task.as_str() {
        "describe" => describe::describe(&request),
        "fit" => fit::fit(&request, columns, monitor),
        "check" => fit::check(&request, columns),
        "predict" => predict::predict(&request, columns),
        "simulate" => simulate::simulate(&request, columns),
        "log_density" => density::log_density(&request, columns),
        "log_likelihood" => likelihood::log_likelihood(&request, columns),
        "uncertainty" => uncertainty::uncertainty(&request, columns),
        "importance" => importance::importance(&request, columns),
        "modes" => modes::modes(&request, columns),
        "classes" => likelihood::classes(&request, columns),
        "conditional_samples" => samples::samples(&request, columns),
        other => Err(Error::new(
            ErrorClass::Internal,
            "task",
            format!("There is no task `{other}`."),
        )),
    }
}

/// A named list.
pub fn list(entries: Vec<(&str, Value)>) -> Value {
    Value::List(
        entries
            .into_iter()
            .map(|(name, value)| (name.to_string(), value))
            .collect(),
    )
}

/// Row-major values as a column-major matrix.
pub fn matrix(rows: usize, cols: usize, row_major: &[f64]) -> Value {
    let data = (0..rows * cols)
        .map(|k| row_major[(k % rows) * cols + k / rows])
        .collect();
    Value::Matrix { rows, cols, data }
}

/// A count for R; larger ones than `i32::MAX` do not occur.
pub fn count(n: usize) -> Value {
    Value::Integers(vec![i32::try_from(n).unwrap_or(i32::MAX)])
}
