//! Compile indices: numbers, ranges, negative and logical vectors, names, whole rows and columns.

use super::scope::Scope;
use super::value::ShapedValue;
use crate::error::{Error, Result};
use crate::ir::graph::{Graph, Node};
use crate::language::expression::Expression;
use crate::language::words;

/// What an index picks along one dimension, counted from zero.
#[derive(Debug, Clone, PartialEq)]
pub enum Picked {
    /// The dimension is dropped.
    One(usize),
    Many(Vec<usize>),
}

impl Picked {
    pub fn list(&self) -> &[usize] {
        match self {
            Self::One(i) => std::slice::from_ref(i),
            Self::Many(list) => list,
        }
    }
}

const COMPARISONS: [&str; 11] = ["<", ">", "<=", ">=", "==", "!=", "!", "&", "|", "&&", "||"];

impl Scope {
    /// Compile `base[index, ...]`.
    ///
    /// # Errors
    /// Index not fixed, out of range, or more indices than dimensions.
    pub fn element(&mut self, args: &[Expression], statement: &str) -> Result<ShapedValue> {
        let [base_tree, indices @ ..] = args else {
            return Err(Error::model("argument_count", "`[` has no argument."));
        };
        let base = self.value(base_tree, statement)?;
        if matches!(base, ShapedValue::Text(_)) {
            return Err(Error::model("wrong_shape", "A text cannot take an index."));
        }
        if let ([index], Some(mask)) = (indices, &self.mask) {
            // Under `f[mask] <- ...`, `v[mask]` is the value of `v` where the mask holds.
            if index == mask && !matches!(base, ShapedValue::Matrix { .. }) {
                return Ok(base);
            }
        }
        let picked = self.picked(base_tree, &base, indices, statement)?;
        Ok(match (base, picked.as_slice()) {
            (ShapedValue::Matrix { cols, nodes, .. }, [rows, columns]) => {
                part_of_matrix(&nodes, cols, rows, columns)
            }
            (value, [Picked::One(i)]) => ShapedValue::Scalar(value.nodes()[*i]),
            (value, [one, ..]) => {
                ShapedValue::Vector(one.list().iter().map(|i| value.nodes()[*i]).collect())
            }
            (value, []) => value,
        })
    }

    /// Positions that the indices of a value pick, one entry a dimension.
    ///
    /// # Errors
    /// As for [`Scope::element`].
    pub fn picked(
        &mut self,
        tree: &Expression,
        base: &ShapedValue,
        indices: &[Expression],
        statement: &str,
    ) -> Result<Vec<Picked>> {
        let sizes = match base {
            ShapedValue::Matrix { rows, cols, .. } => vec![*rows, *cols],
            other => vec![other.nodes().len()],
        };
        if sizes.len() != indices.len() {
            return Err(Error::model(
                "wrong_shape",
                format!(
                    "`{}` is {} and cannot take {} indices.",
                    tree.show(),
                    base.shape(),
                    indices.len()
                ),
            ));
        }
        let mut picked = Vec::with_capacity(sizes.len());
        for (index, size) in indices.iter().zip(sizes) {
            picked.push(self.positions(tree, base, index, size, statement)?);
        }
        Ok(picked)
    }

    fn positions(
        &mut self,
        tree: &Expression,
        base: &ShapedValue,
        index: &Expression,
        size: usize,
        statement: &str,
    ) -> Result<Picked> {
        if matches!(index, Expression::Symbol { sym } if sym.is_empty()) {
            return Ok(Picked::Many((0..size).collect()));
        }
        if let Some(names) = texts_of(index) {
            return self.labeled(tree, index, &names);
        }
        let value = self.value(index, statement)?;
        let numbers: Option<Vec<f64>> = value
            .nodes()
            .iter()
            .map(|node| self.graph.as_constant(*node))
            .collect();
        let numbers = numbers.ok_or_else(|| not_constant(index))?;
        let single = matches!(value, ShapedValue::Scalar(_));
        if self.is_logical(index) {
            return logical(&numbers, size, single, index);
        }
        if numbers.iter().any(|x| x.fract() != 0.0 || x.abs() > 1e9) {
            return Err(not_constant(index));
        }
        if !numbers.is_empty() && numbers.iter().all(|x| *x < 0.0) {
            let left_out = |i: &usize| numbers.contains(&-((i + 1) as f64));
            return Ok(Picked::Many((0..size).filter(|i| !left_out(i)).collect()));
        }
        let outside = numbers.iter().find(|x| **x < 1.0 || **x > size as f64);
        match (outside, single) {
            (None, true) => Ok(Picked::One(numbers[0] as usize - 1)),
            (None, false) => Ok(Picked::Many(
                numbers.iter().map(|x| *x as usize - 1).collect(),
            )),
            (Some(x), single) => Err(out_of_range(tree, base, index, *x, single)),
        }
    }

