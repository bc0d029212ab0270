//! Compile the code block: statements in the order written.

use super::index::Picked;
use super::inputs::ordered;
use super::joint;
use super::outcome::outcome;
use super::scope::{NameKind, Scope};
use super::value::ShapedValue;
use super::{ModelOutcome, SeriesDraws};
use crate::error::{Error, Result};
use crate::ir::graph::Node;
use crate::language::expression::Expression;
use crate::language::specification::{Specification, Statement};

/// Outcomes, and the variables assigned, in the order of their last assignments.
pub type Statements = (Vec<ModelOutcome>, Vec<(String, Vec<Node>)>);

/// Compile all statements of a specification.
///
/// # Errors
/// Those of the expressions, names used twice, no outcome.
pub fn statements(scope: &mut Scope, spec: &Specification) -> Result<Statements> {
    let mut outcomes: Vec<ModelOutcome> = Vec::new();
    for statement in ordered(spec) {
        match statement {
            Statement::Outcome {
                column,
                more,
                dist,
                text,
            } => {
                let columns: Vec<&str> = [column]
                    .into_iter()
                    .chain(more)
                    .map(String::as_str)
                    .collect();
                let stated = stated(scope, &outcomes, &columns, dist, text);
                outcomes.extend(stated.map_err(|e| e.at(text.clone()))?);
            }
            other if scope.equation(other)? => {}
            other => scope.step(other)?,
        }
    }
    for outcome in &outcomes {
        check_states(scope, outcome).map_err(|e| e.at(outcome.text.clone()))?;
    }
    if outcomes.is_empty() {
        return Err(Error::model("no_outcome", "The model has no outcome.")
            .hint("Add a line such as conc ~ normal(f, sigma)."));
    }
    Ok((outcomes, scope.assigned()))
}

/// The outcomes of one line.
fn stated(
    scope: &mut Scope,
    outcomes: &[ModelOutcome],
    columns: &[&str],
    dist: &Expression,
    text: &str,
) -> Result<Vec<ModelOutcome>> {
    for (i, column) in columns.iter().enumerate() {
        check_outcome(scope, outcomes, column)?;
        if columns[..i].contains(column) {
            return Err(two_distributions(column));
        }
    }
    match columns {
        [column] => Ok(vec![outcome(scope, column, dist, text)?]),
        _ => joint::outcomes(scope, columns, dist, text, outcomes.len()),
    }
}

fn two_distributions(column: &str) -> Error {
    Error::model(
        "name_used_twice",
        format!("The outcome `{column}` has two distributions."),
    )
}

fn check_outcome(scope: &Scope, outcomes: &[ModelOutcome], column: &str) -> Result<()> {
    if scope.kind(column).is_some() {
        return Err(Error::model(
            "name_used_twice",
            format!("The outcome `{column}` is also a name of the model."),
        )
        .field("name", column)
        .hint("Give the parameter, effect, variable or state another name than the data column."));
    }
    let stated = |o: &ModelOutcome| scope.columns[o.column as usize].name == column;
    if outcomes.iter().any(stated) {
        return Err(two_distributions(column));
    }
    Ok(())
}

/// A chain moves from row to row and follows no state on its way.
fn check_states(scope: &Scope, outcome: &ModelOutcome) -> Result<()> {
    let is_chain =
        (outcome.chain.as_ref()).is_some_and(|c| matches!(c.draws, SeriesDraws::Chain(_)));
    if !is_chain {
        return Ok(());
    }
    let arguments = outcome.density.arguments.iter();
    let mut roots = arguments.chain([&outcome.density.log_density]);
    let Some(state) = roots.find_map(|node| scope.reads_state(*node)) else {
        return Ok(());
    };
    let family = &outcome.family;
    Err(Error::model(
        "state_between_rows",
        format!(
            "`{family}()` reads the state `{state}`, whose course between rows it does not follow."
        ),
    )
    .field("name", state)
    .hint("Chains and differential equations may stand in one model, but not in each other."))
}

impl Scope {
    /// Compile a statement that is no outcome.
    ///
    /// # Errors
    /// Those of its expressions, and an outcome where none can stand.
    pub fn step(&mut self, statement: &Statement) -> Result<()> {
        let (result, text) = match statement {
            Statement::Assign {
                target,
                index,
                value,
                text,
            } => {
                let result = if index.is_empty() {
                    self.assign(target, value, text)
                } else {
                    self.assign_part(target, index, value, text)
                };
                (result, text)
            }
            Statement::If {
                condition,
                yes,
                no,
                text,
            } => (self.branch(condition, yes, no, text), text),
            Statement::For {
                variable,
                values,
                body,
                text,
            } => (self.repeat(variable, values, body, text), text),
            Statement::Derivative { text, .. }
            | Statement::Initial { text, .. }
            | Statement::Dosing { text, .. } => {
                let problem =
                    "A differential equation cannot stand inside `if`, `for` or a function.";
                let hint = "State it once, outside; its right-hand side may choose with `if (a) b else c`.";
                let error = Error::model("equation_inside", problem).hint(hint);
                (Err(error), text)
            }
            Statement::Outcome { text, .. } => {
                let problem = "An outcome cannot stand inside `if`, `for` or a function.";
                let hint = "State it once, after them, and choose its arguments with `ifelse()`.";
                let error = Error::model("outcome_inside", problem).hint(hint);
                (Err(error), text)
            }
        };
        result
            .and_then(|()| self.count_step())
            .map_err(|e| e.at(text.clone()))
    }

