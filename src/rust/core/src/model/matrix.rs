//! Compile the functions of matrices: products, transposes, sums of rows and columns.

use super::shape::expect_size;
use super::value::ShapedValue;
use crate::error::{Error, Result};
use crate::ir::graph::{Graph, Node};
use crate::language::expression::Expression;

pub fn matrix_function(
    g: &mut Graph,
    call: &str,
    args: &[Expression],
    values: &[ShapedValue],
) -> Result<ShapedValue> {
    let x = &values[0];
    let y = values.get(1).unwrap_or(x);
    let (left, right) = (args.first(), args.get(1).or(args.first()));
    let shown = [left, right].map(|arg| arg.map(Expression::show).unwrap_or_default());
    match call {
        "t" => Ok(transposed(x)),
        "nrow" | "ncol" => match x {
            ShapedValue::Matrix { rows, cols, .. } => {
                let n = if call == "nrow" { *rows } else { *cols };
                Ok(ShapedValue::Scalar(g.constant(n as f64)))
            }
            other => Err(not_a_matrix(call, &shown[0], other)),
        },
        "rowSums" | "colSums" => match x {
            ShapedValue::Matrix { rows, cols, nodes } => {
                let by_row = call == "rowSums";
                let (outer, inner) = if by_row {
                    (*rows, *cols)
                } else {
                    (*cols, *rows)
                };
                let at = |a: usize, b: usize| if by_row { a * cols + b } else { b * cols + a };
                let sum = |a: usize| {
                    let terms: Vec<Node> = (0..inner).map(|b| nodes[at(a, b)]).collect();
                    g.sum(&terms)
                };
                Ok(ShapedValue::Vector((0..outer).map(sum).collect()))
            }
            other => Err(not_a_matrix(call, &shown[0], other)),
        },
        "crossprod" => product(g, call, &shown, &transposed(&as_column(x)), y),
        "tcrossprod" => product(g, call, &shown, &as_column(x), &transposed(&as_column(y))),
        "outer" => product(
            g,
            call,
            &shown,
            &as_column(&flat(x)),
            &transposed(&as_column(&flat(y))),
        ),
        _ => product(g, call, &shown, x, y),
    }
}

fn not_a_matrix(call: &str, shown: &str, value: &ShapedValue) -> Error {
    let problem = format!("`{shown}` is {}, `{call}()` needs a matrix.", value.shape());
    Error::model("wrong_shape", problem)
        .hint("Use length() for a vector, or make a matrix with matrix(x, nrow, ncol).")
}

fn flat(value: &ShapedValue) -> ShapedValue {
    ShapedValue::Vector(value.nodes().to_vec())
}

/// A vector as a matrix of one column.
fn as_column(value: &ShapedValue) -> ShapedValue {
    match value {
        ShapedValue::Matrix { .. } => value.clone(),
        other => ShapedValue::Matrix {
            rows: other.nodes().len(),
            cols: 1,
            nodes: other.nodes().to_vec(),
        },
    }
}

/// A vector becomes a matrix of one row.
fn transposed(value: &ShapedValue) -> ShapedValue {
    match value {
        ShapedValue::Matrix { rows, cols, nodes } => ShapedValue::Matrix {
            rows: *cols,
            cols: *rows,
            nodes: (0..rows * cols)
                .map(|k| nodes[k % rows * cols + k / rows])
                .collect(),
        },
        other => ShapedValue::Matrix {
            rows: 1,
            cols: other.nodes().len(),
            nodes: other.nodes().to_vec(),
        },
    }
}

/// `x %*% y`: a vector is a row on the left and a column on the right, or the other way round where only that fits. A
/// result with one row or column is a vector.
fn product(
    g: &mut Graph,
    call: &str,
    shown: &[String; 2],
    x: &ShapedValue,
    y: &ShapedValue,
) -> Result<ShapedValue> {
    let size = |v: &ShapedValue| match v {
        ShapedValue::Matrix { rows, cols, .. } => Some((*rows, *cols)),
        _ => None,
    };
    let (a, b) = (x.nodes(), y.nodes());
    let ((n, inner), (other, m)) = match (size(x), size(y)) {
        (Some(left), Some(right)) => (left, right),
        (Some(left), None) if left.1 == b.len() => (left, (b.len(), 1)),
        (Some(left), None) => (left, (1, b.len())),
        (None, Some(right)) if right.0 == a.len() => ((1, a.len()), right),
        (None, Some(right)) => ((a.len(), 1), right),
        (None, None) => ((1, a.len()), (b.len(), 1)),
    };
    if inner != other {
        return Err(Error::model(
            "wrong_shape",
            format!(
                "`{}` and `{}` do not fit in `{call}`: {} and {}.",
                shown[0],
                shown[1],
                x.shape(),
                y.shape()
            ),
        ));
    }
    expect_size(call, n.checked_mul(m).and_then(|k| k.checked_mul(inner)))?;
    let mut nodes = Vec::with_capacity(n * m);
    for i in 0..n {
        for j in 0..m {
            let terms: Vec<Node> = (0..inner)
                .map(|k| g.mul(a[i * inner + k], b[k * m + j]))
                .collect();
            nodes.push(g.sum(&terms));
        }
    }
    Ok(match (call, n == 1 || m == 1) {
        ("outer", _) | (_, false) => ShapedValue::Matrix {
            rows: n,
            cols: m,
            nodes,
        },
        _ => ShapedValue::from_nodes(nodes),
    })
}
