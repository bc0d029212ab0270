//! Compile the differential equations: `d/dt(x)`, `x(0)` and what the model says of doses into `x`.
//!
//! The states are known before any statement is compiled, so that a variable may read a state whose equation follows.
//! In a right-hand side a state is its current value and the column `t` the time; in any other statement both are those
//! of the row.

use super::compartments::{self, Compartments};
use super::scope::{NameKind, Scope};
use super::value::ShapedValue;
use super::{ColumnSource, Equation, Feed};
use crate::error::{Error, Result};
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::Binary;
use crate::language::expression::Expression;
use crate::language::specification::{DosingProperty, Specification, Statement};
use crate::language::words;

/// The time in right-hand sides.
pub const TIME: &str = "t";

/// The states of a model and what was compiled of them.
#[derive(Debug, Clone, Default)]
pub struct ModelStates {
    list: Vec<ModelState>,
    /// The state whose equation is compiled.
    deriving: Option<usize>,
    pub linear: Option<Compartments>,
}

#[derive(Debug, Clone)]
struct ModelState {
    name: String,
    /// The statement that makes it a state.
    text: String,
    /// True when it belongs to `linear_compartments()`.
    linear: bool,
    rhs: Option<Node>,
    initial: Option<Node>,
    /// In the order of [`DosingProperty`].
    dosing: [Option<Node>; 4],
    /// For a hidden state what it is there for.
    feed: Option<Feed>,
    hazard: Option<u32>,
}

impl ModelStates {
    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        let shown = |state: &&ModelState| state.feed.is_none() && state.hazard.is_none();
        let visible = self.list.iter().filter(shown);
        visible.map(|state| state.name.as_str())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|state| state.name == name)
    }

    fn push(&mut self, name: &str, text: &str, linear: bool) -> Result<()> {
        if let Some(k) = self.position(name) {
            return Err(twice(&self.list[k], name).at(text));
        }
        if name == TIME {
            return Err(Error::model(
                "name_used_twice",
                format!("`{TIME}` is the time and cannot be a state."),
            )
            .at(text)
            .field("name", name)
            .hint("Give the state another name."));
        }
        self.list.push(ModelState {
            name: name.to_string(),
            text: text.to_string(),
            linear,
            rhs: None,
            initial: None,
            dosing: [None; 4],
            feed: None,
            hazard: None,
        });
        Ok(())
    }

    /// Add the hidden state that adds up the hazard of the outcome in a column.
    pub fn accrue(&mut self, (column, name): (u32, &str), rhs: Node, text: &str) -> usize {
        self.list.push(ModelState {
            name: format!("cumulative hazard of {name}"),
            text: text.to_string(),
            linear: false,
            rhs: Some(rhs),
            initial: None,
            dosing: [None; 4],
            feed: None,
            hazard: Some(column),
        });
        self.list.len() - 1
    }

    pub fn deriving(&self) -> Option<usize> {
        self.deriving
    }

    /// The lag of doses into a state, as far as it is known.
    pub fn lag(&self, state: usize) -> Option<Node> {
        let state = self.list.get(state)?;
        state.dosing[DosingProperty::Alag as usize]
    }

    /// Add a hidden state.
    pub fn hide(&mut self, feed: Feed) -> usize {
        let (name, text) = match self.list.get(feed.owner) {
            Some(owner) => (
                format!("{} of {}()", owner.name, feed.word),
                owner.text.clone(),
            ),
            None => (String::new(), String::new()),
        };
        self.list.push(ModelState {
            name,
            text,
            linear: false,
            rhs: None,
            initial: None,
            dosing: [None; 4],
            feed: Some(feed),
            hazard: None,
        });
        self.list.len() - 1
    }

    /// The hidden state of one dose, which all functions of a state share.
    pub fn slot(&mut self, owner: usize, slot: usize, word: &'static str) -> usize {
        let taken = |state: &ModelState| {
            let feed = state.feed.filter(|feed| feed.owner == owner);
            feed.is_some_and(|feed| feed.slot == Some(slot))
        };
        let known = self.list.iter().position(taken);
        known.unwrap_or_else(|| {
            self.hide(Feed {
                slot: Some(slot),
                ..Feed::new(owner, word)
            })
        })
    }
}

fn twice(earlier: &ModelState, name: &str) -> Error {
    let error = if earlier.linear {
        Error::model(
            "equation_twice",
            format!("The state `{name}` is one of linear_compartments() already."),
        )
        .hint("Give the state another name, or write all equations out.")
    } else {
        Error::model(
            "equation_twice",
            format!("The state `{name}` has two equations."),
        )
        .hint("Write one equation with all terms.")
    };
    error.field("name", name)
}

