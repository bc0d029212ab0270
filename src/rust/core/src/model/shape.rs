//! Compile the functions that build and take apart vectors and matrices.

use super::call::{map, zip};
use super::index::whole;
use super::value::ShapedValue;
use crate::error::{Error, Result};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Binary;
use crate::language::expression::Expression;

fn all(values: &[ShapedValue]) -> Vec<Node> {
    values
        .iter()
        .flat_map(|v| v.nodes().iter().copied())
        .collect()
}

pub fn combine(
    _: &mut Graph,
    _: &str,
    _: &[Expression],
    values: &[ShapedValue],
) -> Result<ShapedValue> {
    Ok(ShapedValue::Vector(all(values)))
}

pub fn sum(
    g: &mut Graph,
    _: &str,
    _: &[Expression],
    values: &[ShapedValue],
) -> Result<ShapedValue> {
    Ok(ShapedValue::Scalar(g.sum(&all(values))))
}

pub fn mean(
    g: &mut Graph,
    _: &str,
    _: &[Expression],
    values: &[ShapedValue],
) -> Result<ShapedValue> {
    let nodes = all(values);
    let total = g.sum(&nodes);
    let count = g.constant(nodes.len() as f64);
    Ok(ShapedValue::Scalar(g.div(total, count)))
}

pub fn product(
    g: &mut Graph,
    _: &str,
    _: &[Expression],
    values: &[ShapedValue],
) -> Result<ShapedValue> {
    let one = g.constant(1.0);
    let product = all(values).into_iter().fold(one, |p, x| g.mul(p, x));
    Ok(ShapedValue::Scalar(product))
}

pub fn length(
    g: &mut Graph,
    _: &str,
    _: &[Expression],
    values: &[ShapedValue],
) -> Result<ShapedValue> {
    Ok(ShapedValue::Scalar(
        g.constant(values[0].nodes().len() as f64),
    ))
}

pub fn reverse(
    _: &mut Graph,
    _: &str,
    _: &[Expression],
    values: &[ShapedValue],
) -> Result<ShapedValue> {
    Ok(ShapedValue::Vector(all(values).into_iter().rev().collect()))
}

pub fn logarithm(
    g: &mut Graph,
    call: &str,
    args: &[Expression],
    values: &[ShapedValue],
) -> Result<ShapedValue> {
    let top = map(g, &values[0], |g, x| g.ln(x))?;
    let Some(base) = values.get(1) else {
        return Ok(top);
    };
    let base = map(g, base, |g, x| g.ln(x))?;
    zip(g, call, args, &top, &base, |g, a, b| g.div(a, b))
}

/// `pmin()` and `pmax()`.
pub fn extremes(
    g: &mut Graph,
    call: &str,
    args: &[Expression],
    values: &[ShapedValue],
) -> Result<ShapedValue> {
    let f = if call == "pmin" {
        Binary::Min
    } else {
        Binary::Max
    };
    zip(g, call, args, &values[0], &values[1], |g, a, b| {
        g.binary(f, a, b)
    })
}

/// A matrix from its rows: vectors of one length.
pub fn bind_rows(
    _: &mut Graph,
    _: &str,
    args: &[Expression],
    values: &[ShapedValue],
) -> Result<ShapedValue> {
    let cols = values[0].nodes().len();
    let mut nodes = Vec::new();
    for (arg, value) in args.iter().zip(values) {
        if matches!(value, ShapedValue::Matrix { .. }) || value.nodes().len() != cols {
            return Err(Error::model(
                "wrong_shape",
                format!(
                    "`{}` is {}; the rows of `rbind()` are vectors of one length, here {cols}.",
                    arg.show(),
                    value.shape()
                ),
            ));
        }
        nodes.extend_from_slice(value.nodes());
    }
    Ok(ShapedValue::Matrix {
        rows: values.len(),
        cols,
        nodes,
    })
}

/// `min()` and `max()`.
pub fn extreme(
    g: &mut Graph,
    call: &str,
    _: &[Expression],
    values: &[ShapedValue],
) -> Result<ShapedValue> {
    let f = if call == "min" {
        Binary::Min
    } else {
        Binary::Max
    };
    match all(values).as_slice() {
        [] => Err(Error::model(
            "argument_count",
            format!("`{call}()` has no argument."),
        )),
        [first, rest @ ..] => Ok(ShapedValue::Scalar(
            rest.iter().fold(*first, |best, x| g.binary(f, best, *x)),
        )),
    }
}

