//! Answer one request of a front end: decode it, run it, encode the result.

use crate::error::{Error, ErrorClass, Result};
use crate::monitor::Monitor;
use crate::reply::Value;

/// Numeric columns of the data frame, in row order; missing is NaN.
pub type Columns = Vec<(String, Vec<f64>)>;

/// Run the task that `request` (JSON) names on `columns`.
///
/// # Errors
/// Every problem with the model, the data or the options, in the user's names.
pub fn run(request: &str, columns: Columns, monitor: &dyn Monitor) -> Result<Value> {
    let _ = (request, columns, monitor);
    Err(Error::new(ErrorClass::Internal, "task", "no such task"))
}
