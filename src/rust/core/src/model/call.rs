//! Compile expressions: symbols, operators and functions on scalars, vectors and small matrices.

use super::arguments::arranged;
use super::functions::{self, Call, FunctionRule, ModelFunction, FUNCTIONS};
use super::scope::Scope;
use super::shape::{choose, expect_size};
use super::value::ShapedValue;
use crate::error::{Error, Result};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;
use crate::language::expression::Expression;
use crate::language::words;

impl Scope {
    /// Compile `expression`; `statement` is quoted in errors.
    ///
    /// # Errors
    /// Unknown function, wrong number of arguments, shapes that do not fit, index out of range.
    pub fn value(&mut self, expression: &Expression, statement: &str) -> Result<ShapedValue> {
        match expression {
            Expression::Number { num } => Ok(ShapedValue::Scalar(self.graph.constant(*num))),
            Expression::Text { str } => Ok(ShapedValue::Text(str.clone())),
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
    ) -> Result<ShapedValue> {
        if let Some(value) = self.learned(call, args, names, statement) {
            return value;
        }
        let Some(function) = functions::function(call) else {
            // What is wrong with an argument is said first.
            for arg in args {
                self.value(arg, statement)?;
            }
            return Err(unknown(call));
        };
        let call = Call {
            function,
            args,
            names,
            statement,
        };
        match function.rule {
            FunctionRule::Read(rule) => return rule(self, &call),
            FunctionRule::Input => return self.input(&call),
            FunctionRule::Clock => return self.since_dose(function.name, args, statement),
            _ => {}
        }
        if let ("==" | "!=", [left, right]) = (function.name, args) {
            if let Some(test) = self.level_test(left, right)? {
                let negated = function.name == "!=";
                return map(&mut self.graph, &test, |g, x| match negated {
                    true => g.unary(Unary::Not, x),
                    false => x,
                });
            }
        }
        let named = names.iter().any(|name| !name.is_empty());
        let ordered: Vec<&Expression> = if named && !function.arguments.is_empty() {
            let slots = arranged(function.name, args, names, function.arguments)?;
            slots.into_iter().map_while(|slot| slot).collect()
        } else {
            args.iter().collect()
        };
        let mut values = Vec::with_capacity(args.len());
        for arg in &ordered {
            values.push(self.value(arg, statement)?);
        }
        let args: Vec<Expression> = ordered.into_iter().cloned().collect();
        apply(&mut self.graph, function, &args, &values)
    }

    /// `if (condition) yes else no`. A branch that is never taken need not make sense: `if (i > 1) x[i - 1] else 0`.
    pub fn either(&mut self, call: &Call) -> Result<ShapedValue> {
        let values = match call.args {
            [condition, yes, no] => {
                let condition = self.value(condition, call.statement)?;
                if let Some(value) = self.constant_of(&condition) {
                    return self.value(if value != 0.0 { yes } else { no }, call.statement);
                }
                vec![
                    condition,
                    self.value(yes, call.statement)?,
                    self.value(no, call.statement)?,
                ]
            }
            args => (args.iter())
                .map(|arg| self.value(arg, call.statement))
                .collect::<Result<_>>()?,
        };
        let rule = ModelFunction {
            rule: FunctionRule::Values(3, 3, choose),
            ..*call.function
        };
        apply(&mut self.graph, &rule, call.args, &values)
    }

    /// The number that a scalar is known to be.
    pub fn constant_of(&self, value: &ShapedValue) -> Option<f64> {
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

fn apply(
    g: &mut Graph,
    function: &ModelFunction,
    args: &[Expression],
    values: &[ShapedValue],
) -> Result<ShapedValue> {
    if let Some(text) = values.iter().find_map(|v| match v {
        ShapedValue::Text(text) => Some(text),
        _ => None,
    }) {
        return Err(Error::model(
            "wrong_shape",
            format!("The text \"{text}\" stands where a number belongs."),
        )
        .hint("Texts are levels of factors, as in `sex == \"F\"`."));
    }
    let name = function.name;
    match (function.rule, values) {
        (FunctionRule::Each(f) | FunctionRule::Either(f, _), [x]) => map(g, x, f),
        (FunctionRule::Pair(f) | FunctionRule::Either(_, f), [a, b]) => zip(g, name, args, a, b, f),
        (FunctionRule::Values(least, most, f), _) => {
            expect_arguments(name, values, least, most)?;
            // Also `v <- c(v, v)` in a loop.
            expect_size(name, Some(values.iter().map(|v| v.nodes().len()).sum()))?;
            f(g, name, args, values)
        }
        (FunctionRule::Each(_), _) => Err(wrong_count(name, values.len(), 1, 1)),
        _ => Err(wrong_count(name, values.len(), 2, 2)),
    }
}

fn unknown(call: &str) -> Error {
    if words::ERROR_MODELS.contains(&call) {
        return Error::model(
            "misplaced_error",
            format!("The residual error `{call}()` stands inside an expression."),
        )
        .hint(format!(
            "It is the SD of an outcome, as in `y ~ normal(f, {call}(...))`."
        ));
    }
    let known = FUNCTIONS.iter().map(|function| function.name);
    Error::model("unknown_function", format!("Unknown function `{call}()`."))
        .field("name", call)
        .hint(words::suggestion(
            call,
            "The functions of the language are",
            known,
        ))
}

fn expect_arguments(call: &str, values: &[ShapedValue], least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&values.len()) {
        return Ok(());
    }
    Err(wrong_count(call, values.len(), least, most))
}

fn wrong_count(call: &str, given: usize, least: usize, most: usize) -> Error {
    let range = if least == most {
        least.to_string()
    } else {
        format!("{least} to {most}")
    };
    Error::model(
        "argument_count",
        format!(
            "`{call}()` takes {range} argument{}, {given} {} given.",
            if range == "1" { "" } else { "s" },
            if given == 1 { "is" } else { "are" }
        ),
    )
}

pub fn map(
    g: &mut Graph,
    value: &ShapedValue,
    mut f: impl FnMut(&mut Graph, Node) -> Node,
) -> Result<ShapedValue> {
    let mut each = |nodes: &[Node]| nodes.iter().map(|x| f(g, *x)).collect::<Vec<_>>();
    Ok(match value {
        ShapedValue::Scalar(x) => ShapedValue::Scalar(each(&[*x])[0]),
        ShapedValue::Vector(nodes) => ShapedValue::Vector(each(nodes)),
        ShapedValue::Matrix { rows, cols, nodes } => ShapedValue::Matrix {
            rows: *rows,
            cols: *cols,
            nodes: each(nodes),
        },
        ShapedValue::Text(text) => ShapedValue::Text(text.clone()),
    })
}

pub fn zip(
    g: &mut Graph,
    call: &str,
    args: &[Expression],
    a: &ShapedValue,
    b: &ShapedValue,
    mut f: impl FnMut(&mut Graph, Node, Node) -> Node,
) -> Result<ShapedValue> {
    match (a, b) {
        (_, ShapedValue::Scalar(y)) => map(g, a, |g, x| f(g, x, *y)),
        (ShapedValue::Scalar(x), _) => map(g, b, |g, y| f(g, *x, y)),
        (_, ShapedValue::Vector(one)) if one.len() == 1 => map(g, a, |g, x| f(g, x, one[0])),
        (ShapedValue::Vector(one), _) if one.len() == 1 => map(g, b, |g, y| f(g, one[0], y)),
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
