//! Compile `linear_compartments()`: one to three compartments, with or without a depot, written as equations.
//!
//! ```text
//! d/dt(depot)       = -ka * depot
//! d/dt(central)     =  ka * depot - k * central - k12 * central + k21 * peripheral1 - k13 * central + k31 * peripheral2
//! d/dt(peripheral1) =  k12 * central - k21 * peripheral1
//! d/dt(peripheral2) =  k13 * central - k31 * peripheral2
//! ```
//!
//! with `k = cl / v`, `k12 = q / v`, `k21 = q / v2`, `k13 = q2 / v` and `k31 = q2 / v3`. The value is the concentration
//! `central / v`.

use super::scope::Scope;
use super::value::ShapedValue;
use crate::error::{Error, Result};
use crate::ir::graph::Node;
use crate::language::expression::Expression;
use crate::language::specification::Statement;
use crate::language::words;

pub const WORD: &str = "linear_compartments";

/// Arguments with their other names; the first seven also stand by position.
const ARGUMENTS: [&[&str]; 12] = [
    &["cl"],
    &["v", "v1", "vc"],
    &["q", "q1"],
    &["v2", "vp", "vp1"],
    &["q2"],
    &["v3", "vp2"],
    &["ka"],
    &["k", "kel", "ke"],
    &["k12"],
    &["k21"],
    &["k13"],
    &["k31"],
];
const POSITIONAL: usize = 7;
const KA: usize = 6;
const V: usize = 1;
/// For one, two and three compartments: clearances and volumes, or rates.
const FLOWS: [&[usize]; 3] = [&[0, 1], &[0, 1, 2, 3], &[0, 1, 2, 3, 4, 5]];
const RATES: [&[usize]; 3] = [&[7, 1], &[7, 1, 8, 9], &[7, 1, 8, 9, 10, 11]];

const SETS: &str =
    "Give `cl` and `v`; also `q` and `v2` for a second compartment, `q2` and `v3` for a third. \
    Or give `k` and `v`, also `k12` and `k21`, also `k13` and `k31`. With `ka` there is a depot.";

/// The compartments of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Compartments {
    /// Whether there is a depot.
    absorbs: bool,
    /// One to three.
    n: usize,
    /// Whether rates are given instead of clearances and volumes.
    by_rates: bool,
    /// The statement in which it stands.
    pub text: String,
    /// Its arguments and value, once it was compiled.
    compiled: Option<(Vec<Node>, Node)>,
}

impl Compartments {
    /// Names of the states in the order of compartment numbers.
    pub fn states(&self) -> impl Iterator<Item = &'static str> {
        let depot = self.absorbs.then_some("depot");
        let others = ["central", "peripheral1", "peripheral2"];
        depot.into_iter().chain(others.into_iter().take(self.n))
    }

    fn same_states(&self, other: &Self) -> bool {
        (self.absorbs, self.n, self.by_rates) == (other.absorbs, other.n, other.by_rates)
    }

    fn wanted(&self) -> impl Iterator<Item = usize> {
        let set = if self.by_rates { RATES } else { FLOWS };
        let absorption = self.absorbs.then_some(KA);
        set[self.n - 1].iter().copied().chain(absorption)
    }
}

/// The call in some statements, if there is one.
///
/// # Errors
/// Arguments that make no model; two calls that differ in their compartments.
pub fn find(statements: &[Statement]) -> Result<Option<Compartments>> {
    let mut found: Option<Compartments> = None;
    let mut problem = Ok(());
    for_each_call(statements, &mut |args, names, text| {
        if problem.is_err() {
            return;
        }
        problem = arrange(args, names)
            .and_then(|slots| compartments(&slots, text))
            .and_then(|new| match &found {
                Some(known) if !known.same_states(&new) => Err(two_calls()),
                Some(_) => Ok(()),
                None => {
                    found = Some(new);
                    Ok(())
                }
            })
            .map_err(|e| e.at(text));
    });
    problem.map(|()| found)
}

