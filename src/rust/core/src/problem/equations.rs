//! Take the differential equations out of the program of the rows.
//!
//! In the model's graph a state stands in right-hand sides and in outcomes alike. Once the data are known it is clear
//! what moves while the equations are solved: the states, the time, and data that vary within a subject (*signals*).
//! What depends on none of them has one value a subject and is an *input*, computed by the program of the subject:
//! `cl / v` is divided once, not at every evaluation of `-cl / v * center`. Inputs that are computed from one of them and
//! constants share it. The rest becomes a graph of its own. Signs are no part of inputs, so that `-ka * depot` and
//! `ka * depot` share one, and `x / v` is `x` times an input `1 / v`.

use std::collections::HashMap;
use std::sync::Arc;

use super::courses::{signal_values, signals_between, Between};
use super::parts::{course, is_time, needed, parts, NodeRole};
use crate::data::{Frame, Records};
use crate::error::{Error, Result};
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::level::Extent;
use crate::ir::op::{Binary, Unary};
use crate::language::specification::Interpolation;
use crate::model::parameter::index;
use crate::model::{ColumnSource, CovariateKind, Equation, Model};
use crate::ode::system::{SIGNALS, TIME};
use crate::ode::{Accrual, Dynamics, System, Variant};

/// The equations of a model, apart from it.
pub struct ModelEquations {
    /// The model's graph, whose states know their inputs.
    pub graph: Graph,
    pub system: System,
    /// For each signal its values at the rows of the data frame.
    pub signals: Vec<Vec<f64>>,
    /// For each subject values of the signals at times that have no record.
    pub between: Vec<Vec<Between>>,
    /// For each subject the records whose doses have properties of their own.
    pub variants: Vec<Vec<Variant>>,
}

/// The model's graph as the data let it be seen, and what solves its equations.
pub struct BoundEquations {
    pub graph: Graph,
    pub dynamics: Option<Arc<Dynamics>>,
}

impl BoundEquations {
    /// `frame` is absent where the data are imagined. `groupings`: of the random effects.
    ///
    /// # Errors
    /// Those of [`ModelEquations::extract`], of effects that vary within a subject, of the dosing records, and of the solver.
    pub fn new(model: &Model, frame: Option<&Frame>, groupings: &[Records]) -> Result<Self> {
        if model.equations.is_empty() {
            return Ok(Self {
                graph: model.graph.clone(),
                dynamics: None,
            });
        }
        let records = &match frame {
            Some(frame) => Records::of_subjects(groupings, model, frame),
            None => groupings[0].clone(),
        };
        check_groupings(model, records, groupings)?;
        let time = frame.and_then(|frame| frame.time.as_deref());
        let equations = ModelEquations::extract(model, records, time)?;
        let graph = equations.graph.clone();
        Ok(Self {
            graph,
            dynamics: Some(Arc::new(equations.dynamics(model, records))),
        })
    }
}

impl ModelEquations {
    /// `time`: the name of the time column.
    ///
    /// # Errors
    /// Initial values or properties of doses that vary within a subject.
    pub fn extract(model: &Model, records: &Records, time: Option<&str>) -> Result<Self> {
        let parts = parts(model, records, time);
        let mut taken = Taken {
            model,
            parts: &parts,
            graph: model.graph.clone(),
            inner: Graph::new(),
            inputs: Vec::new(),
            signals: Vec::new(),
            time,
        };
        let moved = taken.take(model.equations.iter().map(|e| e.rhs));
        let rhs = model.equations.iter().map(|e| moved[&e.rhs]).collect();
        let each = model.equations.iter();
        let initial: Result<Vec<_>> = each
            .map(|e| taken.constant(e, e.initial, "initial value", records))
            .collect();
        let initial = initial?;
        let doses = taken.doses(records)?;
        let mut graph = taken.graph;
        graph.set_inputs(taken.inputs.clone());
        let kinds = taken.signals.iter().map(|s| course(model, *s));
        let system = System {
            rhs,
            states: model.equations.iter().map(|e| e.name.clone()).collect(),
            initial,
            dosing: doses.usual,
            accrual: accrual(model),
            varied: doses.variants.iter().any(|own| !own.is_empty()),
            n_inputs: taken.inputs.len(),
            flow: vec![None; model.equations.len()],
            matrix: None,
            signals: kinds.collect(),
            control: model.control.clone(),
            graph: taken.inner,
        };
        let signals = signal_values(model, records, &taken.signals);
        let between = signals_between(model, records, &taken.signals);
        Ok(Self {
            graph,
            system,
            signals,
            between,
            variants: doses.variants,
        })
    }
}

