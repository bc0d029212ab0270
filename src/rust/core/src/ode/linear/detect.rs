//! Find the states whose equations are linear, with coefficients that stay the same between two stops.
//!
//! `dx_k/dt = sum_l a_kl x_l + b_k`: `a` and `b` depend on inputs and on signals with steps, and every `x_l` is such a
//! state too. The largest set of states for which this holds is unique.

use std::collections::BTreeMap;

use super::coefficient::Coefficient;
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::{Binary, Unary};
use crate::language::specification::Interpolation;
use crate::ode::system::{System, SIGNALS};

/// `sum terms[l] * x_l + constant`
#[derive(Debug, Clone, Default)]
pub struct LinearRow {
    pub terms: BTreeMap<usize, Coefficient>,
    pub constant: Coefficient,
}

impl LinearRow {
    fn constant(constant: Coefficient) -> Self {
        Self {
            terms: BTreeMap::new(),
            constant,
        }
    }

    fn map(self, f: impl Fn(Coefficient) -> Coefficient) -> Self {
        let terms = self.terms.into_iter();
        Self {
            terms: terms.map(|(l, a)| (l, f(a))).collect(),
            constant: f(self.constant),
        }
    }

    fn plus(mut self, other: &Self) -> Self {
        for (l, a) in &other.terms {
            let sum = self.terms.remove(l).unwrap_or_default().plus(a);
            if !sum.is_zero() {
                self.terms.insert(*l, sum);
            }
        }
        self.constant = self.constant.plus(&other.constant);
        self
    }
}

/// The equations of the linear states, by state; empty if there is none. `left` are states that must not be taken.
pub fn linear_rows(system: &mut System, left: &[bool]) -> BTreeMap<usize, LinearRow> {
    let forms = forms(system);
    let mut rows: BTreeMap<usize, LinearRow> = BTreeMap::new();
    for (k, node) in system.rhs.iter().enumerate() {
        if let (Some(form), false) = (&forms[node.index()], left[k]) {
            rows.insert(k, form.clone());
        }
    }
    loop {
        let alone = rows
            .iter()
            .find(|(_, form)| form.terms.keys().any(|l| !rows.contains_key(l)));
        match alone.map(|(k, _)| *k) {
            Some(k) => rows.remove(&k),
            None => return rows,
        };
    }
}

/// For each node that the equations need, its linear form; `None` where it has none.
fn forms(system: &mut System) -> Vec<Option<LinearRow>> {
    let signals = system.signals.clone();
    let moving = system.graph.depends(|op| is_moving(op, &signals));
    let needed = system.graph.reachable(&system.rhs);
    let n = system.graph.len();
    let mut forms: Vec<Option<LinearRow>> = vec![None; n];
    for (i, node) in system.graph.nodes().take(n).enumerate().collect::<Vec<_>>() {
        if needed[i] && !moving[i] {
            forms[i] =
                form(&mut system.graph, node, &forms).map(|form| bounded(&mut system.graph, form));
        }
    }
    forms
}

/// Whether a leaf changes between two stops, or is nothing the equations may read.
fn is_moving(op: Op, signals: &[Interpolation]) -> bool {
    match op {
        Op::Data(i) => {
            let kind = i.checked_sub(SIGNALS).and_then(|m| signals.get(m as usize));
            kind != Some(&Interpolation::Constant)
        }
        Op::Theta(_) | Op::Carry(_) => true,
        _ => false,
    }
}

/// Long sums become one node.
fn bounded(g: &mut Graph, form: LinearRow) -> LinearRow {
    let shortened = |g: &mut Graph, a: Coefficient| match a.is_long() {
        true => Coefficient::of(a.node(g)),
        false => a,
    };
    let terms = form.terms.into_iter();
    LinearRow {
        terms: terms.map(|(l, a)| (l, shortened(g, a))).collect(),
        constant: shortened(g, form.constant),
    }
}

fn form(g: &mut Graph, node: Node, forms: &[Option<LinearRow>]) -> Option<LinearRow> {
    let of = |a: Node| forms[a.index()].as_ref();
    let steady = |a: Node| of(a).filter(|form| form.terms.is_empty());
    let itself = LinearRow::constant(Coefficient::of(node));
    let is_steady = g.operands(node).all(|a| steady(a).is_some());
    match g.op(node) {
        Op::State(k) => {
            let terms = BTreeMap::from([(k as usize, Coefficient::constant(1.0))]);
            let constant = Coefficient::zero();
            Some(LinearRow { terms, constant })
        }
        Op::Constant(value) => Some(LinearRow::constant(Coefficient::constant(value))),
        Op::Unary(Unary::Neg, a) => Some(of(a)?.clone().map(Coefficient::minus)),
        Op::Binary(Binary::Add, a, b) => Some(of(a)?.clone().plus(of(b)?)),
        Op::Binary(Binary::Sub, a, b) => {
            let minus = of(b)?.clone().map(Coefficient::minus);
            Some(of(a)?.clone().plus(&minus))
        }
        Op::Binary(Binary::Mul, a, b) => match (steady(a), steady(b)) {
            // A product of sums is left as it is: multiplied out it would lose digits.
            (Some(x), Some(y)) if !x.constant.is_product() || !y.constant.is_product() => {
                Some(itself)
            }
            (Some(x), _) => Some(of(b)?.clone().map(|c| c.times(&x.constant))),
            (_, Some(y)) => Some(of(a)?.clone().map(|c| c.times(&y.constant))),
            _ => None,
        },
        Op::Binary(Binary::Div, a, b) => {
            let below = steady(b)?.constant.inverse();
            let below = below.or_else(|| Coefficient::of(b).inverse())?;
            Some(of(a)?.clone().map(|c| c.times(&below)))
        }
        Op::Unary(Unary::Recip, a) => {
            let below = steady(a)?.constant.inverse();
            let below = below.or_else(|| Coefficient::of(a).inverse())?;
            Some(LinearRow::constant(below))
        }
        Op::Select(c, a, b) if !is_steady => {
            steady(c)?;
            Some(selected(g, c, of(a)?.clone(), of(b)?.clone()))
        }
        // Everything else of steady values is one.
        _ => is_steady.then_some(itself),
    }
}

/// Either form, coefficient by coefficient.
fn selected(g: &mut Graph, condition: Node, yes: LinearRow, no: LinearRow) -> LinearRow {
    let mut choose = |a: &Coefficient, b: &Coefficient| {
        let (a, b) = (a.node(g), b.node(g));
        let chosen = g.select(condition, a, b);
        match g.as_constant(chosen) {
            Some(value) => Coefficient::constant(value),
            None => Coefficient::of(chosen),
        }
    };
    let zero = Coefficient::zero();
    let states = yes.terms.keys().chain(no.terms.keys());
    let terms = states.map(|l| {
        let (a, b) = (yes.terms.get(l), no.terms.get(l));
        (*l, choose(a.unwrap_or(&zero), b.unwrap_or(&zero)))
    });
    let terms = terms.collect();
    LinearRow {
        terms,
        constant: choose(&yes.constant, &no.constant),
    }
}
