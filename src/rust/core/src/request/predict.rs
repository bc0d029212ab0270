//! Predict the outcomes at every row, and the individual parameters.

use super::{list, matrix, Columns, Request};
use crate::data::Layout;
use crate::error::{Error, ErrorClass, Result};
use crate::ir::column::{Column, LANES};
use crate::problem::{subject_values, Means, Problem, Values};
use crate::reply::Value;

/// Predictions at every row of the data frame.
pub struct Predictions {
    /// `[outcome][row]`; NaN where the family predicts nothing.
    pub values: Vec<Vec<f64>>,
    /// Residual standard deviation, `[outcome][row]`.
    pub sd: Vec<Vec<f64>>,
    /// Individual parameters, `n_subjects x names`, row-major.
    pub individual: Vec<f64>,
}

pub fn predict(request: &Request, columns: Columns) -> Result<Value> {
    let (problem, theta) = request.predicted(columns)?;
    let phi = match &request.random {
        None => Means::new(&problem, &problem.full_layout(), &theta).values,
        Some(effects) => {
            let flat: Vec<f64> = effects.iter().flatten().copied().collect();
            if flat.len() != problem.n_subjects() * problem.n_phi() {
                return Err(Error::new(
                    ErrorClass::Internal,
                    "random",
                    "The random effects do not fit the subjects of the data.",
                ));
            }
            phi_of(&problem, &theta, &flat)
        }
    };
    let predictions = predictions(&problem, &theta, &phi);
    let n_rows = problem.records.columns.first().map_or(0, Vec::len);
    let outcomes = predictions.values.len();
    Ok(list(vec![
        ("outcome", Value::Texts(outcome_names(&problem))),
        (
            "value",
            columns_matrix(n_rows, outcomes, &predictions.values),
        ),
        ("sd", columns_matrix(n_rows, outcomes, &predictions.sd)),
        ("individual", individual(&problem, &predictions.individual)),
    ]))
}

pub fn outcome_names(problem: &Problem) -> Vec<String> {
    let columns = &problem.model.columns;
    problem
        .model
        .outcomes
        .iter()
        .map(|o| columns[o.column as usize].name.clone())
        .collect()
}

pub fn columns_matrix(rows: usize, cols: usize, columns: &[Vec<f64>]) -> Value {
    Value::Matrix {
        rows,
        cols,
        data: columns.concat(),
    }
}

pub fn individual(problem: &Problem, values: &[f64]) -> Value {
    let names = &problem.programs.individual;
    list(vec![
        ("name", Value::Texts(names.clone())),
        ("value", matrix(problem.n_subjects(), names.len(), values)),
    ])
}

/// Evaluate the prediction program at `phi` (`n_subjects x d`, row-major).
pub fn predictions(problem: &Problem, theta: &[f64], phi: &[f64]) -> Predictions {
    let layout = problem.full_layout();
    let mut values = Values::new(problem, &layout, &problem.programs.prediction);
    values.prepare(theta);
    let n_rows = problem.records.columns.first().map_or(0, Vec::len);
    let n_outcomes = problem.model.outcomes.len();
    let mut out = Predictions {
        values: vec![vec![f64::NAN; n_rows]; n_outcomes],
        sd: vec![vec![f64::NAN; n_rows]; n_outcomes],
        individual: vec![f64::NAN; problem.n_subjects() * problem.programs.individual.len()],
    };
    let roots = root_targets(problem);
    let mut work = Vec::new();
    for b in 0..layout.blocks.len() {
        let columns = lanes_of(&layout, b, phi, problem.n_phi());
        let lanes = &layout.blocks[b].lanes;
        values.rows(b, &columns, &mut work, |row, root, column| {
            let (outcome, is_sd) = roots[root];
            let list = if is_sd {
                &mut out.sd[outcome]
            } else {
                &mut out.values[outcome]
            };
            for (l, lane) in lanes.iter().enumerate() {
                if let Some(record) = layout.rows[lane.subject as usize].get(row) {
                    list[*record] = column.0[l];
                }
            }
        });
        let individual = values.subjects(b, &columns, &mut work);
        for (k, column) in individual.iter().enumerate() {
            for (l, lane) in lanes.iter().enumerate() {
                out.individual[lane.subject as usize * individual.len() + k] = column.0[l];
            }
        }
    }
    out
}

/// For each row root of the prediction program: its outcome, and whether it is the SD.
fn root_targets(problem: &Problem) -> Vec<(usize, bool)> {
    let mut roots = Vec::new();
    for (o, (value, sd)) in problem.programs.predicted.iter().enumerate() {
        roots.extend(value.then_some((o, false)));
        roots.extend(sd.then_some((o, true)));
    }
    roots
}

/// `phi` of the subjects in the lanes of a block.
fn lanes_of(layout: &Layout, b: usize, phi: &[f64], d: usize) -> Vec<Column> {
    let lanes = &layout.blocks[b].lanes;
    let subject = |l: usize| lanes.get(l).unwrap_or(&lanes[0]).subject as usize;
    (0..d)
        .map(|k| {
            Column(std::array::from_fn::<f64, LANES, _>(|l| {
                phi[subject(l) * d + k]
            }))
        })
        .collect()
}

/// Random effects as the user wrote them, from `phi` (both `n_subjects x d`, row-major).
pub fn effects_of(problem: &Problem, theta: &[f64], phi: &[f64]) -> Vec<f64> {
    let layout = problem.full_layout();
    let shifts = subject_values(problem, &layout, &problem.programs.shifts, theta);
    let d = problem.n_phi();
    let entries = phi.iter().zip(shifts).enumerate();
    entries
        .map(|(k, (phi, shift))| {
            let effect = phi - shift;
            if problem.model.effects[k % d].lognormal {
                effect.exp()
            } else {
                effect
            }
        })
        .collect()
}

/// The inverse of [`effects_of`].
fn phi_of(problem: &Problem, theta: &[f64], effects: &[f64]) -> Vec<f64> {
    let layout = problem.full_layout();
    let shifts = subject_values(problem, &layout, &problem.programs.shifts, theta);
    let d = problem.n_phi();
    let entries = effects.iter().zip(shifts).enumerate();
    entries
        .map(|(k, (effect, shift))| {
            let lognormal = problem.model.effects[k % d].lognormal;
            shift + if lognormal { effect.ln() } else { *effect }
        })
        .collect()
}