/// # Errors
/// An effect in the equations that has several values within a subject.
fn check_groupings(model: &Model, subjects: &Records, groupings: &[Records]) -> Result<()> {
    let read = model.in_equations();
    for (group, records) in groupings.iter().enumerate() {
        let mut own = model.effects_of(group).filter(|k| read[*k]);
        if let Some(effect) = own.next().filter(|_| !subjects.lies_within(records)) {
            let name = &model.effects[effect].name;
            let block = model.blocks.iter().rfind(|block| block.first <= effect);
            let text = block.map_or(String::new(), |block| block.text.clone());
            return Err(several_values(name, &subjects.group, &records.group, text));
        }
    }
    Ok(())
}

fn several_values(effect: &str, subject: &str, group: &str, text: String) -> Error {
    Error::model(
        "equation_grouping",
        format!(
            "The differential equations read `{effect}`, an effect of `{group}`, which varies within `{subject}`: they \
             have one value of every effect for each `{subject}`."
        ),
    )
    .at(text)
    .field("group", group)
    .hint(format!(
        "An effect that only a line of an outcome reads may vary. For variability between occasions in the equations give \
         each `{subject}` its own effects of them: `random({effect} ~ normal(0, omega) | {subject}:{group})` beside \
         `random(eta ~ normal(0, w) | {subject})`."
    ))
}

fn accrual(model: &Model) -> Vec<Accrual> {
    let sums = model.sums();
    let each = model.equations.iter().zip(sums);
    each.map(|(equation, sums)| match (equation.hazard, sums) {
        (Some(_), _) => Accrual::Lasting,
        (None, true) => Accrual::Anew,
        (None, false) => Accrual::None,
    })
    .collect()
}

/// How a data column runs between its records.
pub(super) fn interpolation(model: &Model, column: usize) -> Interpolation {
    if let ColumnSource::Ahead(_) = model.columns[column].source {
        return Interpolation::Next;
    }
    let mut declared = model
        .covariates
        .iter()
        .filter(|c| c.column as usize == column);
    match declared.next().map(|c| &c.kind) {
        Some(CovariateKind::TimeVarying(kind)) => *kind,
        _ => Interpolation::Constant,
    }
}

/// The graph of the equations while it is made.
pub(super) struct Taken<'a> {
    pub model: &'a Model,
    parts: &'a [NodeRole],
    /// The model's graph, in which inputs may be added.
    pub graph: Graph,
    inner: Graph,
    /// Nodes of the model's graph.
    pub inputs: Vec<Node>,
    signals: Vec<Node>,
    time: Option<&'a str>,
}

