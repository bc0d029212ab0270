//! Compile expressions: symbols, operators and functions on scalars, vectors and small matrices.

use super::arguments::{arranged, formals};
use super::clock;
use super::compartments;
use super::inputs;
use super::mixture;
use super::scope::Scope;
use super::shape::shaping;
use super::value::Value;
use crate::error::{Error, Result};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::{Binary, Unary};
use crate::language::expression::Expression;

impl Scope {
    /// Compile `expression`; `statement` is quoted in errors.
    ///
    /// # Errors
    /// Unknown function, wrong number of arguments, shapes that do not fit, index out of range.
    pub fn value(&mut self, expression: &Expression, statement: &str) -> Result<Value> {
        match expression {
            Expression::Number { num } => Ok(Value::Scalar(self.graph.constant(*num))),
            Expression::Text { str } => Ok(Value::Text(str.clone())),
            Expression::Symbol { sym } => self.symbol(sym, statement),
            Expression::Block { block, value } => self.block(block, value, statement),
            Expression::Call { call, args, names } => self.call(call, args, names, statement),
        }
        .map_err(|e| e.at(statement))
    }

    fn call(
        &mut self,
        call: &str,
        args: &[Expression],
        names: &[String],
        statement: &str,
    ) -> Result<Value> {
        match (call, args) {
            ("[", _) => return self.element(args, statement),
            (word, _) if inputs::is_input(word) => return self.input(word, args, names, statement),
            (word, _) if clock::WORDS.contains(&word) => {
                return self.since_dose(word, args, statement)
            }
            (mixture::WORD, _) => return self.mix(args, names, statement),
            (compartments::WORD, _) => return self.compartments(args, names, statement),
            ("==" | "!=", [left, right]) => {
                if let Some(test) = self.level_test(left, right)? {
                    return map(&mut self.graph, &test, |g, x| {
                        if call == "==" {
                            x
                        } else {
                            g.unary(Unary::Not, x)
                        }
                    });
                }
            }
            ("if", [condition, yes, no]) => {
                let condition = self.value(condition, statement)?;
                // A branch that is never taken need not make sense: `if (i > 1) x[i - 1] else 0`.
                if let Some(value) = self.constant_of(&condition) {
                    return self.value(if value != 0.0 { yes } else { no }, statement);
                }
                let values = [
                    condition,
                    self.value(yes, statement)?,
                    self.value(no, statement)?,
                ];
                return apply(&mut self.graph, call, args, &values);
            }
            _ => {}
        }
        if let Some(special) = self.special(call, args, names, statement)? {
            return Ok(special);
        }
        let named = names.iter().any(|name| !name.is_empty());
        let ordered: Vec<&Expression> = match formals(call).filter(|_| named) {
            None => args.iter().collect(),
            Some(formals) => {
                let slots = arranged(call, args, names, formals)?;
                slots.into_iter().map_while(|slot| slot).collect()
            }
        };
        let mut values = Vec::with_capacity(args.len());
        for arg in &ordered {
            values.push(self.value(arg, statement)?);
        }
        let args: Vec<Expression> = ordered.into_iter().cloned().collect();
        apply(&mut self.graph, call, &args, &values)
    }

    /// The number that a scalar is known to be.
    pub fn constant_of(&self, value: &Value) -> Option<f64> {
        match value.nodes() {
            [node] => self.graph.as_constant(*node),
            _ => None,
        }
    }

    /// Compile an expression that must be a scalar.
    pub fn scalar(&mut self, expression: &Expression, statement: &str) -> Result<Node> {
        let value = self.value(expression, statement)?;
        match value.nodes() {
            [node] => Ok(*node),
            _ => Err(Error::model(
                "wrong_shape",
                format!(
                    "`{}` is {}, a scalar is needed.",
                    expression.show(),
                    value.shape()
                ),
            )
            .at(statement)),
        }
    }
}

fn apply(g: &mut Graph, call: &str, args: &[Expression], values: &[Value]) -> Result<Value> {
    if let Some(text) = values.iter().find_map(|v| match v {
        Value::Text(text) => Some(text),
        _ => None,
    }) {
        return Err(Error::model(
            "wrong_shape",
            format!("The text \"{text}\" stands where a number belongs."),
        )
        .hint("Texts are levels of factors, as in `sex == \"F\"`."));
    }
    if let Some(f) = unary_function(call, values.len()) {
        expect_arguments(call, values, 1, 1)?;
        return map(g, &values[0], f);
    }
    if let Some(f) = binary_function(call) {
        expect_arguments(call, values, 2, 2)?;
        return zip(g, call, args, &values[0], &values[1], f);
    }
    shaping(g, call, args, values)
}

pub fn expect_arguments(call: &str, values: &[Value], least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&values.len()) {
        return Ok(());
    }
    let range = if least == most {
        least.to_string()
    } else {
        format!("{least} to {most}")
    };
    Err(Error::model(
        "argument_count",
        format!(
            "`{call}()` takes {range} argument{}, {} {} given.",
            if range == "1" { "" } else { "s" },
            values.len(),
            if values.len() == 1 { "is" } else { "are" }
        ),
    ))
}

type UnaryRule = fn(&mut Graph, Node) -> Node;
type BinaryRule = fn(&mut Graph, Node, Node) -> Node;

