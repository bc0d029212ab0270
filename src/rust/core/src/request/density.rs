//! The complete-data log density: outcomes given the effects, and effects given the parameters.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::grouping::RowGrouping;
use super::predict::{columns_matrix, outcome_names, points, rows_of};
use super::values::{Effects, ValuesAt as At};
use super::{list, matrix, FrameColumns};
use crate::error::Result;
use crate::ir::column::Column;
use crate::language::specification::Specification;
use crate::problem::{BoundProgram, DerivativeScratch, EffectValues, Evaluator, Joint};
use crate::reply::ReplyValue;

/// Data, and where the densities are taken.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DensityTask {
    #[serde(skip_serializing)]
    pub model: Specification,
    pub data: RowGrouping,
    #[serde(default)]
    pub at: At,
    /// Absent: typical effects.
    #[serde(default)]
    pub random: Option<Effects>,
}

/// Log densities of every outcome at every row and of the effects of every level (on the natural scale), at the
/// parameters and effects of the request, and the gradient of their sum in the effects.
pub fn log_density(task: &DensityTask, columns: FrameColumns) -> Result<ReplyValue> {
    let frame = task.data.frame(&task.model, columns)?;
    let (joint, theta) = (task.at).problem(&task.model, &frame, Vec::new(), Joint::at_values)?;
    let points = points(task.random.as_ref(), &joint, &theta)?;
    let outcomes = outcome_terms(&joint, &theta, &points);
    let mut total: f64 = outcomes.iter().flatten().filter(|x| !x.is_nan()).sum();
    let (mut effects, mut gradients) = (Vec::new(), Vec::new());
    for part in &joint.parts {
        let layout = part.full_layout();
        let known = joint.known(part, &layout, &points);
        let at = Evaluator::new(part, &layout, &theta)?.given(known);
        let own = effect_terms(&at, &points.values[part.group]);
        total += own.iter().sum::<f64>();
        effects.push((String::new(), ReplyValue::Numbers(own)));
        let (n, d) = (part.n_subjects(), part.n_phi());
        let gradient = gradient(&at, &points.values[part.group]);
        gradients.push((String::new(), matrix(n, d, &gradient)));
    }
    let n_rows = joint.main().records.codes.len();
    Ok(list(vec![
        ("outcome", ReplyValue::Texts(outcome_names(joint.main()))),
        ("value", columns_matrix(n_rows, outcomes.len(), &outcomes)),
        ("effects", ReplyValue::List(effects)),
        ("gradient", ReplyValue::List(gradients)),
        ("total", ReplyValue::Number(total)),
    ]))
}

/// `[outcome][row]`, NaN where the outcome is missing.
fn outcome_terms(joint: &Joint, theta: &[f64], points: &EffectValues) -> Vec<Vec<f64>> {
    let problem = joint.main();
    let layout = problem.full_layout();
    let mut values = BoundProgram::new(problem, &layout, &problem.programs.terms);
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
fn effect_terms(at: &Evaluator, phi: &[f64]) -> Vec<f64> {
    let (part, d) = (at.problem, at.problem.n_phi());
    let shifts = part.shifts(at.layout, at.theta());
    let mut out = vec![0.0; part.n_subjects()];
    let mut work = Vec::new();
    for ((b, block), phi) in at.layout.blocks.iter().enumerate().zip(at.columns(phi)) {
        let gaussian = at.log_prior(b, &phi);
        let correction = at.corrections().log_lik(b, &phi, &mut work);
        for (l, lane) in block.lanes.iter().enumerate() {
            let level = lane.subject as usize;
            // `ln |d effect / d phi|`
            let jacobian = part.effects().iter().enumerate().map(|(k, effect)| {
                let shifted = phi[k].0[l] - shifts[level * d + k];
                effect.transform.log_slope(shifted)
            });
            out[level] = gaussian.0[l] + correction.0[l] - jacobian.sum::<f64>();
        }
    }
    out
}

/// Gradient of the total in the effects of a grouping as the user wrote them, `levels x d`, row-major.
fn gradient(at: &Evaluator, phi: &[f64]) -> Vec<f64> {
    let (part, d) = (at.problem, at.problem.n_phi());
    let shifts = part.shifts(at.layout, at.theta());
    let mut out = vec![0.0; part.n_subjects() * d];
    let mut columns = vec![Column::ZERO; d];
    let mut scratch = DerivativeScratch::default();
    for ((b, block), phi) in at.layout.blocks.iter().enumerate().zip(at.columns(phi)) {
        at.by_phi()
            .gradient_phi(b, &phi, &mut columns, &mut scratch);
        for (l, lane) in block.lanes.iter().enumerate() {
            let level = lane.subject as usize;
            let mean = at.means().of(level);
            for (k, effect) in part.effects().iter().enumerate() {
                let pull = at.prior().pull(k, |j| phi[j].0[l] - mean[j]);
                let (slope, log_slope) =
                    effect.transform.slopes(phi[k].0[l] - shifts[level * d + k]);
                out[level * d + k] = (columns[k].0[l] - pull - log_slope) / slope;
            }
        }
    }
    out
}
