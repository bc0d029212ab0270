//! Give parameters a normal prior around zero on the transformed scale.

use crate::error::{Error, ErrorClass, Result};
use crate::language::words;
use crate::problem::{Joint, Route};

/// Precision of the prior of each of some coordinates, by the precisions that parameters are given.
///
/// # Errors
/// A name that is no parameter.
pub fn of(joint: &Joint, given: &[(String, f64)], coordinates: &[usize]) -> Result<Vec<f64>> {
    let base = &joint.theta.base;
    for (name, _) in given {
        if !base.contains(name) {
            let mut known: Vec<&str> = base.iter().map(String::as_str).collect();
            known.dedup();
            return Err(Error::new(
                ErrorClass::Option,
                "unknown_parameter",
                format!("`penalty` names `{name}`, which is not a parameter."),
            )
            .at("`penalty`")
            .field("name", name)
            .hint(words::suggestion(name, "Its parameters are", known)));
        }
    }
    let of = |k: &usize| {
        let own = given.iter().find(|(name, _)| *name == base[*k]);
        own.map_or(0.0, |(_, lambda)| *lambda)
    };
    Ok(coordinates.iter().map(of).collect())
}

/// Refuse a penalty on a parameter whose updates have no room for one.
///
/// # Errors
/// A parameter that does not follow gradients.
pub fn expect_trained(joint: &Joint, given: &[(String, f64)]) -> Result<()> {
    let trained = |name: &String| {
        let own = |k: &usize| joint.theta.base[*k] == *name;
        (0..joint.theta.len())
            .filter(own)
            .all(|k| matches!(joint.theta.routes[k], Route::Gradient | Route::Fixed))
    };
    let Some((name, _)) = given.iter().find(|(name, _)| !trained(name)) else {
        return Ok(());
    };
    Err(Error::new(
        ErrorClass::Option,
        "penalty_not_trained",
        format!("`penalty` names `{name}`, which SAEM does not move along gradients."),
    )
    .at("`penalty`")
    .field("name", name)
    .hint("saem() penalizes weights of networks, soft trees and planar flows; vem() penalizes any parameter."))
}
