//! List the functions of the language: how each is called, and what it writes into the graph.

use super::matrix::matrix_function;
use super::scope::Scope;
use super::shape::{
    bind_rows, choose, combine, cumulated, diagonal, extreme, extremes, length, logarithm, mean,
    product, reverse, sequence, sum,
};
use super::value::ShapedValue;
use crate::error::Result;
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::{Binary, Unary};
use crate::language::expression::Expression;

/// A function or an operator.
pub struct ModelFunction {
    pub name: &'static str,
    /// Names of the arguments in their order; empty where they have none.
    pub arguments: &'static [&'static str],
    pub rule: FunctionRule,
}

pub type Each = fn(&mut Graph, Node) -> Node;
pub type Pair = fn(&mut Graph, Node, Node) -> Node;

/// What a function does.
#[derive(Clone, Copy)]
pub enum FunctionRule {
    /// Element by element.
    Each(Each),
    /// Element by element of two arguments.
    Pair(Pair),
    /// The first with one argument, else the second.
    Either(Each, Pair),
    /// What becomes of the values of so many arguments, at least and at most.
    Values(usize, usize, Shaping),
    /// What becomes of the arguments as they are written.
    Read(fn(&mut Scope, &Call) -> Result<ShapedValue>),
    /// A rate at which doses come in.
    Input,
    /// A time since doses.
    Clock,
}

pub type Shaping = fn(&mut Graph, &str, &[Expression], &[ShapedValue]) -> Result<ShapedValue>;

/// A call as it is written; `statement` is quoted in errors.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub function: &'static ModelFunction,
    pub args: &'a [Expression],
    pub names: &'a [String],
    pub statement: &'a str,
}

/// More arguments than anybody writes.
const MANY: usize = 1000;

const fn each(name: &'static str, rule: Each) -> ModelFunction {
    named(name, &["x"], FunctionRule::Each(rule))
}

const fn pair(name: &'static str, rule: Pair) -> ModelFunction {
    named(name, &[], FunctionRule::Pair(rule))
}

const fn values(name: &'static str, least: usize, most: usize, rule: Shaping) -> ModelFunction {
    named(name, &[], FunctionRule::Values(least, most, rule))
}

const fn value(name: &'static str, rule: Shaping) -> ModelFunction {
    named(name, &["x"], FunctionRule::Values(1, 1, rule))
}

const fn read(
    name: &'static str,
    rule: fn(&mut Scope, &Call) -> Result<ShapedValue>,
) -> ModelFunction {
    named(name, &[], FunctionRule::Read(rule))
}

const fn input(name: &'static str, arguments: &'static [&'static str]) -> ModelFunction {
    named(name, arguments, FunctionRule::Input)
}

const fn clock(name: &'static str) -> ModelFunction {
    named(name, &[], FunctionRule::Clock)
}

const fn named(
    name: &'static str,
    arguments: &'static [&'static str],
    rule: FunctionRule,
) -> ModelFunction {
    ModelFunction {
        name,
        arguments,
        rule,
    }
}

