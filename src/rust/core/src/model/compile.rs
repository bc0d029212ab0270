//! Put a model together: parameters, random effects, then statements in the order written.

use super::covariates::declare;
use super::parameter::Parameter;
use super::scope::{Kind, Scope};
use super::statements::statements;
use super::{Model, Outcome};
use crate::error::{Error, Result};
use crate::ir::graph::{Node, Op};
use crate::language::specification::{Random, Specification};

/// Compile a specification.
///
/// # Errors
/// Everything that is wrong with the model itself, with the statement it stands in.
pub fn compile(spec: &Specification) -> Result<Model> {
    let mut scope = Scope::new();
    scope.censoring = spec.censoring;
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
    declare(&mut scope, &spec.covariates)?;
    let (blocks, effects, groups) = random_effects(&mut scope, spec)?;
    let (outcomes, assigned) = statements(&mut scope, spec)?;
    mark_outcomes(&mut scope, &blocks, &outcomes);
    let model = Model {
        graph: scope.graph,
        parameters,
        n_theta,
        effects,
        blocks,
        groups,
        columns: scope.columns,
        covariates: scope.covariates,
        outcomes,
        assigned,
        equations: Vec::new(),
        control: crate::ode::Control::default(),
    };
    match model.groups.get(1) {
        Some(Some(group)) if model.is_sequential() => Err(model.grouping_error(group)),
        _ => Ok(model),
    }
}

type Randoms = (
    Vec<super::EffectBlock>,
    Vec<super::Effect>,
    Vec<Option<String>>,
);

fn random_effects(scope: &mut Scope, spec: &Specification) -> Result<Randoms> {
    let (mut blocks, mut effects) = (Vec::new(), Vec::new());
    let groups = groups(spec);
    for (group, name) in groups.iter().enumerate() {
        let named = |line: &&Random| line.group == *name || (line.group.is_none() && group == 0);
        for line in spec.random.iter().filter(named) {
            let (block, names) = scope.random(line, effects.len(), group)?;
            blocks.push(block);
            effects.extend(names);
        }
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
    Ok((blocks, effects, groups))
}

/// The groups in the order of their first lines; a line that names none belongs to the first.
fn groups(spec: &Specification) -> Vec<Option<String>> {
    let mut groups: Vec<Option<String>> = Vec::new();
    for name in spec.random.iter().filter_map(|line| line.group.as_ref()) {
        if !groups.iter().any(|g| g.as_ref() == Some(name)) {
            groups.push(Some(name.clone()));
        }
    }
    if groups.is_empty() {
        groups.push(None);
    }
    groups
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
