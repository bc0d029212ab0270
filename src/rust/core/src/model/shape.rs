//! Compile the functions that build and take apart vectors and matrices.

use super::call::{expect_arguments, map, zip};
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
        "rep" => repeat(g, args, values),
        "diag" => diagonal(g, values),
        "[" => element(g, args, values),
        "rbind" => bind_rows(args, values),
        "%*%" => product(g, args, values),
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

/// A whole number known when the model is compiled.
fn whole(g: &Graph, value: &Value) -> Option<usize> {
    match value {
        Value::Scalar(node) => {
            let x = g.as_constant(*node)?;
            let valid = x >= 0.0 && x.fract() == 0.0 && x < 1e9;
            valid.then_some(x as usize)
        }
        _ => None,
    }
}

/// Most elements of a value: a slip of the pen must not ask for more memory than there is.
const MAX_ELEMENTS: usize = 1_000_000;

fn expect_size(call: &str, size: Option<usize>) -> Result<()> {
    if size.is_some_and(|n| n <= MAX_ELEMENTS) {
        return Ok(());
    }
    let problem = format!("`{call}()` makes more than {MAX_ELEMENTS} elements.");
    Err(Error::model("too_large", problem))
}

fn repeat(g: &mut Graph, args: &[Expression], values: &[Value]) -> Result<Value> {
    expect_arguments("rep", values, 2, 2)?;
    let times = whole(g, &values[1]).ok_or_else(|| {
        Error::model(
            "not_constant",
            format!(
                "`{}` in `rep()` is not a fixed whole number.",
                args[1].show()
            ),
        )
    })?;
    expect_size("rep", values[0].nodes().len().checked_mul(times))?;
    Ok(Value::Vector(values[0].nodes().repeat(times)))
}

fn diagonal(g: &mut Graph, values: &[Value]) -> Result<Value> {
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
        Some(None) => {
            return Err(Error::model(
                "not_constant",
                "The size in `diag()` is not a fixed whole number.",
            ))
        }
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

fn element(g: &mut Graph, args: &[Expression], values: &[Value]) -> Result<Value> {
    let at = |k: usize, size: usize| -> Result<usize> {
        let index = whole(g, &values[k]).ok_or_else(|| {
            Error::model(
                "not_constant",
                format!(
                    "The index `{}` is not a fixed whole number.",
                    args[k].show()
                ),
            )
        })?;
        if (1..=size).contains(&index) {
            return Ok(index - 1);
        }
        Err(Error::model(
            "index_out_of_range",
            format!(
                "`{}` is {}: it has no element {index}.",
                args[0].show(),
                values[0].shape()
            ),
        )
        .field("index", index))
    };
    match (&values[0], values.len()) {
        (Value::Scalar(x), 2) => at(1, 1).map(|_| Value::Scalar(*x)),
        (Value::Vector(nodes), 2) => match &values[1] {
            Value::Vector(indices) => {
                let picked: Result<Vec<Node>> = indices
                    .iter()
                    .map(|i| g.as_constant(*i).filter(|x| *x >= 1.0 && x.fract() == 0.0))
                    .map(|i| i.and_then(|x| nodes.get(x as usize - 1).copied()))
                    .map(|node| {
                        node.ok_or_else(|| {
                            Error::model(
                                "index_out_of_range",
                                format!(
                                    "An index in `[{}]` is not an element of `{}`.",
                                    args[1].show(),
                                    args[0].show()
                                ),
                            )
                        })
                    })
                    .collect();
                picked.map(Value::Vector)
            }
            _ => at(1, nodes.len()).map(|i| Value::Scalar(nodes[i])),
        },
        (Value::Matrix { rows, cols, nodes }, 3) => {
            let (i, j) = (at(1, *rows)?, at(2, *cols)?);
            Ok(Value::Scalar(nodes[i * cols + j]))
        }
        (value, n) => Err(Error::model(
            "wrong_shape",
            format!(
                "`{}` is {} and cannot take {} indices.",
                args[0].show(),
                value.shape(),
                n - 1
            ),
        )),
    }
}

fn product(g: &mut Graph, args: &[Expression], values: &[Value]) -> Result<Value> {
    expect_arguments("%*%", values, 2, 2)?;
    let sizes = |v: &Value, left: bool| match v {
        Value::Matrix { rows, cols, .. } => (*rows, *cols),
        v if left => (1, v.nodes().len()),
        v => (v.nodes().len(), 1),
    };
    let ((n, inner), (other, m)) = (sizes(&values[0], true), sizes(&values[1], false));
    if inner != other {
        return Err(Error::model(
            "wrong_shape",
            format!(
                "`{}` and `{}` do not fit in `%*%`: {} and {}.",
                args[0].show(),
                args[1].show(),
                values[0].shape(),
                values[1].shape()
            ),
        ));
    }
    let (a, b) = (values[0].nodes().to_vec(), values[1].nodes().to_vec());
    let mut nodes = Vec::with_capacity(n * m);
    for i in 0..n {
        for j in 0..m {
            let terms: Vec<Node> = (0..inner)
                .map(|k| g.mul(a[i * inner + k], b[k * m + j]))
                .collect();
            nodes.push(g.sum(&terms));
        }
    }
    Ok(if n == 1 || m == 1 {
        Value::from_nodes(nodes)
    } else {
        Value::Matrix {
            rows: n,
            cols: m,
            nodes,
        }
    })
}
