//! Compile input functions: how fast a dose comes in that does not come in at once.
//!
//! In `d/dt(x) <- transit(n, mtt) - ka * x` doses into `x` enter by the function. Its value is the sum over doses of
//! `F amount g(t - time - L)`, with the density `g` of the time a molecule needs:
//!
//! | word | `g(u)` |
//! |---|---|
//! | `transit(n, mtt)` | `k (k u)^n exp(-k u) / Gamma(n + 1)`, `k = (n + 1) / mtt` |
//! | `inverse_gaussian(mat, cv)` | `sqrt(mat / (2 pi cv^2 u^3)) exp(-(u - mat)^2 / (2 cv^2 mat u))` |
//! | `weibull_input(shape, scale)` | `shape / scale (u / scale)^(shape - 1) exp(-(u / scale)^shape)` |
//! | `first_order(ka, lag)` | `ka exp(-ka (u - lag))` from `lag` on |
//! | `zero_order(duration, lag)` | `1 / duration` from `lag` to `lag + duration` |
//!
//! Doses go into hidden states behind those of the user, so that lags, bioavailability, resets and their derivatives are
//! those of any dose. `first_order()` is a depot. `zero_order()` is the difference of two states that hold what came in,
//! as a rate, and what has ended. The others have one state a dose, which holds its amount once it has come; when it
//! came is a column made from the data.
//!
//! Sources: Savic et al. (2007), J. Pharmacokinet. Pharmacodyn. 34, 711-726; Weiss (1996), Eur. J. Clin. Pharmacol. 51,
//! 351-360; Piotrovskii (1987), J. Pharmacokinet. Biopharm. 15, 681-686.

use super::arguments::arranged;
use super::functions::{function, Call, FunctionRule, ModelFunction};
use super::scope::Scope;
use super::value::ShapedValue;
use super::{mixture, parameter, ColumnSource, Feed, Model};
use crate::distributions::LN_SQRT_2PI;
use crate::error::{Error, Result};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::{Binary, Unary};
use crate::language::expression::Expression;
use crate::language::specification::{DosingProperty, Specification, Statement};

/// A dose is taken to have come this long ago at least: a density that jumps has its value after the jump.
const EARLIEST: f64 = 1e-10;

/// Between neighboring stops behind a dose, and how many there are: the first is at 4e-11 of the scale.
const GRADE: f64 = 2.5;
const GRADES: usize = 26;

fn is_input(word: &str) -> bool {
    function(word).is_some_and(|function| matches!(function.rule, FunctionRule::Input))
}

/// Statements in the order in which they are compiled: an equation with an input function after the lag of its doses.
pub fn ordered(spec: &Specification) -> Vec<&Statement> {
    let lag_of = |state: &str, from: usize| {
        let mut later = spec.statements.iter().enumerate().skip(from);
        let lag = later.find(|(_, s)| {
            matches!(s, Statement::Dosing { property: DosingProperty::Alag, state: of, .. } if of == state)
        });
        lag.map(|(j, _)| j)
    };
    let mut waits: Vec<(usize, usize)> = Vec::new();
    for (i, statement) in spec.statements.iter().enumerate() {
        let lag = match statement {
            Statement::Derivative { state, value, .. } if reads_input(value) => lag_of(state, i),
            _ => None,
        };
        waits.push((lag.map_or(i, |j| j.max(i)), i));
    }
    // An equation that waits stands right behind the statement it waits for.
    waits.sort_by_key(|(at, i)| (*at, *at != *i, *i));
    waits.iter().map(|(_, i)| &spec.statements[*i]).collect()
}

fn reads_input(tree: &Expression) -> bool {
    match tree {
        Expression::Call { call, args, .. } => is_input(call) || args.iter().any(reads_input),
        Expression::Block { value, .. } => reads_input(value),
        _ => false,
    }
}

