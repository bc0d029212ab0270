//! Compile the equations of a system together with those of its derivatives.
//!
//! `x' = f(x, p)` and `S' = J S + df/dp`, where `S = dx/dp` for each direction (input). The derivatives are states like the
//! others: direction `j` of state `k` is column `n + j n + k`, and the same for the derivatives of rates. States with a
//! closed-form flow keep the value that they had when the segment began, and so do their derivatives.

use super::sparse::zeros;
use crate::ir::graph::{Graph, Node};
use crate::ode::program::Program;
use crate::ode::system::{System, ELAPSED, SIGNALS, TIME};
use crate::ode::tangent::{narrow, Tangents, NO_INPUT};

/// Where the course of a column comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CourseSlot {
    /// Integrated, at this position.
    Moving(usize),
    /// In closed form, at this position.
    Flowing(usize),
    /// Always zero.
    Zero,
}

#[derive(Debug, Clone)]
pub struct LanesField {
    /// States of the system.
    pub n: usize,
    pub n_inputs: usize,
    pub n_signals: usize,
    /// Inputs with respect to which derivatives are carried.
    pub directions: Vec<usize>,
    /// Columns that are integrated, those of values first.
    pub moving: Vec<usize>,
    pub n_values: usize,
    /// Whether the equations have no value somewhere, as a spline outside of its knots: no step goes behind the last stop.
    pub bounded: bool,
    /// Columns that run in closed form.
    pub flowing: Vec<usize>,
    pub slots: Vec<CourseSlot>,
    /// `dx/dt` of the moving columns, without infusions.
    pub rhs: Program,
    /// Values of the flowing columns.
    pub flow: Program,
    /// `dx/dt` of all states of the system at the beginning of a segment, without infusions.
    pub whole: Program,
    /// The same, then its derivatives by the states (row-major), then by the inputs, direction after direction.
    pub still: Program,
    /// Input that holds the initial value of each state.
    pub initial: Vec<Option<usize>>,
    /// States that only add up, and those among them that nothing else touches.
    pub held: Vec<bool>,
    pub lasting: Vec<bool>,
    pub reads_time: bool,
    pub reads_elapsed: bool,
    pub reads_signals: bool,
}

impl LanesField {
    pub fn new(system: &System, directions: &[usize]) -> Self {
        let n = system.states.len();
        let mut graph = system.graph.clone();
        let flows: Vec<Node> = system.flow.iter().flatten().copied().collect();
        let is_flow = |k: &usize| system.flow.get(*k).is_some_and(Option::is_some);
        let (flow_states, states): (Vec<usize>, Vec<usize>) = (0..n).partition(is_flow);
        let fields: Vec<Node> = states.iter().map(|k| system.rhs[*k]).collect();
        let zeros = zeros(system, directions);
        let mut along = Tangents::sparse(&mut graph, n, directions, &zeros);
        let (rhs, flow) = (along.of(&fields), along.of(&flows));
        let (rhs, flow) = ([fields, rhs].concat(), [flows, flow].concat());
        let (moving, rhs) = without(&zeros, columns(&states, n, directions.len()), rhs);
        let (flowing, flow) = without(&zeros, columns(&flow_states, n, directions.len()), flow);
        let mut slots = vec![CourseSlot::Zero; n * (1 + directions.len())];
        for (i, column) in moving.iter().enumerate() {
            slots[*column] = CourseSlot::Moving(i);
        }
        for (i, column) in flowing.iter().enumerate() {
            slots[*column] = CourseSlot::Flowing(i);
        }
        let reached = graph.reachable(&system.rhs);
        let bounded = (graph.nodes().filter(|node| reached[node.index()]))
            .any(|node| graph.as_constant(node).is_some_and(f64::is_nan));
        let still = still(&mut graph, &system.rhs, directions);
        let rhs = Program::new(&graph, &rhs);
        let flow = Program::new(&graph, &flow);
        let whole = Program::new(&graph, &system.rhs);
        let programs = [&rhs, &flow, &whole];
        let reads = |m: u32| programs.iter().any(|program| program.reads_data(m));
        let n_signals = system.signals.len();
        Self {
            n,
            n_inputs: system.n_inputs,
            n_signals,
            directions: directions.to_vec(),
            n_values: states.len(),
            reads_time: reads(TIME),
            reads_elapsed: reads(ELAPSED),
            reads_signals: (0..n_signals).any(|m| reads(SIGNALS + narrow(m))),
            initial: system.initial.clone(),
            held: system.held(),
            lasting: system.lasting(),
            moving,
            bounded,
            flowing,
            slots,
            rhs,
            flow,
            whole,
            still,
        }
    }

    /// Columns of values and derivatives.
    pub fn width(&self) -> usize {
        self.slots.len()
    }

    /// The equations with the directions of `self` and one for each state at the beginning.
    pub fn with_states(&self, system: &System) -> Self {
        let states = std::iter::repeat_n(NO_INPUT, self.n);
        let directions: Vec<usize> = self.directions.iter().copied().chain(states).collect();
        Self::new(system, &directions)
    }

    /// Whether a column belongs to a state that resets and steady states leave alone.
    pub fn lasts(&self, column: usize) -> bool {
        self.lasting[column % self.n]
    }

    /// The derivative of the initial value of state `k` along direction `j`.
    pub fn initial_slope(&self, j: usize, k: usize) -> f64 {
        f64::from(u8::from(self.initial[k] == Some(self.directions[j])))
    }

    /// Column of direction `j` of state `k`.
    pub fn along(&self, j: usize, k: usize) -> usize {
        self.n * (1 + j) + k
    }
}

fn still(graph: &mut Graph, rhs: &[Node], directions: &[usize]) -> Program {
    let (by_state, by_input) = Tangents::new(graph, rhs.len(), directions).slopes(rhs);
    Program::new(graph, &[rhs, &by_state, &by_input].concat())
}

/// Columns that are not always zero, and what belongs to them.
fn without(zeros: &[bool], columns: Vec<usize>, nodes: Vec<Node>) -> (Vec<usize>, Vec<Node>) {
    let both = columns.into_iter().zip(nodes);
    both.filter(|(column, _)| !zeros[*column]).unzip()
}

/// Columns of some states, then of their derivatives along each direction.
fn columns(states: &[usize], n: usize, directions: usize) -> Vec<usize> {
    let blocks = 0..=directions;
    blocks
        .flat_map(|b| states.iter().map(move |k| b * n + k))
        .collect()
}
