//! Ask whether differential equations are solved precisely enough for a likelihood.
//!
//! A tolerance that suits amounts does not suit a concentration of a millionth of it under a proportional error, whose
//! likelihood asks for its logarithm. What smaller tolerances change tells.

use super::joint::log_density;
use crate::error::Result;
use crate::ode::Control;
use crate::problem::{EffectValues, Joint};

/// Tolerances of the comparison, as parts of the own.
const RELATIVE: f64 = 1e-2;
const ABSOLUTE: f64 = 1e-4;

/// Change of the log density that asks for smaller tolerances: in all, and before a fit, far from the data, as a part of it.
const CHANGE: f64 = 0.02;
const PART: f64 = 1e-4;

/// How often tolerances are made smaller before a fit.
const TIMES: usize = 2;

/// How much the log density of data and effects changes at `theta` and `points` when the equations are solved to smaller
/// tolerances; `None` where they are solved in closed form or there are no numbers.
///
/// # Errors
/// A population distribution that does not exist.
pub fn change(joint: &Joint, theta: &[f64], points: &EffectValues) -> Result<Option<f64>> {
    let stepped = joint.main().solution_error() > 0.0;
    if !stepped || !theta.iter().all(|x| x.is_finite()) {
        return Ok(None);
    }
    let change = total(&finer(joint), theta, points)? - total(joint, theta, points)?;
    Ok(change.is_finite().then_some(change))
}

/// How much it changes with another way of computing the same model.
///
/// # Errors
/// A population distribution that does not exist.
pub fn between(
    joint: &Joint,
    other: &Joint,
    theta: &[f64],
    points: &EffectValues,
) -> Result<Option<f64>> {
    if !theta.iter().all(|x| x.is_finite()) {
        return Ok(None);
    }
    let change = total(other, theta, points)? - total(joint, theta, points)?;
    Ok(change.is_finite().then_some(change))
}

/// Whether the log density at the starting values and the means of the effects changes plainly.
///
/// # Errors
/// A population distribution that does not exist.
pub fn differ_at_start(joint: &Joint, other: &Joint) -> Result<bool> {
    let (theta, points) = (&joint.theta.start, joint.typical(&joint.theta.start));
    let (now, then) = (total(joint, theta, &points)?, total(other, theta, &points)?);
    let change = (then - now).abs();
    Ok(!change.is_nan() && change > CHANGE.max(PART * then.abs()))
}

/// The problem with tolerances that suffice at its starting values and the means of its effects, where its own plainly
/// do not: a fit would climb errors of the solver.
///
/// # Errors
/// A population distribution that does not exist.
pub fn at_start(mut joint: Joint) -> Result<Joint> {
    for _ in 0..TIMES {
        if joint.main().solution_error() <= 0.0 {
            break;
        }
        let finer = finer(&joint);
        if !differ_at_start(&joint, &finer)? {
            break;
        }
        joint = finer;
    }
    Ok(joint)
}

/// Whether a change of the log density is one of the likelihood.
pub fn matters(change: f64) -> bool {
    change.abs() > CHANGE
}

/// The tolerances that a fit wants whose log density changes so; `None` where its own suffice.
pub fn wanted(control: &Control, change: f64) -> Option<(f64, f64)> {
    matters(change).then_some((RELATIVE * control.rtol, ABSOLUTE * control.atol))
}

fn finer(joint: &Joint) -> Joint {
    joint.solved_by(|control| {
        control.rtol *= RELATIVE;
        control.atol *= ABSOLUTE;
    })
}

fn total(joint: &Joint, theta: &[f64], points: &EffectValues) -> Result<f64> {
    Ok(log_density(joint, theta, points)?.iter().sum())
}
