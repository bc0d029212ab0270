//! Compile the code block: statements in the order written.

use super::outcome::outcome;
use super::scope::{Kind, Scope};
use super::Outcome;
use crate::error::{Error, Result};
use crate::ir::graph::Node;
use crate::language::specification::{Specification, Statement};

/// Outcomes, and the variables assigned: the last assignment of each name.
pub type Statements = (Vec<Outcome>, Vec<(String, Vec<Node>)>);

/// Compile all statements of a specification.
///
/// # Errors
/// Those of the expressions, names used twice, no outcome.
pub fn statements(scope: &mut Scope, spec: &Specification) -> Result<Statements> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut assigned: Vec<(String, Vec<Node>)> = Vec::new();
    for statement in &spec.statements {
        match statement {
            Statement::Assign {
                target,
                value,
                text,
            } => {
                let value = scope.value(value, text)?;
                let nodes = value.nodes().to_vec();
                scope
                    .define(target, Kind::Variable, value)
                    .map_err(|e| e.at(text.clone()))?;
                assigned.retain(|(name, _)| name != target);
                assigned.push((target.clone(), nodes));
            }
            Statement::Outcome { column, dist, text } => {
                if scope.kind(column).is_some() {
                    return Err(Error::model(
                        "name_used_twice",
                        format!("The outcome `{column}` is also a name of the model."),
                    )
                    .at(text.clone())
                    .field("name", column)
                    .hint(
                        "Give the parameter, effect or variable another name than the data column.",
                    ));
                }
                if outcomes
                    .iter()
                    .any(|o| scope.columns[o.column as usize].name == *column)
                {
                    return Err(Error::model(
                        "name_used_twice",
                        format!("The outcome `{column}` has two distributions."),
                    )
                    .at(text.clone()));
                }
                outcomes.push(outcome(scope, column, dist, text).map_err(|e| e.at(text.clone()))?);
            }
        }
    }
    if outcomes.is_empty() {
        return Err(Error::model("no_outcome", "The model has no outcome.")
            .hint("Add a line such as conc ~ normal(f, sigma)."));
    }
    Ok((outcomes, assigned))
}
