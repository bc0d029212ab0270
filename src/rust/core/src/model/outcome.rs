//! Compile an outcome: its family, the arguments and the column that holds its values.

use super::arguments::arranged;
use super::censored::{censored, parts, refuse};
use super::random::{arguments, family};
use super::scope::Scope;
use super::spread::spread;
use super::value::Value;
use super::{sequence, serial, Outcome, Support};
use crate::distributions::{self, categorical, lognormal, normal, ordered, transformed, Density};
use crate::error::{Error, Result};
use crate::ir::graph::Node;
use crate::language::expression::Expression;
use crate::language::words;

/// Compile `column ~ dist`; `text` is the statement, quoted in errors.
///
/// # Errors
/// Unknown family, wrong arguments or shapes, bounds of a family that cannot be censored.
pub fn outcome(scope: &mut Scope, column: &str, dist: &Expression, text: &str) -> Result<Outcome> {
    family(dist, &words::OUTCOME_FAMILIES)?;
    let (dist, bounds) = parts(dist)?;
    let family = family(dist, &words::OUTCOME_FAMILIES)?;
    if let Some(kind) = sequence::Kind::of(family) {
        refuse(family, bounds)?;
        return sequence::outcome(scope, column, kind, dist, text);
    }
    if serial::WORDS.contains(&family) {
        refuse(family, bounds)?;
        return serial::outcome(scope, column, dist, text);
    }
    if family == "mvnormal" {
        return Err(alone(column));
    }
    let (index, y) = scope.column(column, text);
    let (support, density) = match family {
        "normal" | "lognormal" => gaussian(scope, family, dist, y, text)?,
        family if transformed::FAMILIES.contains(&family) => {
            on_scale(scope, family, dist, y, text)?
        }
        "categorical" => {
            let probs = vector(scope, dist, &["probs"], text)?;
            let density = categorical::density(&mut scope.graph, y, &probs.1);
            (Support::Category(count(probs.1.len())), density)
        }
        "ordered" => {
            let (eta, cuts) = vector(scope, dist, &["eta", "cutpoints"], text)?;
            let density = ordered::density(&mut scope.graph, y, eta, &cuts);
            (Support::Category(count(cuts.len() + 1)), density)
        }
        "event" => (Support::ZeroOne, scope.event(dist, (index, y), text)?),
        "custom" => (Support::Real, custom(scope, dist, text)?),
        _ => scalar(scope, family, dist, y, text)?,
    };
    let mut outcome = Outcome {
        column: index,
        family: family.to_string(),
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
    family: &str,
    dist: &Expression,
    y: Node,
    text: &str,
) -> Result<(Support, Density)> {
    let normal = family == "normal";
    let wanted: &[&str] = if normal {
        &["mean", "sd"]
    } else {
        &["meanlog", "sdlog"]
    };
    let args = arguments(dist, wanted)?;
    let mean = scope.scalar(args[0], text)?;
    let spread = spread(scope, args[1], mean, text)?;
    let g = &mut scope.graph;
    Ok(if normal {
        (Support::Real, normal::density(g, y, mean, spread))
    } else {
        (Support::Positive, lognormal::density(g, y, mean, spread))
    })
}

/// A family that is normal on another scale: its median, the spread there, and what the scale depends on.
fn on_scale(
    scope: &mut Scope,
    family: &str,
    dist: &Expression,
    y: Node,
    text: &str,
) -> Result<(Support, Density)> {
    let Expression::Call { args, names, .. } = dist else {
        return Err(incomplete(family));
    };
    let bounded = matches!(family, "logit_normal" | "probit_normal");
    let wanted: &[&str] = if bounded {
        &["median", "sd", "lower", "upper"]
    } else {
        &["median", "sd", "lambda"]
    };
    let slots = arranged(family, args, names, wanted)?;
    let [Some(median), Some(sd), more @ ..] = slots.as_slice() else {
        return Err(incomplete(family));
    };
    let median = scope.scalar(median, text)?;
    let spread = spread(scope, sd, median, text)?;
    let mut nodes = Vec::new();
    for (argument, default) in more.iter().zip([0.0, 1.0]) {
        nodes.push(match argument {
            Some(argument) => scope.scalar(argument, text)?,
            None if bounded => scope.graph.constant(default),
            None => return Err(incomplete(family)),
        });
    }
    let g = &mut scope.graph;
    let scale = transformed::Scale::of(family, &nodes).ok_or_else(|| incomplete(family))?;
    let constants: Vec<Option<f64>> = nodes.iter().map(|n| g.as_constant(*n)).collect();
    let support = match (family, constants.as_slice()) {
        (_, [Some(lower), Some(upper)]) if lower >= upper => {
            let problem = format!("The lower bound {lower} is not below the upper bound {upper}.");
            return Err(Error::model("bounds_out_of_order", problem));
        }
        (_, [Some(lower), Some(upper)]) => Support::Between(*lower, *upper),
        ("box_cox", _) => Support::Positive,
        _ => Support::Real,
    };
    let density = transformed::density(g, y, median, spread, (scale, &nodes));
    Ok((support, density))
}

fn incomplete(family: &str) -> Error {
    let (needs, example) = if matches!(family, "logit_normal" | "probit_normal") {
        (
            "a median and an SD; its bounds are 0 and 1 unless given: median, sd, lower, upper",
            "lower = 0, upper = 100",
        )
    } else {
        ("3 arguments: median, sd, lambda", "lambda")
    };
    Error::model("argument_count", format!("`{family}()` takes {needs}."))
        .hint(format!("Write `y ~ {family}(f, sigma, {example})`."))
}

/// A family whose arguments are scalars.
fn scalar(
    scope: &mut Scope,
    family: &str,
    dist: &Expression,
    y: Node,
    text: &str,
) -> Result<(Support, Density)> {
    let mut values = Vec::new();
    for arg in arguments(dist, distributions::scalar_arguments(family))? {
        values.push(scope.scalar(arg, text)?);
    }
    let support = match family {
        "gamma" | "weibull" => Support::Positive,
        "exponential" => Support::NonNegative,
        "beta" => Support::Share,
        "bernoulli" => Support::ZeroOne,
        "poisson" | "binomial" | "neg_binomial" => Support::Count,
        _ => Support::Real,
    };
    let density = distributions::scalar(&mut scope.graph, family, y, &values);
    let density = density.ok_or_else(|| {
        Error::model(
            "not_a_distribution",
            format!("`{family}()` is no family of outcomes by itself."),
        )
    })?;
    Ok((support, density))
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
        Value::Scalar(node) if args.len() == 2 => vec![node],
        Value::Vector(nodes) if nodes.len() + args.len() >= 3 => nodes,
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

fn custom(scope: &mut Scope, dist: &Expression, text: &str) -> Result<Density> {
    let log_density = scope.scalar(arguments(dist, &["log_density"])?[0], text)?;
    Ok(Density {
        log_density,
        prediction: None,
        sd: None,
        information: None,
        arguments: Vec::new(),
    })
}
