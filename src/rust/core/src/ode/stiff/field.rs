//! Compile the right-hand side and its derivatives once, and evaluate them for one lane.
//!
//! `f(x, t) = rhs(x, t, inputs, signals) + rates`, `J = df/dx`, and for each direction `d` the explicit part
//! `df/dd` of the sensitivity equations `dS_d/dt = J S_d + df/dd`.

use super::formula::{Formula, FormulaLayout, LeafPlaces};
use crate::ir::graph::{Graph, Node};
use crate::ir::symbolic;
use crate::ode::signals::Signals;
use crate::ode::system::System;

/// Derivatives that are not zero everywhere, with their places.
#[derive(Debug, Clone, Default)]
struct Partials {
    formula: Formula,
    /// Row and column of each root.
    places: Vec<(usize, usize)>,
}

/// The equations of a model, ready for any lane.
#[derive(Debug, Clone)]
pub struct LaneField {
    pub leaves: LeafPlaces,
    rhs: Formula,
    jacobian: Partials,
    /// One for each input, all in column 0.
    inputs: Vec<Partials>,
    blank: Vec<f64>,
}

impl LaneField {
    pub fn new(system: &System) -> Self {
        let mut graph = system.graph.clone();
        let leaves = LeafPlaces {
            states: system.rhs.len(),
            inputs: system.n_inputs,
            signals: system.signals.len(),
        };
        let states: Vec<Node> = (0u32..)
            .take(leaves.states)
            .map(|k| graph.state(k))
            .collect();
        let inputs: Vec<Node> = (0u32..).take(leaves.inputs).map(|j| graph.phi(j)).collect();
        let jacobian = partials(&mut graph, &system.rhs, &states);
        let by_input: Vec<_> = inputs
            .iter()
            .map(|input| partials(&mut graph, &system.rhs, &[*input]))
            .collect();
        let mut layout = FormulaLayout::new(&graph, leaves);
        let mut compile = |(roots, places): (Vec<Node>, Vec<(usize, usize)>)| Partials {
            formula: layout.formula(&roots),
            places,
        };
        let jacobian = compile(jacobian);
        let inputs = by_input.into_iter().map(&mut compile).collect();
        Self {
            leaves,
            rhs: layout.formula(&system.rhs),
            jacobian,
            inputs,
            blank: layout.into_memory(),
        }
    }
}

/// Derivatives of `roots` by `leaves` that are not constantly zero.
fn partials(
    graph: &mut Graph,
    roots: &[Node],
    leaves: &[Node],
) -> (Vec<Node>, Vec<(usize, usize)>) {
    let (mut nodes, mut places) = (Vec::new(), Vec::new());
    for (row, slopes) in symbolic::derivatives(graph, roots, leaves)
        .iter()
        .enumerate()
    {
        for (column, slope) in slopes.iter().enumerate() {
            if let Some(slope) = slope {
                nodes.push(*slope);
                places.push((row, column));
            }
        }
    }
    (nodes, places)
}

/// What derivatives are carried forward for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Input(usize),
    /// A state when the cycle of a steady state begins.
    Start(usize),
}

/// The field as one lane meets it: its inputs, and the rates and signals of the moment.
pub struct Setting<'a> {
    field: &'a LaneField,
    signals: &'a Signals,
    memory: Vec<f64>,
    pub directions: Vec<Direction>,
    /// Of each state.
    pub rates: Vec<f64>,
    /// `d rate / d direction`, direction after direction.
    pub rate_slopes: Vec<f64>,
    /// The time of everything that depends on time, while the clock stands still.
    pub held: Option<f64>,
    /// A value that was not finite has been seen.
    pub trouble: bool,
    /// `J`, column after column, at the point `at` (states, then the time).
    jacobian: Vec<f64>,
    at: Vec<f64>,
}