impl Scope {
    /// The rate of a call in the equation of a state.
    ///
    /// # Errors
    /// A call that stands elsewhere, and those of its arguments.
    pub fn input(&mut self, call: &Call) -> Result<ShapedValue> {
        let ModelFunction {
            name: word,
            arguments: wanted,
            ..
        } = *call.function;
        let statement = call.statement;
        let Some(owner) = self.states.deriving() else {
            return Err(outside(word, wanted));
        };
        let slots = arranged(word, call.args, call.names, wanted)?;
        let mut values = Vec::new();
        for (slot, name) in slots.iter().zip(wanted) {
            match slot {
                Some(tree) => values.push(self.scalar(tree, statement)?),
                None if *name == "lag" => {}
                None => return Err(incomplete(word, wanted)),
            }
        }
        let timed: &[Node] = match word {
            "zero_order" => &values,
            "first_order" => values.get(1..).unwrap_or_default(),
            _ => &[],
        };
        if let Some(name) = timed.iter().find_map(|node| self.changing(*node)) {
            let problem = format!("`{word}()` reads `{name}`, which changes with time.");
            return Err(Error::model("not_of_subject", problem)
                .field("name", name)
                .hint(
                "When a dose comes and ends depends on parameters, random effects and covariates.",
            ));
        }
        Ok(ShapedValue::Scalar(match (word, values.as_slice()) {
            ("first_order", [ka, lag @ ..]) => self.depot(owner, *ka, lag.first().copied()),
            ("zero_order", [duration, lag @ ..]) => {
                self.constant_rate(owner, *duration, lag.first().copied())
            }
            (_, [a, b]) => self.by_dose(owner, word, [*a, *b])?,
            _ => return Err(incomplete(word, wanted)),
        }))
    }

    fn depot(&mut self, owner: usize, ka: Node, lag: Option<Node>) -> Node {
        let feed = Feed {
            lag,
            ..Feed::new(owner, "first_order")
        };
        let k = self.states.hide(feed);
        let depot = self.graph.state(parameter::index(k));
        let absorbed = self.graph.mul(ka, depot);
        let rhs = self.graph.neg(absorbed);
        self.set_flow(k, rhs);
        absorbed
    }

    fn constant_rate(&mut self, owner: usize, duration: Node, lag: Option<Node>) -> Node {
        let g = &mut self.graph;
        let (zero, per) = (g.constant(0.0), g.unary(Unary::Recip, duration));
        let end = lag.map_or(duration, |lag| g.add(lag, duration));
        let feed = Feed::new(owner, "zero_order");
        let both = [lag, Some(end)].map(|lag| {
            let per = Some(per);
            self.states.hide(Feed { lag, per, ..feed })
        });
        both.iter().for_each(|k| self.set_flow(*k, zero));
        let [begun, ended] = both.map(|k| self.graph.state(parameter::index(k)));
        self.graph.sub(begun, ended)
    }

    /// The sum over the doses of a subject, of which there are at most `n_doses`.
    fn by_dose(&mut self, owner: usize, word: &'static str, arguments: [Node; 2]) -> Result<Node> {
        if let Some(kind) = self.kind("t") {
            let problem = format!(
                "`t` is {}, but in differential equations it is the time.",
                kind.words()
            );
            return Err(Error::model("name_used_twice", problem)
                .field("name", "t")
                .hint("Give the parameter, effect or variable another name."));
        }
        let (_, time) = self.column("t", word);
        let lag = self.states.lag(owner);
        if word == "weibull_input" {
            self.grade(owner, word, arguments[1]);
        }
        let terms: Vec<Node> = (0..self.n_doses.max(1))
            .map(|slot| {
                let k = self.states.slot(owner, slot, word);
                let index = parameter::index(k);
                let zero = self.graph.constant(0.0);
                self.set_flow(k, zero);
                let name = format!(".dose{k}");
                let (_, given) = self.sourced(&name, ColumnSource::DoseTime(index), word);
                let g = &mut self.graph;
                let since = g.sub(time, given);
                let since = lag.map_or(since, |lag| g.sub(since, lag));
                let least = g.constant(EARLIEST);
                let since = g.binary(Binary::Max, since, least);
                let density = density(g, word, since, arguments);
                let amount = g.state(index);
                g.mul(amount, density)
            })
            .collect();
        Ok(self.graph.sum(&terms))
    }
}