pub fn choose(
    g: &mut Graph,
    call: &str,
    args: &[Expression],
    values: &[ShapedValue],
) -> Result<ShapedValue> {
    let test = &values[0];
    match test {
        ShapedValue::Scalar(c) => zip(g, call, &args[1..], &values[1], &values[2], |g, a, b| {
            g.select(*c, a, b)
        }),
        _ => {
            let n = test.nodes().len();
            let pick = |v: &ShapedValue, i: usize| match v {
                ShapedValue::Scalar(x) => Some(*x),
                _ => v.nodes().get(i).copied(),
            };
            let nodes: Option<Vec<Node>> = (0..n)
                .map(|i| {
                    Some(g.select(test.nodes()[i], pick(&values[1], i)?, pick(&values[2], i)?))
                })
                .collect();
            nodes.map(ShapedValue::Vector).ok_or_else(|| {
                Error::model(
                    "wrong_shape",
                    format!("The arguments of `{call}()` differ in length."),
                )
            })
        }
    }
}

/// Most elements of a value: a slip of the pen must not ask for more memory than there is.
const MAX_ELEMENTS: usize = 100_000;

pub fn expect_size(call: &str, size: Option<usize>) -> Result<()> {
    if size.is_some_and(|n| n <= MAX_ELEMENTS) {
        return Ok(());
    }
    let problem = format!("`{call}()` makes more than {MAX_ELEMENTS} elements.");
    Err(Error::model("too_large", problem))
}

pub fn diagonal(
    g: &mut Graph,
    _: &str,
    args: &[Expression],
    values: &[ShapedValue],
) -> Result<ShapedValue> {
    if let ShapedValue::Matrix { rows, cols, nodes } = &values[0] {
        let n = (*rows).min(*cols);
        return Ok(ShapedValue::Vector(
            (0..n).map(|i| nodes[i * cols + i]).collect(),
        ));
    }
    let entries = match values.get(1).map(|n| whole(g, n)) {
        None => values[0].nodes().to_vec(),
        Some(Some(n)) => match &values[0] {
            ShapedValue::Scalar(x) => {
                expect_size("diag", n.checked_mul(n))?;
                vec![*x; n]
            }
            other => other.nodes().to_vec(),
        },
        Some(None) => return Err(not_fixed(&args[1])),
    };
    let n = entries.len();
    expect_size("diag", n.checked_mul(n))?;
    let zero = g.constant(0.0);
    let mut nodes = vec![zero; n * n];
    for (i, entry) in entries.into_iter().enumerate() {
        nodes[i * n + i] = entry;
    }
    Ok(ShapedValue::Matrix {
        rows: n,
        cols: n,
        nodes,
    })
}

pub fn cumulated(
    g: &mut Graph,
    call: &str,
    _: &[Expression],
    values: &[ShapedValue],
) -> Result<ShapedValue> {
    let mut total = g.constant(f64::from(u8::from(call == "cumprod")));
    let each = values[0].nodes().iter().map(|x| {
        total = if call == "cumsum" {
            g.add(total, *x)
        } else {
            g.mul(total, *x)
        };
        total
    });
    Ok(ShapedValue::Vector(each.collect()))
}

/// `a:b`, `seq_len(n)`, `seq_along(x)`, `numeric(n)`.
pub fn sequence(
    g: &mut Graph,
    call: &str,
    args: &[Expression],
    values: &[ShapedValue],
) -> Result<ShapedValue> {
    let end = |k: usize| match values[k].nodes() {
        [node] => g.as_constant(*node).filter(|x| x.abs() < 1e9),
        _ => None,
    };
    let (from, to) = match call {
        ":" => (
            end(0).ok_or_else(|| not_fixed(&args[0]))?,
            end(1).ok_or_else(|| not_fixed(&args[1]))?,
        ),
        "seq_along" => (1.0, values[0].nodes().len() as f64),
        _ => {
            let size = whole(g, &values[0]).ok_or_else(|| not_fixed(&args[0]))?;
            (1.0, size as f64)
        }
    };
    let down = call == ":" && to < from;
    let count = ((if down { from - to } else { to - from }) + 1e-10).floor() + 1.0;
    let count = count.max(0.0) as usize;
    expect_size(call, Some(count))?;
    let number = |i: usize| match call {
        "numeric" => 0.0,
        _ if down => from - i as f64,
        _ => from + i as f64,
    };
    Ok(ShapedValue::Vector(
        (0..count).map(|i| g.constant(number(i))).collect(),
    ))
}

/// The ends of ranges and sizes must be known before the model meets data.
pub fn not_fixed(tree: &Expression) -> Error {
    Error::model(
        "not_constant",
        format!("`{}` is not a fixed whole number.", tree.show()),
    )
    .hint("Sizes and ranges are numbers, or come from length(), nrow() or ncol(); `!!n` puts a value in.")
}
