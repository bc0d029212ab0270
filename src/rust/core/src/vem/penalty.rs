//! Give parameters a normal prior around zero on the transformed scale.

use super::options::VemOptions;
use crate::error::{Error, ErrorClass, Result};
use crate::language::words;
use crate::problem::Joint;

/// Precision of the prior of each free coordinate.
///
/// # Errors
/// A name that is no parameter.
pub fn of(joint: &Joint, options: &VemOptions, free: &[usize]) -> Result<Vec<f64>> {
    let base = &joint.theta.base;
    for (name, _) in &options.penalty {
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
        let own = options.penalty.iter().find(|(name, _)| *name == base[*k]);
        own.map_or(0.0, |(_, lambda)| *lambda)
    };
    Ok(free.iter().map(of).collect())
}
