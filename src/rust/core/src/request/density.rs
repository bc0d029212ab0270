//! The complete-data log density: outcomes given the effects, and effects given the parameters.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::grouping::Grouping;
use super::predict::{columns_matrix, outcome_names, points, rows_of};
use super::values::{Effects, Values as At};
use super::{list, matrix, Columns};
use crate::data::Layout;
use crate::error::Result;
use crate::ir::column::Column;
use crate::ir::vmath::Isa;
use crate::language::specification::Specification;
use crate::problem::{Derivatives, Joint, Means, Points, Prior, Problem, Scratch, Values};
use crate::reply::Value;

/// Data, and where the densities are taken.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    #[serde(skip_serializing)]
    pub model: Specification,
    pub data: Grouping,
    #[serde(default)]
    pub at: At,
    /// Absent: typical effects.
    #[serde(default)]
    pub random: Option<Effects>,
}

/// Log densities of every outcome at every row and of the effects of every level (on the natural scale), at the
/// parameters and effects of the request, and the gradient of their sum in the effects.
pub fn log_density(task: &Task, columns: Columns) -> Result<Value> {
    let frame = task.data.frame(&task.model, columns)?;
    let (joint, theta) = (task.at).problem(&task.model, &frame, Vec::new(), Joint::at_values)?;
    let points = points(task.random.as_ref(), &joint, &theta)?;
    let outcomes = outcome_terms(&joint, &theta, &points);
    let mut total: f64 = outcomes.iter().flatten().filter(|x| !x.is_nan()).sum();
    let (mut effects, mut gradients) = (Vec::new(), Vec::new());
    for part in &joint.parts {
        let own = effect_terms(part, &theta, &points)?;
        total += own.iter().sum::<f64>();
        effects.push((String::new(), Value::Numbers(own)));
        let (n, d) = (part.n_subjects(), part.n_phi());
        let gradient = gradient(&joint, part, &theta, &points)?;
        gradients.push((String::new(), matrix(n, d, &gradient)));
    }
    let n_rows = joint.main().records.codes.len();
    Ok(list(vec![
        ("outcome", Value::Texts(outcome_names(joint.main()))),
        ("value", columns_matrix(n_rows, outcomes.len(), &outcomes)),
        ("effects", Value::List(effects)),
        ("gradient", Value::List(gradients)),
        ("total", Value::Number(total)),
    ]))
}

/// `[outcome][row]`, NaN where the outcome is missing.
fn outcome_terms(joint: &Joint, theta: &[f64], points: &Points) -> Vec<Vec<f64>> {
    let problem = joint.main();
    let layout = problem.full_layout();
    let mut values = Values::new(problem, &layout, &problem.programs.terms);
    values.set_known(Arc::new(joint.known(problem, &layout, points)));
    values.prepare(theta);
    let mut terms = rows_of(problem, &layout, &values, points);
    for (terms, outcome) in terms.iter_mut().zip(&problem.records.outcomes) {
        let observed = &problem.records.columns[*outcome];
        for (term, y) in terms.iter_mut().zip(observed) {
            if y.is_nan() {
                *term = f64::NAN;
            }
        }
    }
    terms
}

/// Log density of the effects of each level, as the user wrote them.
fn effect_terms(part: &Problem, theta: &[f64], points: &Points) -> Result<Vec<f64>> {
    let layout = part.full_layout();
    let prior = Prior::new(part, theta)?;
    let means = Means::new(part, &layout, theta);
    let mut values = Values::new(part, &layout, &part.programs.corrections);
    values.prepare(theta);
    let mut out = vec![0.0; part.n_subjects()];
    let mut work = Vec::new();
    for (b, block) in layout.blocks.iter().enumerate() {
        let phi = layout.columns(b, &points.values[part.group], part.n_phi());
        let gaussian = prior.log_density(Isa::detect(), &phi, &means.columns(&layout, b));
        let correction = values.log_lik(b, &phi, &mut work);
        let jacobian = jacobian(part, &layout, b, theta, &phi);
        for (l, lane) in block.lanes.iter().enumerate() {
            out[lane.subject as usize] = gaussian.0[l] + correction.0[l] - jacobian.0[l];
        }
    }
    Ok(out)
}

/// Gradient of the total in the effects of a grouping as the user wrote them, `levels x d`, row-major.
fn gradient(joint: &Joint, part: &Problem, theta: &[f64], points: &Points) -> Result<Vec<f64>> {
    let (layout, d) = (part.full_layout(), part.n_phi());
    let prior = Prior::new(part, theta)?;
    let means = Means::new(part, &layout, theta);
    let shifts = part.shifts(&layout, theta);
    let mut derivatives = Derivatives::new(part, &layout, &part.programs.phi);
    derivatives.set_known(Arc::new(joint.known(part, &layout, points)));
    derivatives.prepare(theta);
    let mut out = vec![0.0; part.n_subjects() * d];
    let mut columns = vec![Column::ZERO; d];
    let mut scratch = Scratch::default();
    for (b, block) in layout.blocks.iter().enumerate() {
        let phi = layout.columns(b, &points.values[part.group], d);
        derivatives.gradient_phi(b, &phi, &mut columns, &mut scratch);
        for (l, lane) in block.lanes.iter().enumerate() {
            let level = lane.subject as usize;
            for (k, effect) in part.effects().iter().enumerate() {
                let pull: f64 = (means.of(level).iter().enumerate())
                    .map(|(j, mean)| prior.precision[(k, j)] * (phi[j].0[l] - mean))
                    .sum();
                let (slope, log_slope) =
                    effect.transform.slopes(phi[k].0[l] - shifts[level * d + k]);
                out[level * d + k] = (columns[k].0[l] - pull - log_slope) / slope;
            }
        }
    }
    Ok(out)
}

/// `ln |d effect / d phi|` of all effects of a lane.
fn jacobian(part: &Problem, layout: &Layout, b: usize, theta: &[f64], phi: &[Column]) -> Column {
    let shifts = part.shifts(layout, theta);
    let shifts = layout.columns(b, &shifts, part.n_phi());
    Column(std::array::from_fn(|l| {
        (part.effects().iter().enumerate())
            .map(|(k, effect)| effect.transform.log_slope(phi[k].0[l] - shifts[k].0[l]))
            .sum()
    }))
}
