//! Compile outcomes that are normal together at a row: `c(y1, y2) ~ mvnormal(mean, cov)`.

use super::random::arguments;
use super::scope::Scope;
use super::value::ShapedValue;
use super::{ColumnSource, ModelOutcome, Support, Together};
use crate::distributions::joint::{densities, MVNORMAL};
use crate::error::{Error, Result};
use crate::ir::graph::Node;
use crate::language::expression::Expression;

/// Most outcomes of one distribution: its factor is written out.
const MOST: usize = 6;

/// Compile `c(columns) ~ dist`; `first`: number of outcomes before these.
///
/// # Errors
/// Another distribution than `mvnormal()`, lengths that do not fit, covariances that are none.
pub fn outcomes(
    scope: &mut Scope,
    columns: &[&str],
    dist: &Expression,
    text: &str,
    first: usize,
) -> Result<Vec<ModelOutcome>> {
    let d = columns.len();
    let joint = matches!(dist, Expression::Call { call, .. } if call == "mvnormal");
    if !joint {
        return Err(no_joint(columns, dist));
    }
    if d > MOST {
        return Err(Error::model(
            "wrong_shape",
            format!("{d} outcomes stand on the left; one distribution takes at most {MOST}."),
        )
        .hint("Give outcomes that do not correlate lines of their own."));
    }
    let args = arguments(dist, &["mean", "cov"])?;
    let means = match scope.value(args[0], text)? {
        ShapedValue::Vector(nodes) if nodes.len() == d => nodes,
        other => return Err(wrong_mean(args[0], &other, columns)),
    };
    let covariance = match scope.value(args[1], text)? {
        ShapedValue::Matrix { rows, cols, nodes } if rows == d && cols == d => nodes,
        other => return Err(wrong_covariance(args[1], &other, d)),
    };
    check_symmetry(scope, args[1], &covariance, d)?;
    let (mut indices, mut y, mut present) = (Vec::new(), Vec::new(), Vec::new());
    for column in columns {
        let (index, node) = scope.column(column, text);
        indices.push(index);
        y.push(node);
        present.push(scope.sourced("", ColumnSource::Present(index), text).1);
    }
    let all = densities(&mut scope.graph, &y, &present, &means, &covariance);
    let outcomes = indices.into_iter().zip(all).enumerate();
    Ok(outcomes
        .map(|(position, (column, density))| ModelOutcome {
            column,
            family: &MVNORMAL,
            support: Support::Real,
            density,
            censored: false,
            mixed: false,
            chain: None,
            together: Some(Together { first, position }),
            text: text.to_string(),
        })
        .collect())
}

fn no_joint(columns: &[&str], dist: &Expression) -> Error {
    let left = columns.join(", ");
    Error::model(
        "not_joint",
        format!(
            "`{}` is no distribution of {} outcomes together.",
            dist.show(),
            columns.len()
        ),
    )
    .hint(format!(
        "Write `c({left}) ~ mvnormal(c(...), Sigma)`, or a line for each outcome."
    ))
}

fn wrong_mean(arg: &Expression, value: &ShapedValue, columns: &[&str]) -> Error {
    Error::model(
        "wrong_shape",
        format!(
            "The mean `{}` is {}; a vector with an element for each of the {} outcomes is needed.",
            arg.show(),
            value.shape(),
            columns.len()
        ),
    )
    .hint("Write one mean an outcome with c(), in the order of the left side.")
}

fn wrong_covariance(arg: &Expression, value: &ShapedValue, d: usize) -> Error {
    Error::model(
        "wrong_shape",
        format!(
            "The covariance `{}` is {}; a {d} x {d} matrix is needed.",
            arg.show(),
            value.shape()
        ),
    )
    .hint(
        "Give a parameter, as in `fixed(Sigma = covariance_matrix(diag(2)))`, or write SDs and a correlation: \
         `diag(c(s1, s2)) %*% rbind(c(1, r), c(r, 1)) %*% diag(c(s1, s2))`.",
    )
}

/// Only the lower triangle is read: what is known to differ from it above would go unseen.
fn check_symmetry(scope: &Scope, arg: &Expression, nodes: &[Node], d: usize) -> Result<()> {
    let g = &scope.graph;
    for i in 0..d {
        for j in 0..i {
            let pair = (
                g.as_constant(nodes[i * d + j]),
                g.as_constant(nodes[j * d + i]),
            );
            if let (Some(below), Some(above)) = pair {
                if (below - above).abs() > 1e-8 * below.abs().max(above.abs()) {
                    return Err(Error::model(
                        "not_symmetric",
                        format!(
                            "The covariance `{}` is not symmetric: its element ({}, {}) is {below}, ({}, {}) is {above}.",
                            arg.show(),
                            i + 1,
                            j + 1,
                            j + 1,
                            i + 1
                        ),
                    )
                    .hint("Write rbind(c(v1, c12), c(c12, v2))."));
                }
            }
        }
    }
    Ok(())
}
