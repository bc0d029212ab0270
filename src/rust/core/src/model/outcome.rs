//! Compile an outcome: its family, the arguments and the column that holds its values.

use super::arguments::arranged;
use super::censored::{censored, parts, refuse};
use super::random::{arguments, family};
use super::scope::Scope;
use super::spread::spread;
use super::value::ShapedValue;
use super::{sequence, serial, ModelOutcome, Support};
use crate::distributions::transformed::{self, NormalScale};
use crate::distributions::{
    lognormal, normal, Family, FamilyForm, GaussianSpread, On, OutcomeDensity,
};
use crate::error::{Error, Result};
use crate::ir::graph::Node;
use crate::language::expression::Expression;

/// Compile `column ~ dist`; `text` is the statement, quoted in errors.
///
/// # Errors
/// Unknown family, wrong arguments or shapes, bounds of a family that cannot be censored.
pub fn outcome(
    scope: &mut Scope,
    column: &str,
    dist: &Expression,
    text: &str,
) -> Result<ModelOutcome> {
    family(dist, |_| true)?;
    let (dist, bounds) = parts(dist)?;
    let family = family(dist, |_| true)?;
    let name = family.name;
    match family.form {
        FamilyForm::Chain { hidden, continuous } => {
            refuse(name, bounds)?;
            let kind = sequence::ChainKind { hidden, continuous };
            return sequence::outcome(scope, column, (family, kind), dist, text);
        }
        FamilyForm::Serial => {
            refuse(name, bounds)?;
            return serial::outcome(scope, column, family, dist, text);
        }
        FamilyForm::Joint => return Err(alone(column)),
        FamilyForm::Censored => return Err(no_family(name)),
        _ => {}
    }
    let (index, y) = scope.column(column, text);
    let (support, density) = match family.form {
        FamilyForm::Normal(On::Other(scale)) => on_scale(scope, (family, scale), dist, y, text)?,
        FamilyForm::Normal(on) => {
            let (mean, spread) = gaussian(scope, family, dist, text)?;
            let write = match on {
                On::Log => lognormal::density,
                _ => normal::density,
            };
            (family.support, write(&mut scope.graph, y, mean, spread))
        }
        FamilyForm::Categories(more, write) => {
            let (first, nodes) = vector(scope, dist, family.arguments, text)?;
            let density = write(&mut scope.graph, y, first, &nodes);
            (Support::Category(count(nodes.len() + more)), density)
        }
        FamilyForm::Event => (family.support, scope.event(dist, (index, y), text)?),
        FamilyForm::Scalars(write) => {
            let values = scalars(scope, family, dist, text)?;
            (family.support, write(&mut scope.graph, y, &values))
        }
        _ => (family.support, custom(scope, family, dist, text)?),
    };
    let mut outcome = ModelOutcome {
        column: index,
        family,
        support,
        density,
        censored: false,
        mixed: false,
        chain: None,
        together: None,
        text: text.to_string(),
    };
    censored(scope, &mut outcome, y, bounds)?;
    Ok(outcome)
}

fn no_family(name: &str) -> Error {
    Error::model(
        "not_a_distribution",
        format!("`{name}()` is no family of outcomes by itself."),
    )
}

