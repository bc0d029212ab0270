//! Check that every observation can have a density at the starting values.

use std::sync::Arc;

use nalgebra::DMatrix;

use crate::error::{Error, ErrorClass, Result};
use crate::ir::column::{Column, LANES};
use crate::ir::scalar::{Leaves, ScalarProgram};
use crate::problem::{Draws, Joint, Means, Points, Prior, Values};

/// Individual vectors that are tried: the mean, and one standard deviation to both sides in each coordinate.
fn candidates(mean: &[Column], omega: &DMatrix<f64>) -> Vec<Vec<Column>> {
    let mut list = vec![mean.to_vec()];
    for k in 0..mean.len() {
        for sign in [-1.0, 1.0] {
            let mut moved = mean.to_vec();
            let shift = sign * omega[(k, k)].sqrt();
            moved[k] = Column(moved[k].0.map(|x| x + shift));
            list.push(moved);
        }
    }
    list
}

/// # Errors
/// A level of the first grouping whose likelihood is not finite at any of the individual vectors tried, the other
/// groupings being at their means, with the observation at fault.
pub fn check_start(joint: &Joint) -> Result<()> {
    let theta = &joint.theta.start;
    let mut means = Vec::new();
    for part in &joint.parts {
        Prior::new(part, theta).map_err(|_| covariance_error())?;
        means.push(Means::new(part, &part.layout(1), theta).values);
    }
    let points = joint.points(means);
    let problem = joint.main();
    let prior = Prior::new(problem, theta)?;
    let layout = problem.layout(1);
    let mut values = Values::new(problem, &layout, &problem.programs.likelihood);
    values.set_known(Arc::new(joint.known(problem, &layout, &points)));
    values.prepare(theta);
    let d = problem.n_phi();
    let mut work = Vec::new();
    for (b, block) in layout.blocks.iter().enumerate() {
        let mut sound = [false; LANES];
        let mean = layout.columns(b, &points.values[0], d);
        for phi in candidates(&mean, &prior.omega) {
            let log_lik = values.log_lik(b, &phi, &mut work);
            for (sound, value) in sound.iter_mut().zip(log_lik.0) {
                *sound |= value.is_finite();
            }
        }
        if let Some(l) = (0..block.lanes.len()).find(|l| !sound[*l]) {
            return Err(error(joint, block.lanes[l].subject as usize, &points));
        }
    }
    Ok(())
}

fn covariance_error() -> Error {
    Error::new(
        ErrorClass::Start,
        "not_positive_definite_start",
        "The covariance of the random effects is not positive definite at the starting values.",
    )
    .hint("Start every variance above zero and every correlation between -1 and 1.")
}

struct RowLeaves<'a> {
    joint: &'a Joint,
    row: usize,
    points: &'a Points,
}

impl Leaves for RowLeaves<'_> {
    fn data(&self, column: usize) -> f64 {
        self.joint.main().records.columns[column][self.row]
    }

    fn theta(&self, coordinate: usize) -> f64 {
        self.joint.theta.start[coordinate]
    }

    fn phi(&self, coordinate: usize) -> f64 {
        let model = self.joint.model();
        let group = model.effects[coordinate].group;
        let level = self.joint.parts[group].records.codes[self.row];
        let k = coordinate - model.effects_of(group).start;
        self.points.phi(group, k, level, 0)
    }
}

/// Name the first observation of the subject without a density at its mean.
fn error(joint: &Joint, subject: usize, points: &Points) -> Error {
    let problem = joint.main();
    let records = &problem.records;
    let label = &records.labels[subject];
    let error = Error::new(
        ErrorClass::Start,
        "not_finite_start",
        format!(
            "The likelihood of `{}` {label} is not finite at the starting values.",
            records.group
        ),
    )
    .field("subject", label);
    let mut memory = Vec::new();
    for (o, outcome) in problem.model.outcomes.iter().enumerate() {
        let density = &problem.form.densities[o];
        let mut roots = vec![density.log_density];
        roots.extend(density.prediction);
        roots.extend(density.sd);
        let program = ScalarProgram::new(&problem.form.graph, &roots);
        let name = &problem.model.columns[outcome.column as usize].name;
        for row in &records.rows[subject] {
            if records.columns[outcome.column as usize][*row].is_nan() {
                continue;
            }
            let leaves = RowLeaves {
                joint,
                row: *row,
                points,
            };
            let values = program.evaluate(&problem.form.graph, &leaves, &mut memory);
            if values[0].is_finite() {
                continue;
            }
            let hint = match (density.prediction, density.sd) {
                (Some(_), Some(_)) if values[2] == 0.0 => format!(
                    "The prediction there is {}, and the residual SD 0: a proportional error needs predictions other \
                     than zero. Use add_prop(a, b), or leave the row out.",
                    values[1]
                ),
                (Some(_), _) => format!(
                    "The prediction there is {}: change the starting values, or leave the row out.",
                    values[1]
                ),
                _ => "Change the starting values, or leave the row out.".into(),
            };
            return error
                .at(format!("row {}, `{name}`: {}", row + 1, outcome.text))
                .field("row", row + 1)
                .field("column", name)
                .hint(hint);
        }
    }
    error.hint("Change the starting values.")
}