/// Find the states: those of `linear_compartments()` first, then in the order of their equations.
///
/// # Errors
/// Two equations of one state, a name that means something else, arguments of `linear_compartments()` that make no
/// model.
pub fn find(scope: &mut Scope, spec: &Specification) -> Result<()> {
    let mut states = ModelStates {
        list: Vec::new(),
        deriving: None,
        linear: compartments::find(&spec.statements)?,
    };
    if let Some(linear) = states.linear.clone() {
        for name in linear.states() {
            states.push(name, &linear.text, true)?;
        }
    }
    for statement in &spec.statements {
        if let Statement::Derivative { state, text, .. } = statement {
            states.push(state, text, false)?;
        }
    }
    for (k, state) in states.list.iter().enumerate() {
        let declared = (scope.columns.iter()).any(|column| column.name == state.name);
        let result = if declared && scope.kind(&state.name).is_none() {
            let problem = format!("`{}` is used twice.", state.name);
            Err(Error::model("name_used_twice", problem)
                .field("name", &state.name)
                .hint("It is already a covariate: give this state another name."))
        } else {
            let node = scope.graph.state(super::parameter::index(k));
            scope.define(&state.name, NameKind::State, ShapedValue::Scalar(node))
        };
        result.map_err(|e| e.at(state.text.clone()))?;
    }
    scope.states = states;
    Ok(())
}

impl DosingProperty {
    fn word(self) -> &'static str {
        match self {
            Self::F => "f",
            Self::Alag => "alag",
            Self::Rate => "rate",
            Self::Dur => "dur",
        }
    }
}

impl Scope {
    /// Compile a statement of the differential equations; `false` for any other.
    ///
    /// # Errors
    /// Those of its expression, a state without equation, a statement made twice, values that change with time.
    pub fn equation(&mut self, statement: &Statement) -> Result<bool> {
        let (result, text) = match statement {
            Statement::Derivative { state, value, text } => {
                (self.derivative(state, value, text), text)
            }
            Statement::Initial { state, value, text } => {
                let what = format!("{state}(0)");
                (self.property(&what, state, value, text), text)
            }
            Statement::Dosing {
                property,
                state,
                value,
                text,
            } => {
                let what = format!("{}({state})", property.word());
                (self.property(&what, state, value, text), text)
            }
            _ => return Ok(false),
        };
        let node = result.map_err(|e| e.at(text.clone()))?;
        self.count_step().map_err(|e| e.at(text.clone()))?;
        let Some(k) = self.states.position(state_of(statement)) else {
            return Ok(true);
        };
        let state = &mut self.states.list[k];
        let (slot, what) = match statement {
            Statement::Initial { .. } => (&mut state.initial, format!("{}(0)", state.name)),
            Statement::Dosing { property, .. } => (
                &mut state.dosing[*property as usize],
                format!("{}({})", property.word(), state.name),
            ),
            _ => (&mut state.rhs, String::new()),
        };
        if slot.replace(node).is_some() {
            let problem = format!("`{what}` is given twice.");
            return Err(Error::model("stated_twice", problem)
                .at(text.clone())
                .field("name", &state.name)
                .hint("State it once; `ifelse()` chooses between values."));
        }
        Ok(true)
    }

    fn derivative(&mut self, state: &str, value: &Expression, text: &str) -> Result<Node> {
        self.states.deriving = self.states.position(state);
        let rhs = self.scalar(value, text);
        self.states.deriving = None;
        rhs.map_err(|error| {
            if error.reason == "wrong_shape" && error.hint.is_none() {
                let first = format!("d/dt({state}1)");
                error.hint(format!(
                    "A state is a number: write one equation for each element, as in `{first} <- ...`."
                ))
            } else {
                error
            }
        })
    }

    /// The value of `x(0)`, `f(x)`, ...: of the subject or of a record, at no time between.
    fn property(
        &mut self,
        what: &str,
        state: &str,
        value: &Expression,
        text: &str,
    ) -> Result<Node> {
        if self.states.position(state).is_none() {
            return Err(self.no_equation(what, state));
        }
        let node = self.scalar(value, text)?;
        if let Some(name) = self.changing(node) {
            return Err(Error::model(
                "not_of_subject",
                format!("`{what}` reads `{name}`, which changes with time."),
            )
            .field("name", name)
            .hint("Parameters, random effects and covariates may stand here."));
        }
        Ok(node)
    }

