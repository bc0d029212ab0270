//! Predict the outcomes at every row, and the individual parameters.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::grouping::RowGrouping;
use super::values::{Effects, ValuesAt as At};
use super::{list, matrix, FrameColumns};
use crate::data::Layout;
use crate::error::{Error, ErrorClass, Result};
use crate::inference::classes::in_likely_classes;
use crate::language::specification::Specification;
use crate::problem::{phi_of, BoundProgram, EffectValues, Joint, Means, Problem};
use crate::reply::ReplyValue;

/// Data, which need no outcomes, and where to predict.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PredictTask {
    #[serde(skip_serializing)]
    pub model: Specification,
    pub data: RowGrouping,
    #[serde(default)]
    pub at: At,
    /// Absent: typical effects.
    #[serde(default)]
    pub random: Option<Effects>,
}

/// Predictions at every row of the data frame.
pub struct Predictions {
    /// `[outcome][row]`; NaN where the family predicts nothing.
    pub values: Vec<Vec<f64>>,
    /// Residual standard deviation, `[outcome][row]`.
    pub sd: Vec<Vec<f64>>,
    /// Weighted residuals of outcomes that are normal on another scale than that of their values, `[outcome][row]`.
    pub weighted: Vec<Vec<f64>>,
    /// Individual parameters of each grouping, `levels x names`, row-major.
    pub individual: Vec<Vec<f64>>,
    /// The class of each subject they are of; empty where it is none.
    pub classes: Vec<usize>,
}

pub fn predict(task: &PredictTask, columns: FrameColumns) -> Result<ReplyValue> {
    let frame = task.data.frame(&task.model, columns)?;
    let (joint, theta) =
        (task.at).problem(&task.model, &frame, Vec::new(), Joint::for_prediction)?;
    let points = points(task.random.as_ref(), &joint, &theta)?;
    let predictions = predictions(&joint, &theta, &points);
    let problem = joint.main();
    let n_rows = problem.records.codes.len();
    let outcomes = predictions.values.len();
    Ok(list(vec![
        ("outcome", ReplyValue::Texts(outcome_names(problem))),
        (
            "value",
            columns_matrix(n_rows, outcomes, &predictions.values),
        ),
        ("sd", columns_matrix(n_rows, outcomes, &predictions.sd)),
        (
            "individual",
            individual(problem, &predictions.individual[0]),
        ),
    ]))
}

/// `phi` of every grouping: of the effects that are given, else the means.
///
/// # Errors
/// Effects that do not fit the levels of the data.
pub fn points(random: Option<&Effects>, joint: &Joint, theta: &[f64]) -> Result<EffectValues> {
    let Some(given) = random else {
        return Ok(typical(joint, theta));
    };
    let wrong = || {
        Error::new(
            ErrorClass::Internal,
            "random",
            "The random effects do not fit the subjects of the data.",
        )
    };
    if given.len() != joint.parts.len() {
        return Err(wrong());
    }
    let mut values = Vec::new();
    for (part, effects) in joint.parts.iter().zip(given) {
        let flat: Vec<f64> = effects.iter().flatten().copied().collect();
        if flat.len() != part.n_subjects() * part.n_phi() {
            return Err(wrong());
        }
        values.push(phi_of(part, theta, &flat));
    }
    Ok(joint.points(values))
}

/// The means of `phi` of every grouping; of effects that are Gaussian on no scale those of their own distribution, not of
/// the reference, which stays where the start was.
pub fn typical(joint: &Joint, theta: &[f64]) -> EffectValues {
    let mean = |part: &Problem| {
        let mut values = Means::new(part, &part.full_layout(), theta).values;
        part.each_law(theta, |level, k, family, arguments| {
            values[level * part.n_phi() + k] = family.reference(arguments).0;
        });
        values
    };
    joint.points(joint.parts.iter().map(mean).collect())
}

