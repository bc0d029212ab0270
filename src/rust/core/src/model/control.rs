//! Compile `if`, `for` and blocks with variables of their own: branches become selections, loops are written out.

use std::collections::BTreeSet;

use super::scope::{SavedVariable, Scope};
use super::value::ShapedValue;
use crate::error::{Error, Result};
use crate::ir::graph::Node;
use crate::language::expression::Expression;
use crate::language::specification::Statement;

/// Most statements that loops may amount to, and most operations of a model: a program of derivatives keeps every value
/// in 64 lanes, 0.5 kB an operation and as much again for its adjoint.
const MAX_STEPS: usize = 100_000;
const MAX_NODES: usize = 200_000;

impl Scope {
    /// `if (condition) yes else no`: both branches are computed, and every variable that one of them assigns becomes a
    /// selection. A condition known beforehand decides which branch is read at all.
    ///
    /// # Errors
    /// Those of the branches, and variables whose shapes differ.
    pub fn branch(
        &mut self,
        condition: &Expression,
        yes: &[Statement],
        no: &[Statement],
        text: &str,
    ) -> Result<()> {
        let condition = self.scalar(condition, text)?;
        if let Some(value) = self.graph.as_constant(condition) {
            return self.steps(if value != 0.0 { yes } else { no });
        }
        let mut names = BTreeSet::new();
        targets(yes, &mut names);
        targets(no, &mut names);
        let before = self.save(&names);
        self.steps(yes)?;
        let after_yes = self.save(&names);
        self.restore(before.clone());
        self.steps(no)?;
        let after_no = self.save(&names);
        self.restore(before);
        for (a, b) in after_yes.into_iter().zip(after_no) {
            self.merge(condition, a, b, text)?;
        }
        Ok(())
    }

    /// Give a variable its value after both branches.
    fn merge(
        &mut self,
        condition: Node,
        yes: SavedVariable,
        no: SavedVariable,
        text: &str,
    ) -> Result<()> {
        let name = yes.name.clone();
        let (a, b) = match (yes.value(), no.value()) {
            (Some(a), Some(b)) => (a.clone(), b.clone()),
            (None, None) => return Ok(()),
            // A column read before is the value where the other branch assigns nothing.
            (a, b) => match (self.known_column(&name), a.or(b)) {
                (Some(column), Some(value)) => {
                    let column = ShapedValue::Scalar(column);
                    let value = value.clone();
                    if a.is_some() {
                        (value, column)
                    } else {
                        (column, value)
                    }
                }
                _ => {
                    self.partial.insert(name, text.to_string());
                    return Ok(());
                }
            },
        };
        if a == b {
            self.restore(vec![yes]);
            return Ok(());
        }
        let logical = yes.logical && no.logical;
        let nodes: Option<Vec<Node>> = same_shape(&a, &b).then(|| {
            let pairs = a.nodes().iter().zip(b.nodes());
            pairs
                .map(|(x, y)| self.graph.select(condition, *x, *y))
                .collect()
        });
        let value = match (nodes, a) {
            (Some(nodes), ShapedValue::Matrix { rows, cols, .. }) => {
                ShapedValue::Matrix { rows, cols, nodes }
            }
            (Some(nodes), ShapedValue::Vector(_)) => ShapedValue::Vector(nodes),
            (Some(nodes), _) => ShapedValue::from_nodes(nodes),
            (None, a) => {
                return Err(Error::model(
                    "wrong_shape",
                    format!(
                        "`{name}` is {} where the condition holds and {} where not.",
                        a.shape(),
                        b.shape()
                    ),
                )
                .field("name", &name)
                .hint("Give it the same length in both branches."))
            }
        };
        self.set(&name, value, logical)
    }

    /// `for (variable in values) body`, written out.
    ///
    /// # Errors
    /// Those of the body, and loops that are too long.
    pub fn repeat(
        &mut self,
        variable: &str,
        values: &Expression,
        body: &[Statement],
        text: &str,
    ) -> Result<()> {
        let values = self.value(values, text)?;
        if matches!(values, ShapedValue::Text(_)) {
            return Err(Error::model(
                "wrong_shape",
                "A loop cannot run over a text.",
            ));
        }
        for node in values.nodes() {
            self.set(variable, ShapedValue::Scalar(*node), false)?;
            self.forget_assignment(variable);
            self.steps(body)?;
            self.count_step()?;
        }
        Ok(())
    }

    /// Statements whose variables are forgotten afterwards, then a value.
    ///
    /// # Errors
    /// Those of the statements and of the value.
    pub fn block(
        &mut self,
        statements: &[Statement],
        value: &Expression,
        text: &str,
    ) -> Result<ShapedValue> {
        let mut names = BTreeSet::new();
        targets(statements, &mut names);
        let before = self.save(&names);
        self.steps(statements)?;
        let value = self.value(value, text)?;
        self.restore(before);
        Ok(value)
    }

    fn steps(&mut self, statements: &[Statement]) -> Result<()> {
        statements
            .iter()
            .try_for_each(|statement| self.step(statement))
    }

    /// # Errors
    /// The model has become too large.
    pub fn count_step(&mut self) -> Result<()> {
        self.n_steps += 1;
        let problem = if self.n_steps > MAX_STEPS {
            format!("The statements of the model amount to more than {MAX_STEPS} steps.")
        } else if self.graph.len() > MAX_NODES {
            format!("The model amounts to more than {MAX_NODES} operations.")
        } else {
            return Ok(());
        };
        Err(Error::model("too_large", problem).hint("Shorten its loops and vectors."))
    }
}

fn same_shape(a: &ShapedValue, b: &ShapedValue) -> bool {
    match (a, b) {
        (
            ShapedValue::Matrix { rows, cols, .. },
            ShapedValue::Matrix {
                rows: r, cols: c, ..
            },
        ) => rows == r && cols == c,
        (ShapedValue::Matrix { .. }, _) | (_, ShapedValue::Matrix { .. }) => false,
        _ => a.nodes().len() == b.nodes().len(),
    }
}

/// Names that statements may assign.
fn targets(statements: &[Statement], names: &mut BTreeSet<String>) {
    for statement in statements {
        match statement {
            Statement::Assign { target, .. } => {
                names.insert(target.clone());
            }
            Statement::If { yes, no, .. } => {
                targets(yes, names);
                targets(no, names);
            }
            Statement::For { variable, body, .. } => {
                names.insert(variable.clone());
                targets(body, names);
            }
            Statement::Outcome { .. }
            | Statement::Derivative { .. }
            | Statement::Initial { .. }
            | Statement::Dosing { .. } => {}
        }
    }
}