fn alone(column: &str) -> Error {
    let problem =
        format!("`mvnormal()` is a distribution of several outcomes, and `{column}` is one.");
    Error::model("not_joint", problem).hint(format!(
        "Write `c({column}, ...) ~ mvnormal(c(...), Sigma)`, or `{column} ~ normal(f, sd)`."
    ))
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn gaussian(
    scope: &mut Scope,
    family: &Family,
    dist: &Expression,
    text: &str,
) -> Result<(Node, GaussianSpread)> {
    let args = arguments(dist, family.arguments)?;
    let mean = scope.scalar(args[0], text)?;
    let spread = spread(scope, args[1], mean, text)?;
    Ok((mean, spread))
}

/// A family that is normal on another scale: its median, the spread there, and what the scale depends on.
fn on_scale(
    scope: &mut Scope,
    (family, scale): (&Family, fn(&[Node]) -> NormalScale),
    dist: &Expression,
    y: Node,
    text: &str,
) -> Result<(Support, OutcomeDensity)> {
    let Expression::Call { args, names, .. } = dist else {
        return Err(incomplete(family));
    };
    let slots = arranged(family.name, args, names, family.arguments)?;
    let [Some(median), Some(sd), more @ ..] = slots.as_slice() else {
        return Err(incomplete(family));
    };
    let median = scope.scalar(median, text)?;
    let spread = spread(scope, sd, median, text)?;
    let mut nodes = Vec::new();
    for (k, argument) in more.iter().enumerate() {
        nodes.push(match (argument, family.defaults.get(k)) {
            (Some(argument), _) => scope.scalar(argument, text)?,
            (None, Some(default)) => scope.graph.constant(*default),
            (None, None) => return Err(incomplete(family)),
        });
    }
    let g = &mut scope.graph;
    let constants: Vec<Option<f64>> = nodes.iter().map(|n| g.as_constant(*n)).collect();
    let support = match (family.support, constants.as_slice()) {
        (Support::Between(..), [Some(lower), Some(upper)]) if lower >= upper => {
            let problem = format!("The lower bound {lower} is not below the upper bound {upper}.");
            return Err(Error::model("bounds_out_of_order", problem));
        }
        (Support::Between(..), [Some(lower), Some(upper)]) => Support::Between(*lower, *upper),
        (Support::Between(..), _) => Support::Real,
        (support, _) => support,
    };
    let density = transformed::density(g, y, median, spread, (scale(&nodes), &nodes));
    Ok((support, density))
}

fn incomplete(family: &Family) -> Error {
    let wanted = family.arguments.join(", ");
    let (needs, example) = match family.defaults {
        [] => (format!("3 arguments: {wanted}"), "lambda"),
        _ => (
            format!("a median and an SD; its bounds are 0 and 1 unless given: {wanted}"),
            "lower = 0, upper = 100",
        ),
    };
    Error::model("argument_count", format!("`{family}()` takes {needs}."))
        .hint(format!("Write `y ~ {family}(f, sigma, {example})`."))
}

fn scalars(scope: &mut Scope, family: &Family, dist: &Expression, text: &str) -> Result<Vec<Node>> {
    let args = arguments(dist, family.arguments)?.into_iter();
    args.map(|arg| scope.scalar(arg, text)).collect()
}

/// The last argument, a vector of what separates the categories, and the scalar before it (the first element itself
/// where there is none).
fn vector(
    scope: &mut Scope,
    dist: &Expression,
    wanted: &[&str],
    text: &str,
) -> Result<(Node, Vec<Node>)> {
    let args = arguments(dist, wanted)?;
    let (last, first) = (args[args.len() - 1], args[0]);
    let nodes = match scope.value(last, text)? {
        ShapedValue::Scalar(node) if args.len() == 2 => vec![node],
        ShapedValue::Vector(nodes) if nodes.len() + args.len() >= 3 => nodes,
        other => {
            return Err(Error::model(
                "wrong_shape",
                format!(
                    "`{}` is {}, a vector is needed.",
                    last.show(),
                    other.shape()
                ),
            )
            .hint("Write one element a category with c(), or one a boundary between categories."))
        }
    };
    let before = if args.len() == 2 {
        scope.scalar(first, text)?
    } else {
        nodes[0]
    };
    Ok((before, nodes))
}

fn custom(
    scope: &mut Scope,
    family: &Family,
    dist: &Expression,
    text: &str,
) -> Result<OutcomeDensity> {
    Ok(OutcomeDensity {
        log_density: scalars(scope, family, dist, text)?[0],
        prediction: None,
        sd: None,
        information: None,
        arguments: Vec::new(),
    })
}
