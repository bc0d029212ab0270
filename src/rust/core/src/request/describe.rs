//! Describe a compiled model before it meets data.

use super::{list, parameters, Request};
use crate::error::Result;
use crate::model::Source;
use crate::problem::{Given, Problem, Theta};
use crate::reply::Value;

pub fn describe(request: &Request) -> Result<Value> {
    let model = request.compiled()?;
    let theta = Theta::new(&model, &request.given()?)?;
    let preview = Problem::preview(&model, &Given::default())?;
    let column = |i: u32| model.columns[i as usize].name.clone();
    let outcomes = model.outcomes.iter().map(|o| column(o.column)).collect();
    let families = model.outcomes.iter().map(|o| o.family.clone()).collect();
    let effects = model.effects.iter().map(|e| e.name.clone()).collect();
    let is_outcome = |name: &str| model.outcomes.iter().any(|o| column(o.column) == name);
    let from_data = model.columns.iter().filter(|c| c.source == Source::Data);
    let columns = from_data.map(|c| c.name.clone());
    let covariates = columns.clone().filter(|name| !is_outcome(name)).collect();
    Ok(list(vec![
        ("parameters", parameters::declared(&model, &theta)),
        ("effects", Value::Texts(effects)),
        (
            "group",
            model.group.clone().map_or(Value::Null, Value::Text),
        ),
        ("columns", Value::Texts(columns.collect())),
        ("covariates", Value::Texts(covariates)),
        ("outcomes", Value::Texts(outcomes)),
        ("families", Value::Texts(families)),
        (
            "individual",
            Value::Texts(preview.programs.individual.clone()),
        ),
        ("mu_referenced", mu_referenced(&preview)),
        ("routes", routes(&preview)),
        (
            "random",
            Value::Texts(model.blocks.iter().map(|b| b.text.clone()).collect()),
        ),
    ]))
}

/// For each effect the parameters of its mean that are updated in closed form.
fn mu_referenced(problem: &Problem) -> Value {
    let (mut effects, mut means) = (Vec::new(), Vec::new());
    for (effect, design) in problem.model.effects.iter().zip(&problem.form.designs) {
        let names: Vec<&str> = design
            .iter()
            .map(|(k, _)| problem.theta.names[*k].as_str())
            .collect();
        effects.push(effect.name.clone());
        means.push(names.join(", "));
    }
    list(vec![
        ("effect", Value::Texts(effects)),
        ("mean", Value::Texts(means)),
    ])
}

fn routes(problem: &Problem) -> Value {
    let theta = &problem.theta;
    list(vec![
        ("parameter", parameters::texts(theta, |e| e.name.clone())),
        ("route", parameters::routes(theta)),
    ])
}
