//! Systems written as lists of flows between states.

use super::lanes::{dose, solve, Case};
use crate::common::systems;
use nlmers_core::ir::graph::{Graph, Node};
use nlmers_core::ir::scalar::{LeafValues, ScalarProgram};
use nlmers_core::language::specification::Interpolation;
use nlmers_core::ode::linear::{by_matrix, linearize};
use nlmers_core::ode::system::{ELAPSED, SIGNALS, TIME};
use nlmers_core::ode::{Administration, Deliveries, DosingSchedule, System};

/// `from -> to` at the rate of an input; `to` outside is `None`.
pub type Flow = (usize, Option<usize>, u32);

/// A system of `n` states from `rhs` of each.
pub fn system(n: usize, n_inputs: usize, write: impl FnOnce(&mut Graph) -> Vec<Node>) -> System {
    let mut graph = Graph::new();
    let rhs = write(&mut graph);
    assert_eq!(rhs.len(), n);
    let signals = vec![Interpolation::Constant, Interpolation::Linear];
    System {
        signals,
        ..systems::system(graph, rhs, n_inputs)
    }
}

/// Compartments and what flows between them, each term written by itself.
pub fn compartments(n: usize, flows: &[Flow]) -> System {
    let n_inputs = 1 + flows.iter().map(|(_, _, j)| *j as usize).max().unwrap_or(0);
    system(n, n_inputs, |g| {
        let mut rhs = vec![g.constant(0.0); n];
        for (from, to, input) in flows {
            let (rate, state) = (g.phi(*input), g.state(*from as u32));
            let flow = g.mul(rate, state);
            rhs[*from] = g.sub(rhs[*from], flow);
            if let Some(to) = to {
                rhs[*to] = g.add(rhs[*to], flow);
            }
        }
        rhs
    })
}

/// The matrix of such compartments at some inputs.
pub fn matrix(n: usize, flows: &[Flow], inputs: &[f64]) -> Vec<Vec<f64>> {
    let mut a = vec![vec![0.0; n]; n];
    for (from, to, input) in flows {
        a[*from][*from] -= inputs[*input as usize];
        if let Some(to) = to {
            a[*to][*from] += inputs[*input as usize];
        }
    }
    a
}

/// Values of all leaves.
#[derive(Debug, Clone, Default)]
pub struct Point {
    pub states: Vec<f64>,
    pub inputs: Vec<f64>,
    pub rates: Vec<f64>,
    pub elapsed: f64,
    pub time: f64,
    pub signals: Vec<f64>,
}

impl LeafValues for Point {
    fn data(&self, column: usize) -> f64 {
        match u32::try_from(column).unwrap() {
            TIME => self.time,
            ELAPSED => self.elapsed,
            k => self.signals[(k - SIGNALS) as usize],
        }
    }
    fn theta(&self, k: usize) -> f64 {
        self.rates[k]
    }
    fn phi(&self, j: usize) -> f64 {
        self.inputs[j]
    }
    fn state(&self, k: usize) -> f64 {
        self.states[k]
    }
}

pub fn values(graph: &Graph, roots: &[Node], at: &Point) -> Vec<f64> {
    ScalarProgram::new(graph, roots).evaluate(graph, at, &mut Vec::new())
}

/// The system as it is solved without steps: by flows in closed form, else by its matrix.
pub fn exactly(system: &System, infused: &[bool]) -> Option<System> {
    linearize(system, infused)
        .filter(|found| found.flow.iter().all(Option::is_some))
        .or_else(|| by_matrix(system))
}

/// All states after the time of the point: by their nodes, or, solved by a matrix, as doses at its beginning lead there.
pub fn flow(system: &System, at: &Point) -> Vec<f64> {
    if system.matrix.is_none() {
        let roots: Vec<Node> = system.flow.iter().map(|node| node.unwrap()).collect();
        return values(&system.graph, &roots, at);
    }
    let given = |x: &[f64]| -> Vec<(usize, f64)> {
        let each = x.iter().copied().enumerate();
        each.filter(|(_, x)| *x != 0.0).collect()
    };
    let boluses = given(&at.states).into_iter();
    let infusions = given(&at.rates).into_iter();
    let events = boluses
        .map(|(k, amount)| dose(0.0, 0, k, amount, Administration::Bolus))
        .chain(infusions.map(|(k, rate)| {
            dose(
                0.0,
                0,
                k,
                4.0 * rate * at.elapsed,
                Administration::Rate(rate),
            )
        }));
    let case = Case {
        schedule: DosingSchedule {
            start: 0.0,
            events: events.collect(),
        },
        times: vec![at.elapsed],
        inputs: at.inputs.clone(),
        ..Case::default()
    };
    let wanted = Deliveries {
        states: (0..system.states.len()).collect(),
        inputs: Vec::new(),
    };
    solve(system, &[case], &wanted).remove(0).0.remove(0)
}