fn two_calls() -> Error {
    Error::model(
        "linear_compartments_twice",
        "linear_compartments() is called twice.",
    )
    .hint("Assign its value to a variable and use that; write further equations with `d/dt()`.")
}

type ArgumentVisit<'a> = dyn FnMut(&[Expression], &[String], &str) + 'a;

fn for_each_call(statements: &[Statement], visit: &mut ArgumentVisit) {
    for statement in statements {
        match statement {
            Statement::Assign {
                index, value, text, ..
            } => {
                index.iter().for_each(|tree| inside(tree, text, visit));
                inside(value, text, visit);
            }
            Statement::Outcome { dist, text, .. } => inside(dist, text, visit),
            Statement::If {
                condition,
                yes,
                no,
                text,
            } => {
                inside(condition, text, visit);
                for_each_call(yes, visit);
                for_each_call(no, visit);
            }
            Statement::For {
                values, body, text, ..
            } => {
                inside(values, text, visit);
                for_each_call(body, visit);
            }
            Statement::Derivative { value, text, .. }
            | Statement::Initial { value, text, .. }
            | Statement::Dosing { value, text, .. } => {
                inside(value, text, visit);
            }
        }
    }
}

fn inside(tree: &Expression, text: &str, visit: &mut ArgumentVisit) {
    match tree {
        Expression::Call { call, args, names } => {
            if call == WORD {
                visit(args, names, text);
            }
            args.iter().for_each(|arg| inside(arg, text, visit));
        }
        Expression::Block { block, value } => {
            for_each_call(block, visit);
            inside(value, text, visit);
        }
        _ => {}
    }
}

/// The argument in each slot of [`ARGUMENTS`].
fn arrange<'a>(args: &'a [Expression], names: &[String]) -> Result<Vec<Option<&'a Expression>>> {
    let mut slots: Vec<Option<&Expression>> = vec![None; ARGUMENTS.len()];
    let name_of = |i: usize| names.get(i).filter(|name| !name.is_empty());
    for (i, arg) in args.iter().enumerate() {
        let Some(name) = name_of(i) else { continue };
        let known = |slot: &&[&str]| slot.contains(&name.as_str());
        let Some(k) = ARGUMENTS.iter().position(known) else {
            let all = ARGUMENTS.iter().flat_map(|slot| slot.iter().copied());
            let problem = format!("`{WORD}()` has no argument `{name}`.");
            let near = words::nearest(name, all);
            return Err(Error::model("unknown_argument", problem)
                .field("name", name)
                .hint(near.map_or(SETS.into(), |near| format!("Did you mean `{near}`?"))));
        };
        if slots[k].replace(arg).is_some() {
            let problem = format!("`{WORD}()` is given `{}` twice.", ARGUMENTS[k][0]);
            return Err(Error::model("name_used_twice", problem).hint(format!(
                "One argument has the names {}.",
                ARGUMENTS[k].join(", ")
            )));
        }
    }
    let mut rest = (0..args.len()).filter(|i| name_of(*i).is_none());
    for slot in slots[..POSITIONAL].iter_mut().filter(|slot| slot.is_none()) {
        *slot = rest.next().map(|i| &args[i]);
    }
    match rest.next() {
        None => Ok(slots),
        Some(_) => Err(Error::model(
            "argument_count",
            format!("`{WORD}()` is given {} arguments.", args.len()),
        )
        .hint(SETS)),
    }
}

