//! Recognize linear equations and solve them in closed form between two stops.

mod closed;
mod coefficient;
mod cycle;
mod detect;
mod divided;
mod eliminate;
mod exponential;
mod flow;
mod ladder;
mod march;
mod meet;
mod plan;
mod propagator;
mod spectrum;
mod square;
mod structure;

pub use march::{LinearScratch, March};
pub use plan::StepPlan;
pub use propagator::Coefficients;

use std::collections::BTreeMap;

use self::closed::Closed;
use self::detect::{linear_rows, LinearRow};
use self::structure::components;
use super::system::{System, ELAPSED};
use super::tangent::narrow;
use crate::ir::graph::{Node, Op};

/// States of a system of which a matrix is made.
const LARGEST: usize = 40;

/// Up to how many states an exponential between two stops costs no more than explicit steps.
pub const FEW: usize = 4;

/// The system with the flow of all linear states that have a closed form filled in, and equations of the others that read
/// linear states through it; `None` where no state has one. `infused`: states that infusions may flow into.
pub fn linearize(system: &System, infused: &[bool]) -> Option<System> {
    let mut system = system.clone();
    let mut left = vec![false; system.states.len()];
    loop {
        let rows = linear_rows(&mut system, &left);
        if rows.is_empty() {
            return None;
        }
        let (flow, open) = flows(&mut system, &rows, infused);
        if open.is_empty() {
            system.flow = flow;
            read_through(&mut system);
            return Some(system);
        }
        open.into_iter().for_each(|k| left[k] = true);
    }
}

/// The system with the matrix of its equations; `None` where some equation is not linear, or where there are too many.
pub fn by_matrix(system: &System) -> Option<System> {
    let mut system = system.clone();
    let n = system.states.len();
    let rows = linear_rows(&mut system, &vec![false; n]);
    let known = rows.len() == n && n <= LARGEST;
    system.matrix = known.then(|| coefficients(&mut system, &rows));
    known.then_some(system)
}

/// The flow of each linear state, and the states whose component has no closed form.
fn flows(
    system: &mut System,
    rows: &BTreeMap<usize, LinearRow>,
    infused: &[bool],
) -> (Vec<Option<Node>>, Vec<usize>) {
    let g = &mut system.graph;
    let time = g.data(ELAPSED);
    let mut inputs = BTreeMap::new();
    for (k, form) in rows {
        let mut terms = vec![form.constant.node(g)];
        if infused.get(*k) == Some(&true) {
            terms.push(g.theta(narrow(*k)));
        }
        let input = g.sum(&terms);
        if g.as_constant(input) != Some(0.0) {
            inputs.insert(*k, input);
        }
    }
    let (mut flow, mut open) = (vec![None; system.states.len()], Vec::new());
    let mut closed = Closed::new(g, rows, &inputs, time);
    for component in components(rows) {
        match closed.flow(&component) {
            Some(nodes) => {
                for (k, node) in component.states.iter().zip(nodes) {
                    flow[*k] = Some(node);
                }
            }
            None => open.extend(component.states),
        }
    }
    (flow, open)
}

fn coefficients(system: &mut System, rows: &BTreeMap<usize, LinearRow>) -> Coefficients {
    let (g, n) = (&mut system.graph, system.states.len());
    let mut elements = Vec::new();
    for (k, form) in rows {
        for (l, coefficient) in form.terms.iter().chain([(&n, &form.constant)]) {
            if !coefficient.is_zero() {
                elements.push((*k, *l, coefficient.node(g)));
            }
        }
    }
    Coefficients(elements)
}

/// Let the equations of the other states read linear states where these are, not where their segment began.
fn read_through(system: &mut System) {
    let of = |k: &usize| system.flow[*k].is_none();
    let others: Vec<usize> = (0..system.rhs.len()).filter(of).collect();
    let roots: Vec<Node> = others.iter().map(|k| system.rhs[*k]).collect();
    let needed = system.graph.reachable(&roots);
    let mut moved: Vec<Node> = system.graph.nodes().collect();
    for node in moved.clone() {
        if !needed[node.index()] {
            continue;
        }
        let op = system.graph.op(node);
        moved[node.index()] = match op {
            Op::State(k) => system.flow[k as usize].unwrap_or(node),
            _ => system.graph.copied(op, &moved),
        };
    }
    for k in others {
        system.rhs[k] = moved[system.rhs[k].index()];
    }
}
