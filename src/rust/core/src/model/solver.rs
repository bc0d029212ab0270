//! Check the options of the differential equations and complete them with their defaults.

use crate::error::{Error, ErrorClass, Result};
use crate::language::specification::OdeControl;
use crate::language::words;
use crate::ode::{Control, Solver};

const SOLVERS: [(&str, Solver); 3] = [
    ("auto", Solver::Auto),
    ("explicit", Solver::Explicit),
    ("stiff", Solver::Stiff),
];

/// The options with the defaults of those left out. `needed`: whether there are equations at all.
///
/// # Errors
/// A value out of range, an unknown solver, options of equations that are not there.
pub fn control(options: &OdeControl, needed: bool) -> Result<Control> {
    if !needed {
        return match given(options) {
            None => Ok(Control::default()),
            Some(name) => Err(idle(name)),
        };
    }
    let usual = Control::default();
    Ok(Control {
        solver: solver(options.solver.as_deref())?.unwrap_or(usual.solver),
        rtol: tolerance("rtol", options.rtol)?.unwrap_or(usual.rtol),
        atol: tolerance("atol", options.atol)?.unwrap_or(usual.atol),
        max_steps: steps("max_steps", options.max_steps)?.unwrap_or(usual.max_steps),
        stiff_after: steps("stiff_after", options.stiff_after)?.unwrap_or(usual.stiff_after),
        linear: options.linear.unwrap_or(usual.linear),
        max_forward: options.max_forward.unwrap_or(usual.max_forward),
    })
}

/// The first option that was given.
fn given(options: &OdeControl) -> Option<&'static str> {
    let list = [
        ("solver", options.solver.is_some()),
        ("rtol", options.rtol.is_some()),
        ("atol", options.atol.is_some()),
        ("max_steps", options.max_steps.is_some()),
        ("stiff_after", options.stiff_after.is_some()),
        ("linear", options.linear.is_some()),
        ("max_forward", options.max_forward.is_some()),
    ];
    list.iter()
        .find(|(_, is_given)| *is_given)
        .map(|(name, _)| *name)
}

fn idle(name: &str) -> Error {
    Error::new(
        ErrorClass::Option,
        "idle_option",
        format!("`{name}` has no effect here: the model has no differential equations."),
    )
    .at("ode_control()")
    .field("name", name)
    .hint("Leave ode_control() out, or write an equation such as `d/dt(x) <- -k * x`.")
}

fn bad(name: &str, value: impl ToString, wanted: &str) -> Error {
    Error::new(
        ErrorClass::Option,
        "bad_option",
        format!("`{name}` must be {wanted}."),
    )
    .at(format!("ode_control({name} = {})", value.to_string()))
    .field("name", name)
    .field("value", value)
}

fn solver(name: Option<&str>) -> Result<Option<Solver>> {
    let Some(name) = name else {
        return Ok(None);
    };
    let known = SOLVERS.iter().find(|(word, _)| *word == name);
    let words = SOLVERS.iter().map(|(word, _)| *word);
    known.map(|(_, solver)| Some(*solver)).ok_or_else(|| {
        bad("solver", name, "the name of a solver").hint(words::suggestion(name, "Solvers", words))
    })
}

fn tolerance(name: &str, value: Option<f64>) -> Result<Option<f64>> {
    match value {
        Some(x) if !(x > 0.0 && x < 1.0) => Err(bad(name, x, "a number between 0 and 1")),
        other => Ok(other),
    }
}

fn steps(name: &str, value: Option<usize>) -> Result<Option<usize>> {
    match value {
        Some(0) => Err(bad(name, 0, "a whole number of at least 1")),
        other => Ok(other),
    }
}