pub fn effect_names(problem: &Problem) -> ReplyValue {
    let names = problem.effects().iter().map(|e| e.name.clone());
    ReplyValue::Texts(names.collect())
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

pub fn columns_matrix(rows: usize, cols: usize, columns: &[Vec<f64>]) -> ReplyValue {
    ReplyValue::Matrix {
        rows,
        cols,
        data: columns.concat(),
    }
}

pub fn individual(problem: &Problem, values: &[f64]) -> ReplyValue {
    let names = &problem.programs.individual;
    list(vec![
        ("name", ReplyValue::Texts(names.clone())),
        ("value", matrix(problem.n_subjects(), names.len(), values)),
    ])
}

/// Predictions for the subjects that have these effects, each in the class that is the most likely one at them.
pub fn individual_predictions(joint: &Joint, theta: &[f64], points: &EffectValues) -> Predictions {
    match in_likely_classes(joint, theta, points) {
        Ok(Some((joint, classes))) => Predictions {
            classes,
            ..predictions(&joint, theta, points)
        },
        // Without a population distribution no class is likely.
        _ => predictions(joint, theta, points),
    }
}

/// Evaluate the prediction programs at `points`.
pub fn predictions(joint: &Joint, theta: &[f64], points: &EffectValues) -> Predictions {
    let problem = joint.main();
    let n_rows = problem.records.codes.len();
    let n_outcomes = problem.model.outcomes.len();
    let mut out = Predictions {
        values: vec![vec![f64::NAN; n_rows]; n_outcomes],
        sd: vec![vec![f64::NAN; n_rows]; n_outcomes],
        weighted: vec![vec![f64::NAN; n_rows]; n_outcomes],
        individual: Vec::new(),
        classes: Vec::new(),
    };
    for (g, part) in joint.parts.iter().enumerate() {
        let layout = part.full_layout();
        let mut values = BoundProgram::new(part, &layout, &part.programs.prediction);
        values.set_known(Arc::new(joint.known(part, &layout, points)));
        values.prepare(theta);
        if g == 0 {
            row_predictions(part, &layout, &values, points, &mut out);
        }
        out.individual
            .push(individual_values(part, &layout, &values, &points.values[g]));
    }
    out
}

fn row_predictions(
    problem: &Problem,
    layout: &Layout,
    values: &BoundProgram,
    points: &EffectValues,
    out: &mut Predictions,
) {
    let targets = root_targets(problem);
    for (column, (outcome, part)) in rows_of(problem, layout, values, points)
        .into_iter()
        .zip(targets)
    {
        let columns = match part {
            PredictedPart::Value => &mut out.values,
            PredictedPart::Sd => &mut out.sd,
            PredictedPart::Weighted => &mut out.weighted,
        };
        columns[outcome] = column;
    }
}

/// Row roots of a program at every row of the data frame: `[root][row]`.
pub fn rows_of(
    problem: &Problem,
    layout: &Layout,
    values: &BoundProgram,
    points: &EffectValues,
) -> Vec<Vec<f64>> {
    let n_rows = problem.records.codes.len();
    let mut out: Vec<Vec<f64>> = Vec::new();
    let mut work = Vec::new();
    for (b, block) in layout.blocks.iter().enumerate() {
        let columns = layout.columns(b, &points.values[0], problem.n_phi());
        values.rows(b, &columns, &mut work, |row, root, column| {
            if out.len() <= root {
                out.resize(root + 1, vec![f64::NAN; n_rows]);
            }
            for (l, lane) in block.lanes.iter().enumerate() {
                if let Some(record) = layout.rows[lane.subject as usize].get(row) {
                    out[root][*record] = column.0[l];
                }
            }
        });
    }
    out
}

/// Individual parameters, `levels x names`, row-major.
fn individual_values(
    problem: &Problem,
    layout: &Layout,
    values: &BoundProgram,
    phi: &[f64],
) -> Vec<f64> {
    let n = problem.programs.individual.len();
    let mut out = vec![f64::NAN; problem.n_subjects() * n];
    let mut work = Vec::new();
    for (b, block) in layout.blocks.iter().enumerate() {
        let columns = layout.columns(b, phi, problem.n_phi());
        for (k, column) in values.subjects(b, &columns, &mut work).iter().enumerate() {
            for (l, lane) in block.lanes.iter().enumerate() {
                out[lane.subject as usize * n + k] = column.0[l];
            }
        }
    }
    out
}

#[derive(Debug, Clone, Copy)]
enum PredictedPart {
    Value,
    Sd,
    Weighted,
}

/// For each row root of the prediction program: its outcome, and what it is of it.
fn root_targets(problem: &Problem) -> Vec<(usize, PredictedPart)> {
    let mut roots = Vec::new();
    for (o, has) in problem.programs.predicted.iter().enumerate() {
        roots.extend(has.value.then_some((o, PredictedPart::Value)));
        roots.extend(has.sd.then_some((o, PredictedPart::Sd)));
        roots.extend(has.weighted.then_some((o, PredictedPart::Weighted)));
    }
    roots
}