fn unary_function(call: &str, n_args: usize) -> Option<UnaryRule> {
    Some(match (call, n_args) {
        ("-", 1) => |g, x| g.neg(x),
        ("+", 1) => |_, x| x,
        ("(", _) => |_, x| x,
        ("!", _) => |g, x| g.unary(Unary::Not, x),
        ("exp", _) => |g, x| g.exp(x),
        ("log", 1) => |g, x| g.ln(x),
        ("log2", _) => |g, x| {
            let log = g.ln(x);
            g.scale(std::f64::consts::LOG2_E, log)
        },
        ("log10", _) => |g, x| {
            let log = g.ln(x);
            g.scale(std::f64::consts::LOG10_E, log)
        },
        ("log1p", _) => |g, x| g.unary(Unary::Log1p, x),
        ("expm1", _) => |g, x| g.unary(Unary::Expm1, x),
        ("sqrt", _) => |g, x| g.unary(Unary::Sqrt, x),
        ("abs", _) => |g, x| g.unary(Unary::Abs, x),
        ("sin", _) => |g, x| g.unary(Unary::Sin, x),
        ("cos", _) => |g, x| g.unary(Unary::Cos, x),
        ("tan", _) => |g, x| g.unary(Unary::Tan, x),
        ("tanh", _) => |g, x| g.unary(Unary::Tanh, x),
        ("atan", _) => |g, x| g.unary(Unary::Atan, x),
        ("lgamma", _) => |g, x| g.unary(Unary::LGamma, x),
        ("gamma", _) => |g, x| g.unary(Unary::Gamma, x),
        ("digamma", _) => |g, x| g.unary(Unary::Digamma, x),
        ("trigamma", _) => |g, x| g.unary(Unary::Trigamma, x),
        ("pnorm", _) => |g, x| g.unary(Unary::PNorm, x),
        ("qnorm", _) => |g, x| g.unary(Unary::QNorm, x),
        ("plogis", _) => |g, x| g.unary(Unary::Logistic, x),
        ("qlogis", _) => logit,
        ("softplus", _) => |g, x| g.unary(Unary::Log1pExp, x),
        _ => return None,
    })
}

/// `ln(p) - ln(1 - p)`; the logit of a logistic function is its argument.
fn logit(g: &mut Graph, p: Node) -> Node {
    if let crate::ir::graph::Op::Unary(Unary::Logistic, x) = g.op(p) {
        return x;
    }
    let log = g.ln(p);
    let minus = g.neg(p);
    let rest = g.unary(Unary::Log1p, minus);
    g.sub(log, rest)
}

fn binary_function(call: &str) -> Option<BinaryRule> {
    Some(match call {
        "+" => |g, a, b| g.add(a, b),
        "-" => |g, a, b| g.sub(a, b),
        "*" => |g, a, b| g.mul(a, b),
        "/" => |g, a, b| g.div(a, b),
        "^" => |g, a, b| g.binary(Binary::Pow, a, b),
        "<" => |g, a, b| g.binary(Binary::Less, a, b),
        ">" => |g, a, b| g.binary(Binary::Less, b, a),
        "<=" => |g, a, b| g.binary(Binary::LessEqual, a, b),
        ">=" => |g, a, b| g.binary(Binary::LessEqual, b, a),
        "==" => |g, a, b| g.binary(Binary::Equal, a, b),
        "!=" => |g, a, b| {
            let equal = g.binary(Binary::Equal, a, b);
            g.unary(Unary::Not, equal)
        },
        "&" | "&&" => |g, a, b| g.binary(Binary::And, a, b),
        "|" | "||" => |g, a, b| g.binary(Binary::Or, a, b),
        _ => return None,
    })
}

pub fn map(
    g: &mut Graph,
    value: &Value,
    mut f: impl FnMut(&mut Graph, Node) -> Node,
) -> Result<Value> {
    let mut each = |nodes: &[Node]| nodes.iter().map(|x| f(g, *x)).collect::<Vec<_>>();
    Ok(match value {
        Value::Scalar(x) => Value::Scalar(each(&[*x])[0]),
        Value::Vector(nodes) => Value::Vector(each(nodes)),
        Value::Matrix { rows, cols, nodes } => Value::Matrix {
            rows: *rows,
            cols: *cols,
            nodes: each(nodes),
        },
        Value::Text(text) => Value::Text(text.clone()),
    })
}

pub fn zip(
    g: &mut Graph,
    call: &str,
    args: &[Expression],
    a: &Value,
    b: &Value,
    mut f: impl FnMut(&mut Graph, Node, Node) -> Node,
) -> Result<Value> {
    match (a, b) {
        (_, Value::Scalar(y)) => map(g, a, |g, x| f(g, x, *y)),
        (Value::Scalar(x), _) => map(g, b, |g, y| f(g, *x, y)),
        (_, Value::Vector(one)) if one.len() == 1 => map(g, a, |g, x| f(g, x, one[0])),
        (Value::Vector(one), _) if one.len() == 1 => map(g, b, |g, y| f(g, one[0], y)),
        _ if a.shape() == b.shape() => {
            let mut right = b.nodes().iter();
            map(g, a, |g, x| match right.next() {
                Some(y) => f(g, x, *y),
                None => x,
            })
        }
        _ => Err(Error::model(
            "wrong_shape",
            format!(
                "`{}` and `{}` do not fit in `{call}`: {} and {}.",
                args[0].show(),
                args[1].show(),
                a.shape(),
                b.shape()
            ),
        )),
    }
}