/// Every function, in the order in which lists show them.
#[rustfmt::skip]
pub static FUNCTIONS: [ModelFunction; 82] = [
    named("+", &[], FunctionRule::Either(|_, x| x, |g, a, b| g.add(a, b))),
    named("-", &[], FunctionRule::Either(|g, x| g.neg(x), |g, a, b| g.sub(a, b))),
    pair("*", |g, a, b| g.mul(a, b)),
    pair("/", |g, a, b| g.div(a, b)),
    pair("^", |g, a, b| g.binary(Binary::Pow, a, b)),
    pair("<", |g, a, b| g.binary(Binary::Less, a, b)),
    pair(">", |g, a, b| g.binary(Binary::Less, b, a)),
    pair("<=", |g, a, b| g.binary(Binary::LessEqual, a, b)),
    pair(">=", |g, a, b| g.binary(Binary::LessEqual, b, a)),
    pair("==", |g, a, b| g.binary(Binary::Equal, a, b)),
    pair("!=", |g, a, b| { let equal = g.binary(Binary::Equal, a, b); g.unary(Unary::Not, equal) }),
    pair("&", |g, a, b| g.binary(Binary::And, a, b)),
    pair("|", |g, a, b| g.binary(Binary::Or, a, b)),
    pair("&&", |g, a, b| g.binary(Binary::And, a, b)),
    pair("||", |g, a, b| g.binary(Binary::Or, a, b)),
    named("!", &[], FunctionRule::Each(|g, x| g.unary(Unary::Not, x))),
    named("(", &[], FunctionRule::Each(|_, x| x)),
    each("exp", |g, x| g.exp(x)),
    named("log", &["x", "base"], FunctionRule::Values(1, 2, logarithm)),
    each("log1p", |g, x| g.unary(Unary::Log1p, x)),
    each("expm1", |g, x| g.unary(Unary::Expm1, x)),
    each("log2", |g, x| { let log = g.ln(x); g.scale(std::f64::consts::LOG2_E, log) }),
    each("log10", |g, x| { let log = g.ln(x); g.scale(std::f64::consts::LOG10_E, log) }),
    each("sqrt", |g, x| g.unary(Unary::Sqrt, x)),
    each("abs", |g, x| g.unary(Unary::Abs, x)),
    each("sin", |g, x| g.unary(Unary::Sin, x)),
    each("cos", |g, x| g.unary(Unary::Cos, x)),
    each("tan", |g, x| g.unary(Unary::Tan, x)),
    each("tanh", |g, x| g.unary(Unary::Tanh, x)),
    each("atan", |g, x| g.unary(Unary::Atan, x)),
    each("lgamma", |g, x| g.unary(Unary::LGamma, x)),
    each("gamma", |g, x| g.unary(Unary::Gamma, x)),
    each("digamma", |g, x| g.unary(Unary::Digamma, x)),
    each("trigamma", |g, x| g.unary(Unary::Trigamma, x)),
    named("pnorm", &["q"], FunctionRule::Each(|g, x| g.unary(Unary::PNorm, x))),
    named("qnorm", &["p"], FunctionRule::Each(|g, x| g.unary(Unary::QNorm, x))),
    named("plogis", &["q"], FunctionRule::Each(|g, x| g.unary(Unary::Logistic, x))),
    named("qlogis", &["p"], FunctionRule::Each(logit)),
    each("softplus", |g, x| g.unary(Unary::Log1pExp, x)),
    values("min", 0, MANY, extreme),
    values("max", 0, MANY, extreme),
    values("pmin", 2, 2, extremes),
    values("pmax", 2, 2, extremes),
    named("ifelse", &["test", "yes", "no"], FunctionRule::Values(3, 3, choose)),
    read("if", |scope, call| scope.either(call)),
    values("c", 0, usize::MAX, combine),
    read("[", |scope, call| scope.element(call.args, call.statement)),
    values("sum", 0, usize::MAX, sum),
    values("prod", 0, usize::MAX, product),
    values("mean", 0, usize::MAX, mean),
    value("length", length),
    named("rep", &["x", "times", "each"], FunctionRule::Read(|scope, call| scope.special(call))),
    named("diag", &["x", "nrow"], FunctionRule::Values(1, 2, diagonal)),
    values("%*%", 2, 2, matrix_function),
    values(":", 2, 2, sequence),
    named("seq_len", &["length.out"], FunctionRule::Values(1, 1, sequence)),
    named("seq_along", &["along.with"], FunctionRule::Values(1, 1, sequence)),
    named("seq", &["from", "to", "by"], FunctionRule::Read(|scope, call| scope.special(call))),
    named("numeric", &["length"], FunctionRule::Values(1, 1, sequence)),
    named("matrix", &["data", "nrow", "ncol", "byrow"], FunctionRule::Read(|scope, call| scope.special(call))),
    value("t", matrix_function),
    value("nrow", matrix_function),
    value("ncol", matrix_function),
    value("cumsum", cumulated),
    value("cumprod", cumulated),
    value("rev", reverse),
    named("crossprod", &["x", "y"], FunctionRule::Values(1, 2, matrix_function)),
    named("tcrossprod", &["x", "y"], FunctionRule::Values(1, 2, matrix_function)),
    named("outer", &["X", "Y"], FunctionRule::Values(2, 2, matrix_function)),
    value("rowSums", matrix_function),
    value("colSums", matrix_function),
    values("rbind", 1, MANY, bind_rows),
    read("linear_compartments", |scope, call| scope.compartments(call.args, call.names, call.statement)),
    input("transit", &["n", "mtt"]),
    input("inverse_gaussian", &["mat", "cv"]),
    input("weibull_input", &["shape", "scale"]),
    input("first_order", &["ka", "lag"]),
    input("zero_order", &["duration", "lag"]),
    clock("tad"),
    clock("tsld"),
    clock("tafd"),
    read("mix", |scope, call| scope.mix(call.args, call.names, call.statement)),
];

/// The function of this name.
pub fn function(name: &str) -> Option<&'static ModelFunction> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// `ln(p) - ln(1 - p)`; the logit of a logistic function is its argument.
fn logit(g: &mut Graph, p: Node) -> Node {
    if let Op::Unary(Unary::Logistic, x) = g.op(p) {
        return x;
    }
    let log = g.ln(p);
    let minus = g.neg(p);
    let rest = g.unary(Unary::Log1p, minus);
    g.sub(log, rest)
}