impl Taken<'_> {
    /// Whether a node has one value a subject.
    pub(super) fn is_input(&self, node: Node) -> bool {
        matches!(self.parts[node.index()], NodeRole::Input | NodeRole::Once)
    }

    /// Copy what moves below the roots, with leaves for the rest.
    fn take(&mut self, roots: impl Iterator<Item = Node>) -> HashMap<Node, Node> {
        let g = &self.model.graph;
        let needed = needed(g, self.parts, roots);
        let zero = self.inner.constant(0.0);
        let mut moved = vec![zero; g.len()];
        let mut found = HashMap::new();
        let all = g.nodes().filter(|node| needed[node.index()]);
        for node in all.collect::<Vec<_>>() {
            moved[node.index()] = self.copied(node, &moved);
            found.insert(node, moved[node.index()]);
        }
        found
    }

    fn copied(&mut self, node: Node, moved: &[Node]) -> Node {
        let op = self.model.graph.op(node);
        match (self.parts[node.index()], op) {
            (_, Op::Constant(value)) => self.inner.constant(value),
            (_, Op::Unary(Unary::Neg, a)) => self.inner.neg(moved[a.index()]),
            (NodeRole::Input, _) => self.input(node),
            (NodeRole::Moving, Op::Data(i)) if is_time(self.model, i, self.time) => {
                self.inner.data(TIME)
            }
            (NodeRole::Signal, _) | (_, Op::Data(_)) => {
                let m = position(&mut self.signals, node);
                self.inner.data(SIGNALS + index(m))
            }
            (NodeRole::Moving, Op::Binary(f, a, b)) => self.binary(f, (a, b), moved),
            (NodeRole::Moving | NodeRole::Once, _) => self.inner.copied(op, moved),
        }
    }

    fn input(&mut self, node: Node) -> Node {
        let j = position(&mut self.inputs, node);
        self.inner.phi(index(j))
    }

    /// An operation on two operands, its sign apart.
    fn binary(&mut self, f: Binary, (a, b): (Node, Node), moved: &[Node]) -> Node {
        let divides = f == Binary::Div && self.graph.as_constant(b).is_none();
        let (f, y) = match self.parts[b.index()] {
            NodeRole::Input if divides => {
                let inverse = self.graph.unary(Unary::Recip, b);
                (Binary::Mul, self.input(inverse))
            }
            NodeRole::Once if divides => {
                let inverse = self.inner.unary(Unary::Recip, moved[b.index()]);
                (Binary::Mul, inverse)
            }
            _ => (f, moved[b.index()]),
        };
        let ((left, x), (right, y)) = (self.signed(moved[a.index()]), self.signed(y));
        match (f, left, right) {
            (Binary::Mul | Binary::Div, ..) => {
                let value = self.inner.binary(f, x, y);
                if left == right {
                    value
                } else {
                    self.inner.neg(value)
                }
            }
            (Binary::Add, false, true) | (Binary::Sub, false, false) => self.inner.sub(x, y),
            (Binary::Add, true, false) => self.inner.sub(y, x),
            (Binary::Sub, false, true) => self.inner.add(x, y),
            _ => {
                let x = if left { self.inner.neg(x) } else { x };
                let y = if right { self.inner.neg(y) } else { y };
                self.inner.binary(f, x, y)
            }
        }
    }

    /// Whether a node is minus another, and that one.
    fn signed(&self, node: Node) -> (bool, Node) {
        match self.inner.op(node) {
            Op::Unary(Unary::Neg, a) => (true, a),
            _ => (false, node),
        }
    }

    /// The input that holds a value of the subject.
    pub(super) fn constant(
        &mut self,
        equation: &Equation,
        node: Option<Node>,
        what: &str,
        records: &Records,
    ) -> Result<Option<usize>> {
        let Some(node) = node else { return Ok(None) };
        match self.parts[node.index()] {
            NodeRole::Input | NodeRole::Once => Ok(Some(position(&mut self.inputs, node))),
            _ => Err(self.varying(equation, node, what, records)),
        }
    }

    pub(super) fn varying(
        &self,
        equation: &Equation,
        node: Node,
        what: &str,
        records: &Records,
    ) -> Error {
        let needed = self.model.graph.reachable(&[node]);
        let columns = self
            .model
            .graph
            .nodes()
            .filter_map(|n| match self.model.graph.op(n) {
                Op::Data(i) if needed[n.index()] => Some(i as usize),
                _ => None,
            });
        let mut varying = columns.filter(|i| records.extents[*i] == Extent::Row);
        let name = varying
            .next()
            .map_or("", |i| self.model.columns[i].name.as_str());
        Error::data(
            "varying_covariate",
            format!(
                "The {what} of `{}` depends on `{name}`, which varies within {}.",
                equation.name, records.group
            ),
        )
        .at(equation.text.clone())
        .field("column", name)
        .hint(
            "It has one value for each subject: make a column that is constant within the subject.",
        )
    }
}

/// Where a node stands in a list, at its end if it is new.
pub(super) fn position(list: &mut Vec<Node>, node: Node) -> usize {
    let found = list.iter().position(|known| *known == node);
    found.unwrap_or_else(|| {
        list.push(node);
        list.len() - 1
    })
}