/// What compartments the arguments make.
fn compartments(slots: &[Option<&Expression>], text: &str) -> Result<Compartments> {
    let is_given = |k: usize| slots[k].is_some();
    let names = |list: &[usize]| {
        let names: Vec<String> = (list.iter().map(|k| format!("`{}`", ARGUMENTS[*k][0]))).collect();
        names.join(", ")
    };
    let only = |set: &[&[usize]; 3]| -> Vec<usize> {
        set[2]
            .iter()
            .copied()
            .filter(|k| *k != V && is_given(*k))
            .collect()
    };
    let (flows, rates) = (only(&FLOWS), only(&RATES));
    let error = |problem: String| Err(Error::model("argument_count", problem).hint(SETS));
    if !flows.is_empty() && !rates.is_empty() {
        return error(format!(
            "`{WORD}()` is given both clearances or volumes ({}) and rates ({}).",
            names(&flows),
            names(&rates)
        ));
    }
    let by_rates = !rates.is_empty();
    let set = if by_rates { &RATES } else { &FLOWS };
    let beyond = |less: &[usize], more: &[usize]| {
        let mut extra = more.iter().filter(|k| !less.contains(k));
        extra.any(|k| is_given(*k))
    };
    let more = [2, 1].into_iter().find(|k| beyond(set[k - 1], set[*k]));
    let n = 1 + more.unwrap_or(0);
    let wanted = set[n - 1].iter().copied();
    let missing: Vec<usize> = wanted.filter(|k| !is_given(*k)).collect();
    if !missing.is_empty() {
        let verb = if missing.len() == 1 { "is" } else { "are" };
        return error(format!(
            "`{WORD}()` is incomplete: {} {verb} missing.",
            names(&missing)
        ));
    }
    Ok(Compartments {
        absorbs: is_given(KA),
        n,
        by_rates,
        text: text.to_string(),
        compiled: None,
    })
}

impl Scope {
    /// Compile a call of `linear_compartments()`: its equations, and the concentration.
    ///
    /// # Errors
    /// Those of its arguments, and a second call.
    pub fn compartments(
        &mut self,
        args: &[Expression],
        names: &[String],
        statement: &str,
    ) -> Result<ShapedValue> {
        let slots = arrange(args, names)?;
        let mut call = compartments(&slots, statement)?;
        let mut values = Vec::new();
        for k in call.wanted() {
            if let Some(tree) = slots[k] {
                values.push(self.scalar(tree, statement)?);
            }
        }
        let Some(known) = &self.states.linear else {
            let problem = format!("`{WORD}()` stands outside the code of the model.");
            return Err(Error::model("equation_inside", problem));
        };
        match &known.compiled {
            // A function read in place may have computed it twice.
            Some((earlier, value)) if *earlier == values => return Ok(ShapedValue::Scalar(*value)),
            Some(_) => return Err(two_calls()),
            None => {}
        }
        let concentration = self.flows(&call, &values);
        call.compiled = Some((values, concentration));
        self.states.linear = Some(call);
        Ok(ShapedValue::Scalar(concentration))
    }

    /// Write the equations. `values`: the arguments in the order of [`Compartments::wanted`].
    fn flows(&mut self, call: &Compartments, values: &[Node]) -> Node {
        let g = &mut self.graph;
        let v = values[V];
        let first = usize::from(call.absorbs);
        let state = |k: usize| super::parameter::index(first + k);
        let central = g.state(state(0));
        let k = if call.by_rates {
            values[0]
        } else {
            g.div(values[0], v)
        };
        let out = g.mul(k, central);
        let mut change = g.neg(out);
        let mut rhs = Vec::new();
        if call.absorbs {
            let depot = g.state(0);
            let absorbed = g.mul(values[2 * call.n], depot);
            change = g.sub(absorbed, out);
            rhs.push(g.neg(absorbed));
        }
        let mut peripherals = Vec::new();
        for j in 1..call.n {
            let (there, back) = match [values[2 * j], values[2 * j + 1]] {
                [there, back] if call.by_rates => (there, back),
                [q, volume] => (g.div(q, v), g.div(q, volume)),
            };
            let peripheral = g.state(state(j));
            let (leaves, returns) = (g.mul(there, central), g.mul(back, peripheral));
            let net = g.sub(leaves, returns);
            change = g.sub(change, net);
            peripherals.push(net);
        }
        let concentration = g.div(central, v);
        rhs.push(change);
        rhs.extend(peripherals);
        for (k, rhs) in rhs.into_iter().enumerate() {
            self.set_flow(k, rhs);
        }
        concentration
    }
}
