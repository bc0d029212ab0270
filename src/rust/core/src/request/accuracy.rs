//! Ask of a fit whether its differential equations were solved precisely enough for its likelihood.
//!
//! A tolerance that suits amounts does not suit a concentration of a millionth of it under a proportional error, whose
//! likelihood asks for its logarithm. What smaller tolerances change at the estimates tells.

use crate::data::Frame;
use crate::error::Result;
use crate::fitted::Fit;
use crate::inference::joint::log_density;
use crate::model::Model;
use crate::ode::Control;
use crate::problem::{Given, Joint, Means, Points};

/// Tolerances of the comparison, as parts of those of the fit.
const RELATIVE: f64 = 1e-2;
const ABSOLUTE: f64 = 1e-4;

/// Change of the log density that asks for smaller tolerances: in all, and before a fit, far from the data, as a part of it.
const CHANGE: f64 = 0.02;
const PART: f64 = 1e-4;

/// How often tolerances are made smaller before a fit.
const TIMES: usize = 2;

/// How much the log density of data and effects changes at the estimates and conditional means of the effects when the
/// equations are solved to smaller tolerances; `None` where they are solved in closed form or the fit has no numbers.
///
/// # Errors
/// None but those of a problem that was built before.
pub fn change(
    (model, frame, given): (&Model, &Frame, &Given),
    problem: &Joint,
    fit: &Fit,
) -> Result<Option<f64>> {
    let stepped = problem.main().solution_error() > 0.0;
    if !stepped || !fit.theta.iter().all(|x| x.is_finite()) {
        return Ok(None);
    }
    let finer = Joint::new(&finer(model), frame, given)?;
    let points = problem.points(fit.cond_mean.clone());
    let change = total(&finer, &fit.theta, &points)? - total(problem, &fit.theta, &points)?;
    Ok(change.is_finite().then_some(change))
}

/// A problem with tolerances that suffice at its starting values and the means of its effects, where those of the model
/// plainly do not: a fit would climb errors of the solver. The model gets them, too.
///
/// # Errors
/// A population distribution that does not exist.
pub fn at_start(
    (model, frame, given): (&mut Model, &Frame, &Given),
    mut problem: Joint,
) -> Result<Joint> {
    for _ in 0..TIMES {
        if problem.main().solution_error() <= 0.0 {
            break;
        }
        let theta = &problem.theta.start;
        let each = problem.parts.iter();
        let means = each.map(|part| Means::new(part, &part.layout(1), theta).values);
        let points = problem.points(means.collect());
        let precise = finer(model);
        let finer = Joint::new(&precise, frame, given)?;
        let (now, then) = (
            total(&problem, theta, &points)?,
            total(&finer, theta, &points)?,
        );
        let change = (then - now).abs();
        if change.is_nan() || change <= CHANGE.max(PART * then.abs()) {
            break;
        }
        *model = precise;
        problem = finer;
    }
    Ok(problem)
}

/// The tolerances that a fit wants whose log density changes so; `None` where its own suffice.
pub fn wanted(control: &Control, change: f64) -> Option<(f64, f64)> {
    let (rtol, atol) = (RELATIVE * control.rtol, ABSOLUTE * control.atol);
    (change.abs() > CHANGE).then_some((rtol, atol))
}

fn finer(model: &Model) -> Model {
    let mut finer = model.clone();
    finer.control.rtol *= RELATIVE;
    finer.control.atol *= ABSOLUTE;
    finer
}

fn total(joint: &Joint, theta: &[f64], points: &Points) -> Result<f64> {
    Ok(log_density(joint, theta, points)?.iter().sum())
}
