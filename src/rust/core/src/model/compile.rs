//! Put a model together: parameters, random effects, then statements in the order written.

use super::parameter::Parameter;
use super::random::{arguments, family};
use super::scope::{Kind, Scope};
use super::statements::statements;
use super::{Model, Outcome, Support};
use crate::distributions::{bernoulli, lognormal, normal, poisson, Density, Spread};
use crate::error::{Error, Result};
use crate::ir::graph::{Node, Op};
use crate::ir::op::{Binary, Unary};
use crate::language::expression::Expression;
use crate::language::specification::Specification;
use crate::language::words;

/// Compile a specification.
///
/// # Errors
/// Everything that is wrong with the model itself, with the statement it stands in.
pub fn compile(spec: &Specification) -> Result<Model> {
    let mut scope = Scope::new();
    let mut parameters = Vec::new();
    let mut n_theta = 0;
    for entry in &spec.parameters {
        let parameter = Parameter::new(entry, n_theta, &mut scope.graph)
            .map_err(|e| e.at(format!("parameter `{}`", entry.name)))?;
        n_theta += parameter.n_coordinates();
        let value = parameter.value(&mut scope.graph);
        scope
            .define(&entry.name, Kind::Parameter, value)
            .map_err(|e| e.at(format!("parameter `{}`", entry.name)))?;
        parameters.push(parameter);
    }
    if parameters.is_empty() {
        return Err(Error::model(
            "no_free_parameter",
            "The model has no parameter to estimate.",
        )
        .hint("Name at least one in fixed(), for example fixed(ka = positive(1))."));
    }
    let (blocks, effects, group) = random_effects(&mut scope, spec)?;
    let (outcomes, assigned) = statements(&mut scope, spec)?;
    mark_outcomes(&mut scope, &blocks, &outcomes);
    Ok(Model {
        graph: scope.graph,
        parameters,
        n_theta,
        effects,
        blocks,
        group,
        columns: scope.columns,
        outcomes,
        assigned,
    })
}

type Randoms = (Vec<super::EffectBlock>, Vec<super::Effect>, Option<String>);

fn random_effects(scope: &mut Scope, spec: &Specification) -> Result<Randoms> {
    let (mut blocks, mut effects) = (Vec::new(), Vec::new());
    let mut group: Option<String> = None;
    for line in &spec.random {
        match (&group, &line.group) {
            (Some(earlier), Some(here)) if earlier != here => {
                return Err(Error::model(
                    "several_groups",
                    format!("Random effects are grouped by `{earlier}` and by `{here}`."),
                )
                .at(line.text.clone())
                .hint("All random effects of a model share one grouping column."));
            }
            (None, here) => group = here.clone(),
            _ => {}
        }
        let (block, names) = scope.random(line, effects.len())?;
        blocks.push(block);
        effects.extend(names);
    }
    if effects.is_empty() {
        return Err(Error::model("no_random_effect", "The model has no random effect.")
            .hint("Add one, for example random(eta ~ normal(0, omega) | id); models without random effects are fitted by nls()."));
    }
    let on_effects = scope.graph.depends(|op| matches!(op, Op::Phi(_)));
    for block in &blocks {
        if block.arguments().any(|node| on_effects[node.index()]) {
            return Err(Error::model(
                "effect_of_effect",
                "The distribution of a random effect depends on another random effect.",
            )
            .at(block.text.clone()));
        }
    }
    Ok((blocks, effects, group))
}

/// Find the columns that may be missing: outcomes read by nothing but their own distribution.
fn mark_outcomes(scope: &mut Scope, blocks: &[super::EffectBlock], outcomes: &[Outcome]) {
    for outcome in outcomes {
        let others = outcomes.iter().filter(|o| o.column != outcome.column);
        let roots: Vec<Node> = others
            .map(|o| o.density.log_density)
            .chain(blocks.iter().flat_map(|b| b.arguments().copied()))
            .collect();
        let needed = scope.graph.reachable(&roots);
        let mut read = scope.graph.nodes().filter(|node| needed[node.index()]);
        let elsewhere = read.any(|node| scope.graph.op(node) == Op::Data(outcome.column));
        scope.columns[outcome.column as usize].outcome = !elsewhere;
    }
}

pub fn outcome(scope: &mut Scope, column: &str, dist: &Expression, text: &str) -> Result<Outcome> {
    let family = family(dist, &words::OUTCOME_FAMILIES)?;
    let (index, y) = scope.column(column, text);
    let (support, density) = match family {
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
    };
    Ok(Outcome {
        column: index,
        family: family.to_string(),
        support,
        density,
        text: text.to_string(),
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
