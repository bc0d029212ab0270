//! Describe a compiled model before it meets data.

use serde::{Deserialize, Serialize};

use super::{list, parameters};
use crate::error::Result;
use crate::language::specification::Specification;
use crate::model::{compile, ColumnSource, Model};
use crate::problem::{Given, Joint, Theta};
use crate::reply::ReplyValue;

/// A model by itself.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DescribeTask {
    #[serde(skip_serializing)]
    pub model: Specification,
}

pub fn describe(task: &DescribeTask) -> Result<ReplyValue> {
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
    let from_data = model
        .columns
        .iter()
        .filter(|c| c.source == ColumnSource::Data);
    let columns = from_data.map(|c| c.name.clone());
    let covariates = columns.clone().filter(|name| !is_outcome(name)).collect();
    Ok(list(vec![
        ("parameters", parameters::declared(&model, &theta)),
        ("effects", ReplyValue::Texts(effects)),
        ("states", ReplyValue::Texts(states)),
        ("groups", groups(&model)),
        ("in_equations", ReplyValue::Texts(in_equations(&model))),
        ("columns", ReplyValue::Texts(columns.collect())),
        ("covariates", ReplyValue::Texts(covariates)),
        ("outcomes", ReplyValue::Texts(outcomes)),
        ("dose_times", ReplyValue::Flags(vec![reads_doses(&model)])),
        ("families", ReplyValue::Texts(families)),
        (
            "classes",
            ReplyValue::Numbers(vec![n_classes(&model) as f64]),
        ),
        ("individual", ReplyValue::Texts(individual(&preview))),
        ("mu_referenced", mu_referenced(&preview)),
        ("routes", routes(&preview)),
        (
            "random",
            ReplyValue::Texts(model.blocks.iter().map(|b| b.text.clone()).collect()),
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
    let reads = |source: ColumnSource| {
        matches!(
            source,
            ColumnSource::LastDose(_) | ColumnSource::FirstDose(_)
        )
    };
    model.columns.iter().any(|column| reads(column.source))
}

/// The grouping of each effect, empty where the model names none.
fn groups(model: &Model) -> ReplyValue {
    let name = |group: usize| model.groups[group].clone().unwrap_or_default();
    let effects = model.effects.iter().map(|e| name(e.group)).collect();
    ReplyValue::Texts(effects)
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
fn mu_referenced(joint: &Joint) -> ReplyValue {
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
        ("effect", ReplyValue::Texts(effects)),
        ("mean", ReplyValue::Texts(means)),
    ])
}

fn routes(joint: &Joint) -> ReplyValue {
    let theta = &joint.theta;
    list(vec![
        ("parameter", parameters::texts(theta, |e| e.name.clone())),
        ("route", parameters::routes(theta)),
    ])
}
