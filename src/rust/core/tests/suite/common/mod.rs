//! Build models, data and problems for the tests from short texts.

pub mod chains;
pub mod data;
pub mod dosing;
pub mod draws;
pub mod effects;
pub mod errors;
pub mod families;
pub mod groups;
pub mod intercept;
pub mod likelihood;
pub mod numeric;
pub mod pharmacokinetics;
pub mod posteriors;
pub mod resume;
pub mod samplers;
pub mod scalar;
#[cfg(feature = "stiff")]
pub mod stiff_models;
pub mod systems;
pub mod text;

use nlmers_core::error::{Error, Result};
use nlmers_core::ir::column::{Column, LANES};
use nlmers_core::model::{compile, Model};
use nlmers_core::problem::{Given, Joint, Problem, Route};
use nlmers_core::request::{FitTask, Request, PROTOCOL};
use serde_json::{json, Value as Json};

pub use data::Data;

/// A request for `task` with the model written as in `text::model` and the grouping of `data`.
pub fn request_json(task: &str, model: &str, data: &Data) -> serde_json::Value {
    json!({
        "task": task,
        "model": text::model(model),
        "data": {"group": "id", "labels": data.labels(), "time": data.time, "n_rows": data.n_rows()},
    })
}

/// A request as it is sent, its fields put where the protocol has them.
pub fn sent(request: &Json) -> String {
    let after = [
        "log_likelihood",
        "uncertainty",
        "importance",
        "modes",
        "classes",
        "conditional_samples",
    ];
    let of_fit = after.iter().any(|task| request["task"] == *task);
    let at_values = of_fit || request["task"] != "fit";
    let mut inner = json!({});
    for (name, value) in request.as_object().unwrap() {
        let place = match name.as_str() {
            "parameters" | "coordinates" => "at",
            "fix" | "levels" if at_values => "at",
            "draws" | "nodes" | "log_lik" | "se" => "inference",
            _ => "",
        };
        let whole = match (of_fit, place, name.as_str()) {
            (true, "at", _) => &mut inner["fit"]["at"],
            (_, "", "task" | "nsim") | (false, "", _) => &mut inner,
            (true, "", _) => &mut inner["fit"],
            _ => &mut inner[place],
        };
        whole[name] = value.clone();
    }
    json!({"protocol": PROTOCOL, "request": inner}).to_string()
}

/// # Errors
/// What is no request of a fit.
pub fn asked(request: &Json) -> Result<Box<FitTask>> {
    match Request::parse(&sent(request))? {
        Request::Fit(task) => Ok(task),
        other => panic!("{other:?}"),
    }
}

/// # Errors
/// Those of the compiler.
pub fn compiled(request: &Json) -> Result<Model> {
    match Request::parse(&sent(request))? {
        Request::Describe(task) => compile(&task.model),
        Request::Fit(task) => task.compiled(),
        other => panic!("{other:?}"),
    }
}

/// # Errors
/// Those of the compiler.
pub fn try_model(model: &str) -> Result<Model> {
    compiled(&json!({"task": "describe", "model": text::model(model)}))
}

pub fn model(text: &str) -> Model {
    try_model(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// # Errors
/// Those of the compiler and of the data.
pub fn try_joint(model: &str, data: &Data, given: &Given) -> Result<Joint> {
    let request = asked(&request_json("fit", model, data))?;
    let frame = request.frame(data.request_columns())?;
    Joint::new(&request.compiled()?, &frame, given)
}

pub fn joint(model: &str, data: &Data) -> Joint {
    try_joint(model, data, &Given::default()).unwrap_or_else(|error| panic!("{error}\n{model}"))
}

/// The problem of a model with one grouping.
///
/// # Errors
/// Those of the compiler and of the data.
pub fn try_problem(model: &str, data: &Data, given: &Given) -> Result<Problem> {
    Ok(try_joint(model, data, given)?.parts.remove(0))
}

pub fn problem(model: &str, data: &Data) -> Problem {
    joint(model, data).parts.remove(0)
}

/// A model with parameters held at their starting values.
pub fn joint_with_fixed(model: &str, data: &Data, fixed: &[&str]) -> Joint {
    let given = Given {
        fix: fixed.iter().map(|name| (name.to_string(), None)).collect(),
        ..Given::default()
    };
    try_joint(model, data, &given).unwrap_or_else(|error| panic!("{error}\n{model}"))
}

pub fn problem_with_fixed(model: &str, data: &Data, fixed: &[&str]) -> Problem {
    joint_with_fixed(model, data, fixed).parts.remove(0)
}

/// The error of a model that must not compile.
pub fn model_error(text: &str) -> Error {
    match try_model(text) {
        Ok(_) => panic!("compiled although it must not:\n{text}"),
        Err(error) => error,
    }
}

/// The error of a model that must not be bound to the data.
pub fn data_error(text: &str, data: &Data) -> Error {
    match try_problem(text, data, &Given::default()) {
        Ok(_) => panic!("bound although it must not be:\n{text}"),
        Err(error) => error,
    }
}

/// Position of a parameter element such as `omega[2]`.
pub fn position(problem: &Problem, name: &str) -> usize {
    let names = &problem.theta.names;
    let found = names.iter().position(|known| known == name);
    found.unwrap_or_else(|| panic!("no `{name}` among {names:?}"))
}

pub fn route(problem: &Problem, name: &str) -> Route {
    problem.theta.routes[position(problem, name)]
}

/// The value of `phi[subject * d + k]` in every lane of a block, `copy` left out of account.
pub fn lanes(problem: &Problem, copies: usize, b: usize, phi: &[f64]) -> Vec<Column> {
    let layout = problem.layout(copies);
    let used = &layout.blocks[b].lanes;
    let d = problem.n_phi();
    (0..d)
        .map(|k| {
            Column(std::array::from_fn::<f64, LANES, _>(|l| {
                phi[used.get(l).unwrap_or(&used[0]).subject as usize * d + k]
            }))
        })
        .collect()
}
