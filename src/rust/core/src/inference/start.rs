//! Check that every observation can have a density at the starting values.

use nalgebra::DMatrix;

use crate::error::{Error, ErrorClass, Result};
use crate::ir::column::{Column, LANES};
use crate::ir::program::ValueProgram;
use crate::problem::{Evaluator, Joint};

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
    joint.priors(theta).map_err(|_| covariance_error())?;
    let (problem, points) = (joint.main(), joint.typical(theta));
    let layout = problem.layout(1);
    let known = joint.known(problem, &layout, &points);
    let at = Evaluator::new(problem, &layout, theta)?.given(known);
    let mut work = Vec::new();
    for (b, block) in layout.blocks.iter().enumerate() {
        let mut sound = [false; LANES];
        for phi in candidates(at.mean(b), &at.prior().omega) {
            let log_lik = at.values().log_lik(b, &phi, &mut work);
            for (sound, value) in sound.iter_mut().zip(log_lik.0) {
                *sound |= value.is_finite();
            }
        }
        if let Some(l) = (0..block.lanes.len()).find(|l| !sound[*l]) {
            let place = SubjectAtStart {
                joint,
                at: &at,
                block: b,
                lane: l,
            };
            return Err(place.error());
        }
    }
    if let Some(dynamics) = &problem.form.dynamics {
        dynamics.settle();
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

/// Where a subject stands while its observations are looked at one by one.
struct SubjectAtStart<'p, 'a> {
    joint: &'a Joint,
    at: &'p Evaluator<'a>,
    block: usize,
    lane: usize,
}

impl<'a> SubjectAtStart<'_, 'a> {
    /// Row roots of a program at the rows of the subject: `[root][row]`.
    fn rows(&self, program: &'a ValueProgram) -> Vec<Vec<f64>> {
        let (values, mean) = (self.at.bind(program), self.at.mean(self.block));
        let mut found = vec![Vec::new(); program.row_roots.len()];
        values.rows(self.block, mean, &mut Vec::new(), |_, root, column| {
            found[root].push(column.0[self.lane]);
        });
        found
    }

    /// For each outcome its predictions and residual SDs, where it has them.
    fn predictions(&self) -> Vec<[Option<Vec<f64>>; 2]> {
        let programs = &self.joint.main().programs;
        let mut found = self.rows(&programs.prediction).into_iter();
        let mut take = |has: bool| has.then(|| found.next()).flatten();
        let each = programs.predicted.iter();
        each.map(|has| {
            let both = [take(has.value), take(has.sd)];
            take(has.weighted);
            both
        })
        .collect()
    }

    /// Name the first observation of the subject without a density at its mean.
    fn error(&self) -> Error {
        let problem = self.joint.main();
        let records = &problem.records;
        let subject = self.at.layout.blocks[self.block].lanes[self.lane].subject as usize;
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
        let (terms, predictions) = (self.rows(&problem.programs.terms), self.predictions());
        for (o, outcome) in problem.model.outcomes.iter().enumerate() {
            let column = outcome.column as usize;
            let name = &problem.model.columns[column].name;
            for (j, row) in self.at.layout.rows[subject].iter().enumerate() {
                if records.columns[column][*row].is_nan() || terms[o][j].is_finite() {
                    continue;
                }
                let [mean, sd] = predictions[o].each_ref().map(|p| p.as_ref().map(|p| p[j]));
                return error
                    .at(format!("row {}, `{name}`: {}", row + 1, outcome.text))
                    .field("row", row + 1)
                    .field("column", name)
                    .hint(self.hint(mean, sd));
            }
        }
        error.hint("Change the starting values.")
    }

    fn hint(&self, mean: Option<f64>, sd: Option<f64>) -> String {
        let dynamics = self.joint.main().form.dynamics.as_ref();
        let failed = dynamics.map(|d| d.counts().failed()).unwrap_or_default();
        match (mean, sd) {
            (Some(mean), Some(0.0)) => format!(
                "The prediction there is {mean}, and the residual SD 0: a proportional error needs predictions other \
                 than zero. Use add_prop(a, b), or leave the row out."
            ),
            (Some(mean), _) if mean.is_nan() && !failed.is_empty() => format!(
                "The differential equations have no solution there ({}): change the starting values, or see ode_control().",
                failed[0].0
            ),
            (Some(mean), _) => {
                format!("The prediction there is {mean}: change the starting values, or leave the row out.")
            }
            _ => "Change the starting values, or leave the row out.".into(),
        }
    }
}
