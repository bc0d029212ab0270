//! Answer one request of a front end: decode it, run it, encode the result.

mod arrive;
mod classes;
mod course;
mod density;
mod describe;
mod direct;
mod evaluate;
mod fit;
mod fit_task;
mod fitted;
mod grouping;
mod hazard;
mod history;
mod importance;
mod likelihood;
mod method;
mod modes;
mod parameters;
mod predict;
mod protocol;
mod report;
mod samples;
mod simulate;
mod uncertainty;
mod values;
mod variational;

use crate::error::Result;
use crate::monitor::Monitor;
use crate::reply::ReplyValue;

pub use fit_task::FitTask;
pub use protocol::{Request, PROTOCOL};

/// Numeric columns of the data frame, in row order; missing is NaN.
pub type FrameColumns = Vec<(String, Vec<f64>)>;

/// Run the task that `request` (JSON) names on `columns`.
///
/// # Errors
/// Every problem with the model, the data or the options, in the user's names.
pub fn run(request: &str, columns: FrameColumns, monitor: &dyn Monitor) -> Result<ReplyValue> {
    match Request::parse(request)? {
        Request::Describe(task) => describe::describe(&task),
        Request::Check(task) => fit::check(&task, columns),
        Request::Fit(task) => fit::fit(&task, columns, monitor),
        Request::Predict(task) => predict::predict(&task, columns),
        Request::Simulate(task) => simulate::simulate(&task, columns),
        Request::LogDensity(task) => density::log_density(&task, columns),
        Request::LogLikelihood(task) => likelihood::log_likelihood(&task, columns),
        Request::Uncertainty(task) => uncertainty::uncertainty(&task, columns),
        Request::Importance(task) => importance::importance(&task, columns),
        Request::Modes(task) => modes::modes(&task, columns),
        Request::Classes(task) => likelihood::classes(&task, columns),
        Request::ConditionalSamples(task) => samples::samples(&task, columns),
    }
}

/// Seeds, threads and simulations where a request does not say.
fn one<T: From<u8>>() -> T {
    T::from(1)
}

/// A named list.
pub fn list(entries: Vec<(&str, ReplyValue)>) -> ReplyValue {
    ReplyValue::List(
        entries
            .into_iter()
            .map(|(name, value)| (name.to_string(), value))
            .collect(),
    )
}

/// Row-major values as a column-major matrix.
pub fn matrix(rows: usize, cols: usize, row_major: &[f64]) -> ReplyValue {
    let data = (0..rows * cols)
        .map(|k| row_major[(k % rows) * cols + k / rows])
        .collect();
    ReplyValue::Matrix { rows, cols, data }
}

/// A count for R; larger ones than `i32::MAX` do not occur.
pub fn count(n: usize) -> ReplyValue {
    ReplyValue::Integers(vec![i32::try_from(n).unwrap_or(i32::MAX)])
}
