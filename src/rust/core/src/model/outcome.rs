//! Compile an outcome: its family, the arguments and the column that holds its values.

use super::random::{arguments, family};
use super::scope::Scope;
use super::{sequence, Outcome, Support};
use crate::distributions::{bernoulli, lognormal, normal, poisson, Density, Spread};
use crate::error::Result;
use crate::ir::graph::Node;
use crate::ir::op::{Binary, Unary};
use crate::language::expression::Expression;
use crate::language::words;

/// Compile `column ~ dist`; `text` is the statement, quoted in errors.
///
/// # Errors
/// Unknown family, wrong arguments or shapes.
pub fn outcome(scope: &mut Scope, column: &str, dist: &Expression, text: &str) -> Result<Outcome> {
    let family = family(dist, &words::OUTCOME_FAMILIES)?;
    if let Some(kind) = sequence::Kind::of(family) {
        return sequence::outcome(scope, column, kind, dist, text);
    }
    let (index, y) = scope.column(column, text);
    let (support, density) = density(scope, family, dist, y, text)?;
    Ok(Outcome {
        column: index,
        family: family.to_string(),
        support,
        density,
        text: text.to_string(),
    })
}

/// The density of `y` under a call of one of the families that look at one row.
///
/// # Errors
/// Wrong arguments or shapes.
pub fn density(
    scope: &mut Scope,
    family: &str,
    dist: &Expression,
    y: Node,
    text: &str,
) -> Result<(Support, Density)> {
    Ok(match family {
        "normal" => {
            let args = arguments(dist, &["mean", "sd"])?;
            let mean = scope.scalar(args[0], text)?;
            let spread = spread(scope, args[1], mean, text)?;
            (
                Support::Real,
                normal::density(&mut scope.graph, y, mean, spread),
            )
        }
        "lognormal" => {
            let args = arguments(dist, &["meanlog", "sdlog"])?;
            let meanlog = scope.scalar(args[0], text)?;
            let spread = spread(scope, args[1], meanlog, text)?;
            (
                Support::Positive,
                lognormal::density(&mut scope.graph, y, meanlog, spread),
            )
        }
        "bernoulli" => {
            let prob = scope.scalar(arguments(dist, &["prob"])?[0], text)?;
            (
                Support::ZeroOne,
                bernoulli::density(&mut scope.graph, y, prob),
            )
        }
        "poisson" => {
            let rate = scope.scalar(arguments(dist, &["rate"])?[0], text)?;
            (Support::Count, poisson::density(&mut scope.graph, y, rate))
        }
        _ => {
            let log_density = scope.scalar(arguments(dist, &["log_density"])?[0], text)?;
            let density = Density {
                log_density,
                prediction: None,
                sd: None,
                information: None,
            };
            (Support::Real, density)
        }
    })
}

/// The second argument of a Gaussian family: a standard deviation or a residual-error shorthand.
fn spread(scope: &mut Scope, arg: &Expression, mean: Node, text: &str) -> Result<Spread> {
    let shorthand = match arg {
        Expression::Call { call, .. } => words::ERROR_MODELS.iter().find(|w| *w == call).copied(),
        _ => None,
    };
    let Some(shorthand) = shorthand else {
        return Ok(Spread::Sd(scope.scalar(arg, text)?));
    };
    let wanted: &[&str] = match shorthand {
        "add" => &["a"],
        "prop" => &["b"],
        _ => &["a", "b"],
    };
    let mut values = Vec::new();
    for arg in arguments(arg, wanted)? {
        values.push(scope.scalar(arg, text)?);
    }
    let g = &mut scope.graph;
    let size = g.unary(Unary::Abs, mean);
    Ok(match (shorthand, values.as_slice()) {
        ("prop", [b]) => Spread::Sd(g.mul(*b, size)),
        ("add_prop", [a, b]) => {
            let (a2, b2) = (g.square(*a), g.square(*b));
            let f2 = g.square(mean);
            let proportional = g.mul(b2, f2);
            Spread::Variance(g.binary(Binary::Add, a2, proportional))
        }
        ("add_prop_sd", [a, b]) => {
            let proportional = g.mul(*b, size);
            Spread::Sd(g.add(*a, proportional))
        }
        _ => Spread::Sd(values[0]),
    })
}
