//! Compile the functions that build and take apart vectors and matrices.

use super::call::{expect_arguments, map, zip};
use super::index::whole;
use super::matrix::matrix_function;
use super::value::Value;
use crate::error::{Error, Result};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Binary;
use crate::language::expression::Expression;
use crate::language::words;

/// Functions whose result has another shape than their arguments.
///
/// # Errors
/// Unknown function, wrong number of arguments, shapes that do not fit, index out of range.
pub fn shaping(g: &mut Graph, call: &str, args: &[Expression], values: &[Value]) -> Result<Value> {
    // Also `v <- c(v, v)` in a loop.
    let total = values.iter().map(|v| v.nodes().len()).sum();
    expect_size(call, Some(total))?;
    let all = || {
        values
            .iter()
            .flat_map(|v| v.nodes().iter().copied())
            .collect::<Vec<Node>>()
    };
    match call {
        "c" => Ok(Value::Vector(all())),
        "sum" => Ok(Value::Scalar(g.sum(&all()))),
        "mean" => {
            let nodes = all();
            let total = g.sum(&nodes);
            let count = g.constant(nodes.len() as f64);
            Ok(Value::Scalar(g.div(total, count)))
        }
        "prod" => {
            let one = g.constant(1.0);
            Ok(Value::Scalar(
                all().into_iter().fold(one, |p, x| g.mul(p, x)),
            ))
        }
        "min" | "max" => extreme(g, call, &all()),
        "pmin" | "pmax" => {
            expect_arguments(call, values, 2, 2)?;
            let f = if call == "pmin" {
                Binary::Min
            } else {
                Binary::Max
            };
            zip(g, call, args, &values[0], &values[1], |g, a, b| {
                g.binary(f, a, b)
            })
        }
        "length" => {
            expect_arguments(call, values, 1, 1)?;
            Ok(Value::Scalar(g.constant(values[0].nodes().len() as f64)))
        }
        "log" => {
            expect_arguments(call, values, 1, 2)?;
            let top = map(g, &values[0], |g, x| g.ln(x))?;
            let base = map(g, &values[1], |g, x| g.ln(x))?;
            zip(g, call, args, &top, &base, |g, a, b| g.div(a, b))
        }
        "ifelse" | "if" => choose(g, call, args, values),
        "rbind" => bind_rows(args, values),
        "diag" => diagonal(g, args, values),
        "rev" => {
            expect_arguments(call, values, 1, 1)?;
            Ok(Value::Vector(all().into_iter().rev().collect()))
        }
        "cumsum" | "cumprod" => {
            expect_arguments(call, values, 1, 1)?;
            Ok(cumulated(g, call, &values[0]))
        }
        ":" | "seq_len" | "seq_along" | "numeric" => sequence(g, call, args, values),
        "t" | "nrow" | "ncol" | "%*%" | "crossprod" | "tcrossprod" | "outer" | "rowSums"
        | "colSums" => matrix_function(g, call, args, values),
        _ if words::ERROR_MODELS.contains(&call) => Err(Error::model(
            "misplaced_error",
            format!("The residual error `{call}()` stands inside an expression."),
        )
        .hint(format!(
            "It is the SD of an outcome, as in `y ~ normal(f, {call}(...))`."
        ))),
        _ => Err(
            Error::model("unknown_function", format!("Unknown function `{call}()`."))
                .field("name", call)
                .hint(words::suggestion(
                    call,
                    "The functions of the language are",
                    words::FUNCTIONS,
                )),
        ),
    }
}

/// A matrix from its rows: vectors of one length.
fn bind_rows(args: &[Expression], values: &[Value]) -> Result<Value> {
    expect_arguments("rbind", values, 1, 1000)?;
    let cols = values[0].nodes().len();
    let mut nodes = Vec::new();
    for (arg, value) in args.iter().zip(values) {
        if matches!(value, Value::Matrix { .. }) || value.nodes().len() != cols {
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
    Ok(Value::Matrix {
        rows: values.len(),
        cols,
        nodes,
    })
}

fn extreme(g: &mut Graph, call: &str, nodes: &[Node]) -> Result<Value> {
    let f = if call == "min" {
        Binary::Min
    } else {
        Binary::Max
    };
    match nodes {
        [] => Err(Error::model(
            "argument_count",
            format!("`{call}()` has no argument."),
        )),
        [first, rest @ ..] => Ok(Value::Scalar(
            rest.iter().fold(*first, |best, x| g.binary(f, best, *x)),
        )),
    }
}

fn choose(g: &mut Graph, call: &str, args: &[Expression], values: &[Value]) -> Result<Value> {
    expect_arguments(call, values, 3, 3)?;
    let test = &values[0];
    match test {
        Value::Scalar(c) => zip(g, call, &args[1..], &values[1], &values[2], |g, a, b| {
            g.select(*c, a, b)
        }),
        _ => {
            let n = test.nodes().len();
            let pick = |v: &Value, i: usize| match v {
                Value::Scalar(x) => Some(*x),
                _ => v.nodes().get(i).copied(),
            };
            let nodes: Option<Vec<Node>> = (0..n)
                .map(|i| {
                    Some(g.select(test.nodes()[i], pick(&values[1], i)?, pick(&values[2], i)?))
                })
                .collect();
            nodes.map(Value::Vector).ok_or_else(|| {
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

fn diagonal(g: &mut Graph, args: &[Expression], values: &[Value]) -> Result<Value> {
    expect_arguments("diag", values, 1, 2)?;
    if let Value::Matrix { rows, cols, nodes } = &values[0] {
        let n = (*rows).min(*cols);
        return Ok(Value::Vector((0..n).map(|i| nodes[i * cols + i]).collect()));
    }
    let entries = match values.get(1).map(|n| whole(g, n)) {
        None => values[0].nodes().to_vec(),
        Some(Some(n)) => match &values[0] {
            Value::Scalar(x) => {
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
    Ok(Value::Matrix {
        rows: n,
        cols: n,
        nodes,
    })
}

fn cumulated(g: &mut Graph, call: &str, value: &Value) -> Value {
    let mut total = g.constant(f64::from(u8::from(call == "cumprod")));
    let each = value.nodes().iter().map(|x| {
        total = if call == "cumsum" {
            g.add(total, *x)
        } else {
            g.mul(total, *x)
        };
        total
    });
    Value::Vector(each.collect())
}

/// `a:b`, `seq_len(n)`, `seq_along(x)`, `numeric(n)`.
fn sequence(g: &mut Graph, call: &str, args: &[Expression], values: &[Value]) -> Result<Value> {
    let n = if call == ":" { 2 } else { 1 };
    expect_arguments(call, values, n, n)?;
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
    Ok(Value::Vector(
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