    /// Positions of labels, as of `x["Age"]`.
    fn labeled(&self, tree: &Expression, index: &Expression, names: &[&str]) -> Result<Picked> {
        let labels = match tree {
            Expression::Symbol { sym } => self.labels.get(sym),
            _ => None,
        };
        let Some(labels) = labels else {
            return Err(Error::model(
                "not_constant",
                format!("The elements of `{}` have no names.", tree.show()),
            )
            .hint(
                "Only covariates declared with vector() or factor() are indexed by names; use numbers.",
            ));
        };
        let position = |name: &&str| {
            let found = labels.iter().position(|label| label == name);
            found.ok_or_else(|| {
                Error::model(
                    "index_out_of_range",
                    format!("`{}` has no element \"{name}\".", tree.show()),
                )
                .field("name", name)
                .hint(words::suggestion(
                    name,
                    "Its elements are",
                    labels.iter().map(String::as_str),
                ))
            })
        };
        let positions: Result<Vec<usize>> = names.iter().map(position).collect();
        let positions = positions?;
        Ok(match (index, positions.as_slice()) {
            (Expression::Text { .. }, [only]) => Picked::One(*only),
            _ => Picked::Many(positions),
        })
    }

    /// Whether the numbers of an expression are truth values.
    pub fn is_logical(&self, tree: &Expression) -> bool {
        match tree {
            Expression::Symbol { sym } => {
                sym == "TRUE" || sym == "FALSE" || self.logical.contains(sym)
            }
            Expression::Call { call, args, .. } => {
                COMPARISONS.contains(&call.as_str())
                    || (matches!(call.as_str(), "c" | "(")
                        && !args.is_empty()
                        && args.iter().all(|arg| self.is_logical(arg)))
                    || (matches!(call.as_str(), "rep" | "rev")
                        && args.first().is_some_and(|arg| self.is_logical(arg)))
            }
            _ => false,
        }
    }
}

/// The texts of `"Age"` or `c("Age", "Wt")`.
fn texts_of(tree: &Expression) -> Option<Vec<&str>> {
    match tree {
        Expression::Text { str } => Some(vec![str]),
        Expression::Call { call, args, .. } if call == "c" && !args.is_empty() => args
            .iter()
            .map(|arg| match arg {
                Expression::Text { str } => Some(str.as_str()),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

fn logical(numbers: &[f64], size: usize, single: bool, index: &Expression) -> Result<Picked> {
    if !single && numbers.len() != size {
        return Err(Error::model(
            "wrong_shape",
            format!(
                "The index `{}` has {} truth values for {size} elements.",
                index.show(),
                numbers.len()
            ),
        ));
    }
    let holds = |i: &usize| numbers[if single { 0 } else { *i }] != 0.0;
    Ok(Picked::Many((0..size).filter(holds).collect()))
}

pub fn not_constant(index: &Expression) -> Error {
    Error::model(
        "not_constant",
        format!(
            "The index `{}` is not a fixed whole number.",
            index.show()
        ),
    )
    .hint("An index is a number, a loop variable or a range such as 1:3; to choose by data, use ifelse().")
}

fn out_of_range(
    tree: &Expression,
    base: &ShapedValue,
    index: &Expression,
    value: f64,
    single: bool,
) -> Error {
    let problem = if single {
        format!(
            "`{}` is {}: it has no element {value}.",
            tree.show(),
            base.shape()
        )
    } else {
        format!(
            "An index in `[{}]` is not an element of `{}`: {value}.",
            index.show(),
            tree.show()
        )
    };
    Error::model("index_out_of_range", problem)
        .field("index", value)
        .hint("Elements are counted from 1; a variable is made long enough with `x <- numeric(n)`.")
}

/// Row-major nodes of the rows and columns picked; a dimension of one is dropped.
fn part_of_matrix(nodes: &[Node], cols: usize, rows: &Picked, columns: &Picked) -> ShapedValue {
    let part: Vec<Node> = rows
        .list()
        .iter()
        .flat_map(|i| columns.list().iter().map(move |j| nodes[i * cols + j]))
        .collect();
    match (rows, columns, rows.list().len(), columns.list().len()) {
        (Picked::One(_), Picked::One(_), ..) => ShapedValue::Scalar(part[0]),
        (_, _, 1, _) | (_, _, _, 1) => ShapedValue::Vector(part),
        (_, _, n, m) => ShapedValue::Matrix {
            rows: n,
            cols: m,
            nodes: part,
        },
    }
}

/// A whole number known when the model is compiled.
pub fn whole(g: &Graph, value: &ShapedValue) -> Option<usize> {
    match value.nodes() {
        [node] => {
            let x = g.as_constant(*node)?;
            let valid = x >= 0.0 && x.fract() == 0.0 && x < 1e9;
            valid.then_some(x as usize)
        }
        _ => None,
    }
}
