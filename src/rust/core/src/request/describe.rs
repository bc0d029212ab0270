//! Describe a compiled model before it meets data.

use serde::{Deserialize, Serialize};

use super::{list, parameters};
use crate::error::Result;
use crate::language::specification::Specification;
use crate::model::{compile, Model, Source};
use crate::problem::{Given, Joint, Theta};
use crate::reply::Value;

/// A model by itself.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    #[serde(skip_serializing)]
    pub model: Specification,
}

pub fn describe(task: &Task) -> Result<Value> {
    let model = compile(&task.model)?;
    let theta = Theta::new(&model, &Given::default())?;
    let preview = Joint::preview(&model, &Given::default())?;
    let column = |i: u32| model.columns[i as usize].name.clone();
    let outcomes = model.outcomes.iter().map(|o| column(o.column)).collect();
    let families = model
        .outcomes
        .iter()
        .map(|o| o.family.name.to_string())
        .collect();
    let effects = model.effects.iter().map(|e| e.name.clone()).collect();
    let states = model.visible().iter().map(|e| e.name.clone()).collect();
    let is_outcome = |name: &str| model.outcomes.iter().any(|o| column(o.column) == name);
    let from_data = model.columns.iter().filter(|c| c.source == Source::Data);
    let columns = from_data.map(|c| c.name.clone());
    let covariates = columns.clone().filter(|name| !is_outcome(name)).collect();
    Ok(list(vec![
        ("parameters", parameters::declared(&model, &theta)),
        ("effects", Value::Texts(effects)),
        ("states", Value::Texts(states)),
        ("groups", groups(&model)),
        ("in_equations", Value::Texts(in_equations(&model))),
        ("columns", Value::Texts(columns.collect())),
        ("covariates", Value::Texts(covariates)),
        ("outcomes", Value::Texts(outcomes)),
        ("dose_times", Value::Flags(vec![reads_doses(&model)])),
        ("families", Value::Texts(families)),
        ("classes", Value::Numbers(vec![n_classes(&model) as f64])),
        ("individual", Value::Texts(individual(&preview))),
        ("mu_referenced", mu_referenced(&preview)),
        ("routes", routes(&preview)),
        (
            "random",
            Value::Texts(model.blocks.iter().map(|b| b.text.clone()).collect()),
        ),
    ]))
}

/// How many classes `mix()` tells apart, 0 without.
fn n_classes(model: &Model) -> usize {
    let mixture = model.mixture.as_ref();
    mixture.map_or(0, |mixture| mixture.probabilities.len())
}

/// Whether times since doses are read.
fn reads_doses(model: &Model) -> bool {
    let reads = |source: Source| matches!(source, Source::LastDose(_) | Source::FirstDose(_));
    model.columns.iter().any(|column| reads(column.source))
}

/// The grouping of each effect, empty where the model names none.
fn groups(model: &Model) -> Value {
    let name = |group: usize| model.groups[group].clone().unwrap_or_default();
    let effects = model.effects.iter().map(|e| name(e.group)).collect();
    Value::Texts(effects)
}

/// The groupings whose effects the differential equations read.
fn in_equations(model: &Model) -> Vec<String> {
    let read = model.in_equations();
    let groups = (model.effects.iter().zip(read)).filter_map(|(effect, read)| {
        let name = model.groups[effect.group].clone()?;
        read.then_some(name)
    });
    let mut groups: Vec<String> = groups.collect();
    groups.dedup();
    groups
}

/// Variables with one value a level of some grouping.
fn individual(joint: &Joint) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in joint
        .parts
        .iter()
        .flat_map(|part| &part.programs.individual)
    {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// For each effect the parameters of its mean that are updated in closed form.
fn mu_referenced(joint: &Joint) -> Value {
    let (mut effects, mut means) = (Vec::new(), Vec::new());
    let designs = joint.parts.iter().flat_map(|part| &part.form.designs);
    for (effect, design) in joint.model().effects.iter().zip(designs) {
        let names: Vec<&str> = design
            .iter()
            .map(|(k, _)| joint.theta.names[*k].as_str())
            .collect();
        effects.push(effect.name.clone());
        means.push(names.join(", "));
    }
    list(vec![
        ("effect", Value::Texts(effects)),
        ("mean", Value::Texts(means)),
    ])
}

fn routes(joint: &Joint) -> Value {
    let theta = &joint.theta;
    list(vec![
        ("parameter", parameters::texts(theta, |e| e.name.clone())),
        ("route", parameters::routes(theta)),
    ])
}
