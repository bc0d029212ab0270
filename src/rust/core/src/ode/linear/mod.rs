//! Recognize linear equations and solve them in closed form between two stops.

mod closed;
mod coefficient;
mod cycle;
mod detect;
mod divided;
mod eliminate;
mod exponential;
mod march;
mod meet;
mod plan;
mod spectrum;
mod structure;

pub use march::{March, Scratch};
pub use plan::Plan;

use std::collections::BTreeMap;

use self::closed::Closed;
use self::detect::{linear_rows, Form};
use self::structure::{components, Component};
use super::system::{System, ELAPSED};
use super::tangent::narrow;
use crate::ir::graph::{Node, Op};

/// States whose exponential is written into the graph together; larger systems are integrated.
const LARGEST: usize = 10;

/// The system with the flow of all linear states filled in, and equations of the others that read linear states through it;
/// `None` where no state is linear. `infused`: states that infusions may flow into.
pub fn linearize(system: &System, infused: &[bool]) -> Option<System> {
    let mut system = system.clone();
    let mut left = vec![false; system.states.len()];
    loop {
        let rows = linear_rows(&mut system, &left);
        if rows.is_empty() {
            return None;
        }
        match flows(&mut system, &rows, infused) {
            Ok(flow) => {
                system.flow = flow;
                read_through(&mut system);
                return Some(system);
            }
            Err(large) => large.into_iter().for_each(|k| left[k] = true),
        }
    }
}

/// The flow of each linear state; where some are better integrated, these.
fn flows(
    system: &mut System,
    rows: &BTreeMap<usize, Form>,
    infused: &[bool],
) -> Result<Vec<Option<Node>>, Vec<usize>> {
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
    let mut flow = vec![None; system.states.len()];
    let mut closed = Closed::new(g, rows, &inputs, time);
    let mut groups: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
    for component in components(rows) {
        match closed.flow(&component) {
            Some(nodes) => {
                for (k, node) in component.states.iter().zip(nodes) {
                    flow[*k] = Some(node);
                }
            }
            None => join(&mut groups, &component)?,
        }
    }
    // A step by step solution would evaluate an exponential many times between two stops.
    if rows.len() < flow.len() && !groups.is_empty() {
        return Err(groups.into_iter().flat_map(|(_, wanted)| wanted).collect());
    }
    for (all, wanted) in groups {
        let nodes = exponential::flow(g, rows, &all, &inputs, time);
        for (k, node) in all.iter().zip(nodes) {
            if wanted.contains(k) {
                flow[*k] = Some(node);
            }
        }
    }
    Ok(flow)
}

/// Put a component among those that share an exponential: all states of it, those for which it is wanted.
fn join(
    groups: &mut Vec<(Vec<usize>, Vec<usize>)>,
    component: &Component,
) -> Result<(), Vec<usize>> {
    let mut own: Vec<usize> = component
        .states
        .iter()
        .chain(&component.above)
        .copied()
        .collect();
    own.sort_unstable();
    if own.len() > LARGEST {
        return Err(component.states.clone());
    }
    for (all, wanted) in groups.iter_mut() {
        let new = own.iter().filter(|k| !all.contains(k)).count();
        if new < own.len() && all.len() + new <= LARGEST {
            all.extend(own);
            all.sort_unstable();
            all.dedup();
            wanted.extend(&component.states);
            return Ok(());
        }
    }
    groups.push((own, component.states.clone()));
    Ok(())
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
