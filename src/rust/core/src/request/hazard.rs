//! Ask whether hazards without a closed form are integrated precisely enough: what a rule of twice the panels changes.

use super::{count, list};
use crate::error::Result;
use crate::inference::precision;
use crate::language::specification::Specification;
use crate::model::{compile, Model};
use crate::problem::{EffectValues, Joint};
use crate::reply::ReplyValue;

/// More panels than this are no help.
const MOST: usize = 16;

/// How finely intervals are divided.
#[derive(Debug, Clone, Copy)]
pub struct Panels(usize);

/// The model with intervals divided so finely.
fn divided(specification: &Specification, panels: usize) -> Result<Model> {
    compile(&Specification {
        hazard_panels: panels,
        ..specification.clone()
    })
}

/// The problem with a rule that suffices at its starting values; `None`: there is no hazard that needs one.
///
/// # Errors
/// Those of the problem.
pub fn at_start(
    specification: &Specification,
    mut problem: Joint,
    make: &dyn Fn(&Model) -> Result<Joint>,
) -> Result<(Joint, Option<Panels>)> {
    if !problem.model().ruled {
        return Ok((problem, None));
    }
    let mut panels = specification.hazard_panels.max(1);
    while panels < MOST {
        let finer = make(&divided(specification, 2 * panels)?)?;
        if !precision::differ_at_start(&problem, &finer)? {
            break;
        }
        (problem, panels) = (finer, 2 * panels);
    }
    Ok((problem, Some(Panels(panels))))
}

/// The panels of a fit, what twice as many change at its estimates, and how many are wanted where that matters.
///
/// # Errors
/// Those of the problem.
pub fn accuracy(
    specification: &Specification,
    problem: &Joint,
    panels: Option<Panels>,
    (theta, points): (&[f64], &EffectValues),
    make: &dyn Fn(&Model) -> Result<Joint>,
) -> Result<Option<ReplyValue>> {
    let Some(Panels(panels)) = panels else {
        return Ok(None);
    };
    let finer = make(&divided(specification, 2 * panels)?)?;
    let change = precision::between(problem, &finer, theta, points)?.unwrap_or(0.0);
    let wanted = precision::matters(change).then_some((2 * panels) as f64);
    let wanted = wanted.filter(|panels| *panels <= MOST as f64);
    Ok(Some(list(vec![
        ("panels", count(panels)),
        ("change", ReplyValue::Number(change)),
        (
            "doubtful",
            ReplyValue::Flags(vec![precision::matters(change)]),
        ),
        ("wanted", ReplyValue::Numbers(wanted.into_iter().collect())),
    ])))
}
