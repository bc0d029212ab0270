//! Answer one request of a front end: decode it, run it, encode the result.

mod course;
mod decode;
mod density;
mod describe;
mod fit;
mod history;
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
use crate::inference::joint::laplace;
use crate::inference::quadrature::{default_nodes, quadrature_by, Quadrature};
use crate::monitor::Monitor;
use crate::parallel::Workers;
use crate::problem::{Joint, Points};
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
        "predict" => predict::predict(&request, columns),
        "simulate" => simulate::simulate(&request, columns),
        "log_density" => density::log_density(&request, columns),
        "log_likelihood" => {
            let (joint, theta) = request.evaluated(columns)?;
            let workers = request.workers()?;
            let modes = modes::points(&request, &joint, &theta, &workers)?;
            let result = marginal(&joint, &theta, request.nodes, &modes, &workers)?;
            Ok(log_likelihood(&result))
        }
        "modes" => modes::modes(&request, columns),
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

pub fn log_likelihood(result: &Quadrature) -> Value {
    list(vec![
        ("value", Value::Number(result.log_lik)),
        ("subjects", Value::Numbers(result.subjects.clone())),
        ("method", Value::Text("quadrature".into())),
        ("nodes", count(result.nodes)),
        ("converged", Value::Flags(result.converged.clone())),
    ])
}

/// The log-likelihood: by quadrature around the conditional `modes` with one grouping, else by Laplace's approximation.
///
/// # Errors
/// Too many nodes, too many effects, or a population distribution that does not exist.
pub fn marginal(
    joint: &Joint,
    theta: &[f64],
    nodes: Option<usize>,
    modes: &Points,
    workers: &Workers,
) -> Result<Quadrature> {
    if joint.is_simple() {
        let problem = joint.main();
        let nodes = nodes.unwrap_or_else(|| default_nodes(problem.n_phi(), problem.n_subjects()));
        return quadrature_by(workers, problem, theta, nodes, Some(&modes.values[0]));
    }
    if nodes.is_some_and(|n| n > 1) {
        return Err(Error::new(
            ErrorClass::Option,
            "one_grouping_only",
            "Quadrature needs random effects of one grouping, none of them fixed.",
        )
        .hint("Use nodes = 1, Laplace's approximation."));
    }
    laplace(joint, theta, Some(modes))
}
