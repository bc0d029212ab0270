//! Answer one request of a front end: decode it, run it, encode the result.

mod decode;
mod describe;
mod fit;
mod parameters;
mod predict;

use crate::error::{Error, ErrorClass, Result};
use crate::inference::modes::{ModeOptions, Modes};
use crate::inference::quadrature::{default_nodes, quadrature, Quadrature};
use crate::monitor::Monitor;
use crate::problem::{Prior, Problem};
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
        "log_likelihood" => {
            let (problem, theta) = request.evaluated(columns)?;
            let nodes = request
                .nodes
                .unwrap_or_else(|| default_nodes(problem.n_phi(), problem.n_subjects()));
            Ok(log_likelihood(&quadrature(&problem, &theta, nodes)?))
        }
        "modes" => {
            let (problem, theta) = request.evaluated(columns)?;
            modes(&problem, &theta)
        }
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

fn modes(problem: &Problem, theta: &[f64]) -> Result<Value> {
    let layout = problem.layout(1);
    let prior = Prior::new(problem, theta)?;
    let modes = Modes::find(problem, &layout, theta, &prior, None, ModeOptions::exact());
    let (phi, converged) = modes.by_subject(&layout);
    let effects = predict::effects_of(problem, theta, &phi);
    let names = problem
        .model
        .effects
        .iter()
        .map(|e| e.name.clone())
        .collect();
    Ok(list(vec![
        ("name", Value::Texts(names)),
        (
            "modes",
            matrix(problem.n_subjects(), problem.n_phi(), &effects),
        ),
        ("converged", Value::Flags(converged)),
    ]))
}