    fn assign(&mut self, target: &str, value: &Expression, text: &str) -> Result<()> {
        let logical = self.is_logical(value);
        let value = self.value(value, text)?;
        if matches!(value, ShapedValue::Text(_)) {
            return Err(
                Error::model("wrong_shape", format!("`{target}` is assigned a text."))
                    .hint("Values of a model are numbers; levels of a factor stand in `==` only."),
            );
        }
        self.set(target, value, logical)
    }

    /// `target[index] <- value`
    fn assign_part(
        &mut self,
        target: &str,
        index: &[Expression],
        value: &Expression,
        text: &str,
    ) -> Result<()> {
        let old = self.variable_to_change(target)?;
        let mut masked = None;
        if let [only] = index {
            if self.is_logical(only) {
                let mask = self.value(only, text)?;
                let varies = |node: &Node| self.graph.as_constant(*node).is_none();
                masked = mask.nodes().iter().any(varies).then_some((only, mask));
            }
        }
        let logical = self.logical.contains(target);
        let new = match masked {
            Some((tree, mask)) => {
                let outer = self.mask.replace(tree.clone());
                let value = self.value(value, text);
                self.mask = outer;
                self.masked(target, old, &mask, &value?)?
            }
            None => {
                let tree = Expression::Symbol {
                    sym: target.to_string(),
                };
                let picked = self.picked(&tree, &old, index, text)?;
                let value = self.value(value, text)?;
                replaced(target, old, &picked, &value)?
            }
        };
        self.set(target, new, logical)
    }

    fn variable_to_change(&self, target: &str) -> Result<ShapedValue> {
        match (self.kind(target), self.get(target)) {
            (Some(NameKind::Variable), Some(value)) => Ok(value.clone()),
            (Some(kind), _) => Err(Error::model(
                "name_used_twice",
                format!(
                    "`{target}` is {}: no part of it can be assigned.",
                    kind.words()
                ),
            )
            .field("name", target)
            .hint(format!("Copy it first, as in `x <- {target}`."))),
            (None, _) => Err(Error::model(
                "no_value_yet",
                format!("`{target}` has no value yet, so no part of it can be assigned."),
            )
            .field("name", target)
            .hint(format!(
                "Begin with `{target} <- numeric(n)` for n elements, or `{target} <- 0` for one."
            ))),
        }
    }

    /// `ifelse(mask, new, old)`, element by element.
    fn masked(
        &mut self,
        target: &str,
        old: ShapedValue,
        mask: &ShapedValue,
        new: &ShapedValue,
    ) -> Result<ShapedValue> {
        let n = old.nodes().len();
        let pick = |value: &ShapedValue, i: usize| match value.nodes() {
            [only] => Some(*only),
            nodes if nodes.len() == n => nodes.get(i).copied(),
            _ => None,
        };
        let nodes: Option<Vec<Node>> = (0..n)
            .map(|i| {
                let (m, a) = (pick(mask, i)?, pick(new, i)?);
                Some(self.graph.select(m, a, old.nodes()[i]))
            })
            .collect();
        match nodes {
            Some(nodes) => Ok(with_nodes(old, nodes)),
            None => Err(does_not_fit(target, &old, new)),
        }
    }
}

fn does_not_fit(target: &str, old: &ShapedValue, new: &ShapedValue) -> Error {
    Error::model(
        "wrong_shape",
        format!(
            "The value assigned to a part of `{target}` does not fit: `{target}` is {}, the value {}.",
            old.shape(),
            new.shape()
        ),
    )
    .hint("Give one value, or as many as there are elements to replace.")
}

fn with_nodes(like: ShapedValue, nodes: Vec<Node>) -> ShapedValue {
    match like {
        ShapedValue::Matrix { rows, cols, .. } => ShapedValue::Matrix { rows, cols, nodes },
        ShapedValue::Scalar(_) => ShapedValue::from_nodes(nodes),
        _ => ShapedValue::Vector(nodes),
    }
}

/// `old` with the elements at `picked` replaced by `new`, which is one value or as many.
fn replaced(
    target: &str,
    old: ShapedValue,
    picked: &[Picked],
    new: &ShapedValue,
) -> Result<ShapedValue> {
    let places: Vec<usize> = match (&old, picked) {
        (ShapedValue::Matrix { cols, .. }, [rows, columns]) => rows
            .list()
            .iter()
            .flat_map(|i| columns.list().iter().map(move |j| i * cols + j))
            .collect(),
        (_, [one, ..]) => one.list().to_vec(),
        _ => Vec::new(),
    };
    let block = |value: &ShapedValue| match (value, picked) {
        // Values of a block are row-major only when they come as a matrix or fill one row or column.
        (ShapedValue::Matrix { rows, cols, .. }, [r, c]) => {
            *rows == r.list().len() && *cols == c.list().len()
        }
        (ShapedValue::Matrix { .. }, _) => false,
        (_, [r, c]) => r.list().len() == 1 || c.list().len() == 1,
        _ => true,
    };
    let values: Vec<Node> = match new.nodes() {
        [only] => vec![*only; places.len()],
        nodes if nodes.len() == places.len() && block(new) => nodes.to_vec(),
        _ => return Err(does_not_fit(target, &old, new)),
    };
    let mut nodes = old.nodes().to_vec();
    for (place, value) in places.into_iter().zip(values) {
        nodes[place] = value;
    }
    Ok(with_nodes(old, nodes))
}
