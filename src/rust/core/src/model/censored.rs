//! Compile what is censored: `censored(dist, lower, upper)`, or what the data say.

use super::scope::Scope;
use super::{ColumnSource, ModelOutcome, Support};
use crate::distributions::{censoring, FAMILIES};
use crate::error::{Error, Result};
use crate::ir::graph::Node;
use crate::language::expression::Expression;

/// The bounds of `censored()`; `None` is no bound.
#[derive(Debug, Clone, Copy, Default)]
pub struct CensoringBounds<'a> {
    lower: Option<&'a Expression>,
    upper: Option<&'a Expression>,
}

/// The distribution inside `censored()` and its bounds; any other distribution as it is.
///
/// # Errors
/// Unknown, missing or superfluous arguments.
pub fn parts(dist: &Expression) -> Result<(&Expression, Option<CensoringBounds<'_>>)> {
    let Expression::Call { call, args, names } = dist else {
        return Ok((dist, None));
    };
    if call != "censored" {
        return Ok((dist, None));
    }
    const WANTED: [&str; 3] = ["dist", "lower", "upper"];
    let mut found: [Option<&Expression>; 3] = [None; 3];
    let name = |i: usize| names.get(i).map_or("", String::as_str);
    for (i, arg) in args
        .iter()
        .enumerate()
        .filter(|(i, _)| !name(*i).is_empty())
    {
        let Some(k) = WANTED.iter().position(|w| *w == name(i)) else {
            return Err(Error::model(
                "unknown_argument",
                format!("`censored()` has no argument `{}`.", name(i)),
            )
            .hint("Its arguments are dist, lower, upper."));
        };
        found[k] = Some(arg);
    }
    for (_, arg) in args.iter().enumerate().filter(|(i, _)| name(*i).is_empty()) {
        if let Some(slot) = found.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(arg);
        }
    }
    match found {
        [Some(inner), lower, upper] if args.len() <= 3 && args.len() >= 2 => {
            Ok((inner, Some(CensoringBounds { lower, upper })))
        }
        _ => Err(Error::model(
            "argument_count",
            "`censored()` takes a distribution and one or two bounds: dist, lower, upper.",
        )
        .hint("Write censored(normal(f, sigma), lower = 0.1).")),
    }
}

/// Replace the density of `outcome`, whose values are `y`, by that of a censored one.
///
/// # Errors
/// A family without a distribution function, bounds in the wrong order.
pub fn censored(
    scope: &mut Scope,
    outcome: &mut ModelOutcome,
    y: Node,
    bounds: Option<CensoringBounds<'_>>,
) -> Result<()> {
    let known = outcome.family.tails.is_some();
    match bounds {
        Some(bounds) if known => at_bounds(scope, outcome, y, bounds),
        Some(_) => Err(no_distribution_function(outcome.family.name)),
        None if known && scope.censoring => {
            by_data(scope, outcome, y);
            Ok(())
        }
        None => Ok(()),
    }
}

/// Bounds around a chain of outcomes, which has no distribution function of a single value.
///
/// # Errors
/// Whenever there are bounds.
pub fn refuse(family: &str, bounds: Option<CensoringBounds<'_>>) -> Result<()> {
    if bounds.is_none() {
        return Ok(());
    }
    Err(no_distribution_function(family)
        .hint("Censor the emissions: hmm(transition, list(censored(...), ...), initial)."))
}

fn no_distribution_function(family: &str) -> Error {
    let known = FAMILIES.iter().filter(|family| family.tails.is_some());
    let names: Vec<&str> = known.map(|family| family.name).collect();
    Error::model(
        "no_distribution_function",
        format!("`{family}()` has no distribution function here, which censoring needs."),
    )
    .field("name", family)
    .hint(format!(
        "Families that can be censored: {}.",
        names.join(", ")
    ))
}

fn at_bounds(
    scope: &mut Scope,
    outcome: &mut ModelOutcome,
    y: Node,
    bounds: CensoringBounds<'_>,
) -> Result<()> {
    let text = outcome.text.clone();
    let mut bound = |x: Option<&Expression>| x.map(|x| scope.scalar(x, &text)).transpose();
    let (lower, upper) = (bound(bounds.lower)?, bound(bounds.upper)?);
    let constant = |x: Option<Node>| x.and_then(|x| scope.graph.as_constant(x));
    if let (Some(a), Some(b)) = (constant(lower), constant(upper)) {
        if a >= b {
            return Err(Error::model(
                "bounds_out_of_order",
                format!("The lower bound {a} is not below the upper bound {b}."),
            ));
        }
    }
    let (g, inner) = (&mut scope.graph, outcome.density.clone());
    let density = censoring::at_bounds(g, outcome.family, y, inner, (lower, upper));
    outcome.density = density.ok_or_else(|| no_distribution_function(outcome.family.name))?;
    outcome.censored = true;
    if lower.is_some() {
        // What lies at or below the lower bound is not looked at.
        outcome.support = Support::Real;
    }
    Ok(())
}

fn by_data(scope: &mut Scope, outcome: &mut ModelOutcome, y: Node) {
    let (_, kind) = scope.sourced(".cens", ColumnSource::Censoring, &outcome.text);
    let (_, limit) = scope.sourced(".limit", ColumnSource::Limit, &outcome.text);
    let (g, inner) = (&mut scope.graph, outcome.density.clone());
    let positive = matches!(outcome.support, Support::Positive | Support::NonNegative);
    let density = censoring::by_data(g, outcome.family, [y, kind, limit], inner, positive);
    if let Some(density) = density {
        outcome.density = density;
        outcome.censored = true;
    }
}
