//! Compile residual errors: a standard deviation, or how it grows with the size of the prediction `f`.
//!
//! | shorthand | SD |
//! |---|---|
//! | `add(a)` | `a` |
//! | `prop(b)` | `b abs(f)` |
//! | `pow(b, c)` | `b abs(f)^c` |
//! | `add_prop(a, b)` | `sqrt(a^2 + b^2 f^2)` |
//! | `add_prop_sd(a, b)` | `a + b abs(f)` |
//! | `add_pow(a, b, c)` | `sqrt(a^2 + b^2 abs(f)^(2 c))` |
//! | `add_pow_sd(a, b, c)` | `a + b abs(f)^c` |

use super::random::arguments;
use super::scope::Scope;
use crate::distributions::GaussianSpread;
use crate::error::Result;
use crate::ir::graph::{Graph, Node};
use crate::ir::op::{Binary, Unary};
use crate::language::expression::Expression;
use crate::language::words;

/// The spread of a family that is normal on some scale, about the prediction `mean`.
///
/// # Errors
/// Wrong arguments of a shorthand, and those of its expressions.
pub fn spread(
    scope: &mut Scope,
    arg: &Expression,
    mean: Node,
    text: &str,
) -> Result<GaussianSpread> {
    let shorthand = match arg {
        Expression::Call { call, .. } => words::ERROR_MODELS.iter().find(|w| *w == call).copied(),
        _ => None,
    };
    let Some(shorthand) = shorthand else {
        return Ok(GaussianSpread::Sd(scope.scalar(arg, text)?));
    };
    let wanted: &[&str] = match shorthand {
        "add" => &["a"],
        "prop" => &["b"],
        "pow" => &["b", "c"],
        "add_pow" | "add_pow_sd" => &["a", "b", "c"],
        _ => &["a", "b"],
    };
    let mut values = Vec::new();
    for arg in arguments(arg, wanted)? {
        values.push(scope.scalar(arg, text)?);
    }
    let g = &mut scope.graph;
    let size = g.unary(Unary::Abs, mean);
    Ok(match (shorthand, values.as_slice()) {
        ("prop", [b]) => GaussianSpread::Sd(g.mul(*b, size)),
        ("pow", [b, c]) => {
            let grown = power(g, size, *c);
            GaussianSpread::Sd(g.mul(*b, grown))
        }
        ("add_prop", [a, b]) => {
            let (b2, f2) = (g.square(*b), g.square(mean));
            variances(g, *a, b2, f2)
        }
        ("add_pow", [a, b, c]) => {
            let grown = power(g, size, *c);
            let (b2, f2) = (g.square(*b), g.square(grown));
            variances(g, *a, b2, f2)
        }
        ("add_prop_sd", [a, b]) => {
            let proportional = g.mul(*b, size);
            GaussianSpread::Sd(g.add(*a, proportional))
        }
        ("add_pow_sd", [a, b, c]) => {
            let grown = power(g, size, *c);
            let part = g.mul(*b, grown);
            GaussianSpread::Sd(g.add(*a, part))
        }
        _ => GaussianSpread::Sd(values[0]),
    })
}

/// `a^2 + b^2 f^2`
fn variances(g: &mut Graph, a: Node, b2: Node, f2: Node) -> GaussianSpread {
    let a2 = g.square(a);
    let part = g.mul(b2, f2);
    GaussianSpread::Variance(g.binary(Binary::Add, a2, part))
}

/// `size^c`, 0 at a size of 0, where the slope of a power below 1 would be infinite.
fn power(g: &mut Graph, size: Node, c: Node) -> Node {
    if g.as_constant(c) == Some(1.0) {
        return size;
    }
    let (zero, one) = (g.constant(0.0), g.constant(1.0));
    let apart = g.select(size, size, one);
    let power = g.binary(Binary::Pow, apart, c);
    g.select(size, power, zero)
}