    fn no_equation(&self, what: &str, state: &str) -> Error {
        let error = Error::model(
            "state_without_equation",
            format!("`{what}` is given, but there is no equation of `{state}`."),
        )
        .field("name", state);
        if self.states.len() == 0 {
            return error.hint(format!("Write `d/dt({state}) <- ...`."));
        }
        error.hint(words::suggestion(
            state,
            "The states are",
            self.states.names(),
        ))
    }

    /// The name of the first state, or of the time, on which a value depends.
    pub(super) fn changing(&self, node: Node) -> Option<String> {
        let needed = self.graph.reachable(&[node]);
        let mut nodes = self.graph.nodes().filter(|n| needed[n.index()]);
        nodes.find_map(|n| match self.graph.op(n) {
            Op::State(k) => (self.states.list.get(k as usize)).map(|state| state.name.clone()),
            Op::Data(i) => {
                let column = &self.columns[i as usize];
                (column.source == ColumnSource::Data && column.name == TIME)
                    .then(|| TIME.to_string())
            }
            _ => None,
        })
    }

    /// The name of a state on which a value depends.
    pub fn reads_state(&self, node: Node) -> Option<&str> {
        let needed = self.graph.reachable(&[node]);
        let mut nodes = self.graph.nodes().filter(|n| needed[n.index()]);
        nodes.find_map(|n| match self.graph.op(n) {
            Op::State(k) => {
                let state = self.states.list.get(k as usize)?;
                // Of what adds up a hazard nobody knows the name.
                let read = state.rhs.filter(|_| state.hazard.is_some());
                read.map_or(Some(state.name.as_str()), |rhs| self.reads_state(rhs))
            }
            _ => None,
        })
    }

    /// Set the right-hand side of a state of `linear_compartments()`.
    pub fn set_flow(&mut self, state: usize, rhs: Node) {
        if let Some(state) = self.states.list.get_mut(state) {
            state.rhs = Some(rhs);
        }
    }

    /// All equations, once every statement is compiled.
    ///
    /// # Errors
    /// `t` is a name of the model; `linear_compartments()` stands where it is never computed.
    pub fn equations(&mut self) -> Result<Vec<Equation>> {
        let list = &self.states.list;
        let Some(first) = list.first() else {
            return Ok(Vec::new());
        };
        if let Some(kind) = self.kind(TIME) {
            return Err(Error::model(
                "name_used_twice",
                format!(
                    "`{TIME}` is {}, but in differential equations it is the time.",
                    kind.words()
                ),
            )
            .at(first.text.clone())
            .field("name", TIME)
            .hint("Give the parameter, effect or variable another name."));
        }
        for k in 0..list.len() {
            self.feed(k);
        }
        self.states.list.iter().map(ModelState::complete).collect()
    }

    /// Doses into a hidden state are those of its owner, but for what the input function says.
    fn feed(&mut self, k: usize) {
        let list = &mut self.states.list;
        let Some(feed) = list[k].feed else { return };
        let [fraction, lag, rate, duration] = list[feed.owner].dosing;
        let g = &mut self.graph;
        let both = |g: &mut Graph, a: Option<Node>, b: Option<Node>, f| match (a, b) {
            (Some(a), Some(b)) => Some(g.binary(f, a, b)),
            (a, b) => a.or(b),
        };
        list[k].dosing = [
            both(g, fraction, feed.per, Binary::Mul),
            both(g, lag, feed.lag, Binary::Add),
            rate,
            duration,
        ];
    }
}

fn state_of(statement: &Statement) -> &str {
    match statement {
        Statement::Derivative { state, .. }
        | Statement::Initial { state, .. }
        | Statement::Dosing { state, .. } => state,
        _ => "",
    }
}

impl ModelState {
    fn complete(&self) -> Result<Equation> {
        let Some(rhs) = self.rhs else {
            let problem = "linear_compartments() stands where it is never computed.";
            return Err(Error::model("equation_inside", problem)
                .at(self.text.clone())
                .hint("Assign it to a variable outside `if` and `for`."));
        };
        let [fraction, lag, rate, duration] = self.dosing;
        Ok(Equation {
            name: self.name.clone(),
            rhs,
            initial: self.initial,
            fraction,
            lag,
            rate,
            duration,
            feed: self.feed,
            hazard: self.hazard,
            text: self.text.clone(),
        })
    }
}