impl<'a> Setting<'a> {
    pub fn new(field: &'a LaneField, inputs: &[f64], signals: &'a Signals) -> Self {
        let n = field.leaves.states;
        let mut memory = field.blank.clone();
        memory[n..n + inputs.len()].copy_from_slice(inputs);
        let mut setting = Self {
            field,
            signals,
            memory,
            directions: Vec::new(),
            rates: vec![0.0; n],
            rate_slopes: Vec::new(),
            held: None,
            trouble: false,
            jacobian: vec![0.0; n * n],
            at: vec![f64::NAN; n + 1],
        };
        setting.read_line(0);
        setting
    }

    /// The value of an input.
    pub fn input(&self, j: usize) -> f64 {
        self.memory[self.field.leaves.input(j)]
    }

    /// Whether a signal of this line differs from what is read now; smooth courses are not read from lines.
    pub fn differs(&self, line: usize) -> bool {
        let first = self.field.leaves.signal(0);
        let Some(values) = self.signals.lines.get(line) else {
            return false;
        };
        let smooth = |m: usize| self.signals.courses.iter().any(|(k, _)| *k == m);
        let mut pairs = self.memory[first..].iter().zip(values).enumerate();
        pairs.any(|(m, (now, then))| now.to_bits() != then.to_bits() && !smooth(m))
    }

    /// Read signals from this line.
    pub fn read_line(&mut self, line: usize) {
        let first = self.field.leaves.signal(0);
        if let Some(values) = self.signals.lines.get(line) {
            self.memory[first..first + values.len()].copy_from_slice(values);
        }
        self.forget();
    }

    /// Forget what was evaluated.
    pub fn forget(&mut self) {
        self.at.fill(f64::NAN);
    }

    fn enter(&mut self, x: &[f64], t: f64) {
        let leaves = &self.field.leaves;
        let t = self.held.unwrap_or(t);
        self.memory[..x.len()].copy_from_slice(x);
        self.memory[leaves.time()] = t;
        self.memory[leaves.elapsed()] = 0.0;
        for (m, course) in &self.signals.courses {
            self.memory[leaves.signal(*m)] = course.at(t);
        }
    }

    /// `f(x, t)`
    pub fn call(&mut self, x: &[f64], t: f64, f: &mut [f64]) {
        self.enter(x, t);
        self.field.rhs.run(&mut self.memory);
        for ((f, root), rate) in f.iter_mut().zip(self.field.rhs.roots()).zip(&self.rates) {
            *f = self.memory[*root] + rate;
            self.trouble |= !f.is_finite();
        }
    }

    /// `J`, column after column.
    pub fn jacobian(&mut self, x: &[f64], t: f64) -> &[f64] {
        let n = x.len();
        // NaN equals nothing: what was forgotten, and what is not a number, is evaluated again.
        if self.at[..n] == *x && self.at[n] == t {
            return &self.jacobian;
        }
        self.enter(x, t);
        let partials = &self.field.jacobian;
        partials.formula.run(&mut self.memory);
        for ((row, column), root) in partials.places.iter().zip(partials.formula.roots()) {
            self.jacobian[column * n + row] = self.memory[*root];
        }
        self.at[..n].copy_from_slice(x);
        self.at[n] = t;
        &self.jacobian
    }

    /// `df/dd` of all directions, direction after direction.
    pub fn slopes(&mut self, x: &[f64], t: f64, slopes: &mut [f64]) {
        let n = x.len();
        self.enter(x, t);
        slopes.copy_from_slice(&self.rate_slopes);
        for (d, direction) in self.directions.iter().enumerate() {
            let Direction::Input(j) = direction else {
                continue;
            };
            let partials = &self.field.inputs[*j];
            partials.formula.run(&mut self.memory);
            for ((row, _), root) in partials.places.iter().zip(partials.formula.roots()) {
                slopes[d * n + row] += self.memory[*root];
            }
        }
    }

    /// Position of an input among the directions.
    pub fn direction(&self, input: usize) -> Option<usize> {
        self.directions
            .iter()
            .position(|d| *d == Direction::Input(input))
    }
}