impl Scope {
    /// Where a density begins like a power of the time, its derivatives may begin at infinity, and the steps of the
    /// solver, which look at the states, are too long for them. Doses of nothing that come ever closer to the dose are
    /// stops for it, so that steps grow with the time since.
    fn grade(&mut self, owner: usize, word: &'static str, scale: Node) {
        let zero = self.graph.constant(0.0);
        let mut part = 1.0;
        for _ in 0..GRADES {
            part /= GRADE;
            let feed = Feed {
                lag: Some(self.graph.scale(part, scale)),
                per: Some(zero),
                ..Feed::new(owner, word)
            };
            let k = self.states.hide(feed);
            self.set_flow(k, zero);
        }
    }
}

/// `g(u)` for `u > 0`, by its logarithm.
fn density(g: &mut Graph, word: &str, u: Node, [a, b]: [Node; 2]) -> Node {
    let log_u = g.ln(u);
    let log = match word {
        "transit" => {
            let one = g.constant(1.0);
            let next = g.add(a, one);
            let k = g.div(next, b);
            let (log_k, constant) = (g.ln(k), g.unary(Unary::LGamma, next));
            let (log_ku, ku) = (g.add(log_k, log_u), g.mul(k, u));
            let power = g.mul(a, log_ku);
            let rest = g.sub(log_k, constant);
            let sum = g.add(power, rest);
            g.sub(sum, ku)
        }
        "inverse_gaussian" => {
            let (away, variance) = (g.sub(u, a), g.square(b));
            let (square, spread) = (g.square(away), g.mul(variance, a));
            let scaled = g.mul(spread, u);
            let ratio = g.div(square, scaled);
            let (log_a, log_b) = (g.ln(a), g.ln(b));
            let (half_a, power) = (g.scale(0.5, log_a), g.scale(1.5, log_u));
            let exponent = g.scale(0.5, ratio);
            let constant = g.constant(LN_SQRT_2PI);
            let norm = g.add(log_b, constant);
            let front = g.sub(half_a, norm);
            let front = g.sub(front, power);
            g.sub(front, exponent)
        }
        _ => {
            let (one, log_b) = (g.constant(1.0), g.ln(b));
            let relative = g.sub(log_u, log_b);
            let power = g.mul(a, relative);
            let survival = g.exp(power);
            let less = g.sub(a, one);
            let rising = g.mul(less, relative);
            let log_a = g.ln(a);
            let front = g.sub(log_a, log_b);
            let sum = g.add(front, rising);
            g.sub(sum, survival)
        }
    };
    g.exp(log)
}

fn call(word: &str, wanted: &[&str]) -> String {
    let needed: Vec<&str> = wanted
        .iter()
        .copied()
        .filter(|name| *name != "lag")
        .collect();
    format!("{word}({})", needed.join(", "))
}

fn outside(word: &str, wanted: &[&str]) -> Error {
    let call = call(word, wanted);
    Error::model(
        "input_outside_equation",
        format!(
            "`{word}()` is the rate at which doses come into a state; it stands in an equation."
        ),
    )
    .hint(format!("Write `d/dt(depot) <- {call} - ka * depot`."))
}

fn incomplete(word: &str, wanted: &[&str]) -> Error {
    Error::model(
        "argument_count",
        format!(
            "`{word}()` is incomplete: its arguments are {}.",
            wanted.join(", ")
        ),
    )
    .hint(format!("Write `{}`.", call(word, wanted)))
}

impl Model {
    /// Hidden states that take the doses of a state by input functions, in the first class.
    pub fn inputs(&self, owner: usize) -> impl Iterator<Item = (usize, Feed)> + '_ {
        self.feeds(owner).filter(|(_, feed)| !feed.copy)
    }
}

impl Feed {
    /// Whether it is the owner itself, as it is in another class.
    pub fn is_owner(&self) -> bool {
        self.word == mixture::WORD
    }
}
